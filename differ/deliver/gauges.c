#include "gauges.h"

#include <stdlib.h>
#include <string.h>

#include "differ/time/windows.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/corpus/timeline.h"

static void
row_init(struct gauges_row *row, const char *host, const char *address)
{
	*row = (struct gauges_row){.host = host != NULL ? mem_strdup(host) : NULL,
	    .address = address != NULL ? mem_strdup(address) : NULL};
	for (unsigned i = 0; i < SNI_N; i++)
		row->cell[i] = (struct gauges_cell){
		    .not_after_ms = INT64_MAX, .observed_ms = INT64_MIN, .changed_ms = INT64_MIN};
}

static bool
is_row(const struct gauges_row *row, const char *host, const char *address)
{
	return strcmp(row->host, host) == 0 &&
	       (address == NULL || strcmp(row->address, address) == 0);
}

/* Series come by host and address; only where there are operands a host may come again. */
static struct gauges_row *
row_of(struct gauges *g, const struct series *series)
{
	size_t back = g->query->options.operand_n > 0 ? g->rows_n : 1;
	char text[IP_TEXT_MAX];
	const char *address = g->by_address ? text : NULL;

	ip_format(&series->address, text);
	for (size_t i = g->rows_n; i > 0 && g->rows_n - i < back; i--)
		if (is_row(&g->rows[i - 1], series->host, address))
			return &g->rows[i - 1];
	if (g->rows_n == g->limit) {
		g->rest_n++;
		return &g->rest;
	}
	if (g->rows_n == g->rows_cap) {
		g->rows_cap = g->rows_cap > 0 ? 2 * g->rows_cap : 64;
		g->rows = mem_grow(g->rows, g->rows_cap, sizeof(*g->rows));
	}
	row_init(&g->rows[g->rows_n], series->host, address);
	return &g->rows[g->rows_n++];
}

/* ---- a series ---------------------------------------------------------------------------- */

static int
take_certificate(struct gauges *g, struct gauges_cell *cell, uint32_t evidence, struct err *err)
{
	const struct facts *facts = changes_facts(g->query->changes, evidence, err);
	const struct value *end;

	if (facts == NULL)
		return err->code;
	end = facts_get(facts, FIELD_NOT_AFTER);
	if (end != NULL && end->kind == VALUE_TIME && end->number < cell->not_after_ms)
		cell->not_after_ms = end->number;
	return 0;
}

static int
take_verdict(struct gauges *g, struct gauges_cell *cell, const struct series *series,
    const struct lifetime_sighting *last, struct err *err)
{
	struct verdict v;
	int rc;

	if (g->query->judge == NULL)
		return 0;
	rc = judge_sighting(g->query->judge, series, last->evidence, last->time_ms, &v, err);
	for (unsigned i = 0; rc > 0 && i < LEVEL_N; i++) {
		if (!v.levels[i].known || !v.levels[i].defined)
			continue;
		cell->known |= 1u << i;
		if (!v.levels[i].delivers)
			cell->fails |= 1u << i;
	}
	return rc < 0 ? rc : 0;
}

/* The probes of the last day; *probed_ms: the last one of the series. */
static int
count_recent(struct gauges *g, uint32_t number, int64_t *probed_ms, struct err *err)
{
	struct timeline timeline;
	struct sighting s;
	struct evidence e;
	int rc = timeline_last(g->query->view, number, SERIES_PROBE, INT64_MAX, &s, err);

	*probed_ms = rc > 0 ? s.time_ms : INT64_MIN;
	if (rc <= 0 || s.time_ms < g->now_ms - GAUGES_RECENT_MS)
		return rc < 0 ? rc : 0;
	if ((rc = timeline_init(&timeline, g->query->view, number, SERIES_PROBE,
		 g->now_ms - GAUGES_RECENT_MS, INT64_MAX, err)) < 0)
		return rc;
	while ((rc = timeline_next(&timeline, &s, err)) > 0) {
		if (!g->has_evidence || s.evidence != g->evidence) {
			if ((rc = store_evidence(g->query->view, s.evidence, &e, err)) < 0)
				break;
			g->evidence = s.evidence;
			g->outcome = e.outcome;
			g->has_evidence = true;
			evidence_finish(&e);
		}
		g->recent[g->outcome]++;
	}
	timeline_finish(&timeline);
	return rc;
}

static int
take_series(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct gauges *g = ctx;
	const struct lifetimes *l = &changes_history(g->query->changes)->lifetimes;
	struct gauges_cell *cell = &row_of(g, series)->cell[series->sni];
	const struct change *list;
	struct lifetime_sighting last;
	int64_t probed_ms;
	size_t n;
	int rc = changes_read(g->query->changes, number, series, INT64_MAX, NULL, &list, &n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (list[i].before_ms > cell->changed_ms)
			cell->changed_ms = list[i].before_ms;
	if ((rc = count_recent(g, number, &probed_ms, err)) < 0)
		return rc;
	if (probed_ms >= g->now_ms - g->stale_ms)
		cell->series++;
	if (l->n == 0)
		return 0;
	last = l->list[l->current].last;
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].last.time_ms > last.time_ms)
			last = l->list[i].last;
	if (last.time_ms > cell->observed_ms)
		cell->observed_ms = last.time_ms;
	if (last.time_ms < g->now_ms - g->stale_ms)
		return 0;
	if ((rc = take_certificate(g, cell, last.evidence, err)) < 0)
		return rc;
	return take_verdict(g, cell, series, &last, err);
}

/* ---- roll-outs --------------------------------------------------------------------------- */

/* Those with a conversion within the gap that would close them, and not at their end. */
static int
count_open(struct gauges *g, struct err *err)
{
	struct query *q = g->query;
	struct rollout_list list = {.items = NULL};
	int64_t since_ms = q->since_ms;
	bool missing = false;
	int rc;

	q->since_ms = g->now_ms - q->window_gap_ms;
	rc = windows_find(q, &list, &missing, err);
	q->since_ms = since_ms;
	for (size_t i = 0; rc >= 0 && i < list.n; i++)
		if (!list.items[i].has_end)
			g->open[list.items[i].severity]++;
	rollout_list_finish(&list);
	return rc < 0 ? rc : 0;
}

int
gauges_read(struct gauges *g, bool *missing, struct err *err)
{
	int rc;

	row_init(&g->rest, NULL, NULL);
	if ((rc = query_walk(g->query, take_series, g, missing, err)) < 0)
		return rc;
	return count_open(g, err);
}

void
gauges_finish(struct gauges *g)
{
	for (size_t i = 0; i < g->rows_n; i++) {
		free(g->rows[i].host);
		free(g->rows[i].address);
	}
	free(g->rows);
}
