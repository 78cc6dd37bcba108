/*
 * recent: what was met lately, and a number kept with each: the memory of a run, of the same size
 * however long the run.
 *
 * Two tables of at most LIMIT_RECENT things each: when the younger one is full the older one is
 * dropped and the younger takes its place; what is asked for moves into the younger one. So a thing
 * is forgotten only once LIMIT_RECENT others have been met since it was asked for: what comes often
 * never is. Whoever asks must be right, if less thrifty, where something was forgotten.
 *
 * Things go by 64 bits of their hash. Two different ones pass for one with a probability of
 * n²/2⁶⁵ (a million: 3 in a hundred million). One thread.
 */
#ifndef MX509_RECENT_H
#define MX509_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recent;

struct recent *recent_create(void);
void recent_destroy(struct recent *recent); /* accepts NULL */

/* The number kept with the thing, 0 at first; valid until the next call. *fresh (may be NULL): it
 * was not there. */
uint32_t *recent_at(struct recent *recent, const void *p, size_t len, bool *fresh);

/* True if it was not there. */
bool recent_add(struct recent *recent, const void *p, size_t len);

#endif
