/*
 * zgrab2: a line of zgrab2's output as observations. Of its modules those of the protocol smtp are
 * taken, under whatever name; all others are passed over.
 *
 * What is made of a line (mxstore(1) says the same to users):
 *	host		domain; without one the address' name under in-addr.arpa or ip6.arpa
 *	sni		hostname where there is a domain, which zgrab2 sends, else none. Where the
 *			line holds the ClientHello (client_hello), what that says, literal if it is
 *			not the host
 *	chain		the DER of certificate.raw and of each chain[].raw
 *	outcome		success where a chain was shown and the handshake ended well; else by the
 *			replies to STARTTLS, EHLO and the connection (421, 4yz, 5yz), by the EHLO
 *			keywords, and by zgrab2's status word and error text
 *	tls_version, cipher, group, server_signature: zgrab2's words; TLSv1.0 is written TLSv1
 * Times of the phases are not told by zgrab2. What zgrab2 parsed out of a certificate is not read.
 *
 * Source: the Go structs of zgrab2 (Grab, ScanResponse, smtp.ScanResults, TLSLog) and of zcrypto
 * (ServerHandshake), as of 2017 to 2026; status words as of zgrab2's status.go.
 */
#ifndef MX509_ZGRAB2_H
#define MX509_ZGRAB2_H

#include "store/record/observation.h"

struct zgrab2 {
	/* What zgrab2_next() gives, until it is called again. The chain's names are not in it: the
	 * certificates stand one behind the other in ders, each up to its end. */
	struct series series;
	struct observation observation;
	struct buf ders;
	size_t ends[LIMIT_CHAIN];
	size_t chain_n;
	/* private */
	struct json_t *root;
	const char *vantage, *module;
	struct ip address;
	char host[LIMIT_NAME + 1], sni_sent[LIMIT_NAME + 1];
	bool has_domain;
	struct buf greeting, ehlo, version, cipher, group;
	const char *keywords[LIMIT_EHLO_LINES];
};

/* vantage is borrowed. On error nothing is to be closed. */
int zgrab2_open(
    struct zgrab2 *z, const char *line, size_t len, const char *vantage, struct err *err);
/* 1: an observation; 0: no more; ERR_INPUT, ERR_LIMIT: this module's is none, the next may be one.
 * A module that says nothing about the server (invalid-inputs, blocklisted-target, no STARTTLS
 * asked for) is passed over. */
int zgrab2_next(struct zgrab2 *z, struct err *err);
void zgrab2_close(struct zgrab2 *z);

#endif
