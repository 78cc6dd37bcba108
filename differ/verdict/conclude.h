/*
 * conclude: from what OpenSSL says of a chain, and what DNS and MTA-STS said, to what a sender
 * concludes at each level. Pure: tables and rules, after smtp_proto.c, smtp_tls_policy.c and
 * tls_client.c of Postfix 3.7 and RFC 8461 section 4.
 *
 * Taken to be so of the sender: Postfix's defaults, built with OpenSSL 3.0, a level set in
 * smtp_tls_policy_maps (so that an MX set that is not secure makes `dane` `may`:
 * smtp_tls_dane_insecure_mx_policy), the CAs of --roots in smtp_tls_CAfile or smtp_tls_CApath.
 */
#ifndef MX509_CONCLUDE_H
#define MX509_CONCLUDE_H

#include "store/record/observation.h"
#include "store/record/sts_policy.h"
#include "verify.h"

/* An answer as it was known at the time of the observation. */
struct conclude_answer {
	bool known; /* there is evidence of it */
	enum dns_status status;
	bool found; /* it has records */
};

/* What DNS said of an MX. Zero: nothing is known. */
struct conclude_dns {
	struct conclude_answer mx;	/* of the recipient domain */
	struct conclude_answer address; /* A or AAAA, whichever was used */
	struct conclude_answer tlsa;	/* of _PORT._tcp.BASE */
	const char *const *records;	/* TLSA, in presentation form */
	size_t records_n;
	const char *base;	/* NULL: the host's name */
	enum level insecure_mx; /* smtp_tls_dane_insecure_mx_policy: LEVEL_NONE stands for may;
				 * LEVEL_MAY, LEVEL_ENCRYPT, LEVEL_DANE */
};

/* The MTA-STS policy of the recipient domain (RFC 8461), as a sender would have had it. */
enum conclude_sts_state {
	CONCLUDE_STS_NONE, /* the domain has none, or it is not known */
	CONCLUDE_STS_TESTING,
	CONCLUDE_STS_ENFORCE,
	CONCLUDE_STS_FETCH_ERROR,    /* there should be one */
	CONCLUDE_STS_INVALID,	     /* it cannot be read */
	CONCLUDE_STS_WEBPKI_INVALID, /* its server's certificate is no good */
};

struct conclude_sts {
	enum conclude_sts_state state;
	const struct sts_policy *policy; /* of CONCLUDE_STS_TESTING, CONCLUDE_STS_ENFORCE */
};

/* What a level would have concluded. */
struct conclude_level {
	bool known;   /* else the evidence does not tell */
	bool defined; /* sts-testing, sts-enforce: only where there is such a policy */
	enum level_word word;
	bool delivers;
	enum level_reason reason;
};

/* What a probe met with. */
enum conclude_kind {
	CONCLUDE_NOTHING, /* nothing that tells */
	CONCLUDE_PLAIN,	  /* no STARTTLS */
	CONCLUDE_BROKEN,  /* no handshake */
	CONCLUDE_TLS,
};
enum conclude_kind conclude_kind(const struct evidence *evidence);

struct conclude_input {
	enum conclude_kind kind;
	bool old_tls; /* TLS 1.0 or 1.1: not with OpenSSL 3.0 where something must match */
	bool no_tls;  /* SSLv3: with nobody */
	bool has_nexthop;
	const char *host;
	const struct verify_result *verified; /* of CONCLUDE_TLS */
	const struct conclude_dns *dns;
	const struct conclude_sts *sts;
	const struct level_postfix *postfix;
};

void conclude(const struct conclude_input *in, struct conclude_level levels[LEVEL_N]);

/* Whether DNS is such that TLSA records are to be matched. */
bool conclude_wants_tlsa(const struct conclude_dns *dns);

#endif
