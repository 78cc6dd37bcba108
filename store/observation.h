/*
 * observation: the narrow waist. What the collector hands to the store, and the store to the
 * differ: a series (where and how one looked), and an observation in it (when, and what was
 * shown). Evidence is never interpreted when it is taken: no certificate is parsed here.
 *
 * Words and definitions: CONTRACT "The series", "Records as JSON", "Outcomes". Outcomes that
 * zgrab2 has bear zgrab2's names.
 *
 * Ownership: struct series and struct observation hold their fixed parts by value. The texts and
 * arrays of struct evidence and struct dns_answer are borrowed from whoever filled them, unless
 * `owned` is set; evidence_finish() and dns_answer_finish() free what is owned and nothing else.
 */
#ifndef MX509_OBSERVATION_H
#define MX509_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "hash.h"
#include "ip.h"
#include "limits.h"

/* ---- where and how one looked ------------------------------------------------------------ */

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
	uint16_t rrtype; /* 1 A, 15 MX, 16 TXT, 28 AAAA, 52 TLSA … */
};

/* Checks every member against the limits and the alphabet of names; err names the member. */
int series_valid(const struct series *s, struct err *err);
/* Total order: that of exports (host by reversed labels, kind, address, port, sni, …). */
int series_compare(const struct series *a, const struct series *b);

/* A host name as it is written in records: lower-case, no final dot, IDN to A-labels (libidn2,
 * UTS #46 non-transitional). Underscore labels are allowed (TLSA names). ERR_INPUT if it is none,
 * also if it is an address. */
int host_normalise(const char *text, char out[LIMIT_NAME + 1], struct err *err);
/* Whether host is name or below it: "mx.example.org" is under "example.org" and "org". */
bool host_is_under(const char *host, const char *name);
bool vantage_valid(const char *name); /* 1–32 of a-z 0-9 - */

/* ---- what was shown ---------------------------------------------------------------------- */

/* On disk: only append. */
enum outcome {
	OUTCOME_SUCCESS,
	OUTCOME_CONNECTION_REFUSED,
	OUTCOME_CONNECTION_TIMEOUT,
	OUTCOME_CONNECTION_CLOSED,
	OUTCOME_IO_TIMEOUT,
	OUTCOME_PROTOCOL_ERROR, /* with FLAG_INJECTION: plaintext before the handshake */
	OUTCOME_HANDSHAKE_ERROR,
	OUTCOME_TLS_ALERT,	      /* the server's; its number in tls_alert */
	OUTCOME_STARTTLS_NOT_OFFERED, /* not among the EHLO keywords */
	OUTCOME_STARTTLS_REJECTED,    /* a reply to STARTTLS that is neither 220 nor 421 */
	OUTCOME_RATE_LIMITED,	      /* 421 anywhere */
	OUTCOME_TEMPORARY_REJECT,     /* other 4yz */
	OUTCOME_PERMANENT_REJECT,     /* other 5yz */
	OUTCOME_UNREACHABLE,
	OUTCOME_N
};

enum observation_flag {
	FLAG_INJECTION = 1 << 0,      /* bytes arrived between the 220 and the handshake */
	FLAG_CHAIN_TOO_LONG = 1 << 1, /* the Certificate message passed the collector's limit */
	FLAG_CHAIN_UNPARSED = 1 << 2, /* OpenSSL could not parse a certificate of the chain */
	FLAG_CLOCK_STEPPED = 1 << 3,  /* monotonic and wall clock disagreed during the probe */
	FLAG_ALL = (1 << 4) - 1
};

enum tristate { TRI_NULL, TRI_FALSE, TRI_TRUE };

/* A missing text is NULL; a missing number as said. */
struct evidence {
	enum outcome outcome;
	unsigned flags;	  /* enum observation_flag */
	int smtp_code;	  /* the reply that decided the outcome; 0: none */
	int tls_alert;	  /* RFC 8446 section 6; -1: none */
	enum tristate sni_acknowledged; /* the server answered with server_name (RFC 6066 3) */
	enum tristate starttls_offered;
	const char *errno_name; /* "ECONNREFUSED" */
	const char *greeting;	/* its shape, as CONTRACT says */
	const char *const *ehlo; /* keywords with parameters, shapes; NULL if none was read */
	size_t ehlo_n;
	const char *tls_version;      /* "TLSv1.3" */
	const char *cipher;	      /* OpenSSL's names: "TLS_AES_256_GCM_SHA384" */
	const char *group;	      /* "X25519" */
	const char *server_signature; /* "ECDSA", "RSA-PSS", "RSA", "Ed25519" … */
	const char *reported_by, *reported_status, *reported_reason; /* of an imported log */
	const char *sni_sent; /* the name sent where the series does not hold it: hostname, unknown */
	const char *domain;   /* the recipient domain where it is not the series' sni_name */
	const struct hash *chain; /* SHA-256 of each certificate, in wire order */
	size_t chain_n;
	void *owned;
};

/* Each counts from the end of the one before; -1: not reached, or not looked up. Milliseconds. */
enum measure { MS_DNS, MS_CONNECT, MS_GREETING, MS_STARTTLS, MS_HANDSHAKE, MS_N };

struct observation {
	int64_t time_ms;
	struct evidence evidence;
	int32_t ms[MS_N];
};

const char *sni_name(enum sni v);
bool sni_parse(const char *text, enum sni *v);
const char *offer_name(enum offer v);
bool offer_parse(const char *text, enum offer *v);
const char *outcome_name(enum outcome v);
bool outcome_parse(const char *text, enum outcome *v);
const char *flag_name(unsigned one_flag);
bool flag_parse(const char *text, unsigned *one_flag);

/* Whether it says something about the certificate: a chain, a log's report, or one of the
 * observed states without a chain (starttls-not-offered, 5yz to STARTTLS, tls-alert). All else is
 * a gap in the series, never a change. */
bool evidence_is_observed(const struct evidence *e);

int evidence_valid(const struct evidence *e, struct err *err);
void evidence_finish(struct evidence *e);

/*
 * The evidence record: canonical, the same on every machine, so that its SHA-256 names it.
 * Layout in observation.c. The chain stands in it by its chain id; decoding yields the id in
 * *chain_id (*has_chain false if there is none) and leaves chain NULL: the store fills it.
 */
void evidence_encode(struct buf *out, const struct evidence *e);
int evidence_decode(struct evidence *e, bool *has_chain, struct hash *chain_id, const void *p,
    size_t len, struct err *err);

/* ---- the same for names ------------------------------------------------------------------ */

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
	const char *rcode;	    /* "NOERROR", "NXDOMAIN", "SERVFAIL" …; NULL: no reply at all */
	const char *const *records; /* presentation form, sorted bytewise: "10 mx.example.org" */
	size_t records_n;
	void *owned;
};

const char *dns_status_name(enum dns_status v);
bool dns_status_parse(const char *text, enum dns_status *v);
/* "A", "AAAA", "MX", "TXT", "TLSA", "CNAME"; others as "TYPE257" (RFC 3597). buf holds 16. */
const char *rrtype_name(uint16_t rrtype, char *buf);
bool rrtype_parse(const char *text, uint16_t *rrtype);

int dns_answer_valid(const struct dns_answer *a, struct err *err);
void dns_answer_finish(struct dns_answer *a);
void dns_answer_encode(struct buf *out, const struct dns_answer *a); /* less time and TTL */
int dns_answer_decode(struct dns_answer *a, const void *p, size_t len, struct err *err);

#endif
