#include <string.h>

#include "clock.h"
#include "import.h"
#include "mxstore.h"
#include "progress.h"

struct work {
	struct progress progress;
};

static void
complain(void *ctx, const char *line)
{
	struct work *w = ctx;

	progress_finish(&w->progress);
	fprintf(stderr, "mxstore: %s\n", line);
}

static bool
tick(void *ctx, const struct import_counts *counts)
{
	struct work *w = ctx;

	if ((counts->lines & 63) == 0)
		progress_show(&w->progress, "%llu lines, %llu MiB read",
		    (unsigned long long)counts->lines, (unsigned long long)counts->octets >> 20);
	return options_interrupted();
}

static void
print_json(const struct import_counts *c)
{
	printf("{\"type\":\"import\",\"files\":%llu,\"lines\":%llu,\"observations\":%llu,"
	       "\"dns_answers\":%llu,\"certificates\":%llu,\"repeated\":%llu,\"bad\":%llu,"
	       "\"incomplete\":%llu}\n",
	    (unsigned long long)c->files, (unsigned long long)c->lines,
	    (unsigned long long)c->observations, (unsigned long long)c->dns_answers,
	    (unsigned long long)c->certificates, (unsigned long long)c->repeated,
	    (unsigned long long)c->bad, (unsigned long long)c->incomplete);
}

/* The summary, and the exit status. */
static int
finish(const struct options *o, struct work *work, int status, const struct import_counts *c)
{
	progress_finish(&work->progress);
	if (o->json)
		print_json(c);
	else if (!o->quiet)
		printf(
		    "%llu observations, %llu DNS answers, %llu certificates are new; %llu records "
		    "were there; %llu bad\n",
		    (unsigned long long)c->observations, (unsigned long long)c->dns_answers,
		    (unsigned long long)c->certificates, (unsigned long long)c->repeated,
		    (unsigned long long)c->bad);
	if (c->incomplete > 0)
		fprintf(stderr,
		    "mxstore: %llu observations name certificates that were not given; "
		    "import those\n",
		    (unsigned long long)c->incomplete);
	return status == EXIT_DONE && c->bad > 0 ? EXIT_MISSING : status;
}

/* After a file: whether to go on with the next one, which may be read where this one could not. */
static bool
go_on(int rc, const struct err *err, int *status)
{
	if (rc == 0)
		return true;
	options_trouble(MXSTORE, err);
	*status = options_interrupted() && rc == ERR_INPUT ? EXIT_MISSING : EXIT_TROUBLE;
	return rc == ERR_SYSTEM;
}

