/*
 * shown: what a series shows at a time, and since when.
 */
#ifndef MX509_SHOWN_H
#define MX509_SHOWN_H

#include "query.h"

struct shown {
	struct lifetime_sighting last; /* the last observation, or, where there was none, probe */
	/* The bracket of what brought it: the last change to it that somebody made. after_ms
	 * INT64_MIN: nothing did, it was shown since its first sighting. */
	int64_t after_ms, first_ms;
	bool observed; /* else it was probed in vain ever since */
};

/* 1; 0 where there is nothing before until_ms (exclusive), or the query's filters leave it out; <0.
 * changes_read() of the series has been called then. */
int shown_find(struct query *q, uint32_t number, const struct series *series, int64_t until_ms,
    struct shown *shown, struct err *err);

#endif
