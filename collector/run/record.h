/*
 * record: what a run learns, on its way into the store. Any thread hands it in; one thread of its
 * own, the writer, commits it: a batch when it is full or a second has passed, in one transaction,
 * so that the store's lock is held for no longer than that takes and no probe waits for the disk;
 * then it prints the batch as JSON lines (--json), which say that it is durable.
 *
 * What waits is bounded: record_is_behind() asks whoever makes more to stop until it is caught up.
 * A failed commit loses its batch, ends the writing and is told (record_failed()): nothing is
 * retried against a full disk.
 */
#ifndef MX509_RECORD_H
#define MX509_RECORD_H

#include <stdio.h>

#include "collector/loop.h"
#include "collector/probe/wire.h"
#include "store/corpus/store.h"

struct record;

struct record_counts {
	uint64_t observations, dns_answers; /* durable, new in the store or not */
	uint64_t outcomes[OUTCOME_N];	    /* of the observations */
	uint64_t lost;			    /* not stored: see record_failed() */
	uint64_t refused;		    /* the store's limits do not allow it */
};

/* What an observation shows, as far as two are told apart (store/record/shown.h). */
struct record_shown {
	bool observed; /* something about the certificate; else state is meaningless */
	struct hash state;
};

/* The store is borrowed, and the writer's until record_destroy(). json: the stream for JSON lines;
 * NULL for none. fn is called from the loop when the writer has caught up, and when it failed. */
struct record *record_create(
    struct store *store, FILE *json, struct loop *loop, loop_fn *fn, void *ctx);
/* After record_finish(). Accepts NULL. */
void record_destroy(struct record *record);

/* From any thread. Both copy all that they are given. The observation's evidence.chain is made from
 * *chain. */
struct record_shown record_observation(struct record *record, const struct series *series,
    const struct observation *observation, const struct wire_chain *chain);
void record_dns(
    struct record *record, const struct series *series, const struct dns_answer *answer);

/* From any thread: whether more waits for the disk than should. */
bool record_is_behind(struct record *record);
bool record_has_failed(struct record *record);

/* Writes all that was handed in and ends the writer; nothing may be handed in any more. */
void record_finish(struct record *record);

/* After record_finish(). Not NULL once something could not be stored or printed: why. */
const struct err *record_failed(const struct record *record);
/* Not NULL if a record passed the store's limits: the first one, and which limit. */
const struct err *record_refused(const struct record *record);

/* As of now, at any time. */
struct record_counts record_counts(struct record *record);

#endif
