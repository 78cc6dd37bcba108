/*
 * resolver: a DNS resolver of a few lines for tests, on 127.0.0.1 over UDP, played by a thread. It
 * knows nothing of DNSSEC, and answers for the keys of "." that there are none.
 */
#ifndef MX509_TEST_RESOLVER_H
#define MX509_TEST_RESOLVER_H

#include <pthread.h>

#include "collector/dns/rdata.h"
#include "store/base/buf.h"

#define RESOLVER_MUTE (-1)

/* What is said to a question: the records, by resolver_add(), and the rcode. */
struct resolver_reply {
	struct buf records;
	unsigned n;
};

/* rcode, or RESOLVER_MUTE for no answer at all. name: in small letters, without the final dot. */
typedef int resolver_fn(struct resolver_reply *reply, const char *name, uint16_t rrtype);

struct resolver {
	resolver_fn *answer;
	char address[32]; /* for struct dns_options */
	int fd;
	pthread_t thread;
};

void resolver_start(struct resolver *resolver, resolver_fn *answer);
void resolver_stop(struct resolver *resolver);

void resolver_add_a(struct resolver_reply *reply, const char *owner, const char *address);
void resolver_add_cname(struct resolver_reply *reply, const char *owner, const char *target);
/* Pieces parted by "|". */
void resolver_add_txt(struct resolver_reply *reply, const char *owner, const char *pieces);
/* exchange: "" for the root */
void resolver_add_mx(
    struct resolver_reply *reply, const char *owner, unsigned preference, const char *exchange);

#endif
