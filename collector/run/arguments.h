/*
 * arguments: the command line of "mxcollect run" and "mxcollect watch", read and checked (CONTRACT,
 * "mxcollect run").
 * mxcollect(1) says what each option means.
 */
#ifndef MX509_ARGUMENTS_H
#define MX509_ARGUMENTS_H

#include "store/base/options.h"
#include "visit.h"

struct arguments {
	const char *program; /* set by the caller */
	struct options options;
	const char *file, *vantage, *resolver, *trust_anchor;
	const char *sts_roots;	 /* NULL: the system's */
	const char *sni, *offer; /* as given */
	struct visit_plan plan;	 /* what they say */
	char ehlo_domain[LIMIT_NAME + 1], unknown_name[LIMIT_NAME + 1];
	struct option_list blocklists;
	bool ipv4, ipv6; /* at least one */
	bool recursive, allow_private, mta_sts;
	bool resume; /* run */
	unsigned port, sts_port, rate, gap_ms, concurrency, threads, nexthops;
	unsigned per_network, per_operator;
	bool caps_given; /* one of these two was */
	int64_t timeout_ms;
	int64_t interval_ms, close_interval_ms; /* watch */
};

/* argv[0] is the command. -1: go on. Else the exit status: help was printed, or one line about what
 * is wrong. */
int arguments_parse(struct arguments *arguments, int argc, char **argv);
void arguments_finish(struct arguments *arguments);

#endif
