/*
 * report: what one page tells of the chosen series: the roll-outs, the changes that belong to none,
 * and what is shown at the end of the span of time. It is told by the corpus and the options alone:
 * the same page, octet by octet, whoever makes it and when; "now" is the last observation.
 *
 * Of each kind the `limit` are kept that are newest, or most in need of a look; the others are
 * counted, so that memory is bounded by the roll-outs (windows.h) and 16 octets for each change.
 *
 * One thread. Borrows the query.
 */
#ifndef MX509_REPORT_H
#define MX509_REPORT_H

#include "curve.h"
#include "differ/time/query.h"
#include "differ/time/windows.h"

#define REPORT_SOON_MS (14 * CLOCK_DAY_MS) /* before the end of a validity */

/* What some series of a host show alike. */
struct report_state {
	char *host, *sni, *shows, *key, *issuer, *verdict; /* fit for the eye */
	uint32_t state;
	enum severity severity; /* how much it needs a look */
	size_t series;
	int64_t not_after_ms;	     /* INT64_MAX: there is no certificate */
	int64_t after_ms, before_ms; /* the newest of their brackets; after INT64_MIN: no change */
	int64_t last_ms;	     /* the newest observation */
	unsigned known, fails;	     /* bits 1 << enum level: there is a verdict; no delivery */
};

struct report_change {
	struct series series;
	struct change change;
};

struct report {
	struct query *query;
	size_t limit;
	/* by report_read() */
	struct rollout_list windows; /* the newest first */
	struct report_change *changes;
	struct report_state *states;
	size_t windows_n, changes_n, states_n; /* those that are kept */
	uint64_t open_n, all_changes_n, other_changes_n, all_states_n, series_n, hosts_n;
	int64_t last_ms; /* of all observations before the end of the span; INT64_MIN: none */
	struct curve_tick *ticks; /* of all changes */
	/* its own */
	size_t changes_cap, states_cap, ticks_n, ticks_cap, host_begin;
	struct report_member *members;
	size_t members_n;
};

/* Set query and limit before; report_finish() in any case. Sets *missing as query_walk() does. */
int report_read(struct report *r, bool *missing, struct err *err);
void report_finish(struct report *r);

/* The page, whole. 0 or <0. */
int report_page(struct buf *out, struct report *r, struct err *err);

#endif
