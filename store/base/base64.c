#include "base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *out, const void *bytes, size_t len, unsigned columns)
{
	const uint8_t *p = bytes;
	unsigned column = 0;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);
		char group[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
		    n > 1 ? alphabet[v >> 6 & 63] : '=', n > 2 ? alphabet[v & 63] : '='};

		buf_append(out, group, 4);
		column += 4;
		if (columns > 0 && (column >= columns || i + 3 >= len)) {
			buf_append_byte(out, '\n');
			column = 0;
		}
	}
}

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to one to three octets: how many, 0 if they are none. */
static size_t
decode_group(const char *text, bool last, uint8_t out[3])
{
	size_t n = !last ? 3 : text[2] == '=' ? 1 : text[3] == '=' ? 2 : 3;
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i <= n ? value_of(text[i]) : text[i] == '=' ? 0 : -1;

		if (digit < 0)
			return 0;
		v = v << 6 | (uint32_t)digit;
	}
	for (size_t i = 0; i < 3; i++)
		out[i] = (uint8_t)(v >> (16 - 8 * i));
	return (n < 2 && out[1] != 0) || (n < 3 && out[2] != 0) ? 0 : n;
}

bool
base64_decode(struct buf *out, const char *text, size_t len)
{
	size_t before = out->len;

	if (len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		uint8_t group[3];
		size_t n = decode_group(text + i, i + 4 == len, group);

		if (n == 0) {
			out->len = before;
			return false;
		}
		buf_append(out, group, n);
	}
	return true;
}

void
base64_pem_certificate(struct buf *out, const void *der, size_t len)
{
	buf_append_text(out, "-----BEGIN CERTIFICATE-----\n");
	base64_encode(out, der, len, 64);
	buf_append_text(out, "-----END CERTIFICATE-----\n");
}

/* "-----BEGIN …CERTIFICATE-----" at p; its length, 0 if it does not stand there. */
static size_t
is_line(const char *p, const char *end, const char *word)
{
	static const char *const labels[] = {"CERTIFICATE-----", "X509 CERTIFICATE-----"};
	size_t word_len = strlen(word);

	if ((size_t)(end - p) < word_len || memcmp(p, word, word_len) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		size_t len = strlen(labels[i]);

		if ((size_t)(end - p) >= word_len + len &&
		    memcmp(p + word_len, labels[i], len) == 0)
			return word_len + len;
	}
	return 0;
}

int
base64_pem_next(struct buf *der, const char *text, size_t len, size_t *at)
{
	const char *end = text + len, *p = text + *at;
	struct buf digits = {0};
	size_t n = 0;
	bool ok;

	for (; p < end && (n = is_line(p, end, "-----BEGIN ")) == 0; p++)
		;
	*at = len;
	if (p >= end)
		return 0;
	for (p += n; p < end && *p != '-'; p++)
		if (memchr(" \t\r\n", *p, 4) == NULL)
			buf_append_byte(&digits, (uint8_t)*p);
	n = p < end ? is_line(p, end, "-----END ") : 0;
	*at = (size_t)(p - text) + n;
	ok = n > 0 && base64_decode(der, (const char *)digits.data, digits.len);
	buf_finish(&digits);
	return ok ? 1 : -1;
}
