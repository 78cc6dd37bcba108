#include "general_name.h"

#include <string.h>

#include "name.h"
#include "oid.h"
#include "store/base/ip.h"

/* "prefix:" and text, of the arena. */
static const struct value *
prefixed(const struct reading *r, const char *prefix, const void *text, size_t len)
{
	size_t n = strlen(prefix);
	struct value *v;
	char *out;

	if (r->arena == NULL)
		return value_null();
	out = arena_alloc(r->arena, n + len + 1);
	memcpy(out, prefix, n);
	if (len > 0)
		memcpy(out + n, text, len);
	out[n + len] = '\0';
	v = arena_alloc(r->arena, sizeof(*v));
	*v = (struct value){.kind = VALUE_TEXT, .text = out, .len = n + len};
	return v;
}

static const struct value *
prefixed_dump(const struct reading *r, const char *prefix, const struct tlv *t)
{
	char *out;

	if (r->arena == NULL)
		return value_null();
	out = arena_alloc(r->arena, NAME_ROOM(t->whole.len));
	return prefixed(r, prefix, out, name_write_value(out, t, true));
}

static const struct value *
read_ia5(const struct reading *r, const char *prefix, const struct tlv *t, const struct place *at)
{
	struct tlv as_string = *t;

	as_string.id = DER_IA5_STRING;
	der_string(r->d, &as_string, at);
	return prefixed(r, prefix, t->value.p, t->value.len);
}

static void
append_ip(char *out, const uint8_t *p, size_t len)
{
	struct ip ip = {.family = len == 4 ? 4 : 6};

	memcpy(ip.octets, p, len);
	ip_format(&ip, out + strlen(out));
}

static const struct value *
read_ip(const struct reading *r, const struct tlv *t, bool mask, const struct place *at)
{
	size_t len = mask ? t->value.len / 2 : t->value.len;
	char text[2 * IP_TEXT_MAX + 2] = "";

	if ((len != 4 && len != 16) || (mask && t->value.len % 2 != 0)) {
		der_fault(r->d, FAULT_NOT_DER, at, t->whole.p,
		    "an iPAddress of %zu octets: RFC 5280 %s", t->value.len,
		    mask ? "4.2.1.10" : "4.2.1.6");
		return prefixed_dump(r, "ip:", t);
	}
	if (r->arena == NULL)
		return value_null();
	append_ip(text, t->value.p, len);
	if (mask) {
		strcat(text, "/");
		append_ip(text, t->value.p + len, len);
	}
	return prefixed(r, "ip:", text, strlen(text));
}

static const struct value *
read_directory_name(const struct reading *r, const struct tlv *t, const struct place *at)
{
	struct cursor c = cursor_of(t->value);
	const struct value *v;
	struct tlv seq;

	if (!der_expect(r->d, &c, DER_SEQUENCE, 0, &seq, at) || !name_check(r->d, seq.value, at) ||
	    !der_end(r->d, &c, at) || r->arena == NULL)
		return value_null();
	v = name_value(r->arena, seq.value);
	return prefixed(r, "dirname:", v->text, v->len);
}

/* OtherName: "othername:1.2.3=text", or "=#hex" where the value is no string. */
static const struct value *
read_other_name(const struct reading *r, const struct tlv *t, const struct place *at)
{
	struct cursor c = cursor_of(t->value), inner;
	struct tlv oid, outer, value;
	const char *dotted;
	bool is_text;
	size_t len;
	char *out;

	if (!der_expect(r->d, &c, DER_OID, 0, &oid, at) || !der_oid(r->d, &oid, at) ||
	    !der_expect(r->d, &c, DER_CONTEXT_CONSTRUCTED | 0, 0, &outer, at) ||
	    !der_end(r->d, &c, at))
		return value_null();
	inner = cursor_of(outer.value);
	if (!der_next(r->d, &inner, &value, at) || !der_end(r->d, &inner, at))
		return value_null();
	is_text = der_open_string(r->d, &value, at);
	if (r->arena == NULL)
		return value_null();
	dotted = oid_dotted(r->arena, oid.value, &len);
	out = arena_alloc(r->arena, len + 1 + NAME_ROOM(value.whole.len));
	memcpy(out, dotted, len);
	out[len++] = '=';
	len += name_write_value(out + len, &value, !is_text);
	return prefixed(r, "othername:", out, len);
}

static const struct value *
read_registered_id(const struct reading *r, const struct tlv *t, const struct place *at)
{
	const char *dotted;
	size_t len;

	if (!der_oid(r->d, t, at) || r->arena == NULL)
		return value_null();
	dotted = oid_dotted(r->arena, t->value, &len);
	return prefixed(r, "rid:", dotted, len);
}

const struct value *
general_name_value(const struct reading *r, const struct tlv *t, bool mask, const struct place *at)
{
	switch (t->id) {
	case DER_CONTEXT_CONSTRUCTED | 0:
		return read_other_name(r, t, at);
	case DER_CONTEXT | 1:
		return read_ia5(r, "email:", t, at);
	case DER_CONTEXT | 2:
		return read_ia5(r, "dns:", t, at);
	case DER_CONTEXT_CONSTRUCTED | 3:
		return prefixed_dump(r, "x400:", t);
	case DER_CONTEXT_CONSTRUCTED | 4:
		return read_directory_name(r, t, at);
	case DER_CONTEXT_CONSTRUCTED | 5:
		return prefixed_dump(r, "ediparty:", t);
	case DER_CONTEXT | 6:
		return read_ia5(r, "uri:", t, at);
	case DER_CONTEXT | 7:
		return read_ip(r, t, mask, at);
	case DER_CONTEXT | 8:
		return read_registered_id(r, t, at);
	default:
		der_fault(r->d, FAULT_MALFORMED, at, t->whole.p,
		    "no GeneralName has the tag %02X: RFC 5280 4.2.1.6", t->id);
		return value_null();
	}
}

const struct value *
general_names_value(const struct reading *r, struct span contents, const struct place *up)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor c = cursor_of(contents);
	struct place at = {up, NULL, 0};
	struct tlv t;

	if (contents.len == 0)
		der_fault(r->d, FAULT_NOT_DER, up, contents.p, "no name at all: RFC 5280 4.2.1.6");
	for (; !der_at_end(&c) && der_next(r->d, &c, &t, &at); at.index++)
		value_add(&b, general_name_value(r, &t, false, &at));
	return value_set(&b);
}
