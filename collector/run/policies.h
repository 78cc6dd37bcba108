/*
 * policies: the MTA-STS policies of the domains that announce one (--mta-sts): the addresses of the
 * policy host are looked up, those that may be dialled are handed to sts.h, and what comes of it is
 * recorded. A policy that cannot be had is evidence as well, and told in a line.
 *
 * So many are fetched at once, never two from one address: many domains have one policy host.
 * One thread: the conductor's.
 */
#ifndef MX509_POLICIES_H
#define MX509_POLICIES_H

#include "collector/dns/dns.h"
#include "collector/probe/sts.h"
#include "record.h"

struct policies;

/* All pointers are borrowed. */
struct policies_settings {
	struct dns *dns;
	struct record *record;
	struct sts_fetcher *fetcher;
	const char *vantage;
	bool ipv4, ipv6;
	/* Whether an address may be dialled; whoever says no counts it. */
	bool (*may_dial)(void *ctx, const char *host, const struct ip *address);
	void (*notice)(void *ctx, const char *line);
	void (*rest)(void *ctx); /* after one was done with */
	void *ctx;
};

struct policies *policies_create(const struct policies_settings *settings);
void policies_destroy(struct policies *policies); /* accepts NULL; aborts what is under way */

void policies_add(struct policies *policies, const char *domain);
size_t policies_left(const struct policies *policies);	    /* not done with; of NULL: 0 */
uint64_t policies_fetched(const struct policies *policies); /* of NULL: 0 */

/* What is not under way is given up; returns how many. Again: what is, too. Accepts NULL. */
size_t policies_stop(struct policies *policies);

#endif
