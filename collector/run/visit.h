/*
 * visit: a host at an address, and the kinds of probe that are still to be made of it. What is
 * queued in a run is a visit and not each of its probes: an address gets one at a time anyway.
 *
 * A plan is what a run makes of every address: kinds of SNI times offers. The conductor's thread;
 * while a probe is under way its job (crew.h) is the crew's.
 */
#ifndef MX509_VISIT_H
#define MX509_VISIT_H

#include "crew.h"
#include "pace.h"

#define VISIT_VARIANTS_MAX 64
#define VISIT_STEPS_MAX (VISIT_VARIANTS_MAX * OFFER_N)

struct visit_variant {
	enum sni sni;
	char name[LIMIT_NAME + 1]; /* of SNI_LITERAL */
};

struct visit_plan {
	struct visit_variant variants[VISIT_VARIANTS_MAX];
	size_t variants_n;
	bool offers[OFFER_N];
	const char *unknown_name, *vantage; /* borrowed */
};

struct visit {
	struct pace_item item; /* first: pace hands it back */
	struct crew_job job;   /* its series is that of the probe under way, or next */
	const struct visit_plan *plan;
	struct pass *pass;	     /* whose it is; the pass's to set */
	void *places[2];	     /* of whoever watches the pass; NULL at first */
	char domain[LIMIT_NAME + 1]; /* "": there is no next hop */
	uint64_t todo[(VISIT_STEPS_MAX + 63) / 64];
	unsigned step, repeats;
};

/* Which of the plan are wanted. */
enum visit_part {
	VISIT_HOST = 1,	   /* those that do not depend on the next hop */
	VISIT_NEXTHOP = 2, /* the next hop's */
};

/* domain: NULL where there is no next hop. dns_ms: how long the look-ups took, or -1. NULL if
 * nothing is to be done. Ends with free(). */
struct visit *visit_create(const struct visit_plan *plan, unsigned parts, const char *domain,
    const char *host, const struct ip *address, uint16_t port, int32_t dns_ms);

/* The next probe's series and SNI into the job; false: none is left. */
bool visit_next(struct visit *visit);
/* The probe that visit_next() gave is over. again: it should be repeated when the others are done;
 * granted LIMIT_REPEATS times a visit. */
void visit_done(struct visit *visit, bool again);
unsigned visit_left(const struct visit *visit);

/* Calls has() with the series of each probe that is left, and strikes out those that it is true
 * of; returns their number. */
unsigned visit_strike_out(
    struct visit *visit, bool (*has)(void *ctx, const struct series *series), void *ctx);

#endif
