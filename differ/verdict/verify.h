/*
 * verify: what OpenSSL says of a chain: whether it leads to a root, whether the leaf has a name,
 * whether it matches TLSA records. The only user of OpenSSL's X.509 and, for DANE, of its SSL
 * objects in the differ; none is ever connected. Not here: what that means at a level
 * (conclude.h), when to ask (verdict.h).
 *
 * As Postfix's SMTP client has OpenSSL do it in tls_client.c and tls_verify.c of 3.7: purpose
 * sslserver, at most 10 certificates below the root (smtp_tls_scert_verifydepth 9, and one),
 * security level 0 where nothing need match and 1 where something must, errors noted and passed
 * over. Names by X509_check_host(3) without partial wildcards: the common name counts only where no
 * dNSName is. DANE by SSL_dane_tlsa_add(3) and X509_STORE_CTX_set0_dane(3): usages 2 and 3, SHA-512
 * before SHA-256 (digest agility, RFC 7671 section 9), no name wanted of usage 3 (RFC 7672
 * section 3.1.1).
 *
 * What OpenSSL's configuration file says of TLS (MinProtocol, CipherString) changes nothing here.
 *
 * Not thread-safe. Borrows the roots.
 */
#ifndef MX509_VERIFY_H
#define MX509_VERIFY_H

#include "level.h"
#include "roots.h"
#include "tlsa.h"

struct verify_request {
	const struct span *chain; /* DER, in wire order; at least one */
	size_t chain_n;
	int64_t time_ms;
	const char *host, *nexthop; /* nexthop NULL: not known */
	const char *base;	    /* TLSA base domain */
	const struct tlsa *tlsa;    /* NULL: DANE is not asked for */
};

/* Of a chain by itself, at security level 0 and 1; names are told apart. */
struct verify_result {
	bool readable; /* OpenSSL could parse all of it: else no handshake ends with it */
	enum level_reason chain[2];
	int error[2];	/* X509_V_ERR_…, for verify_error_text() */
	bool leaf_weak; /* too weak a key for level 1, pinned or not */
	bool has_host, has_nexthop, has_base;
	/* with TLSA records */
	size_t usable; /* records that OpenSSL takes; 0: none, then all below is false */
	bool dane;     /* one matched, and where that needs it, the names too */
	enum level_reason dane_reason;
	/* The answer is the same at any time in [from, until), as far as the chain's own
	 * certificates say. */
	int64_t from_ms, until_ms;
};

struct verify;
int verify_create(struct verify **verify, struct roots *roots, struct err *err);
void verify_destroy(struct verify *verify); /* accepts NULL */

/* Always fills *result: a chain that cannot be verified is a finding. <0: trouble with the roots.
 */
int verify_chain(struct verify *verify, const struct verify_request *request,
    struct verify_result *result, struct err *err);

/* "self-signed certificate" */
const char *verify_error_text(int error);

#endif
