/*
 * history: the events of a series (lifetime.h), read from the store. Sightings of one moment are
 * taken in the order of their states' ids, of one state in that of their evidence's SHA-256, so
 * that the order of arrival changes nothing.
 */
#ifndef MX509_HISTORY_H
#define MX509_HISTORY_H

#include "lifetime.h"
#include "state.h"

struct history_moment {
	struct lifetime_sighting sighting;
	struct hash state, evidence; /* set where there is more than one */
};

struct history {
	struct store_view *view;
	struct states *states;
	enum series_kind kind;	       /* of the series that are read: SERIES_PROBE, until set */
	struct lifetimes lifetimes;    /* of the series that was read last */
	struct history_moment *moment; /* the sightings of one moment, to be put in order */
	size_t moment_n, moment_cap;
	uint32_t evidence, state; /* what was looked up last, and its state */
	bool has_evidence;
};

/* What to leave out: the times of observations (ascending) that a reader of the journal is to see
 * as not yet arrived; NULL, 0 for none. */
struct history_without {
	const int64_t *times_ms;
	size_t n;
};

void history_init(struct history *h, struct store_view *view, const struct lifetime_rules *rules);
void history_finish(struct history *h);

/* The events of one series of h->kind up to until_ms (exclusive); *events borrowed until the next
 * call. h->lifetimes tells what is shown at the end. */
int history_read(struct history *h, uint32_t series, int64_t until_ms,
    const struct history_without *without, const struct lifetime_event **events, size_t *n,
    struct err *err);

/* 1: no event of the series has its bracket's end at or after since_ms and its begin before
 * until_ms; told by what stands in those days, and from the last observation before them on. 0:
 * there may be one; history_read() tells. */
int history_is_steady(
    struct history *h, uint32_t series, int64_t since_ms, int64_t until_ms, struct err *err);

/* What was last observed before before_ms: 1 and *sighting, or 0. */
int history_last_observed(struct history *h, uint32_t series, int64_t before_ms,
    struct lifetime_sighting *sighting, struct err *err);

#endif
