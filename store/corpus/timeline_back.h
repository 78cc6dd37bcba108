/*
 * timeline_back: the observations of one series, newest first: timeline.h the other way round.
 *
 * The caller owns struct timeline_back; it borrows a cursor of the view: timeline_back_finish()
 * before the view is closed. It holds the sightings of one chunk at a time.
 */
#ifndef MX509_TIMELINE_BACK_H
#define MX509_TIMELINE_BACK_H

#include "store.h"
#include "store/record/day.h"

struct timeline_back {
	struct store_view *view;
	void *cursor;
	uint32_t series;
	enum series_kind kind;
	int64_t from_ms, to_ms;
	struct buf chunk; /* struct sighting: those that are left of it */
	enum timeline_back_at { TIMELINE_BACK_START, TIMELINE_BACK_LAST, TIMELINE_BACK_DAYS } at;
	bool ended;
};

/* Sightings with from_ms <= time < to_ms; INT64_MIN and INT64_MAX for all. */
int timeline_back_init(struct timeline_back *t, struct store_view *view, uint32_t series,
    enum series_kind kind, int64_t from_ms, int64_t to_ms, struct err *err);
int timeline_back_next(
    struct timeline_back *t, struct sighting *out, struct err *err); /* 1, 0, <0 */
void timeline_back_finish(struct timeline_back *t);

#endif
