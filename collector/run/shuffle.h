/*
 * shuffle: targets in another order than that of the list, so that neighbours in it (often one
 * network, one operator) are not met in a row: each is drawn from a window of LIMIT_SHUFFLE that
 * have been read. Those that need a look-up and those that need none stand apart, so that a
 * resolver that is slow holds up only who needs it. One thread.
 */
#ifndef MX509_SHUFFLE_H
#define MX509_SHUFFLE_H

#include "source.h"

struct shuffle;

/* The source is borrowed. */
struct shuffle *shuffle_create(struct source *source);
void shuffle_destroy(struct shuffle *shuffle); /* accepts NULL */

/* As source_next(). names: whether a target that must be looked up is wanted now; if not,
 * SOURCE_WAIT says that no other one is there. SOURCE_FAILED comes once; what was read before it
 * comes after it. */
enum source_result shuffle_next(
    struct shuffle *shuffle, bool names, struct target *target, struct err *err);
/* The source has something, after SOURCE_WAIT. */
void shuffle_ready(struct shuffle *shuffle);

/* How many have been read and not been drawn; whether the source has no more. */
size_t shuffle_held(const struct shuffle *shuffle);
bool shuffle_ended(const struct shuffle *shuffle);

#endif
