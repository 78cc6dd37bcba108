/*
 * pages: LMDB's file page by page, as it lies on the disk, read without LMDB, which believes what
 * its pages say and goes where they send it.
 *
 * Every page of one state of the corpus belongs to exactly one thing: a tree of records, the tree
 * of free pages, or the list in it. Every key stands in its order and within what the pages above
 * it promise. So a page that holds something else than it did, an old state that has come back, or
 * a free page that is in use are found before a writer stumbles over them.
 *
 * Not for what the records say: checksums and store_check() see to that. What a page holds is in
 * page.h, a tree of them in page_walk.h; here are the free pages, the heads, and the whole.
 */
#ifndef MX509_PAGES_H
#define MX509_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

typedef void pages_finding(void *ctx, const char *line);

/* The state that transaction `number` made, of the data.mdb in `dir`; a reading transaction of that
 * number, held meanwhile, keeps its pages. Calls `finding` once for each fault; returns how many
 * of them would lead a reader or a writer astray. ERR_NOT_FOUND: writers have been faster, its head
 * page is not there any more. ERR_FORMAT: this machine's LMDB has another format. */
int pages_check(const char *dir, unsigned page_octets, uint64_t number, pages_finding *finding,
    void *ctx, struct err *err);

/* Whether the file was cut: it ends before pages that its newest state uses. (LMDB does not write
 * the last ones where they are free.) Nobody may be sent over it: who looks behind the end of a
 * file in memory is killed. */
bool pages_cut_short(const char *dir);

/* A record as it stands in a sub-database, with its checksum, which may not hold. Not 0: ends the
 * walk. What it is handed is valid until it returns. */
typedef int pages_record(void *ctx, const char *table, const uint8_t *key, size_t key_len,
    const uint8_t *value, size_t value_len);

/* Hands on every record that can be found, of the newest state that can be, in the order of the
 * tables' trees; nobody may write meanwhile. Returns the number of faults that were met, as
 * pages_check() does, or what `record` returned. */
int pages_salvage(
    const char *dir, pages_record *record, pages_finding *finding, void *ctx, struct err *err);

#endif
