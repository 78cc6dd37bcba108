/*
 * schedule: a run: targets become hosts, hosts visits to addresses, visits probes, probes records.
 *
 *	source → shuffle → lookup → visit → pace → crew → record
 *
 * This is the conductor: all but the probes (crew.h) and the writing (record.h) happens in its
 * thread. Only so many targets are taken as there is room for, and what was met is remembered
 * within bounds (known.h), so that a list of any length costs the same.
 *
 * A host at an address is visited once a run, whatever leads there; the next hops of an address are
 * at most nexthops_most names. An address that does not answer to a connection, or keeps asking to
 * be left alone, is not called upon again in the run. Addresses that must not be dialled
 * (address.h), and what the blocklist holds, are counted and never connected to.
 */
#ifndef MX509_SCHEDULE_H
#define MX509_SCHEDULE_H

#include "blocklist.h"
#include "collector/dns/dns.h"
#include "lookup.h"
#include "record.h"
#include "resume.h"
#include "source.h"
#include "visit.h"

/* All pointers are borrowed. */
struct schedule_settings {
	struct loop *loop;
	struct dns *dns;
	struct record *record;
	struct blocklist *blocklist; /* NULL: none */
	struct source *source;
	struct resume *resume;
	struct visit_plan plan;
	struct pace_settings pace;
	bool ipv4, ipv6, allow_private;
	uint16_t port;
	const char *ehlo_domain;
	int64_t timeout_ms;
	unsigned concurrency, threads, nexthops_most;
	/* A line for the user about something that was asked for and could not be had. */
	void (*notice)(void *ctx, const char *line);
	/* Now and then, for a progress line. */
	void (*progress)(void *ctx);
	void *ctx;
};

struct schedule_counts {
	uint64_t targets, bad_lines, hosts, addresses; /* beyond LIMIT_RECENT some count twice */
	uint64_t probes, succeeded;  /* made; what is stored is told by record.h */
	uint64_t ends[LOOKUP_END_N]; /* of domains and MX hosts */
	uint64_t refused, blocked;   /* addresses and names */
	uint64_t left_out;	     /* targets of a family that is not wanted */
	uint64_t local;		     /* probes that this machine could not begin */
	uint64_t dead, unwelcome;    /* probes left out: their address did not answer; said 4yz */
	uint64_t nexthops;	     /* next hops left out: too many for their address */
	uint64_t done_before;	     /* probes that a resumed run had made */
	uint64_t on_25, connected_on_25; /* probes of the port of SMTP */
	uint64_t under_way, queued;	 /* now: probes, visits */
	uint64_t left;			 /* probes and look-ups given up when the run was stopped */
	uint64_t held;			 /* targets that were read and not begun, then */
	bool notices;			 /* at least one line of notice */
	bool more_targets;		 /* the source was not at its end */
};

struct schedule;

int schedule_create(
    struct schedule **schedule, const struct schedule_settings *settings, struct err *err);
void schedule_destroy(struct schedule *schedule); /* accepts NULL */

/* Runs the loop until all is done. */
void schedule_run(struct schedule *schedule);

/* No new probe; those under way go on. Called again: they are given up, too. */
void schedule_stop(struct schedule *schedule);
bool schedule_stopped(const struct schedule *schedule);

/* From the loop: the record has caught up, or failed. */
void schedule_on_record(struct schedule *schedule);

const struct schedule_counts *schedule_counts(const struct schedule *schedule);

#endif
