/*
 * A server's handshake messages, whatever is in them: the list of a Certificate message and the
 * server_name of a hello. The first octet of an input says which version of TLS it is read as.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/probe/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* What is kept stands in the message, in its order, no octet twice. */
static void
check_chain(const struct wire_chain *chain, const uint8_t *message, size_t len, bool whole)
{
	size_t at = 0;

	require(chain->n <= LIMIT_CHAIN && chain->der.len <= len);
	for (size_t i = 0; i < chain->n; i++) {
		require(chain->parts[i].at == at && chain->parts[i].len > 0);
		at += chain->parts[i].len;
		require(memmem(message, len, chain->der.data + chain->parts[i].at,
			    chain->parts[i].len) != NULL);
	}
	require(at == chain->der.len);
	require(!whole || len >= 7);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wire_chain chain = {0}, again = {0};
	enum tristate said;
	bool tls13, whole;

	if (len == 0)
		return 0;
	tls13 = data[0] & 1;
	data++;
	len--;
	whole = wire_certificate(&chain, data, len, tls13);
	check_chain(&chain, data, len, whole);
	/* Whole once, it is whole for whoever has a chain in hand already, and cut short for none.
	 */
	buf_append_text(&again.der, "what stood there before");
	require(wire_certificate(&again, data, len, tls13) == whole);
	require(again.n == chain.n && again.der.len == chain.der.len);
	/* What is behind a message does not count. */
	if (whole && len == 4 + ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]))
		require(!wire_certificate(&again, data, len - 1, tls13));
	wire_chain_finish(&again);
	wire_chain_finish(&chain);
	said = wire_sni_acknowledged(data, len);
	require(said == TRI_NULL || data[0] == WIRE_SERVER_HELLO ||
		data[0] == WIRE_ENCRYPTED_EXTENSIONS);
	return 0;
}
