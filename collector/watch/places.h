/*
 * places: what a watch knows of whom it watches: each host at an address, and each next hop asked
 * for there as a place of its own, what its series have shown lately, and when it is to be looked
 * at again.
 *
 *	normally	in each pass, and not between
 *	after a change	of one of its series, of its host, its address or its operator: `close`
 *			after the last look, then after twice that, and so on, until that is the
 *			interval of passes
 *	near the end	of the validity of a leaf that it shows, from LIMIT_WATCH_END_MS before to
 *as long after: a LIMIT_WATCH_END_PART of the interval after the last look
 *
 * A change: a series shows a state (record.h) that is none of the last STATES that it showed, so
 * that a balancer's turns are none. A place that never comes to rest relaxes for once after
 * LIMIT_WATCH_RESTARTS. At most LIMIT_WATCH_OPERATOR places are looked at closely for one change,
 * those of the same host and address before the rest, and LIMIT_WATCH_CLOSE in all.
 *
 * States are kept as 32 bits of their hash: what is at stake is a look at the wrong time. A place
 * takes some 180 octets, its names, and 16 for each of its series.
 *
 * No clock of its own, no I/O: times are the caller's, in milliseconds, monotonic but for wall_ms.
 * One thread.
 */
#ifndef MX509_PLACES_H
#define MX509_PLACES_H

#include "collector/run/dice.h"
#include "collector/run/visit.h"

#define PLACES_STATES 4

struct places;

struct place_series {
	uint32_t states[PLACES_STATES]; /* the latest first; 0: none */
};

struct place {
	struct place *chain;	   /* of the hash table */
	struct place *prev, *next; /* of those with a time of their own */
	uint64_t host_id, operator_id;
	int64_t looked_ms;   /* the last visit's end */
	int64_t due_ms;	     /* INT64_MAX: none but the passes' */
	int64_t leaf_ends_s; /* the first of its leaves that will end; 0: unknown */
	struct ip address;
	uint16_t port;
	bool close;   /* after a change */
	bool anew;    /* that was since the last visit began to be over */
	uint8_t step; /* how often the time was doubled */
	uint8_t restarts;
	bool looking;	 /* a visit has begun to tell when its leaves end */
	uint32_t pass;	 /* that it was met in last */
	uint32_t visits; /* queued or under way */
	const char *domain;
	struct place_series *series; /* by places_series() */
	char host[];		     /* and behind it the domain, "" but for a next hop */
};

/* plan is borrowed. */
struct places *places_create(
    const struct visit_plan *plan, int64_t interval_ms, int64_t close_interval_ms);
void places_destroy(struct places *places); /* accepts NULL */

/* The place of a visit, found or new, in pass number `pass`; it counts one visit more. Of its next
 * hop, or of the rest; NULL where the visit has nothing to do there. */
struct place *places_meet(
    struct places *places, const struct visit *visit, bool nexthop, uint32_t pass, int64_t now_ms);
/* A visit more to a place that is due. */
void places_visit(struct places *places, struct place *place);
/* Forgets those that were met neither in this pass, which is complete, nor in the one before: no
 * name leads there any more. (One pass may fail in DNS.) */
size_t places_sweep(struct places *places, uint32_t pass);

/* Of the probe that a visit has under way, or next: states[0] is 0 where it never showed one. */
struct place_series *places_series(
    const struct places *places, struct place *place, const struct visit *visit);
/* Not 0. */
uint32_t places_state(const struct hash *shown);
/* A state from before, older than all that it has. */
void places_remember(struct place_series *series, uint32_t state);

/* A probe has shown this. True: a change, which is noted for places_tend(). */
bool places_saw(
    struct places *places, struct place *place, struct place_series *series, uint32_t state);
/* It has shown a leaf that ends then. */
void places_leaf_ends(struct place *place, int64_t leaf_ends_s);
/* A visit is over: when to look again is reckoned from now. */
void places_over(struct places *places, struct place *place, int64_t now_ms, int64_t wall_ms);

/* What the changes that were noted mean for the places around them; returns how many places are
 * looked at more closely than before. */
size_t places_tend(struct places *places, int64_t now_ms);

/* Calls look() with each that is due and has no visit; it may call places_visit() or
 * places_leave() with it. */
void places_due(
    struct places *places, int64_t now_ms, void (*look)(void *ctx, struct place *place), void *ctx);
/* It is not to be looked at (it asked to be left alone): no time of its own. */
void places_leave(struct places *places, struct place *place);
/* Until one is; -1: never, as things stand. */
int64_t places_wait_ms(const struct places *places, int64_t now_ms);

size_t places_n(const struct places *places);
size_t places_close(const struct places *places);  /* looked at closely now */
size_t places_octets(const struct places *places); /* that they take, about */

#endif
