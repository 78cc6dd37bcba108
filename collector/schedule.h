/*
 * schedule: a run: targets become hosts, hosts addresses, addresses probes, probes records. Only
 * so many targets are taken as there is room for, so that a list of any length costs the same.
 *
 * The same (host, address, port, SNI, offer) is probed once a run. Addresses that must not be
 * dialled (address.h), and what the blocklist holds, are counted and never connected to.
 * When to start a probe is pace.h's; what it does probe.h's.
 */
#ifndef MX509_SCHEDULE_H
#define MX509_SCHEDULE_H

#include "blocklist.h"
#include "dns.h"
#include "lookup.h"
#include "probe.h"
#include "record.h"
#include "source.h"

/* One kind of probe that is made of every address. */
struct schedule_variant {
	enum sni sni;
	char name[LIMIT_NAME + 1]; /* of SNI_LITERAL */
};

/* All pointers are borrowed. */
struct schedule_settings {
	struct probe_settings probe; /* its loop is the run's */
	struct dns *dns;
	struct record *record;
	struct blocklist *blocklist; /* NULL: none */
	struct source *source;
	const struct schedule_variant *variants;
	size_t variants_n;
	bool offers[OFFER_N];
	bool ipv4, ipv6, allow_private;
	uint16_t port;
	const char *unknown_name, *vantage;
	unsigned concurrency, per_second;
	int64_t gap_ms;
	/* A line for the user about something that was asked for and could not be had. */
	void (*notice)(void *ctx, const char *line);
	/* Now and then, for a progress line. */
	void (*progress)(void *ctx);
	void *ctx;
};

struct schedule_counts {
	uint64_t targets, bad_lines, hosts, addresses, probes;
	uint64_t outcomes[OUTCOME_N];
	uint64_t ends[LOOKUP_END_N];	 /* of domains and MX hosts */
	uint64_t refused, blocked;	 /* addresses and names */
	uint64_t left_out;		 /* targets of a family that is not wanted */
	uint64_t local;			 /* probes that this machine could not begin */
	uint64_t on_25, connected_on_25; /* probes of the port of SMTP */
	uint64_t under_way, queued;	 /* now */
	uint64_t left;			 /* probes and look-ups given up when the run was stopped */
	bool notices;			 /* at least one line of notice */
	bool more_targets;		 /* the source was not at its end */
	bool source_failed;		 /* it could not be read on */
};

struct schedule;

struct schedule *schedule_create(const struct schedule_settings *settings);
void schedule_destroy(struct schedule *schedule); /* accepts NULL */

/* Runs the loop until all is done. */
void schedule_run(struct schedule *schedule);

/* No new probe; those under way go on. Called again: they are given up, too. */
void schedule_stop(struct schedule *schedule);
bool schedule_stopped(const struct schedule *schedule);

const struct schedule_counts *schedule_counts(const struct schedule *schedule);

#endif
