#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/progress.h"

/* What every walk does for each series. */
struct walk {
	struct query *query;
	query_each *each;
	void *ctx;
	struct progress progress;
	size_t passed;
	struct buf seen; /* bits by number: what an earlier operand brought already */
};

static bool
bit_get(const struct buf *bits, uint32_t number)
{
	return number / 8 < bits->len && (bits->data[number / 8] & 1u << number % 8) != 0;
}

static void
bit_set(struct buf *bits, uint32_t number)
{
	size_t octet = number / 8;

	if (octet >= bits->len) {
		size_t more = octet + 1 - bits->len;

		memset(buf_reserve(bits, more), 0, more);
		bits->len += more;
	}
	bits->data[octet] |= (uint8_t)(1u << number % 8);
}

static int
visit(struct walk *w, uint32_t number, const struct series *series, struct err *err)
{
	struct query *q = w->query;

	if (q->offer != NULL && series->offer != q->offer_only)
		return 0;
	w->passed++;
	if (progress_due(&w->progress))
		progress_show(&w->progress, "%zu series", w->passed);
	if (options_interrupted())
		return err_set(err, ERR_SYSTEM, "interrupted after %zu series", w->passed - 1);
	return w->each(w->ctx, number, series, err);
}

static void
walk_init(struct walk *w, struct query *q, query_each *each, void *ctx)
{
	*w = (struct walk){.query = q, .each = each, .ctx = ctx};
	progress_init(&w->progress, q->options.quiet);
}

static void
walk_finish(struct walk *w)
{
	progress_finish(&w->progress);
	buf_finish(&w->seen);
}

static int
walk_filter(
    struct walk *w, const struct series_filter *filter, bool once, size_t *found, struct err *err)
{
	struct series_walk *walk;
	struct series series;
	uint32_t number;
	int rc;

	if ((rc = series_walk_open(&walk, w->query->view, filter, err)) < 0)
		return rc;
	while ((rc = series_walk_next(walk, &number, &series, err)) > 0) {
		(*found)++;
		if (once && bit_get(&w->seen, number))
			continue;
		if (once)
			bit_set(&w->seen, number);
		if ((rc = visit(w, number, &series, err)) < 0)
			break;
	}
	series_walk_close(walk);
	return rc < 0 ? rc : 0;
}

/* Whether names are asked about, too. */
static bool
takes_names(const struct query *q)
{
	return q->with_names && q->sni_bits == 0 && q->offer == NULL;
}

static struct series_filter
filter_of(const struct query *q)
{
	return (struct series_filter){
	    .kind = takes_names(q) ? 0 : SERIES_PROBE, .sni = q->sni_bits, .vantage = q->vantage};
}

bool
query_has_address(const struct query *q)
{
	struct ip address;
	uint16_t port;

	for (int i = 0; i < q->options.operand_n; i++)
		if (ip_parse_place(&address, &port, q->options.operands[i]))
			return true;
	return false;
}

/* What an operand names, within the other filters; `host` is the filter's. */
static int
operand_filter(const struct query *q, int i, char host[LIMIT_NAME + 1],
    struct series_filter *filter, struct err *err)
{
	int rc = 0;

	*filter = filter_of(q);
	if (i < q->options.operand_n &&
	    !ip_parse_place(&filter->address, &filter->port, q->options.operands[i])) {
		rc = host_normalise(q->options.operands[i], host, err);
		filter->under = host;
	}
	return rc;
}

/* Once, however often the query walks. */
static void
tell_missing(struct query *q, int i, bool *missing)
{
	*missing = true;
	if (bit_get(&q->told_missing, (uint32_t)i))
		return;
	bit_set(&q->told_missing, (uint32_t)i);
	fprintf(stderr, "mxdiff: %s: never observed; mxdiff show lists what was\n",
	    q->options.operands[i]);
}

static int
walk_operands(struct walk *w, bool *missing, struct err *err)
{
	struct query *q = w->query;
	int n = q->options.operand_n, rc = 0;

	for (int i = 0; rc >= 0 && i < (n > 0 ? n : 1); i++) {
		struct series_filter filter;
		char host[LIMIT_NAME + 1];
		size_t found = 0;

		if ((rc = operand_filter(q, i, host, &filter, err)) < 0)
			break;
		rc = walk_filter(w, &filter, n > 1, &found, err);
		if (rc >= 0 && n > 0 && found == 0) {
			progress_finish(&w->progress);
			tell_missing(q, i, missing);
		}
	}
	return rc;
}

int
query_find_missing(struct query *q, bool *missing, struct err *err)
{
	int rc = 0;

	for (int i = 0; rc >= 0 && i < q->options.operand_n; i++) {
		struct series_filter filter;
		struct series_walk *walk;
		struct series series;
		char host[LIMIT_NAME + 1];
		uint32_t number;

		if ((rc = operand_filter(q, i, host, &filter, err)) < 0 ||
		    (rc = series_walk_open(&walk, q->view, &filter, err)) < 0)
			break;
		rc = series_walk_next(walk, &number, &series, err);
		series_walk_close(walk);
		if (rc == 0)
			tell_missing(q, i, missing);
	}
	return rc < 0 ? rc : 0;
}

