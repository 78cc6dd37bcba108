/*
 * journal: the record of a commit: form u8, 1; its time as ms u64le, the number of its entries as a
 * varint, then for each, in order of arrival, the difference of its series' number and of its time
 * to the one before (of the first: to 0), zigzag varints: 2 or 3 octets where series are probed in
 * their order. The walk over the journal is in store.h.
 */
#ifndef MX509_JOURNAL_H
#define MX509_JOURNAL_H

#include "store.h"

void journal_encode(
    struct buf *out, int64_t committed_ms, const struct journal_entry *entries, size_t n);

/* Entries are appended to *entries as struct journal_entry; false if it cannot be read. */
bool journal_decode(const void *p, size_t len, int64_t *committed_ms, struct buf *entries);

struct db_txn;
int journal_newest(struct db_txn *txn, uint64_t *sequence, struct err *err); /* 0: none */

#endif
