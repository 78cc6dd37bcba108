#include "name.h"

#include <string.h>

#include "oid.h"

struct ava {
	struct span oid;
	struct tlv value;
	size_t rdn;
};

/* The attributes of X.520 are strings (some BIT STRINGs, some SEQUENCEs): RFC 5280 A.1. What has
 * another type is none of them, though others may be anything (X.501 8.2). */
static bool
may_have(struct der *d, struct span oid, const struct tlv *value, const struct place *at)
{
	bool odd = value->id >= 0x40 || value->id == DER_BOOLEAN || value->id == DER_INTEGER ||
		   value->id == DER_NULL || value->id == DER_OID || value->id == DER_ENUMERATED;

	if (!odd || oid.len < 2 || oid.p[0] != 0x55 || oid.p[1] != 0x04)
		return true;
	der_fault(d, FAULT_MALFORMED, at, value->whole.p,
	    "no string, which an attribute of X.520 is: RFC 5280 A.1");
	return false;
}

static bool
read_ava(struct der *d, struct tlv *seq, struct ava *out, const struct place *at)
{
	struct place type = {at, "type", 0}, value = {at, "value", 0};
	struct cursor c = cursor_of(seq->value);
	struct tlv oid;

	if (!der_expect(d, &c, DER_OID, 0, &oid, &type) || !der_oid(d, &oid, &type) ||
	    !der_next(d, &c, &out->value, &value) || !der_any(d, &out->value, &value) ||
	    !may_have(d, oid.value, &out->value, &value))
		return false;
	out->oid = oid.value;
	return der_end(d, &c, at);
}

/* The attributes of one RDN; filled where out has room. */
static bool
read_rdn(struct der *d, const struct tlv *set, size_t rdn, struct ava *out, size_t room, size_t *n,
    const struct place *up)
{
	struct cursor c = cursor_of(set->value);
	struct place at = {up, NULL, 0};
	struct span before = {0};
	bool ok = true;

	if (set->value.len == 0)
		der_fault(d, FAULT_NOT_DER, up, set->whole.p,
		    "an RDN without attributes: RFC 5280 4.1.2.4");
	for (; !der_at_end(&c); at.index++) {
		struct ava ava = {.rdn = rdn};
		struct tlv seq;

		if (!der_expect(d, &c, DER_SEQUENCE, 0, &seq, &at))
			return false;
		if (!read_ava(d, &seq, &ava, &at))
			ok = false;
		else if (*n < room)
			out[*n] = ava;
		if (at.index > 0 && !der_set_order(before, seq.whole))
			der_fault(d, FAULT_NOT_DER, &at, seq.whole.p,
			    "out of the order of a SET OF: X.690 11.6");
		before = seq.whole;
		++*n;
	}
	return ok;
}

/* The attributes of a name in their order; *n: how many there are. False if one is unreadable. */
static bool
read_name(struct der *d, struct span rdns, struct ava *out, size_t room, size_t *n,
    const struct place *up)
{
	struct cursor c = cursor_of(rdns);
	struct place at = {up, NULL, 0};
	bool ok = true;

	*n = 0;
	for (; !der_at_end(&c); at.index++) {
		struct tlv set;

		if (!der_expect(d, &c, DER_SET, 0, &set, &at))
			return false;
		if (!read_rdn(d, &set, at.index, out, room, n, &at))
			ok = false;
	}
	return ok;
}

bool
name_check(struct der *d, struct span rdns, const struct place *at)
{
	size_t n;

	return read_name(d, rdns, NULL, 0, &n, at);
}

/* ---- text -------------------------------------------------------------------------------- */

static const char upper[] = "0123456789ABCDEF";

static size_t
write_hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = upper[p[i] >> 4];
		out[2 * i + 1] = upper[p[i] & 15];
	}
	return 2 * len;
}

