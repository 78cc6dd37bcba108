/*
 * schedule: visits become probes, probes records: who waits, whose turn it is, what becomes of an
 * address that does not answer.
 *
 *	pass → visit → pace → crew → record
 *
 * This is the conductor: all but the probes (crew.h) and the writing (record.h) happens in its
 * thread. Where visits come from is the passes' affair (pass.h). Several may be under way: they
 * share the pace, so that an address gets one connection at a time, whoever wants it.
 *
 * An address that does not answer to a connection, or keeps asking to be left alone, is not called
 * upon again in the passes that wanted it then. Nor is one in a pass that ends (pass.h) before the
 * rest that the address asked for.
 */
#ifndef MX509_SCHEDULE_H
#define MX509_SCHEDULE_H

#include "record.h"
#include "visit.h"

/* All pointers are borrowed. */
struct schedule_settings {
	struct loop *loop;
	struct record *record;
	struct pace_settings pace;
	bool offers[OFFER_N];
	const char *ehlo_domain;
	int64_t timeout_ms;
	unsigned concurrency, threads;
};

struct schedule;

int schedule_create(
    struct schedule **schedule, const struct schedule_settings *settings, struct err *err);
/* No probe may be under way, and no pass. Accepts NULL. */
void schedule_destroy(struct schedule *schedule);

/* A pass is fed when there is room for its visits, until it is taken out. */
void schedule_enter(struct schedule *schedule, struct pass *pass);
void schedule_leave(struct schedule *schedule, struct pass *pass);

/* Takes the visit, which has something left to do. */
void schedule_add(struct schedule *schedule, struct visit *visit);
/* Room for more: not enough is queued yet to keep all connections busy. */
bool schedule_has_room(const struct schedule *schedule);
/* Brings everything on as far as it goes now; may be called from within what it calls. */
void schedule_pump(struct schedule *schedule);

/* No new probe; those under way go on. Called again: they are given up, too. Stops every pass. */
void schedule_stop(struct schedule *schedule);
bool schedule_stopped(const struct schedule *schedule);
uint64_t schedule_under_way(const struct schedule *schedule); /* probes */

/* From the loop: the record has caught up, or failed. */
void schedule_on_record(struct schedule *schedule);

#endif
