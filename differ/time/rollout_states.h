/*
 * rollout_states: which series showed a state when they were last observed before a moment: the N
 * of a roll-out. An index of lifetimes by state and bucket (group, SNI variant and offer), so that
 * a window costs what showed its old states, not the whole corpus; the store is asked only where
 * the lifetimes of a series overlap.
 *
 * Not thread-safe. Borrows the struct history.
 */
#ifndef MX509_ROLLOUT_STATES_H
#define MX509_ROLLOUT_STATES_H

#include "history.h"

struct rollout_lifetime {
	uint64_t bucket;
	uint32_t state, evidence; /* of its first sighting */
	uint32_t series;	  /* its number */
	size_t at;		  /* the caller's index of it */
	int64_t first_ms;	  /* first sighting */
	int64_t certain_ms; /* up to here (inclusive) nothing else was shown; INT64_MIN: not so */
	int64_t over_ms;    /* what was observed next after its last sighting; INT64_MAX: nothing */
};

struct rollout_states {
	struct rollout_lifetime *list;
	size_t n, cap;
	size_t *found; /* in list[] */
	size_t found_n, found_cap;
};

void rollout_states_clear(struct rollout_states *s); /* keeps the memory */
void rollout_states_finish(struct rollout_states *s);

/* The lifetimes of a series, each series once. */
void rollout_states_add(struct rollout_states *s, uint64_t bucket, uint32_t series, size_t at,
    const struct lifetimes *lifetimes);

void rollout_states_sort(struct rollout_states *s); /* after the last one */

/* Those of the bucket that showed one of states[0..n) (ascending, distinct; NULL: any) when last
 * observed before before_ms: in s->found, until the next call. 0 or <0. In no
 * order; rollout_states_order() puts them in that of their `at`. */
int rollout_states_find(struct rollout_states *s, struct history *history, uint64_t bucket,
    const uint32_t *states, size_t n, int64_t before_ms, struct err *err);
void rollout_states_order(struct rollout_states *s);

#endif
