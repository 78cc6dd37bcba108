/*
 * record: what a run learns, on its way into the store: kept until a batch is full or a second has
 * passed, then written in one transaction, so that the store's lock is held for no longer than
 * that takes; and as JSON lines on standard output once it is durable (--json).
 *
 * A failed commit loses its batch, stops the run (record_failed()) and is told at the end: nothing
 * is retried against a full disk. One thread.
 */
#ifndef MX509_RECORD_H
#define MX509_RECORD_H

#include <stdio.h>

#include "../store/store.h"
#include "loop.h"
#include "wire.h"

struct record;

struct record_counts {
	uint64_t observations, dns_answers; /* durable, new in the store or not */
	uint64_t lost;			    /* not stored: see record_failed() */
	uint64_t refused;		    /* the store's limits do not allow it */
};

/* The store is borrowed. json: the stream for JSON lines; NULL for none. */
struct record *record_create(struct store *store, struct loop *loop, FILE *json);
/* What is pending is written first. Accepts NULL. */
void record_destroy(struct record *record);

/* Both copy all that they are given. The observation's evidence.chain is made from *chain. */
void record_observation(struct record *record, const struct series *series,
    const struct observation *observation, const struct wire_chain *chain);
void record_dns(
    struct record *record, const struct series *series, const struct dns_answer *answer);

/* Writes what is pending now. */
void record_flush(struct record *record);

/* Not NULL once something could not be stored or printed: why. */
const struct err *record_failed(const struct record *record);
/* Not NULL if a record passed the store's limits: the first one, and which limit. */
const struct err *record_refused(const struct record *record);
struct record_counts record_counts(const struct record *record);
/* Called once, when that happens; from within any of the above. */
void record_on_failure(struct record *record, loop_fn *fn, void *ctx);

#endif
