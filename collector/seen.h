/*
 * seen: a set of things that were there before, by 64 bits of their hash: 8 to 16 octets each.
 * Two different things pass for one with a probability of n²/2⁶⁵ (ten million: 3 in a million);
 * what is lost then is one probe or one printed line, never a record of the store.
 */
#ifndef MX509_SEEN_H
#define MX509_SEEN_H

#include <stdbool.h>
#include <stddef.h>

struct seen;

struct seen *seen_create(void);
void seen_destroy(struct seen *seen); /* accepts NULL */

/* True if it was not there. */
bool seen_add(struct seen *seen, const void *p, size_t len);
size_t seen_len(const struct seen *seen);

#endif
