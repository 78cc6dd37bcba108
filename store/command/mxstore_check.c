#include <signal.h>
#include <string.h>

#include "mxstore_work.h"
#include "store/base/text.h"

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

struct check {
	struct options o;
	struct mxstore_work work;
	bool repair;
};

/* What was mended is told like a finding. */
static void
print_mended(void *ctx, const char *line)
{
	struct check *c = ctx;

	progress_finish(&c->work.progress);
	print_finding(&c->o, line);
}

static bool
tick(void *ctx, uint64_t done, uint64_t all)
{
	struct check *c = ctx;

	progress_show(&c->work.progress, "%llu records looked at", (unsigned long long)done);
	return options_interrupted();
}

static int
repair(struct check *c)
{
	const struct maintain_hooks hooks = {print_mended, tick, c};
	struct store *store;
	struct err err = {0};
	int rc, status = mxstore_open_there(&c->o, STORE_MEND, &store);

	if (status != EXIT_DONE)
		return status;
	rc = maintain_repair(store, &hooks, &err);
	store_close(store);
	return mxstore_work_status(&c->work, rc, &err);
}

static int
verify(struct check *c)
{
	struct options *o = &c->o;
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	int rc;

	if (mxstore_open(o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = store_check(view, print_finding, o, &err);
	if (rc == 0 && !o->quiet && !o->json)
		printf("%s: clean\n", store_dir(store));
	if (rc >= 0 && o->json)
		printf("{\"type\":\"check\",\"findings\":%d}\n", rc);
	if (rc > 0 && !o->quiet)
		fprintf(stderr,
		    "mxstore: %s: %d findings%s; keep a copy of it before anything else\n",
		    store_dir(store), rc, c->repair ? " that cannot be mended" : "");
	store_view_close(view);
	store_close(store);
	if (rc < 0)
		return options_trouble(MXSTORE, &err);
	return rc > 0 ? EXIT_MISSING : EXIT_DONE;
}

static int
run(void *ctx)
{
	struct check *c = ctx;
	int status = c->repair ? repair(c) : EXIT_DONE;

	/* It changes nothing: it may end anywhere. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	return status == EXIT_DONE ? verify(c) : status;
}

int
mxstore_check(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"check [OPTION…]",
	    "Verify every invariant of the corpus: checksums, hashes, references, order,\n"
	    "indexes, the journal. A finding a line; status 0 if there is none, 1 if there are.",
	    false};
	struct check c = {.o = {.program = MXSTORE, .command = "check"}};
	const struct option_row rows[] = {{"repair", 0, OPTION_FLAG, &c.repair, NULL,
					      "first rebuild what can be derived from the rest"},
	    {0}};
	int rc;

	if (!mxstore_parse(&c.o, rows, &usage, argc, argv, &rc))
		return rc;
	mxstore_work_init(&c.work, &c.o, "looked at");
	return mxstore_work_apart(&c.o, run, &c);
}
