/*
 * policy: from what each address of a domain's MXs would get at each level, under each SNI, to the
 * lines that a sender writes into his configuration, strictest first, and to what the domain's own
 * operator could publish. Pure: no store, no OpenSSL, no clock.
 *
 * A line is printed only where mail would be delivered with it at every address that there is
 * evidence of. Strictest first is: dane-only; secure; secure match= (the names of the MX hosts are
 * pinned, the MX records need not be believed); verify; dane; and only where none of these
 * delivers: fingerprint, encrypt, may. Of the variants the first that will do: servername= is
 * given only where it is needed.
 *
 * The syntax is that of smtp_tls_policy_maps (postconf(5), TLS_README of 3.4 and later), and of
 * Exim's smtp transport (Exim specification, chapter 30).
 *
 * Ownership: a struct policy borrows its names; policy_lines_finish(), policy_advice_finish().
 */
#ifndef MX509_POLICY_H
#define MX509_POLICY_H

#include "conclude.h"
#include "store/record/series.h"

/* Columns: Postfix's servername=, and names that the user had probed. */
#define POLICY_VARIANTS_MAX 6
struct policy_variant {
	enum sni sni;
	char name[LIMIT_NAME + 1]; /* SNI_LITERAL */
};

struct policy_cell {
	bool known;
	struct conclude_level levels[LEVEL_N];
	int64_t seen_ms;
	bool has_leaf, has_key;
	struct hash leaf, key; /* SHA-256 of the certificate, of its SubjectPublicKeyInfo */
};

struct policy_address {
	const char *host; /* MX */
	struct ip address;
	uint16_t port;
	bool secure; /* its address records are DNSSEC-validated */
	bool tlsa;   /* there are TLSA records for the host */
	struct policy_cell cells[POLICY_VARIANTS_MAX];
};

struct policy {
	const char *domain;
	const struct policy_variant *variants;
	size_t variants_n;
	const struct policy_address *addresses;
	size_t addresses_n;
	bool has_sts;  /* an MTA-STS policy is announced, or was fetched */
	int64_t at_ms; /* for the id of an MTA-STS policy */
};

/* Whether any variant tells of the address; how many do. */
bool policy_address_known(const struct policy_address *a);
size_t policy_known(const struct policy *p);

/* Of the addresses that are known: how many tell of the level under the variant, how many of them
 * deliver, and the least word among these. */
struct policy_count {
	size_t known, delivers;
	enum level_word least;
};
struct policy_count policy_count(const struct policy *p, enum level level, size_t variant);

enum policy_family {
	POLICY_DANE_ONLY,
	POLICY_SECURE,
	POLICY_SECURE_MATCH,
	POLICY_VERIFY,
	POLICY_DANE,
	POLICY_FINGERPRINT,
	POLICY_ENCRYPT,
	POLICY_MAY,
	POLICY_FAMILY_N
};

struct policy_line {
	enum policy_family family;
	enum level level;
	size_t variant;
	char *postfix; /* "example.org verify servername=hostname" */
	char *exim;    /* options of the smtp transport, one a line; NULL where Exim has no such */
	const char *note;
};

struct policy_lines {
	struct policy_line line[POLICY_FAMILY_N];
	size_t n;
};

void policy_lines(struct policy_lines *lines, const struct policy *p);
void policy_lines_finish(struct policy_lines *lines);

/* What the operator of the domain could publish. */
enum policy_what {
	POLICY_TLSA,	 /* records that match what is shown */
	POLICY_STS,	 /* an MTA-STS policy and the record that announces it */
	POLICY_STS_MEND, /* what stands in the way of one */
	POLICY_SIGN,	 /* the zone of an MX host is not signed */
};

struct policy_advice_item {
	enum policy_what what;
	char *text;    /* one line for a person */
	char *records; /* of DNS, one a line; NULL: none */
	char *policy;  /* POLICY_STS: the file, its lines with CRLF */
};

struct policy_advice {
	struct policy_advice_item *items;
	size_t n;
};

void policy_advice(struct policy_advice *advice, const struct policy *p);
void policy_advice_finish(struct policy_advice *advice);

const char *policy_what_name(enum policy_what what);
size_t policy_find_variant(const struct policy *p, enum sni sni); /* variants_n: there is none */

#endif
