/*
 * resolver: libunbound on the loop: whom it asks, what its answers are validated by, questions and
 * answers. The only user of libunbound; there is no other resolver here, and no getaddrinfo.
 *
 * It remembers no answer, waits as long as libunbound does, and does not judge whether what stands
 * between us and the zone hands DNSSEC on: see dns.h.
 *
 * Ownership: answers belong to libunbound and are valid in the callback only. One thread: the
 * loop's (libunbound works in one of its own).
 */
#ifndef MX509_RESOLVER_H
#define MX509_RESOLVER_H

#include <stddef.h>

#include "collector/limits.h"
#include "collector/loop.h"

#define RESOLVER_SYSTEM "/etc/resolv.conf"

struct resolver_config {
	char *upstream; /* in libunbound's form; NULL: see recursive */
	bool recursive; /* ask the authoritative servers, from the root; else RESOLVER_SYSTEM */
	char *anchor;	/* a zone file of DS or DNSKEY */
	char anchor_owner[LIMIT_NAME + 2]; /* once a validating resolver was opened */
};

/* upstream: "ADDR[@PORT]" as the user gives it, or NULL; anchor: NULL for IANA's. ERR_INPUT: what
 * is given for an upstream is no address. To be finished in any case. */
int resolver_config_init(struct resolver_config *config, const char *upstream, bool recursive,
    const char *anchor, struct err *err);
void resolver_config_finish(struct resolver_config *config);

struct resolver;

/* Nothing is sent yet, but the trust anchor is read, and what cannot be used of it is told. */
int resolver_create(struct resolver **resolver, struct loop *loop, struct resolver_config *config,
    bool validate, struct err *err);
void resolver_destroy(struct resolver *resolver); /* accepts NULL; nothing is called any more */

struct resolver_answer {
	int rcode;
	bool secure, bogus, nxdomain;
	uint32_t ttl_s;
	size_t records_n; /* 0 too where what came is bogus */
	char **records;	  /* rdata, names expanded */
	const int *lens;
	const void *packet; /* the whole message; NULL: none */
	size_t packet_len;
};

/* answer: NULL if libunbound failed. */
typedef void resolver_fn(void *ctx, const struct resolver_answer *answer);

/* A question, in the asker's memory until it is answered or cancelled. */
struct resolver_question {
	resolver_fn *fn;
	void *ctx;
	int id;
};

/* False: it was not asked, and fn will not be called. It is never called from within. */
bool resolver_ask(struct resolver *resolver, struct resolver_question *question, const char *name,
    uint16_t rrtype);
void resolver_cancel(struct resolver *resolver, const struct resolver_question *question);

#endif
