/*
 * pace: which probe may start now; the one place for all manners in time. One connection at a time
 * to an address, a gap between two, a longer rest for an address that asked to be left for a while,
 * caps on a network (the addresses of one /24 or /48) and on an operator (store/record/operator.h),
 * and a rate for all. Whatever is queued for an address waits in order; which address is next is
 * left to the dice, but not one of the network that was hit last, as long as there is another.
 *
 * No clock of its own: times are the caller's, monotonic, in milliseconds. What is queued belongs
 * to the caller; pace links it. One thread.
 */
#ifndef MX509_PACE_H
#define MX509_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/ip.h"

struct pace;

struct pace_item {
	struct pace_item *next;
	struct ip address;
	uint64_t operator_id; /* pace's */
};

struct pace_settings {
	int64_t gap_ms;	     /* from the end of a connection to an address to the next one to it */
	int64_t back_off_ms; /* the same after PACE_LATER; fourfold each time in a row */
	unsigned per_second; /* 0: no bound, here and below */
	unsigned per_network, per_operator; /* connections at a time */
	bool spare_loopback;		    /* the caps do not count addresses of this machine */
};

/* How a connection ended. */
enum pace_end {
	PACE_ANSWERED,
	PACE_LATER, /* come again later: 421 and other 4yz */
};

struct pace *pace_create(const struct pace_settings *settings);
void pace_destroy(struct pace *pace); /* accepts NULL; nothing must be queued */

/* host: whose operator is meant. */
void pace_add(struct pace *pace, struct pace_item *item, const char *host);

/* The next that may start, whose address is busy from now on; NULL: none. */
struct pace_item *pace_next(struct pace *pace, int64_t now_ms);

/* The connection to an address is over. False: it has said PACE_LATER LIMIT_BACK_OFFS times in a
 * row, and should be left alone. */
bool pace_release(struct pace *pace, const struct ip *address, enum pace_end end, int64_t now_ms);

/* When an address that has said PACE_LATER the last time may be called upon again; 0: it has not.
 */
int64_t pace_rests_until_ms(const struct pace *pace, const struct ip *address);

/* How long until pace_next() may have one that it does not have now, if nothing else happens; -1:
 * never. */
int64_t pace_wait_ms(const struct pace *pace, int64_t now_ms);

/* Takes one out of the queue of an address, or of any (NULL); NULL: there is none. */
struct pace_item *pace_drop(struct pace *pace, const struct ip *address);
size_t pace_queued(const struct pace *pace);

#endif
