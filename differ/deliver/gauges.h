/*
 * gauges: what the corpus says about the present, in few numbers: by host and SNI variant, over the
 * addresses, vantages and offers of each, and of the whole. For `mxdiff metrics`.
 *
 * Series that were not probed for `stale_ms` say nothing of the present and count only for the
 * times of the last observation and the last change. Costs one reading of the chosen series.
 *
 * Threads: one. Borrows the query.
 */
#ifndef MX509_GAUGES_H
#define MX509_GAUGES_H

#include "differ/time/query.h"

#define GAUGES_RECENT_MS CLOCK_DAY_MS

struct gauges_cell {
	uint64_t series;
	int64_t not_after_ms;  /* the earliest of those that are shown; INT64_MAX: none */
	int64_t observed_ms;   /* the latest observation; INT64_MIN: none */
	int64_t changed_ms;    /* the latest change; INT64_MIN: none */
	unsigned known, fails; /* bits 1 << enum level: there is a verdict; of some, no delivery */
};

struct gauges_row {
	char *host, *address; /* host NULL: all beyond the limit; address NULL: all */
	struct gauges_cell cell[SNI_N];
};

struct gauges {
	struct query *query;
	int64_t now_ms, stale_ms;
	size_t limit; /* of rows */
	bool by_address;
	struct gauges_row *rows; /* in the order of exports */
	size_t rows_n, rows_cap, searched;
	struct gauges_row rest;
	uint64_t rest_n;		      /* series in it */
	uint64_t recent[OUTCOME_N];	      /* probes of the last day */
	uint64_t open[SEVERITY_CRITICAL + 1]; /* roll-outs that proceed */
	uint32_t evidence;		      /* what was looked up last */
	enum outcome outcome;
	bool has_evidence;
};

/* Set query, now_ms, stale_ms, limit and by_address before; gauges_finish() in any case. */
int gauges_read(struct gauges *g, bool *missing, struct err *err);
void gauges_finish(struct gauges *g);

#endif
