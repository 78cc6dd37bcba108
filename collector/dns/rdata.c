#include "rdata.h"

#include <string.h>

#include "store/base/ip.h"

#define NAME_WIRE_MAX 255 /* RFC 1035 section 3.1 */
#define LABEL_MAX 63

/* RFC 1035 section 5.1: what is not printable, and the special ones, as \DDD and \X. */
static void
append_escaped(struct buf *out, uint8_t c, const char *special)
{
	if (c < 0x20 || c > 0x7e)
		buf_printf(out, "\\%03u", c);
	else if (strchr(special, c) != NULL)
		buf_printf(out, "\\%c", c);
	else
		buf_append_byte(out, c);
}

bool
rdata_name(struct buf *out, struct reader *r)
{
	size_t start = out->len, wire = 0;

	for (;;) {
		uint8_t len = reader_byte(r);
		const uint8_t *label = reader_take(r, len);

		wire += 1u + len;
		if (r->failed || len > LABEL_MAX || wire > NAME_WIRE_MAX) {
			out->len = start;
			return false;
		}
		if (len == 0)
			break;
		if (out->len > start)
			buf_append_byte(out, '.');
		for (unsigned i = 0; i < len; i++) {
			uint8_t c = label[i];

			append_escaped(out, c >= 'A' && c <= 'Z' ? c | 0x20 : c, ".\\\"(); ");
		}
	}
	if (out->len == start)
		buf_append_byte(out, '.');
	return true;
}

static bool
address_text(struct buf *out, struct reader *r, unsigned octets)
{
	struct ip ip = {.family = octets == 4 ? 4 : 6};
	const uint8_t *p = reader_take(r, octets);
	char text[IP_TEXT_MAX];

	if (p == NULL)
		return false;
	memcpy(ip.octets, p, octets);
	ip_format(&ip, text);
	buf_append_text(out, text);
	return true;
}

static bool
txt_text(struct buf *out, struct reader *r)
{
	size_t start = out->len;

	do {
		uint8_t len = reader_byte(r);
		const uint8_t *p = reader_take(r, len);

		if (r->failed)
			return false;
		if (out->len > start)
			buf_append_byte(out, ' ');
		buf_append_byte(out, '"');
		for (unsigned i = 0; i < len; i++)
			append_escaped(out, p[i], "\"\\");
		buf_append_byte(out, '"');
	} while (reader_left(r) > 0);
	return true;
}

static bool
tlsa_text(struct buf *out, struct reader *r)
{
	uint8_t usage = reader_byte(r), selector = reader_byte(r), matching = reader_byte(r);
	size_t left = reader_left(r);

	if (r->failed || left == 0)
		return false;
	buf_printf(out, "%u %u %u ", usage, selector, matching);
	buf_append_hex(out, reader_take(r, left), left);
	return true;
}

static bool
known_text(struct buf *out, uint16_t rrtype, struct reader *r)
{
	switch (rrtype) {
	case RDATA_A:
		return address_text(out, r, 4);
	case RDATA_AAAA:
		return address_text(out, r, 16);
	case RDATA_CNAME:
		return rdata_name(out, r);
	case RDATA_MX:
		buf_printf(out, "%u ", reader_u16be(r));
		return rdata_name(out, r);
	case RDATA_TXT:
		return txt_text(out, r);
	case RDATA_TLSA:
		return tlsa_text(out, r);
	default:
		return false;
	}
}

void
rdata_text(struct buf *out, uint16_t rrtype, const void *p, size_t len)
{
	struct reader r = reader_of(p, len);
	size_t start = out->len;

	if (known_text(out, rrtype, &r) && reader_left(&r) == 0)
		return;
	out->len = start;
	buf_printf(out, "\\# %zu", len);
	if (len > 0) {
		buf_append_byte(out, ' ');
		buf_append_hex(out, p, len);
	}
}
