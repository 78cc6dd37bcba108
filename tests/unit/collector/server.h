/*
 * server: a mail server of a few lines for tests of the probe: one connection on 127.0.0.1, played
 * by a thread after a script.
 *
 * A script is a list of steps, each a text:
 *	"> …"	send it (with \r\n where it says so)
 *	"<"	read a line; what came is kept in lines[]
 *	"~ MS"	wait
 *	"tls"	accept a handshake with the server's SSL_CTX
 *	"hello"	read a ClientHello and drop it
 *	"raw"	send the server's raw octets
 *	"reset"	close with RST
 *	"hold"	wait until the client is gone
 * At its end the connection is closed.
 */
#ifndef MX509_TEST_SERVER_H
#define MX509_TEST_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdint.h>

#include "store/base/buf.h"

#define SERVER_LINES 8

struct server {
	const char *const *script;
	SSL_CTX *ctx;
	struct buf raw;
	uint16_t port;
	int listener;
	pthread_t thread;
	char lines[SERVER_LINES][300];
	unsigned lines_n;
	char sni[256]; /* that the client sent; "" for none */
};

void server_start(struct server *server);
void server_join(struct server *server);

/* A key of that type ("RSA", "EC", "ED25519") and a certificate by itself. */
void server_make_certificate(const char *type, EVP_PKEY **key, X509 **certificate);
/* A context with one certificate of each type named. */
SSL_CTX *server_make_context(const char *const *types);

#endif
