#include "der.h"

#include <libtasn1.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

void
der_init(struct der *d, struct span input)
{
	memset(d, 0, sizeof(*d));
	d->start = input.p;
}

void
der_finish(struct der *d)
{
	for (int kind = 0; kind < FAULT_KINDS; kind++) {
		free(d->faults[kind].list);
		d->faults[kind].list = NULL;
		d->faults[kind].n = d->faults[kind].cap = 0;
	}
}

static size_t
write_place(char *out, size_t room, const struct place *at)
{
	size_t used;

	if (at == NULL)
		return 0;
	used = write_place(out, room, at->up);
	if (used >= room)
		return room;
	if (at->name == NULL)
		used += (size_t)snprintf(out + used, room - used, "[%zu]", at->index);
	else
		used += (size_t)snprintf(
		    out + used, room - used, "%s%s", used > 0 ? "." : "", at->name);
	return used < room ? used : room;
}

/* Room for one more fault; NULL if it is only counted. */
static struct fault *
add_fault(struct der *d, enum fault_kind kind)
{
	struct fault *f;

	if (d->muted)
		return NULL;
	d->faults[kind].total++;
	if (d->faults[kind].n == DIFFER_FAULTS_MAX)
		return NULL;
	if (d->faults[kind].n == d->faults[kind].cap) {
		size_t cap = d->faults[kind].cap == 0 ? 4 : 2 * d->faults[kind].cap;

		d->faults[kind].list = mem_grow(d->faults[kind].list, cap, sizeof(*f));
		d->faults[kind].cap = cap;
	}
	f = &d->faults[kind].list[d->faults[kind].n++];
	memset(f, 0, sizeof(*f));
	return f;
}

void
der_take_faults(struct der *d, const struct der *other, enum fault_kind as)
{
	for (int kind = 0; kind < FAULT_KINDS; kind++) {
		for (size_t i = 0; i < other->faults[kind].n; i++) {
			struct fault *f = add_fault(d, as);

			if (f != NULL)
				*f = other->faults[kind].list[i];
		}
	}
}

void
der_fault(struct der *d, enum fault_kind kind, const struct place *at, const uint8_t *where,
    const char *fmt, ...)
{
	struct fault *f = add_fault(d, kind);
	va_list ap;

	if (f == NULL)
		return;
	f->offset = (size_t)(where - d->start);
	if (at == NULL || (at->up == NULL && at->name == NULL))
		snprintf(f->at, sizeof(f->at), "certificate");
	else
		write_place(f->at, sizeof(f->at), at);
	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
}

/* ---- elements ---------------------------------------------------------------------------- */

static const char *
tag_name(uint8_t id, char buf[24])
{
	static const char *const universal[32] = {"end-of-contents", "BOOLEAN", "INTEGER",
	    "BIT STRING", "OCTET STRING", "NULL", "OBJECT IDENTIFIER", NULL, NULL, NULL,
	    "ENUMERATED", NULL, "UTF8String", NULL, NULL, NULL, "SEQUENCE", "SET", "NumericString",
	    "PrintableString", "TeletexString", NULL, "IA5String", "UTCTime", "GeneralizedTime",
	    NULL, "VisibleString", "GeneralString", "UniversalString", NULL, "BMPString", NULL};
	static const char *const class[] = {"UNIVERSAL ", "APPLICATION ", "", "PRIVATE "};
	unsigned number = id & 0x1f;
	bool constructed = (id & 0x20) != 0;

	if (id < 0x40 && universal[number] != NULL && constructed == (number == 16 || number == 17))
		return universal[number];
	if (id < 0x40 && universal[number] != NULL)
		snprintf(buf, 24, "%.17s (%02X)", universal[number], id);
	else
		snprintf(buf, 24, "[%s%u]", class[id >> 6], number);
	return buf;
}

/* The identifier octets; their number, 0 with a fault. */
static size_t
read_tag(struct der *d, const struct cursor *c, struct tlv *out, const struct place *at)
{
	unsigned long number;
	unsigned char class;
	int len;

	out->id = c->p[0];
	out->number = c->p[0] & 0x1f;
	if (out->number != 0x1f)
		return 1;
	if (asn1_get_tag_der(c->p, c->end - c->p > INT32_MAX ? INT32_MAX : (int)(c->end - c->p),
		&class, &len, &number) != ASN1_SUCCESS ||
	    number > UINT32_MAX) {
		der_fault(d, FAULT_MALFORMED, at, c->p, "a tag that cannot be read: X.690 8.1.2");
		return 0;
	}
	if (number < 0x1f || c->p[1] == 0x80)
		der_fault(d, FAULT_NOT_DER, at, c->p, "non-minimal tag: X.690 8.1.2.2");
	out->number = (uint32_t)number;
	return (size_t)len;
}

/* Octets from p to behind the end-of-contents that closes the innermost open element there; 0 if
 * there is none. (libtasn1's asn1_get_length_ber() miscounts elements of indefinite length within
 * one.) */
static size_t
find_end_of_contents(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *start = p;
	unsigned open = 1;

	while (end - p >= 2) {
		int left = end - p > INT32_MAX ? INT32_MAX : (int)(end - p), tag_len, len_len;
		unsigned long number;
		unsigned char class;
		long len;

		if (p[0] == 0 && p[1] == 0) {
			p += 2;
			if (--open == 0)
				return (size_t)(p - start);
			continue;
		}
		if (asn1_get_tag_der(p, left, &class, &tag_len, &number) != ASN1_SUCCESS)
			return 0;
		len = asn1_get_length_der(p + tag_len, left - tag_len, &len_len);
		if (len < -1 || len_len < 1)
			return 0;
		if (len == -1 && ++open > DIFFER_DEPTH_MAX)
			return 0;
		p += tag_len + len_len + (len > 0 ? len : 0);
	}
	return 0;
}

