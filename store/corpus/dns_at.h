/*
 * dns_at: what names were known to hold at a moment: the answer to a question that was last
 * observed at or before it, for whoever judges evidence by the DNS of its time.
 */
#ifndef MX509_DNS_AT_H
#define MX509_DNS_AT_H

#include "store.h"

struct dns_question {
	const char *name; /* as host.h has it; of RRTYPE_STS: the domain */
	uint16_t rrtype;
	const char *vantage;
};

/* 1: *answer is the newest with time_ms <= at_ms that is not DNS_FAILED, which tells nothing; its
 * time and TTL are set, dns_answer_finish() frees it. 0: there is none. */
int dns_at(struct store_view *view, const struct dns_question *question, int64_t at_ms,
    struct dns_answer *answer, struct err *err);

#endif
