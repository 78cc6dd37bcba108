/*
 * pace: which probe may start now. One connection at a time to an address, a gap between two, and
 * a rate for all. Whatever is queued for an address waits in order; addresses take turns.
 *
 * No clock of its own: times are the caller's, monotonic, in milliseconds. What is queued belongs
 * to the caller; pace links it.
 */
#ifndef MX509_PACE_H
#define MX509_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "../store/ip.h"

struct pace;

struct pace_item {
	struct pace_item *next;
	struct ip address;
};

/* gap_ms: between the end of a connection to an address and the next one to it. per_second: 0 for
 * no bound. */
struct pace *pace_create(int64_t gap_ms, unsigned per_second);
void pace_destroy(struct pace *pace); /* accepts NULL; nothing must be queued */

void pace_add(struct pace *pace, struct pace_item *item);

/* The next that may start, whose address is busy from now on; NULL: none. */
struct pace_item *pace_next(struct pace *pace, int64_t now_ms);
/* The connection to an address is over. */
void pace_release(struct pace *pace, const struct ip *address, int64_t now_ms);

/* How long until pace_next() may have one that it does not have now, if nothing else happens; -1:
 * never. */
int64_t pace_wait_ms(const struct pace *pace, int64_t now_ms);

/* Takes one out of the queue, whosever turn it is; NULL: it is empty. */
struct pace_item *pace_drop(struct pace *pace);
size_t pace_queued(const struct pace *pace);

#endif