/* An element of indefinite length (X.690 8.1.3.6). */
static bool
read_indefinite(
    struct der *d, struct cursor *c, size_t tag_len, struct tlv *out, const struct place *at)
{
	const uint8_t *contents = c->p + tag_len + 1;
	size_t len = find_end_of_contents(contents, c->end);

	if ((out->id & 0x20) == 0 || len == 0) {
		der_fault(d, FAULT_MALFORMED, at, c->p,
		    "indefinite length without an end: X.690 8.1.3.6, 10.1");
		return false;
	}
	der_fault(d, FAULT_NOT_DER, at, c->p, "indefinite length: X.690 10.1");
	out->value = span_of(contents, len - 2);
	out->whole = span_of(c->p, tag_len + 1 + len);
	c->p += out->whole.len;
	return true;
}

static bool
next_slowly(struct der *d, struct cursor *c, struct tlv *out, const struct place *at)
{
	size_t left = (size_t)(c->end - c->p), tag_len, head;
	long len;
	int len_len = 0;

	if (left == 0) {
		der_fault(d, FAULT_MALFORMED, at, c->p, "is missing");
		return false;
	}
	if ((tag_len = read_tag(d, c, out, at)) == 0)
		return false;
	if (left <= tag_len) {
		der_fault(d, FAULT_MALFORMED, at, c->p, "ends before its length: X.690 8.1.3");
		return false;
	}
	left -= tag_len;
	len =
	    asn1_get_length_der(c->p + tag_len, left > INT32_MAX ? INT32_MAX : (int)left, &len_len);
	/* libtasn1 takes what is there of length octets that are cut off. */
	if (c->p[tag_len] > 0x80 && left < 1u + (c->p[tag_len] & 0x7f))
		len = -2;
	if (len == -1)
		return read_indefinite(d, c, tag_len, out, at);
	if (len < 0) {
		der_fault(d, FAULT_MALFORMED, at, c->p,
		    len == -4 ? "is longer than what it stands in: X.690 8.1.3"
			      : "a length that cannot be read: X.690 8.1.3");
		if (len != -4 || !d->clamp)
			return false;
		len = (long)left - len_len;
	}
	head = tag_len + (size_t)len_len;
	/* Of this form only, no parser of the world reads it. */
	if (len == 0 && len_len > 1 && left == (size_t)len_len) {
		der_fault(d, FAULT_MALFORMED, at, c->p,
		    "a long length of nothing, where nothing follows: X.690 10.1");
		return false;
	}
	if ((len_len == 2 && len < 128) ||
	    (len_len > 2 && len_len < 10 && len >> (8 * (len_len - 2)) == 0))
		der_fault(d, FAULT_NOT_DER, at, c->p, "non-minimal length: X.690 10.1");
	out->value = span_of(c->p + head, (size_t)len);
	out->whole = span_of(c->p, head + (size_t)len);
	c->p += out->whole.len;
	return true;
}

/* Nearly every element has one identifier and one length octet. */
static inline bool
next(struct der *d, struct cursor *c, struct tlv *out, const struct place *at)
{
	const uint8_t *p = c->p;
	size_t left = (size_t)(c->end - p);

	if (left < 2 || (p[0] & 0x1f) == 0x1f || p[1] >= 0x80 || p[1] > left - 2)
		return next_slowly(d, c, out, at);
	out->id = p[0];
	out->number = p[0] & 0x1f;
	out->value = span_of(p + 2, p[1]);
	out->whole = span_of(p, 2u + p[1]);
	c->p = p + 2 + p[1];
	return true;
}

bool
der_next(struct der *d, struct cursor *c, struct tlv *out, const struct place *at)
{
	return next(d, c, out, at);
}

/* What stands there instead is said, and stepped over unless it is `then`. */
static bool
unexpected(struct der *d, struct cursor *c, uint8_t id, uint8_t then, struct tlv *out,
    const struct place *at)
{
	struct cursor before = *c;
	char want[24], found[24];

	if (der_at_end(c)) {
		der_fault(d, FAULT_MALFORMED, at, c->p, "%s is missing", tag_name(id, want));
		return false;
	}
	if (then != 0 && c->p[0] == then) {
		der_fault(d, FAULT_MALFORMED, at, c->p, "%s is missing, %s stands there",
		    tag_name(id, want), tag_name(then, found));
		return false;
	}
	if (!next(d, c, out, at)) {
		*c = before;
		return false;
	}
	der_fault(d, FAULT_MALFORMED, at, out->whole.p, "%s must stand here, not %s",
	    tag_name(id, want), tag_name(out->id, found));
	return false;
}

bool
der_expect(struct der *d, struct cursor *c, uint8_t id, uint8_t then, struct tlv *out,
    const struct place *at)
{
	if (c->p < c->end && c->p[0] == id)
		return next(d, c, out, at);
	return unexpected(d, c, id, then, out, at);
}

bool
der_optional(struct der *d, struct cursor *c, uint8_t id, struct tlv *out, const struct place *at)
{
	return c->p < c->end && c->p[0] == id && next(d, c, out, at);
}

bool
der_end(struct der *d, const struct cursor *c, const struct place *at)
{
	size_t left = (size_t)(c->end - c->p);

	if (left == 0)
		return true;
	der_fault(d, FAULT_MALFORMED, at, c->p, "%zu octet%s too many at its end", left,
	    left == 1 ? "" : "s");
	return false;
}
