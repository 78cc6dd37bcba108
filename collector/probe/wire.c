#include "wire.h"

#include <stdlib.h>

#include "store/base/mem.h"

#define EXTENSION_SERVER_NAME 0
#define EXTENSION_SUPPORTED_VERSIONS 43

void
wire_chain_finish(struct wire_chain *chain)
{
	if (chain == NULL)
		return;
	buf_finish(&chain->der);
	free(chain->parts);
	*chain = (struct wire_chain){0};
}

static uint32_t
take_u24(struct reader *r)
{
	const uint8_t *p = reader_take(r, 3);

	return p != NULL ? (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2] : 0;
}

/* The next len octets as a reader of their own. */
static struct reader
take_part(struct reader *r, size_t len)
{
	const uint8_t *p = reader_take(r, len);

	return p != NULL ? reader_of(p, len) : (struct reader){.failed = true};
}

static struct reader
take_body(const uint8_t *message, size_t len)
{
	struct reader r = reader_of(message, len);

	reader_byte(&r);
	return take_part(&r, take_u24(&r));
}

bool
wire_certificate(struct wire_chain *chain, const uint8_t *message, size_t len, bool tls13)
{
	struct reader body = take_body(message, len), list;

	buf_clear(&chain->der);
	chain->n = 0;
	if (tls13)
		reader_take(&body, reader_byte(&body)); /* certificate_request_context */
	list = take_part(&body, take_u24(&body));
	while (!list.failed && reader_left(&list) > 0) {
		uint32_t der_len = take_u24(&list);
		const uint8_t *der = reader_take(&list, der_len);

		if (der == NULL || der_len == 0 || chain->n == LIMIT_CHAIN)
			return false;
		if (chain->n % 8 == 0)
			chain->parts = mem_grow(chain->parts, chain->n + 8, sizeof(*chain->parts));
		chain->parts[chain->n++] =
		    (struct wire_part){.at = (uint32_t)chain->der.len, .len = der_len};
		buf_append(&chain->der, der, der_len);
		if (tls13)
			reader_take(&list, reader_u16be(&list)); /* extensions */
	}
	return !body.failed && !list.failed && reader_left(&body) == 0;
}

enum tristate
wire_sni_acknowledged(const uint8_t *message, size_t len)
{
	struct reader body = take_body(message, len), extensions;
	enum tristate answer = TRI_FALSE;

	if (len == 0 ||
	    (message[0] != WIRE_SERVER_HELLO && message[0] != WIRE_ENCRYPTED_EXTENSIONS))
		return TRI_NULL;
	if (message[0] == WIRE_SERVER_HELLO) {
		reader_take(&body, 2 + 32);		/* legacy_version, random */
		reader_take(&body, reader_byte(&body)); /* session id */
		reader_take(&body, 2 + 1);		/* suite, compression */
		if (!body.failed && reader_left(&body) == 0)
			return TRI_FALSE; /* a server without extensions, RFC 5246 7.4.1.3 */
	}
	extensions = take_part(&body, reader_u16be(&body));
	while (!extensions.failed && reader_left(&extensions) > 0) {
		uint16_t type = reader_u16be(&extensions);

		reader_take(&extensions, reader_u16be(&extensions));
		if (message[0] == WIRE_SERVER_HELLO && type == EXTENSION_SUPPORTED_VERSIONS)
			return TRI_NULL; /* TLS 1.3: EncryptedExtensions will say */
		if (type == EXTENSION_SERVER_NAME)
			answer = TRI_TRUE;
	}
	return body.failed || extensions.failed ? TRI_NULL : answer;
}
