#include "store/command/mxstore.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name, *sub;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
    {"stat", NULL, mxstore_stat, "what the corpus holds, and its size"},
    {"check", NULL, mxstore_check, "verify every invariant of the corpus"},
    {"export", "pem", mxstore_export_pem, "what every series showed at a moment, as PEM"},
    {"export", "jsonl", mxstore_export_jsonl, "observations and certificates as JSON lines"},
    {"export", "csv", mxstore_export_csv, "a row an observation, for a spreadsheet"},
    {"import", "jsonl", mxstore_import_jsonl, "JSON lines of export jsonl or mxcollect --json"},
    {"import", "pem", mxstore_import_pem, "a chain that somebody kept, as an observation"},
    {"import", "zgrab2", mxstore_import_zgrab2, "what zgrab2's module smtp found"},
    {"import", "sonar", mxstore_import_sonar, "certificates and endpoints of Rapid7's Sonar"},
    {"import", "postfix-log", mxstore_import_postfix_log,
	"what Postfix logged of TLS with servers"},
    {"merge", NULL, mxstore_merge, "bring other corpora in"},
    {"backup", NULL, mxstore_backup, "a copy, while others write; or what came since the last"},
    {"compact", NULL, mxstore_compact, "rewrite it closely packed"},
    {"prune", NULL, mxstore_prune, "drop what is old and not needed any more"},
    {"delete", NULL, mxstore_delete, "an operator's opt-out: drop a name, and block it"},
};
#define COMMAND_N (sizeof(commands) / sizeof(commands[0]))

static void
help(FILE *out)
{
	fputs("usage: mxstore COMMAND [OPTION…]\n\n"
	      "Look after a corpus of what mail servers showed.\n\n",
	    out);
	for (size_t i = 0; i < COMMAND_N; i++)
		fprintf(out, "  %-7s %-11s %s\n", commands[i].name,
		    commands[i].sub != NULL ? commands[i].sub : "", commands[i].help);
	fputs("\nmxstore COMMAND --help tells a command's options; mxstore(1) all of them.\n", out);
}

bool
mxstore_parse(struct options *o, const struct option_row *rows, const struct mxstore_usage *usage,
    int argc, char **argv, int *status)
{
	*status = EXIT_DONE;
	switch (options_parse(o, rows, argc, argv)) {
	case OPTIONS_HELP:
		printf("usage: mxstore %s\n\n%s\n\n", usage->synopsis, usage->text);
		options_help(stdout, rows);
		return false;
	case OPTIONS_DONE:
		return false;
	case OPTIONS_USAGE:
		*status = EXIT_TROUBLE;
		return false;
	case OPTIONS_OK:
		break;
	}
	if (o->operand_n == 0 || usage->operands)
		return true;
	*status = options_usage_error(MXSTORE, "%s: unexpected %s", o->command, o->operands[0]);
	return false;
}

int
mxstore_open(const struct options *o, enum store_mode mode, struct store **store)
{
	struct buf dir = {0};
	struct err err = {0};
	int rc = store_find_dir(o->store, &dir, &err);

	*store = NULL;
	if (rc == 0)
		rc = store_open(store, buf_text(&dir), mode, &err);
	if (rc == 0 && !o->quiet)
		store_on_wait(*store, options_on_wait, (void *)(uintptr_t)MXSTORE);
	buf_finish(&dir);
	return rc == 0 ? EXIT_DONE : options_trouble(MXSTORE, &err);
}

int
mxstore_open_there(const struct options *o, enum store_mode mode, struct store **store)
{
	struct store *reading;
	int status = mxstore_open(o, STORE_READ, &reading);

	*store = NULL;
	if (status == EXIT_DONE)
		status = mxstore_open(o, mode, store);
	store_close(reading);
	return status;
}

int
mxstore_parse_sni(const char *text, unsigned *sni, struct err *err)
{
	char word[16];
	enum sni v;

	for (*sni = 0;; text++) {
		size_t n = strcspn(text, ",");

		snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : 15), text);
		if (n >= sizeof(word) || !sni_parse(word, &v))
			return err_set(err, ERR_INPUT,
			    "--sni: \"%s\" is none of none, hostname, nexthop, unknown, literal",
			    word);
		*sni |= 1u << v;
		text += n;
		if (*text == '\0')
			return 0;
	}
}

/* Of a command with two words that was given only one. */
static int
lacks_word(const char *name)
{
	char words[64] = "";

	for (size_t i = 0; i < COMMAND_N; i++) {
		if (strcmp(commands[i].name, name) != 0 || commands[i].sub == NULL)
			continue;
		if (words[0] != '\0')
			strcat(words, " or ");
		strcat(words, commands[i].sub);
	}
	return options_usage_error(MXSTORE, "%s what? %s", name, words);
}

static void
help_of(const char *name)
{
	for (size_t i = 0; i < COMMAND_N; i++)
		if (strcmp(commands[i].name, name) == 0)
			printf("  mxstore %s %-7s %s\n", name, commands[i].sub, commands[i].help);
	printf("\nmxstore %s … --help tells the options of each.\n", name);
}

static int
run(int argc, char **argv)
{
	bool known = false;

	for (size_t i = 0; i < COMMAND_N; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, argv[0]) != 0)
			continue;
		known = true;
		if (c->sub == NULL)
			return c->run(argc, argv);
		if (argc > 1 && strcmp(c->sub, argv[1]) == 0)
			return c->run(argc - 1, argv + 1);
	}
	if (!known)
		return options_usage_error(MXSTORE, "unknown command %s", argv[0]);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		help_of(argv[0]);
		return EXIT_DONE;
	}
	return lacks_word(argv[0]);
}

int
main(int argc, char **argv)
{
	options_open_streams();
	options_catch_signals();
	if (argc < 2) {
		help(stderr);
		return EXIT_TROUBLE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		help(stdout);
	else if (strcmp(argv[1], "--version") == 0)
		printf("mxstore %s\n", MX509_VERSION);
	else
		return options_finish(MXSTORE, run(argc - 1, argv + 1));
	return options_finish(MXSTORE, EXIT_DONE);
}
