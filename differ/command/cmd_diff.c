#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "differ/certificate/input.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"
#include "store/base/options.h"

/* One side: the first certificate of a file with all its facts, and the chain that all are. */
struct side {
	const char *path;
	struct facts *facts;
};

static int
read_side(struct side *side, const char *path, struct err *err)
{
	struct evidence evidence = {.outcome = OUTCOME_SUCCESS, .tls_alert = -1};
	struct input_chain chain = {0};
	int rc = input_chain_read(&chain, path, err);

	side->path = path;
	if (rc >= 0) {
		evidence.chain = chain.names;
		evidence.chain_n = chain.n;
		side->facts = facts_of_evidence(&evidence, chain.certificates);
	}
	input_chain_finish(&chain);
	return rc;
}

static void
print_diff(const struct options *options, const struct side *old, const struct side *new,
    const struct difference *d, size_t n)
{
	struct buf out = {0};

	if (options->json) {
		struct certificate_origin before = {old->path, 0}, after = {new->path, 0};
		struct arena arena = {0};

		out_json_value(&out,
		    certificate_model_diff(&arena, old->facts, &before, new->facts, &after, d, n));
		buf_append_byte(&out, '\n');
		arena_finish(&arena);
	} else {
		out_text_differences(&out, d, n, 0, options_colour(stdout));
		if (n > 0)
			out_text_key(&out, old->facts, new->facts, options_colour(stdout));
	}
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_finish(&out);
}

static int
diff_files(const struct options *options, const char *old_path, const char *new_path)
{
	struct difference d[FIELD_N];
	struct side old = {0}, new = {0};
	struct arena arena = {0};
	struct err err = {0};
	size_t n = 0;
	int status;

	if (read_side(&old, old_path, &err) < 0 || read_side(&new, new_path, &err) < 0) {
		status = options_trouble("mxdiff", &err);
	} else {
		n = diff_facts(old.facts, new.facts, &arena, d);
		print_diff(options, &old, &new, d, n);
		status = n > 0 ? 1 : 0; /* as diff(1) */
	}
	facts_destroy(old.facts);
	facts_destroy(new.facts);
	arena_finish(&arena);
	return status;
}

static bool
is_between(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--between", strlen("--between")) == 0)
			return true;
	}
	return false;
}

int
cmd_diff(int argc, char **argv)
{
	static const struct option_row rows[] = {{0}};
	struct options options = {.program = "mxdiff", .command = "diff"};

	if (is_between(argc, argv))
		return cmd_diff_between(argc, argv);
	switch (options_parse(&options, rows, argc, argv)) {
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_HELP:
		printf("mxdiff diff [--json] OLD NEW\n"
		       "mxdiff diff [--json] --between T1 T2 [HOST…]\n"
		       "What differs between two certificates or chains (PEM, DER), or between two "
		       "moments of the store.\n"
		       "Exit status: 0 no difference, 1 differences shown, 2 trouble.\n");
		options_help(stdout, rows);
		return 0;
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_OK:
		break;
	}
	if (options.operand_n != 2)
		return options_usage_error(
		    "mxdiff", "diff: give two files, or --between and two moments");
	/* The second would find it read to its end, or the same again: no answer. */
	if (strcmp(options.operands[0], "-") == 0 && strcmp(options.operands[1], "-") == 0)
		return options_usage_error("mxdiff", "diff: - is standard input, which can be read "
						     "once; name a file for OLD or NEW");
	return diff_files(&options, options.operands[0], options.operands[1]);
}
