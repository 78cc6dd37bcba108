/*
 * lookup: from a domain or an MX host to addresses: MX records (RFC 5321 section 5.1), the
 * implicit MX where there is none, the null MX (RFC 7505), A and AAAA of each host; and what else
 * DNS says about its mail, which is asked for to be recorded:
 *
 * - TLSA of a host whose addresses are secure, at its name and, where that is an alias, also where
 *   the alias leads; of an alias that is secure though its addresses are not, at the name alone
 *   (RFC 7672 sections 2.2.1 to 2.2.3).
 * - TXT of _mta-sts and _smtp._tls of a domain that takes mail (RFC 8461 section 3.1, RFC 8460
 *   section 3).
 *
 * Which addresses may be dialled is not asked here. Answers are recorded by struct dns itself.
 */
#ifndef MX509_LOOKUP_H
#define MX509_LOOKUP_H

#include "collector/dns/dns.h"
#include "target.h"

struct lookup;

/* Why there is nothing to probe, as CONTRACT words it. */
enum lookup_end {
	LOOKUP_DONE,
	LOOKUP_NO_MX, /* no such name, or neither MX nor address */
	LOOKUP_NULL_MX,
	LOOKUP_DNS_FAILURE,
	LOOKUP_DNS_BOGUS,
	LOOKUP_END_N
};
const char *lookup_end_name(enum lookup_end end);

struct lookup_settings {
	struct dns *dns;
	bool ipv4, ipv6;
	uint16_t port; /* of hosts found, and of their TLSA records; the target's own goes before */
};

/* A host whose addresses are known. All is borrowed until the callback returns. */
struct lookup_host {
	const char *domain; /* NULL: the target was the host itself */
	const char *name;
	bool alias; /* its address stands under another name */
	const struct ip *addresses;
	size_t addresses_n;
	uint16_t port;
	int32_t dns_ms; /* from the first question to the last answer; -1: nothing was asked */
};

struct lookup_calls {
	void (*host)(void *ctx, const struct lookup_host *host);
	/* The domain announces an MTA-STS policy; may be NULL. It is asked for by the name alone:
	 * the id only tells when to ask again. */
	void (*announced)(void *ctx, const char *domain);
	/* Something of a domain could not be had, though the rest goes on: a line without end. */
	void (*notice)(void *ctx, const char *line);
	/* The last call; the lookup is gone after it. name: of the target. */
	void (*done)(void *ctx, const char *name, enum lookup_end end);
	void *ctx;
};

/* TARGET_DOMAIN or TARGET_MX. Calls may come before it returns. */
void lookup_start(const struct lookup_settings *settings, const struct target *target,
    const struct lookup_calls *calls);

#endif
