/*
 * pages: LMDB's file page by page, as it lies on the disk, read without LMDB, which believes what
 * its pages say and goes where they send it.
 *
 * Every page of one state of the corpus belongs to exactly one thing: a tree of records, the tree
 * of free pages, or the list in it. Every key stands in its order and within what the pages above
 * it promise. So a page that holds something else than it did, an old state that has come back, or
 * a free page that is in use are found before a writer stumbles over them.
 *
 * Not for what the records say: checksums and store_check() see to that.
 *
 * Source: LMDB 0.9's mdb.c (MDB_page, MDB_node, MDB_db, MDB_meta), of a 64-bit machine.
 */
#ifndef MX509_PAGES_H
#define MX509_PAGES_H

#include <stdint.h>

#include "store/base/err.h"

typedef void pages_finding(void *ctx, const char *line);

/* The state that transaction `number` made, of the data.mdb in `dir`; a reading transaction of that
 * number, held meanwhile, keeps its pages. Calls `finding` once for each fault; returns how many
 * of them would lead a reader or a writer astray. ERR_NOT_FOUND: writers have been faster, its head
 * page is not there any more. ERR_FORMAT: this machine's LMDB has another format. */
int pages_check(const char *dir, unsigned page_octets, uint64_t number, pages_finding *finding,
    void *ctx, struct err *err);

#endif
