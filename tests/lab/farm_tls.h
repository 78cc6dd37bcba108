/*
 * farm_tls: what the farm's servers present: a chain of a leaf and an intermediate (P-256, as large
 * as those of a public CA), to those without SNI a self-signed RSA-2048, and oddities.
 */
#ifndef MX509_FARM_TLS_H
#define MX509_FARM_TLS_H

#include <openssl/ssl.h>

enum farm_context {
	FARM_USUAL,
	FARM_TLS12,	    /* TLS 1.2 at most */
	FARM_NOTHING,	    /* no certificate: a fatal alert, handshake_failure */
	FARM_GIANT,	    /* a chain above 256 KiB */
	FARM_TICKETS,	    /* a thousand session tickets */
	FARM_FRAGMENTED,    /* records of 512 octets */
	FARM_RENEGOTIATING, /* TLS 1.2, and may ask for another handshake */
	FARM_CONTEXT_N
};

/* Shared by all threads. Ends the program where OpenSSL cannot. */
void farm_tls_create(SSL_CTX *contexts[FARM_CONTEXT_N]);
/* A new leaf and its new authority, whatever SNI is sent. */
SSL_CTX *farm_tls_renewed(void);

#endif
