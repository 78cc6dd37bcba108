/*
 * day_write: puts the sightings of a batch where their times say: in the order of series and time,
 * so that pages are touched in the order of their keys, and each day's record is written once
 * however many come for it. Keeps the index of dates.
 *
 * What is newest of a series goes to its record in sub-database `last`, all of which stand close
 * together; a record moves to `day` when it is full or its day is over. So a probe an hour of many
 * series touches few pages, not one each.
 */
#ifndef MX509_DAY_WRITE_H
#define MX509_DAY_WRITE_H

#include "db.h"
#include "store/record/day.h"

struct day_arrival {
	struct sighting sighting;
	uint32_t series;
	uint8_t kind; /* enum series_kind */
	bool added;   /* set by day_write(): no equal one was there */
};

/* Arrivals in any order, which stays. */
int day_write(struct db_txn *txn, struct day_arrival *arrivals, size_t n, struct err *err);

#endif
