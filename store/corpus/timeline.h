/*
 * timeline: the observations of one series in order of time. The differ's lifetimes run over it,
 * so it does nothing but decode (day.h): no evidence is looked up. Newest first: timeline_back.h.
 *
 * The caller owns struct timeline; it borrows a cursor of the view: timeline_finish() before the
 * view is closed. Observations of the same time stand in the order of their evidence numbers,
 * which is the order of arrival of what they show: who compares stores must not rely on it.
 */
#ifndef MX509_TIMELINE_H
#define MX509_TIMELINE_H

#include "store.h"
#include "store/record/day.h"

struct timeline {
	struct store_view *view;
	void *cursor;
	uint32_t series;
	enum series_kind kind;
	int64_t from_ms, to_ms;
	struct day_reader day;
	enum timeline_at { TIMELINE_START, TIMELINE_DAYS, TIMELINE_LAST, TIMELINE_END } at;
};

/* Sightings with from_ms <= time < to_ms; INT64_MIN and INT64_MAX for all. Reads only the days of
 * that span. */
int timeline_init(struct timeline *t, struct store_view *view, uint32_t series,
    enum series_kind kind, int64_t from_ms, int64_t to_ms, struct err *err);
int timeline_next(struct timeline *t, struct sighting *out, struct err *err); /* 1, 0, <0 */
void timeline_finish(struct timeline *t);

/* The last sighting before before_ms: 1, 0 (none), <0. */
int timeline_last(struct store_view *view, uint32_t series, enum series_kind kind,
    int64_t before_ms, struct sighting *out, struct err *err);

/* For those who read the chunks themselves: a day that a key can hold; the series' record in
 * sub-database `last`, in the map: 1, 0 (there is no such series; one that is there has it), <0;
 * what is said of a record that cannot be read. */
int64_t timeline_day(int64_t time_ms);
int timeline_last_chunk(
    struct store_view *view, uint32_t series, struct day_last *last, struct err *err);
int timeline_damaged(struct store_view *view, uint32_t series, int64_t day, struct err *err);

#endif
