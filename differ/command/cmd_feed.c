#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "differ/out/print.h"
#include "differ/time/feed.h"
#include "differ/time/model.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

struct feed_options {
	const char *since, *cursor_file;
};

/* ---- the cursor -------------------------------------------------------------------------- */

static bool
parse_cursor(const char *text, uint64_t *cursor)
{
	char *end;

	errno = 0;
	*cursor = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static int
read_cursor_file(const char *path, uint64_t *cursor, struct err *err)
{
	FILE *f = fopen(path, "r");
	char line[32] = "";

	if (f == NULL) {
		*cursor = 0; /* the first run: from the beginning */
		return errno == ENOENT ? 0 : err_system(err, errno, "%s", path);
	}
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	if (!parse_cursor(line, cursor))
		return err_set(err, ERR_INPUT,
		    "%s: no cursor in it; remove it to begin with the first commit", path);
	return 0;
}

/* Written beside it, synced, renamed: a reader that is killed keeps the old or has the new one. */
static int
write_cursor_file(const char *path, uint64_t cursor, struct err *err)
{
	struct buf name = {0};
	FILE *f;
	int rc = 0;

	buf_printf(&name, "%s.new", path);
	if ((f = fopen(buf_text(&name), "w")) == NULL) {
		rc = err_system(err, errno, "%s", buf_text(&name));
		goto out;
	}
	if (fprintf(f, "%" PRIu64 "\n", cursor) < 0 || fflush(f) != 0 || fsync(fileno(f)) != 0)
		rc = err_system(err, errno, "%s: the cursor %" PRIu64 " is not kept", path, cursor);
	if (fclose(f) != 0 && rc == 0)
		rc = err_system(err, errno, "%s: the cursor %" PRIu64 " is not kept", path, cursor);
	if (rc == 0 && rename(buf_text(&name), path) != 0)
		rc = err_system(err, errno, "%s: the cursor %" PRIu64 " is not kept", path, cursor);
out:
	buf_finish(&name);
	return rc;
}

/* Returns -1 to go on, or the exit status. */
static int
find_cursor(struct query *q, const struct feed_options *o, uint64_t *cursor, struct err *err)
{
	int64_t since_ms;

	*cursor = 0;
	if (o->since != NULL && o->cursor_file != NULL)
		return options_usage_error("mxdiff", "--since and --cursor-file: give one of them");
	if (o->cursor_file != NULL)
		return read_cursor_file(o->cursor_file, cursor, err) < 0 ? EXIT_TROUBLE : -1;
	if (o->since == NULL || parse_cursor(o->since, cursor))
		return -1;
	if (!clock_parse(o->since, clock_now_ms(), &since_ms))
		return options_usage_error(
		    "mxdiff", "--since %s: neither a cursor (a number) nor a time", o->since);
	return feed_cursor_at(q->view, since_ms, cursor, err) < 0 ? EXIT_TROUBLE : -1;
}

/* ---- events ------------------------------------------------------------------------------ */

static int
print(void *ctx, const struct feed_event *event, struct err *err)
{
	struct query *q = ctx;
	struct arena arena = {0};
	struct value_builder b = {.arena = &arena};
	const struct value *v;

	if (event->change != NULL) {
		v = model_change(&arena, q->changes, event->altered ? "altered" : "change",
		    event->change, event->series, event->revises, err);
	} else {
		value_add_member(&b, "type", value_text_static(&arena, "retracted"));
		value_add_member(&b, "id", value_text(&arena, event->retracted));
		v = value_object(&b);
	}
	if (v != NULL)
		print_json(v);
	arena_finish(&arena);
	return v != NULL ? 0 : err->code;
}

int
cmd_feed(int argc, char **argv)
{
	struct feed_options o = {0};
	const struct option_row rows[] = {
	    {"since", 0, OPTION_TEXT, &o.since, "CURSOR|TIME",
		"what came after this cursor, or was committed after this time (all)"},
	    {"cursor-file", 0, OPTION_TEXT, &o.cursor_file, "FILE",
		"go on where FILE says, and keep the new cursor there"},
	    {0}};
	struct query q;
	struct err err = {0};
	bool missing = false;
	uint64_t cursor, last;
	int status = query_open(&q, "feed", "[HOST…]",
	    "Changes as they were found, one JSON object a line, from a cursor over the journal; "
	    "the "
	    "last\nline is the cursor to go on from.",
	    QUERY_CHANGES, rows, argc, argv);

	if (status >= 0)
		goto out;
	if ((status = find_cursor(&q, &o, &cursor, &err)) >= 0)
		goto out;
	status = EXIT_DONE;
	if (feed_read(&q, cursor, &last, print, &q, &missing, &err) < 0)
		goto out;
	printf("{\"type\":\"cursor\",\"cursor\":\"%" PRIu64 "\"}\n", last);
	if (fflush(stdout) != 0)
		err_system(&err, errno, "standard output: the cursor stays at %" PRIu64, cursor);
	else if (o.cursor_file != NULL)
		write_cursor_file(o.cursor_file, last, &err);
	if (missing)
		status = EXIT_MISSING;
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	query_close(&q);
	return status;
}
