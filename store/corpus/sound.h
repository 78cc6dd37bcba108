/*
 * sound: whether LMDB may be sent over the pages of a corpus. It believes what they say: from one
 * that is damaged a writer would take that something is not there, and write what contradicts the
 * rest; a reader would pass over records without a word, or end.
 *
 * Not for what the records say: their checksums see to that, reading by reading.
 *
 * Cost: the file is read once through (pages.h), some two seconds a gigabyte, less where it is in
 * memory.
 */
#ifndef MX509_SOUND_H
#define MX509_SOUND_H

#include "db.h"
#include "pages.h"

/* The pages of the newest state: how many lead astray, each named by `finding`. 0 also where that
 * cannot be told: on a machine of another kind, or while writers are faster. */
int sound_pages(struct db *db, pages_finding *finding, void *ctx, struct err *err);

/* The same once for all handles of the process on one file, unless `again`: 0, or ERR_DAMAGED with
 * the first finding and the way out. */
int sound_check(struct db *db, bool again, struct err *err);

/* Whether the head pages are what LMDB can have written (heads.h), else an older state may stand
 * for the newest one: 0, or ERR_DAMAGED with the line and the way out. */
int sound_heads(struct db *db, struct err *err);

#endif
