/*
 * feed: changes as they are found. A cursor is a number of the store's journal. The changes of
 * every series that the commits after it touched are computed twice: as the observations stood at
 * the cursor, and as they stand now; the feed is the difference. So nothing is missed, not even
 * what was imported late, and nothing is remembered but the cursor. Only those series are read.
 *
 * A change that is new and takes the place of an old one (the same series and the same new state,
 * near in time) bears the old one's id as `revises`; an old one that nothing takes the place of
 * is retracted; one that keeps its id but has another state, end of the old one, class or severity
 * by now (mixed, then replaced) is altered.
 *
 * Then the roll-outs, in the same manner (feed_windows.h): one that proceeds comes again under its
 * id, altered; where late data moved its start, and with it its id, the new one revises the old.
 *
 * Memory is bounded: where the journal tells of more arrivals than ARRIVALS_MAX since the cursor,
 * it is read several times, for some of the series at a time.
 */
#ifndef MX509_FEED_H
#define MX509_FEED_H

#include "query.h"

enum feed_news {
	FEED_NEW,
	FEED_ALTERED,	/* the reader has it already; now it is so */
	FEED_RETRACTED, /* it was told, and is no more */
	FEED_SAME,	/* of a window: no news, but it stands beside what changed in its group */
};

/* Of a change or of a window; of a retraction as it was. */
struct feed_event {
	enum feed_news news;
	const struct change *change;
	const struct series *series; /* of the change */
	const struct rollout *window;
	const char *revises; /* the id of what this takes the place of, or NULL */
};

typedef int feed_each(void *ctx, const struct feed_event *event, struct err *err);

/* The cursor behind the last commit that was made at or before time_ms. */
int feed_cursor_at(struct store_view *view, int64_t time_ms, uint64_t *cursor, struct err *err);

/* Calls `each` series by series, of a series in order of time, then for the windows; *last is the
 * cursor to go on from. A cursor that the journal does not reach is ERR_NOT_FOUND. Who wants no
 * windows is spared what they cost: the reading of every group in which something changed. */
int feed_read(struct query *q, uint64_t cursor, uint64_t *last, bool with_windows, feed_each *each,
    void *ctx, bool *missing, struct err *err);

#endif
