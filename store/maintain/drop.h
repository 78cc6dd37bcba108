/*
 * drop: takes observations out of a corpus, and with them what nothing else refers to: evidence,
 * chains, certificates, series without observations, entries of the journal. One transaction: until
 * drop_commit() nothing has happened, after it all has.
 *
 * Which ones is the caller's to say, sighting by sighting. Every series must be shown once, so that
 * what is still referred to is known. Numbers that become free are never given again (numbers.h).
 *
 * Threads: one; other writers wait. Memory: a few bits a record, the sightings of one series, and
 * what is dropped of series that stay.
 */
#ifndef MX509_DROP_H
#define MX509_DROP_H

#include "maintain.h"
#include "store/base/bits.h"
#include "store/corpus/day_write.h"
#include "store/corpus/store_view.h"

struct drop {
	struct store *store;
	struct store_view view; /* of the transaction, which writes */
	const struct maintain_hooks *hooks;
	struct maintain_dropped *counts;
	uint32_t *series; /* the numbers of all */
	size_t series_n;
	struct buf sightings, kept; /* of one series: struct sighting, struct day_arrival */
	struct bits used, unused;   /* evidence: of what stays, of what goes */
	struct bits empty;	    /* series of which nothing stays */
	struct bits touched;	    /* series of which something went */
	struct buf entries;	    /* struct journal_entry: what went of the touched ones */
	uint64_t stay;		    /* observations and answers */
};

int drop_begin(struct drop *d, struct store *store, const struct maintain_hooks *hooks,
    struct maintain_dropped *counts, struct err *err);

/* Says which sightings of a series go: sets going[i] of n; all are false before. */
typedef int drop_choose(void *ctx, uint32_t number, const struct series *series,
    const struct sighting *sightings, size_t n, bool *going, struct err *err);

/* Shows every series to `choose`, in the order of their numbers, and takes out what goes. */
int drop_sightings(struct drop *d, drop_choose *choose, void *ctx, struct err *err);

/* Then: evidence, chains, certificates and series that nothing refers to any more. */
int drop_sweep(struct drop *d, struct err *err);

/* Then the journal. Entries of what went are taken out of its commits, which stay. */
int drop_journal_entries(struct drop *d, struct err *err);
/* Or: all commits up to the last one that names something from before before_ms of a series of
 * which something went: cursors from before them are refused from then on. */
int drop_journal_before(struct drop *d, int64_t before_ms, struct err *err);

int drop_commit(struct drop *d, struct err *err);
void drop_finish(struct drop *d); /* aborts what was not committed */

#endif
