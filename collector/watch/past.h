/*
 * past: what the store holds of a series from before, for a watch that has just begun: so that a
 * change while nobody watched is one.
 *
 * Reads by a handle of its own, a view for each question. One thread.
 */
#ifndef MX509_PAST_H
#define MX509_PAST_H

#include "places.h"
#include "store/corpus/store.h"

/* The latest states that the series showed before before_ms into *out, which has none. What cannot
 * be read is not known: then the next state is the first. */
void past_states(
    struct store *store, const struct series *series, int64_t before_ms, struct place_series *out);

#endif
