/*
 * pass: a list of targets on its way through: targets become hosts, hosts visits to addresses,
 * which the schedule takes.
 *
 *	source → shuffle → lookup → visit → schedule
 *
 * Only so many targets are taken as there is room for, and what was met is remembered within
 * bounds (known.h), so that a list of any length costs the same. A pass without a source has the
 * visits that pass_visit() gives it, and no names are looked up for it.
 *
 * A host at an address is visited once a pass, whatever leads there; the next hops of an address
 * are at most nexthops_most names. Addresses that must not be dialled (address.h), and what the
 * blocklist holds, are counted and never connected to.
 *
 * The conductor's thread. A pass is over when nothing of it is left: done() is called then, once,
 * from the loop, and may destroy it.
 */
#ifndef MX509_PASS_H
#define MX509_PASS_H

#include "blocklist.h"
#include "collector/dns/dns.h"
#include "lookup.h"
#include "policies.h"
#include "record.h"
#include "resume.h"
#include "schedule.h"
#include "source.h"

struct pass;

/* Why a visit is over. */
enum pass_end {
	PASS_DONE,	/* all of it is done */
	PASS_DEAD,	/* its address did not answer to a connection */
	PASS_UNWELCOME, /* it said 4yz, LIMIT_BACK_OFFS times in a row, or rests too long */
	PASS_LEFT,	/* the schedule was stopped */
};

/* All pointers are borrowed. */
struct pass_settings {
	struct loop *loop;
	struct schedule *schedule;
	struct record *record;
	struct source *source; /* NULL: none, and dns is not used */
	struct dns *dns;
	struct blocklist *blocklist; /* NULL: none */
	struct resume *resume;	     /* NULL: nothing was done before */
	struct sts_fetcher *fetcher; /* NULL: no MTA-STS policies are fetched */
	const struct visit_plan *plan;
	bool ipv4, ipv6, allow_private;
	uint16_t port;
	unsigned nexthops_most;
	/* An address that wants to be left for longer than until then (monotonic) is left to the
	 * next pass; INT64_MAX: there is none. */
	int64_t until_ms;
	/* A line for the user about something that was asked for and could not be had. */
	void (*notice)(void *ctx, const char *line);
	void (*done)(void *ctx, struct pass *pass);
	/* NULL, or: a visit is to be queued; one of its probes is over, and was no local failure or
	 * abort; it is over, and will be freed. */
	void (*on_visit)(void *ctx, struct visit *visit);
	void (*on_probe)(void *ctx, struct visit *visit);
	void (*on_over)(void *ctx, struct visit *visit);
	void *ctx;
};

struct pass_counts {
	uint64_t targets, bad_lines, hosts, addresses; /* beyond LIMIT_RECENT some count twice */
	uint64_t probes, succeeded;  /* made; what is stored is told by record.h */
	uint64_t ends[LOOKUP_END_N]; /* of domains and MX hosts */
	uint64_t aliases;  /* of the hosts: what RFC 2181 section 10.3 forbids an MX to be */
	uint64_t policies; /* of MTA-STS, fetched */
	uint64_t refused, blocked; /* addresses and names */
	uint64_t left_out;	   /* targets of a family that is not wanted */
	uint64_t local;		   /* probes that this machine could not begin */
	uint64_t dead, unwelcome;  /* probes left out: their address did not answer; said 4yz */
	uint64_t nexthops;	   /* next hops left out: too many for their address */
	uint64_t done_before;	   /* probes that a resumed run had made */
	uint64_t on_25, connected_on_25; /* probes of the port of SMTP */
	uint64_t under_way, queued;	 /* now: probes, visits */
	uint64_t left;			 /* probes and look-ups given up when it was stopped */
	uint64_t held;			 /* targets that were read and not begun, then */
	bool notices;			 /* at least one line of notice */
	bool more_targets;		 /* the source was not at its end */
};

/* Begins at once. */
struct pass *pass_create(const struct pass_settings *settings);
/* It must be over, or the schedule be gone. Accepts NULL. */
void pass_destroy(struct pass *pass);

/* Another visit, of a pass without a source that is not over. */
void pass_visit(struct pass *pass, struct visit *visit);

/* Another one from now on; the old one is not asked any more. */
void pass_set_blocklist(struct pass *pass, struct blocklist *blocklist);

bool pass_stopped(const struct pass *pass);
const struct pass_counts *pass_counts(struct pass *pass);

/* ---- for the schedule ---------------------------------------------------------------------- */

struct pass *pass_next(struct pass *pass);
struct pass **pass_link(struct pass *pass);
/* Takes targets while there is room. */
void pass_feed(struct pass *pass);
void pass_started(struct pass *pass);
int64_t pass_until_ms(const struct pass *pass);
void pass_probed(struct pass *pass, struct visit *visit);
/* Frees the visit. */
void pass_over(struct pass *pass, struct visit *visit, enum pass_end end);
/* Again: policies that are under way are given up, too. */
void pass_stop(struct pass *pass);

#endif
