/*
 * sts: the MTA-STS policy of a domain, fetched over HTTPS by the letter of RFC 8461 section 3.3:
 * the certificate verified against the roots and the name of the policy host, by its alternative
 * names alone; https alone, no redirect, no cache, no proxy, no .netrc, nothing of the environment;
 * what counts is status 200 with text/plain, at most LIMIT_STS_OCTETS, within a minute. The only
 * user of libcurl.
 *
 * It looks up no name: the addresses are given, and no other one is connected to. Whether they may
 * be dialled is the caller's to ask (address.h).
 *
 * One thread: the loop's. Not more than one struct sts_fetcher a process at a time.
 */
#ifndef MX509_STS_H
#define MX509_STS_H

#include "collector/loop.h"
#include "store/base/ip.h"
#include "store/record/sts_answer.h"

struct sts_fetcher;
struct sts_fetch;

struct sts_options {
	const char *roots; /* a PEM file, or a directory as openssl-rehash(1) leaves it; NULL: the
			    * system's */
	uint16_t port;	   /* 443, but in tests */
	int64_t
	    timeout_ms; /* to connect, handshake included; twice that for all, at most a minute */
};

/* What came of it: borrowed until the callback returns. */
typedef void sts_done_fn(void *ctx, const struct sts_answer *answer);

/* ERR_INPUT: the roots cannot be read. */
int sts_fetcher_create(struct sts_fetcher **fetcher, struct loop *loop,
    const struct sts_options *options, struct err *err);
/* No fetch may be under way. Accepts NULL. */
void sts_fetcher_destroy(struct sts_fetcher *fetcher);

/* addresses: at least one, copied. done is called once, from the loop, never from within; the fetch
 * is gone after it. */
struct sts_fetch *sts_fetch_start(struct sts_fetcher *fetcher, const char *domain,
    const struct ip *addresses, size_t n, sts_done_fn *done, void *ctx);
void sts_fetch_abort(struct sts_fetch *fetch); /* done is not called */

/* What a server's answer comes to: 0 where it is a policy, else *answer says why not. Pure; for its
 * test. `lines` gets the answer's texts, `list` their array. */
struct sts_body {
	struct buf raw, text;
	const char **lines;
};
void sts_judge(struct sts_answer *answer, struct sts_body *body, char reason[256]);
void sts_body_finish(struct sts_body *body);

#endif