int
query_walk(struct query *q, query_each *each, void *ctx, bool *missing, struct err *err)
{
	struct walk w;
	int rc;

	walk_init(&w, q, each, ctx);
	rc = walk_operands(&w, missing, err);
	walk_finish(&w);
	return rc;
}

int
query_walk_name(
    struct query *q, const char *name, bool exact, query_each *each, void *ctx, struct err *err)
{
	struct series_filter filter = filter_of(q);
	struct walk w;
	size_t found = 0;
	int rc;

	if (exact)
		filter.host = name;
	else if (name[0] != '\0')
		filter.under = name;
	walk_init(&w, q, each, ctx);
	rc = walk_filter(&w, &filter, false, &found, err);
	walk_finish(&w);
	return rc;
}

/* ---- a span of time ---------------------------------------------------------------------- */

/* Passes on those that are not steady in the span. */
struct moved {
	struct query *query;
	query_each *each;
	void *ctx;
	int64_t since_ms, until_ms; /* of brackets that are not widened yet */
};

static int
each_moved(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct moved *m = ctx;
	int rc;

	changes_history(m->query->changes)->kind = series->kind;
	rc = history_is_steady(
	    changes_history(m->query->changes), number, m->since_ms, m->until_ms, err);

	return rc == 0 ? m->each(m->ctx, number, series, err) : rc < 0 ? rc : 0;
}

static bool
is_wanted(const struct query *q, const struct series *s)
{
	return (s->kind == SERIES_PROBE || takes_names(q)) &&
	       (q->sni_bits == 0 || (q->sni_bits & 1u << s->sni) != 0) &&
	       (q->vantage == NULL || strcmp(s->vantage, q->vantage) == 0);
}

bool
query_chooses(const struct query *q, const struct series *s)
{
	bool named = q->options.operand_n == 0;

	if (!is_wanted(q, s) || (q->offer != NULL && s->offer != q->offer_only))
		return false;
	for (int i = 0; i < q->options.operand_n && !named; i++) {
		char host[LIMIT_NAME + 1];
		struct ip address;
		uint16_t port;

		named = ip_parse_place(&address, &port, q->options.operands[i])
			    ? s->kind == SERIES_PROBE && ip_compare(&address, &s->address) == 0 &&
				  (port == 0 || port == s->port)
			    : host_normalise(q->options.operands[i], host, NULL) == 0 &&
				  host_is_under(s->host, host);
	}
	return named;
}

static int
walk_dates(struct walk *w, int64_t since_ms, struct err *err)
{
	struct query *q = w->query;
	struct buf touched = {0};
	struct series series;
	int rc = store_series_since(q->view, clock_day_of_ms(since_ms), &touched, err);

	for (uint32_t i = 0; rc >= 0 && i < 8 * touched.len; i++) {
		if (!bit_get(&touched, i))
			continue;
		if ((rc = store_series(q->view, i, &series, err)) >= 0 && is_wanted(q, &series))
			rc = visit(w, i, &series, err);
	}
	buf_finish(&touched);
	return rc;
}

int
query_walk_span(struct query *q, query_each *each, void *ctx, bool *missing, struct err *err)
{
	struct moved moved = {.query = q,
	    .each = each,
	    .ctx = ctx,
	    .since_ms = q->since_ms > INT64_MIN ? q->since_ms - q->clock_error_ms : INT64_MIN,
	    .until_ms = q->until_ms < INT64_MAX ? q->until_ms + q->clock_error_ms : INT64_MAX};
	struct walk w;
	int rc;

	if (q->since_ms == INT64_MIN)
		return query_walk(q, each, ctx, missing, err);
	walk_init(&w, q, each_moved, &moved);
	rc = q->options.operand_n > 0 ? walk_operands(&w, missing, err)
				      : walk_dates(&w, moved.since_ms, err);
	walk_finish(&w);
	return rc;
}

/* ---- filters ----------------------------------------------------------------------------- */

bool
query_overlaps(const struct query *q, int64_t after_ms, int64_t before_ms)
{
	return before_ms >= q->since_ms && after_ms < q->until_ms;
}

bool
query_takes(const struct query *q, unsigned classes, enum severity severity)
{
	return severity >= q->least && (q->class_bits == 0 || (classes & q->class_bits) != 0);
}

bool
query_may_take(const struct query *q, unsigned classes, enum severity severity)
{
	unsigned trust = 1u << CLASS_TRUST_LOSS | 1u << CLASS_TRUST_GAIN;

	if (query_takes(q, classes, severity))
		return true;
	return q->judge != NULL && (q->class_bits == 0 || (q->class_bits & (trust | classes)) != 0);
}

int
query_takes_judged(
    struct query *q, const struct series *series, struct change *change, struct err *err)
{
	int rc;

	if (!query_overlaps(q, change->after_ms, change->before_ms) ||
	    !query_may_take(q, change->classes, change->severity))
		return 0;
	if ((rc = changes_judge(q->changes, series, change, err)) < 0)
		return rc;
	return query_takes(q, change->classes, change->severity);
}
