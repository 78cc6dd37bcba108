#include <string.h>

#include "der.h"
#include "store/base/clock.h"
#include "store/base/text.h"

bool
der_boolean(struct der *d, const struct tlv *t, bool *value, const struct place *at)
{
	if (t->value.len != 1) {
		der_fault(d, FAULT_MALFORMED, at, t->whole.p,
		    "a BOOLEAN of %zu octets: X.690 8.2.1", t->value.len);
		return false;
	}
	*value = t->value.p[0] != 0;
	if (t->value.p[0] != 0 && t->value.p[0] != 0xff)
		der_fault(d, FAULT_NOT_DER, at, t->whole.p,
		    "a BOOLEAN of %02X, not 00 or FF: X.690 11.1", t->value.p[0]);
	return true;
}

bool
der_integer(struct der *d, const struct tlv *t, struct span *digits, const struct place *at)
{
	struct span s = t->value;

	if (s.len == 0) {
		der_fault(
		    d, FAULT_MALFORMED, at, t->whole.p, "an INTEGER without octets: X.690 8.3.1");
		return false;
	}
	while (!der_is_minimal(s)) {
		s.p++;
		s.len--;
	}
	if (s.len < t->value.len)
		der_fault(d, FAULT_NOT_DER, at, t->whole.p, "non-minimal INTEGER: X.690 8.3.2");
	*digits = s;
	return true;
}

bool
der_number(struct der *d, const struct tlv *t, int64_t *value, const struct place *at)
{
	struct span s;
	uint64_t v;

	if (!der_integer(d, t, &s, at))
		return false;
	if (s.len > sizeof(v)) {
		der_fault(d, FAULT_MALFORMED, at, t->whole.p, "a number of %zu octets", s.len);
		return false;
	}
	v = s.p[0] >= 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | s.p[i];
	*value = (int64_t)v;
	return true;
}

bool
der_bit_string(
    struct der *d, const struct tlv *t, struct span *bits, unsigned *unused, const struct place *at)
{
	struct span s = t->value;

	if (s.len == 0 || s.p[0] > 7 || (s.len == 1 && s.p[0] != 0)) {
		der_fault(d, FAULT_MALFORMED, at, t->whole.p,
		    s.len == 0
			? "a BIT STRING without octets: X.690 8.6.2"
			: "a BIT STRING whose unused bits are more than it has: X.690 8.6.2");
		return false;
	}
	*unused = s.p[0];
	*bits = span_of(s.p + 1, s.len - 1);
	if (bits->len > 0 && (bits->p[bits->len - 1] & ((1u << *unused) - 1)) != 0)
		der_fault(
		    d, FAULT_NOT_DER, at, t->whole.p, "unused bits that are set: X.690 11.2.1");
	return true;
}

bool
der_named_bits(
    struct der *d, const struct tlv *t, uint32_t *bits, unsigned *beyond, const struct place *at)
{
	struct span s;
	unsigned unused;
	size_t n;

	*bits = 0;
	*beyond = 0;
	if (!der_bit_string(d, t, &s, &unused, at))
		return false;
	n = 8 * s.len - unused;
	if (n > 0 && (s.p[(n - 1) / 8] >> (7 - (n - 1) % 8) & 1) == 0)
		der_fault(d, FAULT_NOT_DER, at, t->whole.p,
		    "zero bits at the end of a named bit list: X.690 11.2.2");
	for (size_t i = 0; i < n; i++) {
		if ((s.p[i / 8] >> (7 - i % 8) & 1) == 0)
			continue;
		if (i < 32)
			*bits |= UINT32_C(1) << i;
		else
			++*beyond;
	}
	return true;
}

bool
der_oid(struct der *d, const struct tlv *t, const struct place *at)
{
	struct span s = t->value;
	const char *why = NULL;

	if (s.len == 0)
		why = "an OBJECT IDENTIFIER without octets: X.690 8.19.2";
	else if ((s.p[s.len - 1] & 0x80) != 0)
		why = "an OBJECT IDENTIFIER that ends within an arc: X.690 8.19.2";
	else if (s.len > DIFFER_OID_MAX)
		why = "an OBJECT IDENTIFIER longer than we read";
	for (size_t i = 0; why == NULL && i < s.len; i++) {
		if (s.p[i] == 0x80 && (i == 0 || s.p[i - 1] < 0x80))
			why = "an arc of an OBJECT IDENTIFIER with leading zeros: X.690 8.19.2";
	}
	if (why != NULL)
		der_fault(d, FAULT_MALFORMED, at, t->whole.p, "%s", why);
	return why == NULL;
}

bool
der_null(struct der *d, const struct tlv *t, const struct place *at)
{
	if (t->value.len == 0)
		return true;
	der_fault(d, FAULT_MALFORMED, at, t->whole.p, "a NULL with contents: X.690 8.8.2");
	return false;
}

/* ---- times ------------------------------------------------------------------------------- */

struct digits {
	const uint8_t *p, *end;
	bool failed;
};

