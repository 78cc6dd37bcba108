/*
 * caps: how many connections are under way to each network and each operator, and who waits for a
 * place there. Groups are numbers of the caller's; one that nobody is in costs nothing.
 *
 * Who waits gets its turn when a place becomes free: caps_woken(). It may find that the other one
 * of its groups is full; then it waits there, and the next one in the first group has the turn, so
 * that no place stays free that somebody could use. Members belong to the caller. One thread.
 */
#ifndef MX509_CAPS_H
#define MX509_CAPS_H

#include <stdbool.h>
#include <stdint.h>

struct caps;

enum caps_kind { CAPS_NETWORK, CAPS_OPERATOR, CAPS_N };

struct caps_member {
	uint64_t groups[CAPS_N]; /* 0: of none; the caller's to set, but not while it is within */
	struct caps_member *next;
	struct caps_group *woken_by;
};

/* 0: no bound. */
struct caps *caps_create(const unsigned most[CAPS_N]);
void caps_destroy(struct caps *caps); /* accepts NULL; nobody may be within */

/* True: within, a place taken in each of its groups. False: it waits for one. */
bool caps_enter(struct caps *caps, struct caps_member *member);
void caps_leave(struct caps *caps, struct caps_member *member);
/* One that was woken does not want to enter any more. */
void caps_decline(struct caps *caps, struct caps_member *member);

/* One that waited and may try again, and waits no longer; NULL: none. */
struct caps_member *caps_woken(struct caps *caps);

#endif
