#include <string.h>

#include "extension_reader.h"
#include "name.h"

#define OID_CPS "\x2b\x06\x01\x05\x05\x07\x02\x01"	   /* 1.3.6.1.5.5.7.2.1 */
#define OID_USER_NOTICE "\x2b\x06\x01\x05\x05\x07\x02\x02" /* 1.3.6.1.5.5.7.2.2 */

static bool
is_oid(struct span oid, const char *octets)
{
	return oid.len == 8 && memcmp(oid.p, octets, 8) == 0;
}

static const struct value *
string_value(const struct reading *r, const struct tlv *t)
{
	char *out;
	size_t len;

	if (r->arena == NULL)
		return value_null();
	out = arena_alloc(r->arena, NAME_ROOM(t->whole.len));
	len = name_write_value(out, t, false);
	return value_text_len(r->arena, out, len);
}

/* The text of a UserNotice; hex of all of it where it refers to texts elsewhere. */
static const struct value *
read_notice(const struct reading *r, const struct tlv *t, const struct place *at)
{
	struct cursor in = cursor_of(t->value);
	struct tlv text;

	if (t->id != DER_SEQUENCE || der_at_end(&in) || *in.p == DER_SEQUENCE)
		return value_hex(r->arena, t->whole.p, t->whole.len);
	if (!der_next(r->d, &in, &text, at) || !der_string(r->d, &text, at) ||
	    !der_end(r->d, &in, at))
		return value_null();
	return string_value(r, &text);
}

/* PolicyQualifierInfo: {"oid", "cps"|"notice"|"value"}. */
static const struct value *
read_qualifier(const struct reading *r, const struct tlv *seq, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in = cursor_of(seq->value);
	struct tlv oid, t;

	if (!der_expect(r->d, &in, DER_OID, 0, &oid, at) || !der_oid(r->d, &oid, at) ||
	    !der_next(r->d, &in, &t, at) || !der_end(r->d, &in, at))
		return value_null();
	value_add_member(&b, "oid", extension_oid_value(r, oid.value));
	if (is_oid(oid.value, OID_CPS) && t.id == DER_IA5_STRING && der_string(r->d, &t, at))
		value_add_member(&b, "cps", value_text_len(r->arena, t.value.p, t.value.len));
	else if (is_oid(oid.value, OID_USER_NOTICE))
		value_add_member(&b, "notice", read_notice(r, &t, at));
	else
		value_add_member(&b, "value", value_hex(r->arena, t.whole.p, t.whole.len));
	return value_object(&b);
}

static const struct value *
read_policy(const struct reading *r, const struct tlv *seq, const struct place *up)
{
	struct value_builder b = {.arena = r->arena};
	struct place at = {up, "policyQualifiers", 0};
	struct cursor in = cursor_of(seq->value);
	struct tlv oid, list;

	if (!der_expect(r->d, &in, DER_OID, 0, &oid, up) || !der_oid(r->d, &oid, up))
		return value_null();
	value_add_member(&b, "oid", extension_oid_value(r, oid.value));
	if (der_optional(r->d, &in, DER_SEQUENCE, &list, &at)) {
		extension_not_empty(r, &list, &at);
		value_add_member(
		    &b, "qualifiers", extension_set(r, &list, DER_SEQUENCE, read_qualifier, &at));
	}
	der_end(r->d, &in, up);
	return value_object(&b);
}

/* RFC 5280 section 4.2.1.4 */
const struct value *
extension_read_policies(const struct reading *r, const struct extension *e, const struct place *at)
{
	return extension_read_set(r, e, "policies", DER_SEQUENCE, read_policy, at);
}

static const struct value *
read_mapping(const struct reading *r, const struct tlv *seq, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in = cursor_of(seq->value);
	struct tlv from, to;

	if (!der_expect(r->d, &in, DER_OID, 0, &from, at) || !der_oid(r->d, &from, at) ||
	    !der_expect(r->d, &in, DER_OID, 0, &to, at) || !der_oid(r->d, &to, at) ||
	    !der_end(r->d, &in, at))
		return value_null();
	value_add_member(&b, "issuer", extension_oid_value(r, from.value));
	value_add_member(&b, "subject", extension_oid_value(r, to.value));
	return value_object(&b);
}

