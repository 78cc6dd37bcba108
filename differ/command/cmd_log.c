#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "differ/out/print.h"
#include "store/base/mem.h"

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
		struct change change = list[i];

		if ((rc = query_takes_judged(log->query, series, &change, err)) < 0)
			return rc;
		if (rc == 0)
			continue;
		if (log->n == log->cap) {
			log->cap = log->cap > 0 ? 2 * log->cap : 64;
			log->list = mem_grow(log->list, log->cap, sizeof(*log->list));
		}
		log->list[log->n++] = change;
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
print_at(struct log *log, size_t i, struct err *err)
{
	struct series series;
	int rc = store_series(log->query->view, log->list[i].series, &series, err);

	return rc < 0 ? rc
		      : print_change(log->query, &log->list[i], i > 0 ? &log->list[i - 1] : NULL,
			    &series, err);
}

int
cmd_log(int argc, char **argv)
{
	struct query q;
	struct log log = {.query = &q};
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "log", "[HOST…]",
	    "The history as changes, newest last: what, where, when at the earliest and the "
	    "latest.",
	    QUERY_SPAN | QUERY_CHANGES | QUERY_VERDICTS | QUERY_NAMES, NULL, argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (query_walk_span(&q, gather, &log, &missing, &err) < 0)
		goto out;
	if (log.n > 0)
		qsort(log.list, log.n, sizeof(*log.list), by_time);
	for (size_t i = 0; i < log.n && err.code == ERR_NONE; i++)
		print_at(&log, i, &err);
	if (missing || (q.exit_code && log.n > 0))
		status = EXIT_MISSING;
	if (log.n == 0 && !q.options.json && !q.options.quiet && !missing)
		puts("no change");
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	free(log.list);
	query_close(&q);
	return status;
}
