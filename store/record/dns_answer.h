/*
 * dns_answer: what a resolver answered: evidence for names, as evidence.h is for probes. Its
 * canonical bytes are stored in the same way; time and TTL stand with the sighting.
 *
 * Ownership as in evidence.h.
 */
#ifndef MX509_DNS_ANSWER_H
#define MX509_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"

enum dns_status { /* On disk: only append. RFC 4035 section 4.3 for the first three. */
	DNS_SECURE,
	DNS_INSECURE,
	DNS_BOGUS,
	DNS_UNVALIDATED, /* the resolver strips DNSSEC */
	DNS_FAILED,	 /* no answer */
	DNS_STATUS_N
};

struct dns_answer {
	int64_t time_ms;
	uint32_t ttl_s; /* of the records: the least */
	enum dns_status status;
	const char *rcode; /* "NOERROR", "NXDOMAIN", "SERVFAIL" …; NULL: no reply at all */
	const char *const *records; /* presentation form, sorted bytewise: "10 mx.example.org" */
	size_t records_n;
	void *owned;
};

const char *dns_status_name(enum dns_status v);
bool dns_status_parse(const char *text, enum dns_status *v);

int dns_answer_valid(const struct dns_answer *a, struct err *err);
void dns_answer_finish(struct dns_answer *a);			     /* accepts NULL */
void dns_answer_encode(struct buf *out, const struct dns_answer *a); /* less time and TTL */
int dns_answer_decode(struct dns_answer *a, const void *p, size_t len, struct err *err);

#endif
