/*
 * rdata: what stands in a DNS record, from its wire form to the presentation form that records of
 * the store hold: "192.0.2.1", "10 mx.example.org", "3 1 1 0b9f…", "\"v=STSv1; id=1\"" (RFC 1035
 * section 5.1, RFC 6698 section 2.2). Names stand without the final dot, the root as ".".
 * A type that is not known here, and rdata that is not what its type demands, is given in the
 * generic form of RFC 3597 section 5.
 */
#ifndef MX509_RDATA_H
#define MX509_RDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"

enum rdata_type {
	RDATA_A = 1,
	RDATA_CNAME = 5,
	RDATA_MX = 15,
	RDATA_TXT = 16,
	RDATA_AAAA = 28,
	RDATA_DNSKEY = 48,
	RDATA_TLSA = 52,
};

/* The len octets at p hold no compressed names: libunbound expands them. */
void rdata_text(struct buf *out, uint16_t rrtype, const void *p, size_t len);

/* An uncompressed wire name; false, and out as it was, if it is none. */
bool rdata_name(struct buf *out, struct reader *r);

#endif
