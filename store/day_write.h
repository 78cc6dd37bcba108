/*
 * day_write: puts sightings where their times say: at the end of the day's last chunk as a rule,
 * else (late arrivals) by rewriting the chunks of that day. Keeps the index of dates.
 */
#ifndef MX509_DAY_WRITE_H
#define MX509_DAY_WRITE_H

#include "day.h"
#include "db.h"

struct day_writer {
	struct db_txn *txn;
	struct db_cursor *cursor;
	struct buf chunk;
	struct buf sightings; /* of a day that is rewritten */
};

int day_write_init(struct day_writer *w, struct db_txn *txn, struct err *err);
void day_write_finish(struct day_writer *w); /* before the transaction ends */

/* 1: new; 0: an equal one was there. */
int day_write(struct day_writer *w, uint32_t series, enum series_kind kind,
    const struct sighting *sighting, struct err *err);

#endif
