#include <string.h>

#include "mxstore.h"
#include "text.h"

static void
print_finding(void *ctx, const char *line)
{
	const struct options *o = ctx;
	struct buf out = {0};

	if (o->json) {
		buf_append_text(&out, "{\"type\":\"finding\",\"text\":");
		text_json(&out, line, strlen(line));
		buf_append_byte(&out, '}');
	} else {
		text_escape(&out, line, strlen(line));
	}
	puts(buf_text(&out));
	buf_finish(&out);
}

int
mxstore_check(int argc, char **argv)
{
	struct options o = {.program = MXSTORE, .command = "check"};
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	static const struct mxstore_usage usage = {"check [OPTION…]",
	    "Verify every invariant of the corpus: checksums, hashes, references, order,\n"
	    "indexes, the journal. A finding a line; status 0 if there is none, 1 if there are."};
	int rc;

	if (!mxstore_parse(&o, NULL, &usage, argc, argv, &rc))
		return rc;
	if (mxstore_open(&o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = store_check(view, print_finding, &o, &err);
	if (rc == 0 && !o.quiet && !o.json)
		printf("%s: clean\n", store_dir(store));
	else if (rc > 0 && !o.quiet)
		fprintf(stderr,
		    "mxstore: %s: %d findings; keep a copy of it before anything else\n",
		    store_dir(store), rc);
	store_view_close(view);
	store_close(store);
	if (rc < 0)
		return options_trouble(MXSTORE, &err);
	return rc > 0 ? EXIT_MISSING : EXIT_DONE;
}
