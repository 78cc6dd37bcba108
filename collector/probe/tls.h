/*
 * tls: the client's side of a TLS handshake (RFC 8446, RFC 5246 and older), finished always, and
 * what the server showed in it. The only user of libssl in the collector.
 *
 * It does not verify anything, resume anything, or parse a certificate: the chain is taken from
 * the Certificate message as the handshake delivers it, before OpenSSL has judged it. (What libssl
 * has read of it anyway is asked for one thing: when the leaf ends.) It offers no
 * anonymous suite and no NULL cipher, and nothing that the machine's openssl.cnf says counts:
 * evidence must not depend on where it is taken. For those whose handshakes must be verified, since
 * they fetch what others rely on (sts.h), the rules stand at the end.
 *
 * A context is made once for each kind of offer and shared by all handshakes of its thread. A
 * struct tls is made when the server's 220 to STARTTLS has come, not before: it costs 40 KB.
 */
#ifndef MX509_TLS_H
#define MX509_TLS_H

#include "wire.h"

struct tls_context;
struct tls;

/* Before anything else of this process uses OpenSSL: see above. */
void tls_init(void);

/* NULL and err if OpenSSL was built without what the offer needs. */
struct tls_context *tls_context_create(enum offer offer, struct err *err);
void tls_context_destroy(struct tls_context *context); /* accepts NULL */

enum tls_status {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_FAILED,
};

/* Why it failed. */
enum tls_failure {
	TLS_FAILURE_NONE,
	TLS_FAILURE_ALERT,  /* the server's fatal alert: shown.alert */
	TLS_FAILURE_CLOSED, /* the connection ended: shown.errnum, 0 for an orderly end */
	TLS_FAILURE_BROKEN, /* anything else: what came is no handshake that we can finish */
};

/* What the server showed, as far as the handshake came. Texts are static or live as the tls. */
struct tls_shown {
	struct wire_chain chain;
	int64_t chain_ms; /* wall clock when the Certificate message came; 0: it did not */
	bool chain_too_long, chain_unparsed;
	enum tristate sni_acknowledged; /* TRI_NULL: no SNI was sent, or the server did not say */
	const char *version;		/* "TLSv1.3"; NULL: not known yet */
	const char *cipher;
	const char *group;
	const char *server_signature;
	char group_text[LIMIT_WORD]; /* what group points to, where OpenSSL has no name */
	int alert;		     /* -1: none */
	int first_octet;	     /* of the first record, be it one or not; -1: nothing came */
	int errnum;
	/* The leaf's end of validity as libssl reads it, seconds since 1970; 0: unknown. For a
	 * schedule, never for the record. */
	int64_t leaf_ends_s;
	enum tls_failure failure;
};

/* The descriptor is non-blocking and stays the caller's; server_name: NULL for no SNI. */
struct tls *tls_create(struct tls_context *context, int fd, const char *server_name);
void tls_destroy(struct tls *tls); /* accepts NULL */

enum tls_status tls_handshake(struct tls *tls);
/* Valid once tls_handshake() has come to an end, until tls_destroy(); also where the caller gave
 * up before: call tls_abandon() then. The chain may be moved out of it. */
struct tls_shown *tls_shown(struct tls *tls);
void tls_abandon(struct tls *tls);

/* Sends text as a whole; reads and drops what comes, *octets grows by it. Only after TLS_DONE. */
enum tls_status tls_send(struct tls *tls, const char *text);
enum tls_status tls_drain(struct tls *tls, size_t *octets);

/* Of an SSL_CTX that verifies: the certificate must be for the host by its alternative names, a
 * wildcard being a whole left-most label (RFC 8461 section 3.3). False: no memory. */
bool tls_verify_host(void *ssl_ctx, const char *host);

/* Whether roots can be read from a file, or a directory as openssl-rehash(1) leaves it. */
int tls_roots_valid(const char *path, bool *is_dir, struct err *err);

#endif