/* The element with a minimal length, whatever length octets it came with. */
static size_t
write_dump(char *out, const struct tlv *t)
{
	uint8_t head[10] = {t->id};
	size_t n = 1, used = 1;

	out[0] = '#';
	if (t->number > 30 || (t->id & 0x1f) == 0x1f)
		return used + write_hex(out + used, t->whole.p, t->whole.len);
	if (t->value.len < 128) {
		head[n++] = (uint8_t)t->value.len;
	} else {
		size_t octets = 1;

		while (octets < sizeof(size_t) && t->value.len >> (8 * octets) != 0)
			octets++;
		head[n++] = (uint8_t)(0x80 | octets);
		for (size_t i = octets; i-- > 0;)
			head[n++] = (uint8_t)(t->value.len >> (8 * i));
	}
	used += write_hex(out + used, head, n);
	used += write_hex(out + used, t->value.p, t->value.len);
	/* Bits that do not count are not shown; unless there are none, the last octet holds them.
	 */
	if (t->id == DER_BIT_STRING && t->value.len > 1 && t->value.p[0] < 8) {
		uint8_t last = (uint8_t)(t->value.p[t->value.len - 1] & 0xff << t->value.p[0]);

		write_hex(out + used - 2, &last, 1);
	}
	return used;
}

/* Characters that stand for themselves wherever they stand, but for a blank or # at an end. */
static const bool plain[256] = {
    [' ' ... '!'] = true,
    ['#' ... '*'] = true,
    ['-' ... ':'] = true,
    ['='] = true,
    ['?' ... '['] = true,
    [']' ... '~'] = true,
};

/* Copies what is plain in a text of one octet a character; its length, 0 if it is not. */
static size_t
write_plain(char *out, struct span s)
{
	bool all = true;

	for (size_t i = 0; i < s.len; i++) {
		all &= plain[s.p[i]];
		out[i] = (char)s.p[i];
	}
	if (!all || s.len == 0 || s.p[0] == ' ' || s.p[0] == '#' || s.p[s.len - 1] == ' ')
		return 0;
	return s.len;
}

static size_t
write_octet(char *out, uint8_t c, bool first, bool last)
{
	if (c < 0x20 || c == 0x7f) {
		out[0] = '\\';
		out[1] = upper[c >> 4];
		out[2] = upper[c & 15];
		return 3;
	}
	/* A sole '#' is not escaped: OpenSSL looks at the last character by the rule for ends only.
	 */
	if (c == ',' || c == '+' || c == '"' || c == '\\' || c == '<' || c == '>' || c == ';' ||
	    (c == ' ' && (first || last)) || (c == '#' && first && !last)) {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = (char)c;
	return 1;
}

static size_t
write_rune(char *out, uint32_t v, bool first, bool last)
{
	if (v < 0x80)
		return write_octet(out, (uint8_t)v, first, last);
	if (v < 0x800) {
		out[0] = (char)(0xc0 | v >> 6);
		out[1] = (char)(0x80 | (v & 0x3f));
		return 2;
	}
	if (v < 0x10000) {
		out[0] = (char)(0xe0 | v >> 12);
		out[1] = (char)(0x80 | (v >> 6 & 0x3f));
		out[2] = (char)(0x80 | (v & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | v >> 18);
	out[1] = (char)(0x80 | (v >> 12 & 0x3f));
	out[2] = (char)(0x80 | (v >> 6 & 0x3f));
	out[3] = (char)(0x80 | (v & 0x3f));
	return 4;
}

static size_t
write_utf8(char *out, struct span s)
{
	size_t used = write_plain(out, s);

	if (used > 0)
		return used;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] >= 0x80)
			out[used++] = (char)s.p[i];
		else
			used += write_octet(out + used, s.p[i], i == 0, i + 1 == s.len);
	}
	return used;
}

