/*
 * heads: the two head pages of LMDB's file, which it writes in turn and believes without a
 * checksum. A transaction's number that is damaged there brings back the state before the last
 * commit, whole and consistent, so that nothing else tells.
 *
 * Source: lmdb.h's MDB_meta of format 0.9 as it lies on the disk of a 64-bit machine.
 */
#ifndef MX509_HEADS_H
#define MX509_HEADS_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers of the last two transactions; false if they cannot be read, or not on this machine.
 * A writer at work is waited for. */
bool heads_read(const char *dir, unsigned page_octets, uint64_t numbers[2]);

/* Whether LMDB can have written them: page n holds transactions n, n + 2, n + 4 …, one apart. */
bool heads_plausible(const uint64_t numbers[2]);

#endif
