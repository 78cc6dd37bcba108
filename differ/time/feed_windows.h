/*
 * feed_windows: the roll-outs of a batch of the feed. Those of the groups that something changed in
 * are computed as they stood at the cursor and as they stand now, as the changes are (feed.h): a
 * group costs one reading of its series, and one more of each that was observed since. Groups in
 * which nothing changed cost nothing, however many observations came.
 */
#ifndef MX509_FEED_WINDOWS_H
#define MX509_FEED_WINDOWS_H

#include "feed.h"
#include "windows.h"

struct feed_windows {
	struct query *query;
	struct windows_names touched;
	feed_each *each;
	void *ctx;
};

void feed_windows_finish(struct feed_windows *w);

/* Something changed in the group of this host. */
void feed_windows_touch(struct feed_windows *w, const char *host);

/* Tells those of the groups that were touched, or, from the cursor 0 on, all. 0 or <0. */
int feed_windows_tell(struct feed_windows *w, uint64_t cursor, struct err *err);

#endif