static int
two(struct digits *s)
{
	int v;

	if (s->end - s->p < 2 || s->p[0] < '0' || s->p[0] > '9' || s->p[1] < '0' || s->p[1] > '9') {
		s->failed = true;
		return 0;
	}
	v = (s->p[0] - '0') * 10 + (s->p[1] - '0');
	s->p += 2;
	return v;
}

static bool
digit_next(const struct digits *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* "Z", or an offset such as "+0100", which DER does not allow but which says one thing only. */
static bool
zone(struct digits *s, int64_t *offset_ms, bool *odd)
{
	int sign, hours, minutes;

	*offset_ms = 0;
	if (s->end - s->p == 1 && *s->p == 'Z')
		return true;
	if (s->end - s->p != 5 || (*s->p != '+' && *s->p != '-'))
		return false;
	sign = *s->p++ == '-' ? -1 : 1;
	hours = two(s);
	minutes = two(s);
	*odd = true;
	*offset_ms = sign * (hours * INT64_C(3600000) + minutes * INT64_C(60000));
	return !s->failed && hours <= 14 && minutes <= 59;
}

static bool
read_time(const struct tlv *t, int64_t *time_ms, bool *odd)
{
	struct digits s = {t->value.p, t->value.p + t->value.len, false};
	int64_t offset_ms, least, most;
	int year, month, day, hour, minute, second = 0;

	if (t->id == DER_GENERALIZED_TIME) {
		year = two(&s) * 100;
		year += two(&s);
	} else {
		year = two(&s);
		year += year < 50 ? 2000 : 1900;
	}
	month = two(&s);
	day = two(&s);
	hour = two(&s);
	minute = two(&s);
	if (digit_next(&s))
		second = two(&s);
	else
		*odd = true;
	if (t->id == DER_GENERALIZED_TIME && !s.failed && s.p < s.end && *s.p == '.') {
		s.p++;
		s.failed = !digit_next(&s);
		while (digit_next(&s))
			s.p++;
		*odd = true;
	}
	if (s.failed || !zone(&s, &offset_ms, odd) ||
	    !clock_from_civil(year, month, day, hour, minute, second, time_ms))
		return false;
	*time_ms -= offset_ms;
	return clock_from_civil(0, 1, 1, 0, 0, 0, &least) &&
	       clock_from_civil(9999, 12, 31, 23, 59, 59, &most) && *time_ms >= least &&
	       *time_ms <= most;
}

bool
der_time(struct der *d, const struct tlv *t, int64_t *time_ms, const struct place *at)
{
	bool odd = false;

	if (!read_time(t, time_ms, &odd)) {
		der_fault(d, FAULT_MALFORMED, at, t->whole.p, "no moment of the calendar: %s",
		    t->id == DER_UTC_TIME ? "X.690 11.8, RFC 5280 4.1.2.5.1"
					  : "X.690 11.7, RFC 5280 4.1.2.5.2");
		return false;
	}
	if (odd)
		der_fault(d, FAULT_NOT_DER, at, t->whole.p,
		    "a time without seconds, with a fraction or with an offset: %s",
		    t->id == DER_UTC_TIME ? "X.690 11.8, RFC 5280 4.1.2.5.1"
					  : "X.690 11.7, RFC 5280 4.1.2.5.2");
	return true;
}

/* ---- strings ----------------------------------------------------------------------------- */

enum { PRINTABLE = 1, NUMERIC = 2, IA5 = 4, VISIBLE = 8 };

/* The alphabets that an octet belongs to: X.680 41.4, 41.2, and ISO 646. */
static const uint8_t alphabets[256] = {
    [0x00 ... 0x1f] = IA5,
    [' '] = PRINTABLE | NUMERIC | IA5 | VISIBLE,
    ['!' ... '&'] = IA5 | VISIBLE,
    ['\'' ... ')'] = PRINTABLE | IA5 | VISIBLE,
    ['*'] = IA5 | VISIBLE,
    ['+' ... '/'] = PRINTABLE | IA5 | VISIBLE,
    ['0' ... '9'] = PRINTABLE | NUMERIC | IA5 | VISIBLE,
    [':'] = PRINTABLE | IA5 | VISIBLE,
    [';' ... '<'] = IA5 | VISIBLE,
    ['='] = PRINTABLE | IA5 | VISIBLE,
    ['>'] = IA5 | VISIBLE,
    ['?'] = PRINTABLE | IA5 | VISIBLE,
    ['@'] = IA5 | VISIBLE,
    ['A' ... 'Z'] = PRINTABLE | IA5 | VISIBLE,
    ['[' ... '`'] = IA5 | VISIBLE,
    ['a' ... 'z'] = PRINTABLE | IA5 | VISIBLE,
    ['{' ... '~'] = IA5 | VISIBLE,
    [0x7f] = IA5,
};

/* 0: a type whose alphabet is not one of these. */
static uint8_t
alphabet_of(uint8_t id)
{
	switch (id) {
	case DER_PRINTABLE_STRING:
		return PRINTABLE;
	case DER_NUMERIC_STRING:
		return NUMERIC;
	case DER_IA5_STRING:
		return IA5;
	case DER_VISIBLE_STRING:
		return VISIBLE;
	default:
		return 0;
	}
}

static bool
utf8_ok(struct span s)
{
	uint32_t rune;

	while (s.len > 0) {
		size_t n = s.p[0] < 0x80 ? 1 : text_utf8(s.p, s.len, &rune);

		if (n == 0)
			return false;
		s.p += n;
		s.len -= n;
	}
	return true;
}

/* *pairs: whether there are surrogate pairs, which UTF-16 has and BMPString has not. */
static bool
bmp_ok(struct span s, bool *pairs)
{
	if (s.len % 2 != 0)
		return false;
	for (size_t i = 0; i < s.len; i += 2) {
		if ((s.p[i] & 0xf8) != 0xd8)
			continue;
		if ((s.p[i] & 0xfc) != 0xd8 || s.len - i < 4 || (s.p[i + 2] & 0xfc) != 0xdc)
			return false;
		*pairs = true;
		i += 2;
	}
	return true;
}

static bool
universal_ok(struct span s)
{
	if (s.len % 4 != 0)
		return false;
	for (size_t i = 0; i < s.len; i += 4) {
		if (s.p[i] != 0 || s.p[i + 1] > 0x10 ||
		    (s.p[i + 1] == 0 && (s.p[i + 2] & 0xf8) == 0xd8))
			return false;
	}
	return true;
}

static void
check_alphabet(struct der *d, const struct tlv *t, uint8_t set, const struct place *at)
{
	uint8_t all = set;
	size_t i = 0;

	for (size_t k = 0; k < t->value.len; k++)
		all &= alphabets[t->value.p[k]];
	if (all != 0)
		return;
	while ((alphabets[t->value.p[i]] & set) != 0)
		i++;
	der_fault(d, FAULT_NOT_DER, at, t->whole.p,
	    "octet %02X is not in the alphabet of its string type: X.680 41", t->value.p[i]);
}

static bool
check_string(struct der *d, const struct tlv *t, enum fault_kind no_text, const struct place *at)
{
	uint8_t set = alphabet_of(t->id);
	const char *why = NULL;
	bool pairs = false;

	if (t->id == DER_UTF8_STRING && !utf8_ok(t->value))
		why = "a UTF8String that is not UTF-8: X.690 8.23.10, RFC 3629";
	else if (t->id == DER_BMP_STRING && !bmp_ok(t->value, &pairs))
		why = "a BMPString of half characters: X.690 8.23.8";
	else if (t->id == DER_UNIVERSAL_STRING && !universal_ok(t->value))
		why = "a UniversalString that is none: X.690 8.23.7";
	if (why != NULL) {
		der_fault(d, no_text, at, t->whole.p, "%s", why);
		return false;
	}
	if (pairs)
		der_fault(d, FAULT_NOT_DER, at, t->whole.p,
		    "a BMPString with surrogate pairs: X.680 41.15");
	if (set != 0)
		check_alphabet(d, t, set, at);
	return true;
}

bool
der_string(struct der *d, const struct tlv *t, const struct place *at)
{
	return check_string(d, t, FAULT_MALFORMED, at);
}

bool
der_open_string(struct der *d, const struct tlv *t, const struct place *at)
{
	return check_string(d, t, FAULT_NOT_DER, at);
}

/* ---- any type ---------------------------------------------------------------------------- */

/* Whether an element of that universal type is constructed; strings never are in DER (10.2). */
static bool
has_right_form(struct der *d, const struct tlv *t, const struct place *at)
{
	bool constructed = (t->id & 0x20) != 0;
	bool due = t->number == 16 || t->number == 17;

	if (t->number == 8 || t->number == 11) /* EXTERNAL, EMBEDDED PDV: taken for opaque */
		return true;
	if (t->number == 0)
		der_fault(d, FAULT_MALFORMED, at, t->whole.p,
		    "an end-of-contents where nothing ends: X.690 8.1.5");
	else if (constructed != due)
		der_fault(d, FAULT_MALFORMED, at, t->whole.p,
		    due ? "a primitive SEQUENCE or SET: X.690 8.9.1"
		    : t->number >= 12 || t->number == 3 || t->number == 4
			? "a string in constructed form: X.690 10.2"
			: "constructed, which its type never is: X.690 8.2.1, 8.3.1, 8.8.1, "
			  "8.19.1");
	return t->number != 0 && constructed == due;
}

bool
der_any(struct der *d, const struct tlv *t, const struct place *at)
{
	struct span s;
	unsigned unused;
	bool truth;

	if (t->id >= 0x40)
		return true;
	if (!has_right_form(d, t, at))
		return false;
	switch (t->id) {
	case DER_BOOLEAN:
		return der_boolean(d, t, &truth, at);
	case DER_INTEGER:
		return der_integer(d, t, &s, at);
	case DER_BIT_STRING:
		return der_bit_string(d, t, &s, &unused, at);
	case DER_NULL:
		return der_null(d, t, at);
	case DER_OID:
		return der_oid(d, t, at);
	default:
		return der_string(d, t, at);
	}
}

bool
der_set_order(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = memcmp(a.p, b.p, n);

	if (c != 0)
		return c < 0;
	for (size_t i = n; i < a.len; i++) {
		if (a.p[i] != 0)
			return false;
	}
	return true;
}
