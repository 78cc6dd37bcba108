/*
 * series: where and how one looked. The observations of one series, in order of time, are what
 * lifetimes and changes are found in. CONTRACT "The series".
 */
#ifndef MX509_SERIES_H
#define MX509_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/ip.h"
#include "store/base/limits.h"

enum series_kind {
	SERIES_PROBE = 1, /* an MX at an address, under one kind of SNI */
	SERIES_DNS = 2,	  /* the records of one type at a name */
};

/* On disk and in the order of exports: only append. */
enum sni {
	SNI_NONE,     /* no server_name extension */
	SNI_HOSTNAME, /* the MX's name */
	SNI_NEXTHOP,  /* the recipient domain */
	SNI_UNKNOWN,  /* a name that cannot exist */
	SNI_LITERAL,  /* a name that the user gave */
	SNI_N
};

enum offer {
	OFFER_DEFAULT,
	OFFER_RSA,   /* only RSA signatures */
	OFFER_ECDSA, /* only ECDSA signatures */
	OFFER_TLS1_0,
	OFFER_TLS1_1,
	OFFER_TLS1_2,
	OFFER_TLS1_3,
	OFFER_N
};

struct series {
	enum series_kind kind;
	char host[LIMIT_NAME + 1]; /* lower-case A-labels, no final dot; of DNS: the name asked */
	char vantage[LIMIT_VANTAGE + 1];
	/* SERIES_PROBE */
	struct ip address;
	uint16_t port;
	enum sni sni;
	char sni_name[LIMIT_NAME + 1]; /* SNI_NEXTHOP and SNI_LITERAL only; else "" */
	enum offer offer;
	/* SERIES_DNS */
	uint16_t rrtype; /* 1 A, 15 MX, 16 TXT, 28 AAAA, 52 TLSA …, RRTYPE_STS */
};

/* Those that have a meaning here. */
#define RRTYPE_A 1
#define RRTYPE_CNAME 5
#define RRTYPE_MX 15
#define RRTYPE_TXT 16
#define RRTYPE_AAAA 28
#define RRTYPE_TLSA 52

/* No type of DNS: what came of fetching the MTA-STS policy of the domain (sts_answer.h). */
#define RRTYPE_STS 65280

/* Checks every member against the limits and the alphabet of names; err names the member. */
int series_valid(const struct series *s, struct err *err);

/* Total order: that of exports (host by reversed labels, kind, address, port, sni, sni_name,
 * offer, vantage; of DNS: host, kind, rrtype, vantage). It is that of the keys (key.h). */
int series_compare(const struct series *a, const struct series *b);

/* The series as one line for a person: "mx.example.org [192.0.2.1]:25 sni=none"; parts that are
 * as usual are left out (port 25, offer default). */
void series_describe(struct buf *out, const struct series *s);

/* The record under the series' number; decoding checks series_valid(): ERR_DAMAGED. */
void series_encode(struct buf *out, const struct series *s);
int series_decode(struct series *s, const void *p, size_t len, struct err *err);

const char *sni_name(enum sni v);
bool sni_parse(const char *text, enum sni *v);
const char *offer_name(enum offer v);
bool offer_parse(const char *text, enum offer *v);
bool vantage_valid(const char *name); /* 1–32 of a-z 0-9 - */

/* "A", "AAAA", "MX", "TXT", "TLSA", "CNAME"; others as "TYPE257" (RFC 3597). buf holds 16. */
const char *rrtype_name(uint16_t rrtype, char *buf);
bool rrtype_parse(const char *text, uint16_t *rrtype);

#endif