int
mxstore_import_jsonl(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"import jsonl [OPTION…] FILE…",
	    "Records of export jsonl or mxcollect --json; - is standard input. Bad lines\n"
	    "are named, the rest goes on; repeating an import changes nothing.",
	    true};
	struct options o = {.program = MXSTORE, .command = "import jsonl"};
	struct work work;
	struct import_hooks hooks = {complain, tick, &work};
	struct import_counts counts = {0};
	struct store *store;
	int rc;

	if (!mxstore_parse(&o, NULL, &usage, argc, argv, &rc))
		return rc;
	if (o.operand_n == 0)
		return options_usage_error(
		    MXSTORE, "import jsonl: which FILE? (- is standard input)");
	if (mxstore_open(&o, STORE_WRITE, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	progress_init(&work.progress, o.quiet);
	for (int i = 0; i < o.operand_n; i++) {
		struct err err = {0};

		if (!go_on(import_jsonl(store, o.operands[i], &hooks, &counts, &err), &err, &rc))
			break;
	}
	store_close(store);
	return finish(&o, &work, rc, &counts);
}

struct arguments {
	const char *host, *address, *sni, *name, *offer, *vantage;
	int64_t time_ms;
	unsigned port;
};

/* sni_sent is memory for a name that goes into the evidence, "" for none. */
static int
where(const struct arguments *a, struct series *s, char sni_sent[LIMIT_NAME + 1], struct err *err)
{
	const char *name = a->name;
	int rc;

	sni_sent[0] = '\0';
	*s = (struct series){.kind = SERIES_PROBE, .port = (uint16_t)a->port};
	if ((rc = host_normalise(a->host, s->host, err)) != 0)
		return rc;
	if (!ip_parse(&s->address, a->address))
		return err_set(err, ERR_INPUT, "--address: \"%s\" is no address", a->address);
	if (a->port == 0 || a->port > UINT16_MAX)
		return err_set(err, ERR_INPUT, "--port: %u is none", a->port);
	if (!offer_parse(a->offer, &s->offer))
		return err_set(err, ERR_INPUT, "--offer: \"%s\" is unknown", a->offer);
	if (!vantage_valid(a->vantage))
		return err_set(err, ERR_INPUT, "--vantage: not 1 to 32 of a-z 0-9 -");
	strcpy(s->vantage, a->vantage);
	if (!sni_parse(a->sni, &s->sni)) {
		/* Any other word is a literal name, as with mxcollect. */
		s->sni = SNI_LITERAL;
		name = a->sni;
	}
	if (s->sni == SNI_HOSTNAME && name == NULL)
		name = s->host;
	if (s->sni == SNI_NONE && name != NULL)
		return err_set(err, ERR_INPUT, "--sni-name: none was sent where --sni is none");
	if ((s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL) && name == NULL)
		return err_set(err, ERR_INPUT, "--sni %s needs --sni-name NAME", sni_name(s->sni));
	if (name == NULL)
		return 0;
	return host_normalise(
	    name, s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL ? s->sni_name : sni_sent, err);
}

int
mxstore_import_pem(int argc, char **argv)
{
	static const struct mxstore_usage usage = {
	    "import pem --host NAME --address ADDRESS --time TIME [OPTION…] FILE…",
	    "Each FILE is the chain that one observation showed, the leaf first; - is standard\n"
	    "input.",
	    true};
	struct arguments a = {.sni = "none",
	    .offer = "default",
	    .vantage = "import",
	    .time_ms = INT64_MIN,
	    .port = 25};
	const struct option_row rows[] = {
	    {"host", 0, OPTION_TEXT, &a.host, "NAME", "the MX that showed it (needed)"},
	    {"address", 0, OPTION_TEXT, &a.address, "ADDRESS", "at which address (needed)"},
	    {"time", 0, OPTION_TIME, &a.time_ms, "TIME", "when (needed)"},
	    {"port", 0, OPTION_UNSIGNED, &a.port, "N", "at which port: 25"},
	    {"sni", 0, OPTION_TEXT, &a.sni, "V",
		"none, hostname, nexthop, unknown or a name: none"},
	    {"sni-name", 0, OPTION_TEXT, &a.name, "NAME", "the name that was sent"},
	    {"offer", 0, OPTION_TEXT, &a.offer, "O", "what was offered: default"},
	    {"vantage", 0, OPTION_TEXT, &a.vantage, "NAME", "from where: import"}, {0}};
	struct options o = {.program = MXSTORE, .command = "import pem"};
	struct work work;
	struct import_hooks hooks = {complain, tick, &work};
	struct import_counts counts = {0};
	char sni_sent[LIMIT_NAME + 1];
	struct series series;
	struct store *store;
	struct err wrong = {0};
	const char *name;
	int rc, rc_file;

	if (!mxstore_parse(&o, rows, &usage, argc, argv, &rc))
		return rc;
	if (a.host == NULL || a.address == NULL || !observation_time_valid(a.time_ms) ||
	    o.operand_n == 0)
		return options_usage_error(
		    MXSTORE, "import pem: needs --host, --address, --time and a FILE");
	if (where(&a, &series, sni_sent, &wrong) != 0)
		return options_trouble(MXSTORE, &wrong);
	if (mxstore_open(&o, STORE_WRITE, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	progress_init(&work.progress, o.quiet);
	name = sni_sent[0] != '\0' ? sni_sent : NULL;
	for (int i = 0; i < o.operand_n; i++) {
		struct err err = {0};

		rc_file = import_pem(
		    store, o.operands[i], &series, name, a.time_ms, &hooks, &counts, &err);
		if (!go_on(rc_file, &err, &rc))
			break;
	}
	store_close(store);
	return finish(&o, &work, rc, &counts);
}
