/*
 * day_erase: takes the days of a series out of the store, with their place in the index of dates.
 * What of them is to stay is written back by day_write().
 */
#ifndef MX509_DAY_ERASE_H
#define MX509_DAY_ERASE_H

#include "db.h"

/* The days before before_day; INT64_MAX: all. */
int day_erase(struct db_txn *txn, uint32_t series, int64_t before_day, struct err *err);

#endif
