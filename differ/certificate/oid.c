#include "oid.h"

#include <stdio.h>
#include <string.h>

#include "oid_rows.h"

#include "oid_index.h"

static const char *
text_at(uint16_t place)
{
	return place != 0 ? (const char *)oid_texts + place : NULL;
}

bool
oid_find(struct span oid, struct oid_entry *entry)
{
	const struct oid_row *row = NULL;
	uint32_t i = oid_slot(oid.p, oid.len);

	*entry = (struct oid_entry){.strength_bits = -1};
	for (; oid_slots[i] != 0; i = (i + 1) % OID_SLOTS) {
		row = &oid_rows[oid_slots[i] - 1];
		if (span_equal(span_of(oid_octets + row->octets, row->octets_len), oid))
			break;
	}
	if (oid_slots[i] == 0)
		return false;
	*entry = (struct oid_entry){.oid = text_at(row->oid),
	    .openssl = text_at(row->openssl),
	    .algorithm = text_at(row->algorithm),
	    .key = (enum key_kind)row->key,
	    .key_bits = row->key_bits,
	    .strength_bits = row->strength_bits,
	    .is_curve = row->is_curve != 0,
	    .extension = text_at(row->extension),
	    .extension_kind = (enum extension_kind)row->extension_kind,
	    .purpose = text_at(row->purpose)};
	return true;
}

/* ---- text -------------------------------------------------------------------------------- */

#define GROUP UINT32_C(1000000000)

/* One arc of more than 63 bits, in groups of nine decimal digits. */
static size_t
write_long_arc(char *out, const uint8_t *p, size_t len, unsigned less)
{
	uint32_t groups[DIFFER_OID_MAX * 7 / 29 + 2] = {0};
	size_t n = 1, used;

	for (size_t i = 0; i < len; i++) {
		uint64_t carry = p[i] & 0x7f;

		for (size_t k = 0; k < n; k++) {
			uint64_t v = ((uint64_t)groups[k] << 7) + carry;

			groups[k] = (uint32_t)(v % GROUP);
			carry = v / GROUP;
		}
		if (carry > 0)
			groups[n++] = (uint32_t)carry;
	}
	for (size_t k = 0; less > 0; k++) {
		if (groups[k] >= less) {
			groups[k] -= less;
			break;
		}
		groups[k] += GROUP - less;
		less = 1;
	}
	while (n > 1 && groups[n - 1] == 0)
		n--;
	used = (size_t)sprintf(out, "%u", groups[n - 1]);
	while (n-- > 1)
		used += (size_t)sprintf(out + used, "%09u", groups[n - 1]);
	return used;
}

static size_t
write_arc(char *out, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

const char *
oid_dotted(struct arena *arena, struct span oid, size_t *len)
{
	/* Seven bits an octet are at most 2.2 digits, and a dot; the first two arcs share one. */
	char *out = arena_alloc(arena, 4 * oid.len + 8);
	size_t used = 0;

	if (oid.len > DIFFER_OID_MAX)
		oid.len = 0;
	for (size_t i = 0, from = 0; i < oid.len; i++) {
		uint64_t v = 0;
		unsigned first = 0;

		if ((oid.p[i] & 0x80) != 0)
			continue;
		for (size_t k = from; k <= i && i - from < 9; k++)
			v = v << 7 | (oid.p[k] & 0x7f);
		if (from == 0) {
			first = i - from >= 9 || v >= 80 ? 2 : v >= 40 ? 1 : 0;
			out[used++] = (char)('0' + first);
		}
		out[used++] = '.';
		if (i - from < 9)
			used += write_arc(out + used, v - 40 * first);
		else
			used += write_long_arc(out + used, oid.p + from, i - from + 1, 40 * first);
		from = i + 1;
	}
	out[used] = '\0';
	if (len != NULL)
		*len = used;
	return out;
}