/* Characters of 1, 2 or 4 octets. */
static size_t
write_wide(char *out, struct span s, size_t width)
{
	size_t used = width == 1 ? write_plain(out, s) : 0;

	if (used > 0)
		return used;
	for (size_t i = 0; i < s.len;) {
		bool first = i == 0;
		uint32_t v = 0;

		for (size_t k = 0; k < width; k++)
			v = v << 8 | s.p[i++];
		if (width == 2 && (v & 0xfc00) == 0xd800 && s.len - i >= 2) {
			v = 0x10000 + ((v & 0x3ff) << 10) + ((s.p[i] & 3u) << 8 | s.p[i + 1]);
			i += 2;
		}
		used += write_rune(out + used, v, first, i == s.len);
	}
	return used;
}

size_t
name_write_value(char *out, const struct tlv *t, bool unknown)
{
	if (unknown)
		return write_dump(out, t);
	switch (t->id) {
	case DER_UTF8_STRING:
		return write_utf8(out, t->value);
	case DER_NUMERIC_STRING:
	case DER_PRINTABLE_STRING:
	case DER_TELETEX_STRING:
	case DER_IA5_STRING:
	case DER_UTC_TIME:
	case DER_GENERALIZED_TIME:
	case DER_VISIBLE_STRING:
		return write_wide(out, t->value, 1);
	case DER_BMP_STRING:
		return write_wide(out, t->value, 2);
	case DER_UNIVERSAL_STRING:
		return write_wide(out, t->value, 4);
	default:
		return write_dump(out, t);
	}
}

static size_t
write_ava(char *out, const struct ava *ava, struct arena *arena)
{
	struct oid_entry known;
	bool unknown = !oid_find(ava->oid, &known) || known.openssl == NULL;
	size_t used;

	if (unknown) {
		const char *dotted = oid_dotted(arena, ava->oid, &used);

		memcpy(out, dotted, used);
	} else {
		used = strlen(known.openssl);
		memcpy(out, known.openssl, used);
	}
	out[used++] = '=';
	return used + name_write_value(out + used, &ava->value, unknown);
}

static const struct value *
name_text(struct arena *arena, const struct ava *avas, size_t n)
{
	size_t room = 1, used = 0;
	struct value *v;
	char *out;

	for (size_t i = 0; i < n; i++)
		room += NAME_ROOM(avas[i].value.whole.len) + 4 * avas[i].oid.len + 64;
	out = arena_alloc(arena, room);
	for (size_t i = n; i-- > 0;) {
		used += write_ava(out + used, &avas[i], arena);
		if (i > 0)
			out[used++] = avas[i - 1].rdn == avas[i].rdn ? '+' : ',';
	}
	out[used] = '\0';
	v = arena_alloc(arena, sizeof(*v));
	*v = (struct value){.kind = VALUE_TEXT, .text = out, .len = used};
	return v;
}

/* The attributes of a name that name_check() let pass, in `few` where they have room. */
static const struct ava *
read_avas(struct arena *arena, struct span rdns, struct ava *few, size_t room, size_t *n)
{
	struct der d = {.start = rdns.p, .muted = true};
	struct ava *avas = few;
	size_t again;

	read_name(&d, rdns, few, room, n, NULL);
	if (*n > room) {
		avas = arena_alloc(arena, *n * sizeof(*avas));
		read_name(&d, rdns, avas, *n, &again, NULL);
	}
	return avas;
}

const struct value *
name_value(struct arena *arena, struct span rdns)
{
	struct ava few[24];
	const struct ava *avas;
	size_t n;

	if (arena == NULL)
		return value_null();
	avas = read_avas(arena, rdns, few, sizeof(few) / sizeof(few[0]), &n);
	return name_text(arena, avas, n);
}

const struct value *
name_rdns(struct arena *arena, struct span rdns)
{
	struct value_builder list = {.arena = arena};
	struct ava few[24];
	size_t n;
	const struct ava *avas = read_avas(arena, rdns, few, sizeof(few) / sizeof(few[0]), &n);

	for (size_t i = 0; i < n;) {
		struct value_builder set = {.arena = arena};
		size_t rdn = avas[i].rdn;

		for (; i < n && avas[i].rdn == rdn; i++)
			value_add(&set, name_text(arena, &avas[i], 1));
		value_add(&list, value_set(&set));
	}
	return value_list(&list);
}
