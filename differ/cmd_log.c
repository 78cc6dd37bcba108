#include <stdlib.h>
#include <string.h>

#include "../store/mem.h"
#include "cmd.h"
#include "model.h"
#include "out_history.h"
#include "out_json.h"
#include "query.h"

/* Changes of all chosen series, to be put in order of time. */
struct log {
	struct query *query;
	struct change *list;
	size_t n, cap;
};

static int
gather(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct log *log = ctx;
	const struct change *list;
	size_t n;
	int rc;

	if ((rc = changes_read(
		 log->query->changes, number, series, INT64_MAX, NULL, &list, &n, err)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (!query_takes_change(log->query, &list[i]))
			continue;
		if (log->n == log->cap) {
			log->cap = log->cap > 0 ? 2 * log->cap : 64;
			log->list = mem_grow(log->list, log->cap, sizeof(*log->list));
		}
		log->list[log->n++] = list[i];
	}
	return 0;
}

/* Newest last; what happened in one moment in the order of the ids, which every store shares. */
static int
by_time(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->before_ms != y->before_ms)
		return x->before_ms < y->before_ms ? -1 : 1;
	if (x->after_ms != y->after_ms)
		return x->after_ms < y->after_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int
print(struct query *q, const struct change *change, const struct change *above, struct buf *line,
    struct err *err)
{
	const struct out_style style = {
	    .colour = q->colour, .utc = q->utc, .all_fields = q->all_fields};
	struct arena arena = {0};
	struct series series;
	int rc;

	buf_clear(line);
	if ((rc = store_series(q->view, change->series, &series, err)) < 0)
		return rc;
	if (q->options.json) {
		const struct value *v =
		    model_change(&arena, q->changes, change, &series, NULL, err);

		if (v != NULL)
			out_json_value(line, v);
		else
			rc = err->code;
		buf_append_byte(line, '\n');
	} else {
		rc = out_history_change(line, q->changes, change, above, &series, &style, err);
	}
	if (rc >= 0)
		fwrite(line->data, 1, line->len, stdout);
	arena_finish(&arena);
	return rc;
}

int
cmd_log(int argc, char **argv)
{
	struct query q;
	struct log log = {.query = &q};
	struct buf line = {0};
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "log", "[HOST…]",
	    "The history as changes, newest last: what, where, when at the earliest and the "
	    "latest.",
	    QUERY_SPAN | QUERY_CHANGES, NULL, argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (query_walk(&q, gather, &log, &missing, &err) < 0)
		goto out;
	if (log.n > 0)
		qsort(log.list, log.n, sizeof(*log.list), by_time);
	for (size_t i = 0; i < log.n && err.code == ERR_NONE; i++)
		print(&q, &log.list[i], i > 0 ? &log.list[i - 1] : NULL, &line, &err);
	if (missing || (q.exit_code && log.n > 0))
		status = EXIT_MISSING;
	if (log.n == 0 && !q.options.json && !q.options.quiet && !missing)
		puts("no change");
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	free(log.list);
	buf_finish(&line);
	query_close(&q);
	return status;
}
