/*
 * route: what is known of a domain's mail exchangers at a moment: its MX records, the addresses of
 * each host, what each address showed last under each kind of SNI, and what a sender would
 * conclude of that at the moment: the input of policy.h, from the store.
 *
 * Seen from one vantage: the one that is asked for, or that which saw the MX records last. Only the
 * default offer and port 25 count, or the only port that was probed.
 *
 * Ownership: route_init() fills, route_finish() frees; struct policy in it borrows.
 */
#ifndef MX509_ROUTE_H
#define MX509_ROUTE_H

#include "differ/verdict/policy.h"
#include "judge.h"

#define ROUTE_ADDRESSES_MAX 512

enum route_state {
	ROUTE_KNOWN,
	ROUTE_UNKNOWN, /* nobody asked for its MX records */
	ROUTE_NULL_MX, /* RFC 7505 */
	ROUTE_NO_MX,   /* neither MX records nor addresses, or no such name */
	ROUTE_BOGUS,   /* nobody who validates delivers */
};

struct route {
	enum route_state state;
	char domain[LIMIT_NAME + 1], vantage[LIMIT_VANTAGE + 1];
	enum dns_status mx_status;
	int64_t mx_ms; /* when the MX records were last seen */
	bool implicit; /* the domain is its own MX */
	size_t hosts_n, hosts_secure;
	size_t left_out; /* addresses beyond the limit */
	struct policy policy;
	struct policy_variant variants[POLICY_VARIANTS_MAX];
	struct policy_address *addresses;
	char (*hosts)[LIMIT_NAME + 1];
	size_t cap;
};

/* vantage NULL: any. 0 or <0. The judge is asked for the domain from then on. */
int route_init(struct route *route, struct store_view *view, struct judge *judge,
    const char *domain, const char *vantage, int64_t at_ms, struct err *err);
void route_finish(struct route *route);

/* Of all cells that are known: the oldest and the newest sighting; false if there is none. */
bool route_ages(const struct route *route, int64_t *oldest_ms, int64_t *newest_ms);

#endif
