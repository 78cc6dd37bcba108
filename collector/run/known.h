/*
 * known: what a run has met: its targets, hosts, and addresses, and what became of the addresses;
 * within bounds (recent.h), so some of it is forgotten in a run of millions.
 *
 * One thread: the conductor's.
 */
#ifndef MX509_KNOWN_H
#define MX509_KNOWN_H

#include "store/base/ip.h"
#include "target.h"

/* What became of an address. */
#define KNOWN_DEAD (UINT32_C(1) << 31)	    /* a connection to it timed out */
#define KNOWN_UNWELCOME (UINT32_C(1) << 30) /* 4yz, LIMIT_BACK_OFFS times in a row */
#define KNOWN_REFUSED (UINT32_C(1) << 29)   /* must not be dialled, and that was said */

struct known;

struct known *known_create(void);
void known_destroy(struct known *known); /* accepts NULL */

/* Each: true where it is new. */
bool known_add_target(struct known *known, const struct target *target);
bool known_add_host(struct known *known, const char *host);
bool known_add_address(struct known *known, const struct ip *address);
/* A host at an address. */
bool known_add_place(
    struct known *known, const char *host, const struct ip *address, uint16_t port);

/* Counts one more next hop of the address; false where it has `most` already (0: no bound). */
bool known_add_nexthop(struct known *known, const struct ip *address, unsigned most);

/* Notes flags of an address; which of all flags were noted before. */
uint32_t known_mark(struct known *known, const struct ip *address, uint32_t flags);

#endif
