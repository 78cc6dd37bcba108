#include <string.h>

#include "mxstore_work.h"
#include "store/base/text.h"

struct compact {
	struct options o;
	struct mxstore_work work;
	const char *out; /* NULL: in place */
	struct maintain_copied copied;
};

static void
print(const struct compact *c, const char *dir)
{
	const struct maintain_copied *n = &c->copied;
	struct buf out = {0};

	if (c->o.json) {
		buf_append_text(&out, "{\"type\":\"compact\",\"dir\":");
		text_json(&out, dir, strlen(dir));
		buf_printf(&out, ",\"records\":%llu,\"octets_before\":%llu,\"octets_after\":%llu}",
		    (unsigned long long)n->records, (unsigned long long)n->octets_before,
		    (unsigned long long)n->octets_after);
	} else {
		text_escape(&out, dir, strlen(dir));
		buf_printf(&out, ": %llu records, %.1f MiB before, %.1f MiB after",
		    (unsigned long long)n->records, (double)n->octets_before / (1 << 20),
		    (double)n->octets_after / (1 << 20));
	}
	puts(buf_text(&out));
	buf_finish(&out);
}

static int
run(void *ctx)
{
	struct compact *c = ctx;
	struct maintain_cursor cursor;
	struct buf dir = {0};
	struct store *store;
	struct err err = {0};
	int rc, status;

	status = c->out != NULL ? mxstore_open(&c->o, STORE_READ, &store)
				: mxstore_open_there(&c->o, STORE_WRITE, &store);
	if (status != EXIT_DONE)
		return status;
	buf_append_text(&dir, c->out != NULL ? c->out : store_dir(store));
	rc = c->out != NULL
		 ? maintain_copy_packed(store, c->out, &c->work.hooks, &cursor, &c->copied, &err)
		 : maintain_compact(&store, &c->work.hooks, &c->copied, &err);
	store_close(store);
	status = mxstore_work_status(&c->work, rc, &err);
	if (status == EXIT_DONE && (c->o.json || !c->o.quiet))
		print(c, buf_text(&dir));
	buf_finish(&dir);
	return status;
}

int
mxstore_compact(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"compact [OPTION…]",
	    "Rewrite the corpus in the order of its keys on full pages. In place it must be\n"
	    "open nowhere else; with --out it may be written meanwhile, and stays as it is.",
	    false};
	struct compact c = {.o = {.program = MXSTORE, .command = "compact"}};
	const struct option_row rows[] = {
	    {"out", 0, OPTION_TEXT, &c.out, "DIR", "into a new or empty directory"}, {0}};
	int rc;

	if (!mxstore_parse(&c.o, rows, &usage, argc, argv, &rc))
		return rc;
	mxstore_work_init(&c.work, &c.o, "written");
	return mxstore_work_apart(&c.o, run, &c);
}
