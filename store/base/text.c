#include "text.h"

#include <string.h>
#include <strings.h>

size_t
text_utf8(const uint8_t *p, size_t len, uint32_t *rune)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n;
	uint32_t v;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*rune = p[0];
		return 1;
	}
	if ((p[0] & 0xe0) == 0xc0)
		n = 2, v = p[0] & 0x1f;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3, v = p[0] & 0x0f;
	else if ((p[0] & 0xf8) == 0xf0)
		n = 4, v = p[0] & 0x07;
	else
		return 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*rune = v;
	return n;
}

static bool
is_hostile(uint32_t rune)
{
	return rune < 0x20 || (rune >= 0x7f && rune <= 0x9f) || rune == 0x61c || rune == 0x200e ||
	       rune == 0x200f || (rune >= 0x202a && rune <= 0x202e) ||
	       (rune >= 0x2066 && rune <= 0x2069) || rune == 0x2028 || rune == 0x2029;
}

void
text_escape(struct buf *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		uint32_t rune;
		size_t n = text_utf8(p, len, &rune);

		if (n == 0) {
			buf_printf(out, "\\x%02X", p[0]);
			n = 1;
		} else if (rune == '\\' && len > 1 && (p[1] == 'x' || p[1] == 'u')) {
			buf_append_text(out, "\\\\");
		} else if (is_hostile(rune)) {
			if (rune < 0x80)
				buf_printf(out, "\\x%02X", rune);
			else
				buf_printf(out, "\\u{%04X}", rune);
		} else {
			buf_append(out, p, n);
		}
		p += n;
		len -= n;
	}
}

/* How many octets at p are ASCII that JSON takes as it is: nearly all there are. */
static size_t
plain_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] >= 0x20 && p[n] < 0x7f && p[n] != '"' && p[n] != '\\')
		n++;
	return n;
}

void
text_json(struct buf *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	buf_append_byte(out, '"');
	while (len > 0) {
		uint32_t rune;
		size_t plain = plain_len(p, len), n;

		buf_append(out, p, plain);
		p += plain;
		if ((len -= plain) == 0)
			break;
		n = text_utf8(p, len, &rune);

		if (n == 0) {
			buf_printf(out, "\\\\x%02X", p[0]);
			n = 1;
		} else if (rune == '"' || rune == '\\') {
			buf_append_byte(out, '\\');
			buf_append_byte(out, *p);
		} else if (is_hostile(rune)) {
			buf_printf(out, "\\u%04x", rune);
		} else {
			buf_append(out, p, n);
		}
		p += n;
		len -= n;
	}
	buf_append_byte(out, '"');
}

void
text_valid_utf8(struct buf *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		uint32_t rune;
		size_t n = text_utf8(p, len, &rune);

		if (n == 0) {
			buf_printf(out, "\\x%02X", p[0]);
			n = 1;
		} else {
			buf_append(out, p, n);
		}
		p += n;
		len -= n;
	}
}

void
text_csv(struct buf *out, const void *bytes, size_t len)
{
	struct buf plain = {0};
	bool quote;

	if (len > 0 && memchr("=+-@", *(const char *)bytes, 4) != NULL)
		buf_append_byte(&plain, '\'');
	text_escape(&plain, bytes, len);
	quote = plain.len > 0 && (memchr(plain.data, ',', plain.len) != NULL ||
				     memchr(plain.data, '"', plain.len) != NULL);
	if (quote)
		buf_append_byte(out, '"');
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.data[i] == '"')
			buf_append_byte(out, '"');
		buf_append_byte(out, plain.data[i]);
	}
	if (quote)
		buf_append_byte(out, '"');
	buf_finish(&plain);
}

size_t
text_width(const void *bytes, size_t len)
{
	struct buf plain = {0};
	size_t width = 0;

	text_escape(&plain, bytes, len);
	for (size_t i = 0; i < plain.len; i++)
		width += (plain.data[i] & 0xc0) != 0x80;
	buf_finish(&plain);
	return width;
}

bool
text_same_keyword(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
text_parse_hex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * len] == '\0';
}
