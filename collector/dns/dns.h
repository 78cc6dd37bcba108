/*
 * dns: names looked up asynchronously and validated (RFC 4035), each once a run, by what
 * resolver.h finds out.
 *
 * Before the first question goes one for the keys of the trust anchor's owner. A resolver that does
 * not hand DNSSEC on makes every answer DNS_UNVALIDATED: names still resolve, and dns_notice() has
 * a line that says so once. Answers are kept (LIMIT_DNS_CACHE), so that a second question for a
 * name is answered from the run's own memory and recorded no second time.
 *
 * Ownership: results belong to struct dns and are valid until the next question. One thread: the
 * loop's (libunbound works in one of its own).
 */
#ifndef MX509_DNS_H
#define MX509_DNS_H

#include "collector/loop.h"
#include "store/record/observation.h"

struct dns;

struct dns_options {
	const char *resolver;	  /* "ADDR[@PORT]"; NULL: the system's, from /etc/resolv.conf */
	bool recursive;		  /* ask the authoritative servers, from the root */
	const char *trust_anchor; /* a zone file of DS or DNSKEY; NULL: IANA's */
	int64_t wait_ms;	  /* for an answer; 0: LIMIT_DNS_WAIT_MS */
	unsigned queries;	  /* under way at once; 0: LIMIT_DNS_QUERIES */
};

struct dns_result {
	const char *name;
	uint16_t rrtype;
	struct dns_answer answer;
	bool nxdomain;
	const char *canonical; /* where CNAMEs lead from the name; NULL where it is none */
};

/* Every answer and every CNAME on the way to one, once. That of a host whose address is insecure is
 * not told from its address: each link may be secure by itself, and has to be asked for. */
typedef void dns_record_fn(void *ctx, const struct dns_result *result);
typedef void dns_done_fn(void *ctx, const struct dns_result *result);
/* A line for the user. */
typedef void dns_notice_fn(void *ctx, const char *line);

/* Nothing is sent yet; but a resolver that is none, and a trust anchor of the user's that cannot be
 * used, are told here. A missing /etc/resolv.conf or IANA anchor is a notice when a name is asked
 * for, and every question fails. */
int dns_create(
    struct dns **dns, struct loop *loop, const struct dns_options *options, struct err *err);
void dns_destroy(struct dns *dns); /* accepts NULL; callbacks that are due never come */
void dns_on(struct dns *dns, dns_record_fn *record, dns_notice_fn *notice, void *ctx);

/* Every question that is open, and every later one, fails soon; nothing is recorded any more. */
void dns_stop(struct dns *dns);

/* name: as host_normalise() leaves it. Not NULL: it is known already, and done will not be
 * called. NULL: done will be, from the loop. Every question ends: by an answer, or DNS_FAILED after
 * wait_ms; the first ones wait as long for the keys before that. */
const struct dns_result *dns_ask(
    struct dns *dns, const char *name, uint16_t rrtype, dns_done_fn *done, void *ctx);

#endif
