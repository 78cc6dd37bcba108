/*
 * judge_dns: what DNS and MTA-STS said of an MX at a time, as a sender would have had it: the last
 * answers at or before it that one vantage saw. That nothing was answered counts only where nothing
 * else is known (dns_at.h).
 *
 * TLSA records are those at the name that the host's name leads to as an alias, if that is secure
 * and has any, else those at the host's name (RFC 7672 section 2.2.3). An MTA-STS policy holds for
 * its max_age, whatever became of it since (RFC 8461 section 3.3).
 *
 * Not thread-safe. Borrows the view.
 */
#ifndef MX509_JUDGE_DNS_H
#define MX509_JUDGE_DNS_H

#include "differ/verdict/conclude.h"
#include "store/corpus/store.h"

struct judge_dns;
struct judge_dns *judge_dns_create(struct store_view *view);
void judge_dns_destroy(struct judge_dns *dns); /* accepts NULL */

/* Of a probe series' host, address and port. nexthop NULL: no recipient domain is known. *answers
 * borrows until the next call. 0 or <0. */
int judge_dns_find(struct judge_dns *dns, const struct series *series, const char *nexthop,
    int64_t time_ms, struct conclude_dns *answers, struct err *err);

/* Of a recipient domain (NULL: none). *sts borrows until the next call. 0 or <0. */
int judge_dns_sts(struct judge_dns *dns, const char *domain, const char *vantage, int64_t time_ms,
    struct conclude_sts *sts, struct err *err);

#endif
