/*
 * wire: the server's handshake messages as they come, before any parser has judged what is in
 * them: the list of a Certificate message (RFC 8446 section 4.4.2, RFC 5246 section 7.4.2), and
 * whether a server_name was acknowledged (RFC 6066 section 3).
 *
 * No certificate is parsed, none is refused. A message is given whole, with its four octets of
 * header; every length in it is hostile.
 */
#ifndef MX509_WIRE_H
#define MX509_WIRE_H

#include "store/record/observation.h"

enum wire_message {
	WIRE_SERVER_HELLO = 2,
	WIRE_ENCRYPTED_EXTENSIONS = 8,
	WIRE_CERTIFICATE = 11,
};

/* The certificates of a chain, one behind the other in der; zero-initialise. */
struct wire_chain {
	struct buf der;
	struct wire_part {
		uint32_t at, len;
	} * parts;
	size_t n;
};

void wire_chain_finish(struct wire_chain *chain);

/*
 * Reads a Certificate message into *chain (emptied first). False if the list is broken: what
 * stood before the break is in *chain all the same. More than LIMIT_CHAIN certificates are a
 * break too.
 */
bool wire_certificate(struct wire_chain *chain, const uint8_t *message, size_t len, bool tls13);

/*
 * Whether a ServerHello or an EncryptedExtensions acknowledges the server_name. TRI_NULL: this
 * message cannot say (the ServerHello of TLS 1.3, a broken one, another message).
 */
enum tristate wire_sni_acknowledged(const uint8_t *message, size_t len);

#endif