/* RFC 5280 section 4.2.1.5 */
const struct value *
extension_read_policy_mappings(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	return extension_read_set(r, e, "mappings", DER_SEQUENCE, read_mapping, at);
}

/* [n] INTEGER OPTIONAL */
static const struct value *
optional_number(const struct reading *r, struct cursor *in, uint8_t id, const struct place *at)
{
	int64_t n;
	struct tlv t;

	if (!der_optional(r->d, in, id, &t, at) || !der_number(r->d, &t, &n, at))
		return value_null();
	return value_number(r->arena, n);
}

/* RFC 5280 section 4.2.1.11 */
const struct value *
extension_read_policy_constraints(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in;
	struct tlv seq;

	if (!extension_open(r, e, DER_SEQUENCE, &seq, at))
		return value_null();
	extension_not_empty(r, &seq, at);
	in = cursor_of(seq.value);
	value_add_member(
	    &b, "require_explicit_policy", optional_number(r, &in, DER_CONTEXT | 0, at));
	value_add_member(
	    &b, "inhibit_policy_mapping", optional_number(r, &in, DER_CONTEXT | 1, at));
	value_add_member(&b, "critical", value_bool(r->arena, e->critical));
	der_end(r->d, &in, at);
	return value_object(&b);
}

/* RFC 5280 section 4.2.1.14 */
const struct value *
extension_read_inhibit_any_policy(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	int64_t n;
	struct tlv t;

	if (!extension_open(r, e, DER_INTEGER, &t, at) || !der_number(r->d, &t, &n, at))
		return value_null();
	return extension_with_critical(r, e, "skip_certs", value_number(r->arena, n));
}

/* GeneralSubtree: its base; minimum and maximum, which RFC 5280 does not use, by number. */
static const struct value *
read_subtree(const struct reading *r, const struct tlv *seq, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in = cursor_of(seq->value);
	const struct value *base, *least, *most;
	const uint8_t *start;
	struct tlv t;

	if (!der_next(r->d, &in, &t, at))
		return value_null();
	base = general_name_value(r, &t, true, at);
	start = in.p;
	least = optional_number(r, &in, DER_CONTEXT | 0, at);
	most = optional_number(r, &in, DER_CONTEXT | 1, at);
	der_end(r->d, &in, at);
	if (in.p == start)
		return base;
	value_add_member(&b, "base", base);
	value_add_member(&b, "minimum", least);
	value_add_member(&b, "maximum", most);
	return value_object(&b);
}

static const struct value *
read_subtrees(const struct reading *r, struct cursor *in, uint8_t id, const struct place *at)
{
	struct tlv list;

	if (!der_optional(r->d, in, id, &list, at))
		return value_null();
	extension_not_empty(r, &list, at);
	return extension_set(r, &list, DER_SEQUENCE, read_subtree, at);
}

/* RFC 5280 section 4.2.1.10 */
const struct value *
extension_read_name_constraints(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	struct place permitted = {at, "permittedSubtrees", 0},
		     excluded = {at, "excludedSubtrees", 0};
	struct value_builder b = {.arena = r->arena};
	struct cursor in;
	struct tlv seq;

	if (!extension_open(r, e, DER_SEQUENCE, &seq, at))
		return value_null();
	extension_not_empty(r, &seq, at);
	in = cursor_of(seq.value);
	value_add_member(
	    &b, "permitted", read_subtrees(r, &in, DER_CONTEXT_CONSTRUCTED | 0, &permitted));
	value_add_member(
	    &b, "excluded", read_subtrees(r, &in, DER_CONTEXT_CONSTRUCTED | 1, &excluded));
	value_add_member(&b, "critical", value_bool(r->arena, e->critical));
	der_end(r->d, &in, at);
	return value_object(&b);
}
