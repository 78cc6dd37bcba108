/*
 * numbers: what a store numbers, and what was dropped of it: a number is never given twice, and a
 * journal that was cut short says so. A record of sub-database `meta`, "dropped": the numbers of
 * series, evidence and certificates below which all were given, u64le each; the newest commit that
 * the journal no longer holds, u64le; and how many observations and DNS answers no commit names
 * that it does hold, u64le. Missing: nothing was ever dropped. (Of certificates a number is free,
 * too, where one was known by name and then came.)
 */
#ifndef MX509_NUMBERS_H
#define MX509_NUMBERS_H

#include "db.h"

struct numbers {
	uint64_t series, evidence, certificates; /* the next ones */
	uint64_t forgotten;			 /* commits up to this one; 0: none */
	uint64_t unnamed;
	bool dropped; /* the record is there: there may be gaps among the numbers */
};

/* As they are now: what is in the tables is counted in. */
int numbers_read(struct db_txn *txn, struct numbers *numbers, struct err *err);
void numbers_key(struct key *key); /* of the record */
int numbers_write(struct db_txn *txn, const struct numbers *numbers, struct err *err);

#endif
