/*
 * evidence: what a probe was shown, less the time. Evidence is never interpreted when it is
 * taken: no certificate is parsed here. Its canonical bytes are named by their SHA-256 and stored
 * once. CONTRACT "Outcomes", "Records as JSON"; outcomes that zgrab2 has bear zgrab2's names.
 *
 * Texts are UTF-8 without NUL (text_valid_utf8() makes it so of what a server sent) and within
 * limits.h; evidence_valid() refuses others. A missing text is NULL, which is not "". An empty
 * list of EHLO keywords and one that was never read are the same record: starttls_offered tells
 * them apart.
 *
 * Ownership: texts and arrays are borrowed from whoever filled the struct, unless `owned` is set:
 * evidence_finish() frees what is owned and nothing else.
 */
#ifndef MX509_EVIDENCE_H
#define MX509_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/hash.h"

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
	unsigned flags;			/* enum observation_flag */
	int smtp_code;			/* the reply that decided the outcome; 0: none */
	int tls_alert;			/* RFC 8446 section 6; -1: none */
	enum tristate sni_acknowledged; /* the server answered with server_name (RFC 6066 3) */
	enum tristate starttls_offered;
	const char *errno_name;	 /* "ECONNREFUSED" */
	const char *greeting;	 /* its shape, as CONTRACT says */
	const char *const *ehlo; /* keywords with parameters, shapes; NULL if there are none */
	size_t ehlo_n;
	const char *tls_version;      /* "TLSv1.3" */
	const char *cipher;	      /* OpenSSL's names: "TLS_AES_256_GCM_SHA384" */
	const char *group;	      /* "X25519" */
	const char *server_signature; /* "ECDSA", "RSA-PSS", "RSA", "Ed25519" … */
	const char *reported_by, *reported_status, *reported_reason; /* of an imported log */
	const char *sni_sent; /* hostname, unknown: the name that was sent; NULL: not told */
	const char *domain;   /* nexthop: NULL where it is the series' sni_name (always so with our
			       * own probes), "" where an import told none; others: NULL */
	const struct hash *chain; /* SHA-256 of each certificate, in wire order */
	size_t chain_n;
	void *owned;
};

const char *outcome_name(enum outcome v);
bool outcome_parse(const char *text, enum outcome *v);
const char *flag_name(unsigned one_flag);
bool flag_parse(const char *text, unsigned *one_flag);

/* Whether it says something about the certificate: a chain, a log's report (but of a session that
 * was resumed, which shows none), or one of the observed states without a chain
 * (starttls-not-offered, 5yz to STARTTLS, tls-alert). All else is a gap in the series, never a
 * change. */
bool evidence_is_observed(const struct evidence *e);

int evidence_valid(const struct evidence *e, struct err *err);
void evidence_finish(struct evidence *e); /* accepts NULL */

/*
 * The evidence record: canonical, the same on every machine, so that its SHA-256 names it.
 * Layout in evidence.c and mx509-store(5). The chain stands in it by its chain id; decoding
 * yields the id in *chain_id (*has_chain false if there is none) and leaves chain NULL: the store
 * fills it with evidence_set_chain(). What is decoded is owned.
 */
void evidence_encode(struct buf *out, const struct evidence *e);
/* The same with the names of the chain in place of its id: as telling, and cheaper: for tables in
 * memory alone. */
void evidence_encode_shown(struct buf *out, const struct evidence *e);
int evidence_decode(struct evidence *e, bool *has_chain, struct hash *chain_id, const void *p,
    size_t len, struct err *err);
void evidence_set_chain(
    struct evidence *e, const void *names, size_t n); /* n × 32 octets, copied */

#endif
