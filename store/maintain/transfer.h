/*
 * transfer: sightings and certificates out of a view of one corpus into another, in batches that
 * are each durable.
 *
 * What cannot be read is named and passed (hooks.say), and counted; errors of the target end it.
 * Threads: one. Memory: one batch.
 */
#ifndef MX509_TRANSFER_H
#define MX509_TRANSFER_H

#include "maintain.h"
#include "store/base/bits.h"
#include "store/record/day.h"

#define TRANSFER_NAMED 20 /* records that cannot be read */

struct transfer {
	struct store_view *from;
	struct store *into;
	const struct maintain_hooks *hooks;
	struct maintain_merged *sum;
	struct store_batch *batch;
	uint64_t records, most;
	uint64_t passed;  /* named up to TRANSFER_NAMED, then counted */
	struct bits lost; /* evidence that cannot be read: named once */
	uint64_t lost_sightings;
	uint64_t certificates, certificate_octets; /* of the batch */
	/* what the sighting before showed: nearly always what this one shows */
	bool has_evidence;
	uint32_t evidence_number;
	struct evidence evidence;
};

/* Adds to *sum what is durable. */
int transfer_init(struct transfer *t, struct store *into, struct store *from,
    const struct maintain_hooks *hooks, struct maintain_merged *sum, struct err *err);
/* Commits what was read, also after an error of the source; returns rc, or the commit's error where
 * rc is 0. */
int transfer_finish(struct transfer *t, int rc, struct err *err);

int transfer_certificate(struct transfer *t, const struct buf *der, struct err *err);
/* *fresh (may be NULL): whether it shows other evidence than the one before; t->evidence then. */
int transfer_sighting(struct transfer *t, const struct series *series, const struct sighting *s,
    bool *fresh, struct err *err);

/* Whether a failed reading of the source is one that is passed; it is named then. After as many of
 * them as there are records the tree goes in circles: false. */
bool transfer_passes(struct transfer *t, int rc, struct err *why);

/* The same of what is not read at all. */
void transfer_lose(struct transfer *t, const char *what);

/* ERR_INPUT where the caller is to stop. */
int transfer_tick(struct transfer *t, struct err *err);

#endif
