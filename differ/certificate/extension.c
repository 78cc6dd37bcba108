#include "extension.h"

#include <string.h>

#include "extension_reader.h"

bool
extension_open(const struct reading *r, const struct extension *e, uint8_t id, struct tlv *t,
    const struct place *at)
{
	struct cursor c = cursor_of(e->value);
	uint8_t primitive = id & ~0x20;

	/* A list in primitive form says the same, and is read by others. */
	if (id == DER_SEQUENCE && der_optional(r->d, &c, primitive, t, at))
		der_fault(r->d, FAULT_NOT_DER, at, t->whole.p,
		    "a SEQUENCE in primitive form: X.690 8.9.1");
	else if (!der_expect(r->d, &c, id, 0, t, at))
		return false;
	/* The extension is its first element; parsers agree to overlook what follows, so it is told
	 * and does not take the value away. */
	if (!der_at_end(&c))
		der_fault(r->d, FAULT_NOT_DER, at, c.p,
		    "%zu octets after the extension's value: RFC 5280 4.2", (size_t)(c.end - c.p));
	return true;
}

const struct value *
extension_with_critical(
    const struct reading *r, const struct extension *e, const char *name, const struct value *value)
{
	struct value_builder b = {.arena = r->arena};

	value_add_member(&b, name, value);
	value_add_member(&b, "critical", value_bool(r->arena, e->critical));
	return value_object(&b);
}

const struct value *
extension_oid_value(const struct reading *r, struct span oid)
{
	struct oid_entry known;

	if (r->arena == NULL)
		return value_null();
	if (oid_find(oid, &known) && known.purpose != NULL)
		return value_text_static(r->arena, known.purpose);
	return value_text_static(r->arena, oid_dotted(r->arena, oid, NULL));
}

void
extension_not_empty(const struct reading *r, const struct tlv *list, const struct place *at)
{
	if (list->value.len == 0)
		der_fault(r->d, FAULT_NOT_DER, at, list->whole.p, "an empty list: RFC 5280 4.2.1");
}

const struct value *
extension_set(const struct reading *r, const struct tlv *list, uint8_t id, element_reader *read,
    const struct place *up)
{
	struct value_builder b = {.arena = r->arena};
	struct place at = {up, NULL, 0};
	struct cursor in = cursor_of(list->value);
	struct tlv t;

	for (; !der_at_end(&in); at.index++) {
		if (!der_expect(r->d, &in, id, 0, &t, &at))
			return value_null();
		value_add(&b, read(r, &t, &at));
	}
	return value_set(&b);
}

const struct value *
extension_read_set(const struct reading *r, const struct extension *e, const char *name, uint8_t id,
    element_reader *read, const struct place *up)
{
	struct tlv list;

	if (!extension_open(r, e, DER_SEQUENCE, &list, up))
		return value_null();
	extension_not_empty(r, &list, up);
	return extension_with_critical(r, e, name, extension_set(r, &list, id, read, up));
}

/* ---- one function an extension ----------------------------------------------------------- */

/* RFC 5280 section 4.2.1.9 */
static const struct value *
read_basic_constraints(const struct reading *r, const struct extension *e, const struct place *up)
{
	struct value_builder b = {.arena = r->arena};
	struct place ca_at = {up, "cA", 0}, path_at = {up, "pathLenConstraint", 0};
	const struct value *path = value_null();
	struct cursor in;
	bool ca = false;
	int64_t n;
	struct tlv seq, t;

	if (!extension_open(r, e, DER_SEQUENCE, &seq, up))
		return value_null();
	in = cursor_of(seq.value);
	if (der_optional(r->d, &in, DER_BOOLEAN, &t, &ca_at)) {
		if (!der_boolean(r->d, &t, &ca, &ca_at))
			return value_null();
		if (!ca)
			der_fault(
			    r->d, FAULT_NOT_DER, &ca_at, t.whole.p, "encoded default: X.690 11.5");
	}
	if (der_optional(r->d, &in, DER_INTEGER, &t, &path_at) &&
	    der_number(r->d, &t, &n, &path_at)) {
		path = value_number(r->arena, n);
		if (n < 0)
			der_fault(r->d, FAULT_NOT_DER, &path_at, t.whole.p,
			    "a path length below zero: RFC 5280 4.2.1.9");
	}
	der_end(r->d, &in, up);
	value_add_member(&b, "ca", value_bool(r->arena, ca));
	value_add_member(&b, "path_len", path);
	value_add_member(&b, "critical", value_bool(r->arena, e->critical));
	return value_object(&b);
}

/* RFC 5280 section 4.2.1.3 */
static const struct value *
read_key_usage(const struct reading *r, const struct extension *e, const struct place *at)
{
	static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
	    "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly",
	    "decipherOnly"};
	struct value_builder b = {.arena = r->arena}, object = {.arena = r->arena};
	uint32_t bits;
	unsigned beyond;
	struct tlv t;

	if (!extension_open(r, e, DER_BIT_STRING, &t, at) ||
	    !der_named_bits(r->d, &t, &bits, &beyond, at))
		return value_null();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((bits >> i & 1) != 0)
			value_add(&b, value_text_static(r->arena, names[i]));
	}
	if (bits >> 9 != 0 || beyond > 0)
		der_fault(
		    r->d, FAULT_NOT_DER, at, t.whole.p, "bits that RFC 5280 4.2.1.3 does not know");
	value_add_member(&object, "bits", value_set(&b));
	if (bits >> 9 != 0 || beyond > 0)
		value_add_member(&object, "raw", value_hex(r->arena, t.value.p, t.value.len));
	value_add_member(&object, "critical", value_bool(r->arena, e->critical));
	return value_object(&object);
}

static const struct value *
read_purpose(const struct reading *r, const struct tlv *t, const struct place *at)
{
	return der_oid(r->d, t, at) ? extension_oid_value(r, t->value) : value_null();
}

/* RFC 5280 section 4.2.1.12 */
static const struct value *
read_ext_key_usage(const struct reading *r, const struct extension *e, const struct place *at)
{
	return extension_read_set(r, e, "oids", DER_OID, read_purpose, at);
}

/* RFC 5280 sections 4.2.1.6 and 4.2.1.7 */
static const struct value *
read_alt_name(const struct reading *r, const struct extension *e, const struct place *at)
{
	struct tlv seq;

	if (!extension_open(r, e, DER_SEQUENCE, &seq, at))
		return value_null();
	return extension_with_critical(r, e, "names", general_names_value(r, seq.value, at));
}

/* RFC 5280 section 4.2.1.2: a text of hex digits. */
static const struct value *
read_subject_key_id(const struct reading *r, const struct extension *e, const struct place *at)
{
	struct tlv t;

	if (!extension_open(r, e, DER_OCTET_STRING, &t, at))
		return value_null();
	return value_hex(r->arena, t.value.p, t.value.len);
}

/* RFC 5280 section 4.2.1.1: {"key_id", "issuer", "serial"}. */
static const struct value *
read_authority_key_id(const struct reading *r, const struct extension *e, const struct place *up)
{
	struct value_builder b = {.arena = r->arena};
	struct place issuer_at = {up, "authorityCertIssuer", 0},
		     serial_at = {up, "authorityCertSerialNumber", 0},
		     id_at = {up, "keyIdentifier", 0};
	struct cursor in;
	struct span digits;
	struct tlv seq, t;

	if (!extension_open(r, e, DER_SEQUENCE, &seq, up))
		return value_null();
	in = cursor_of(seq.value);
	value_add_member(&b, "key_id",
	    der_optional(r->d, &in, DER_CONTEXT | 0, &t, &id_at)
		? value_hex(r->arena, t.value.p, t.value.len)
		: value_null());
	value_add_member(&b, "issuer",
	    der_optional(r->d, &in, DER_CONTEXT_CONSTRUCTED | 1, &t, &issuer_at)
		? general_names_value(r, t.value, &issuer_at)
		: value_null());
	value_add_member(&b, "serial",
	    der_optional(r->d, &in, DER_CONTEXT | 2, &t, &serial_at) &&
		    der_integer(r->d, &t, &digits, &serial_at)
		? value_hex(r->arena, digits.p, digits.len)
		: value_null());
	der_end(r->d, &in, up);
	return value_object(&b);
}

/* ---- all of them ------------------------------------------------------------------------- */

static extension_reader *const readers[EXTENSION_KINDS] = {
    [EXTENSION_SUBJECT_KEY_ID] = read_subject_key_id,
    [EXTENSION_KEY_USAGE] = read_key_usage,
    [EXTENSION_SUBJECT_ALT_NAME] = read_alt_name,
    [EXTENSION_ISSUER_ALT_NAME] = read_alt_name,
    [EXTENSION_BASIC_CONSTRAINTS] = read_basic_constraints,
    [EXTENSION_NAME_CONSTRAINTS] = extension_read_name_constraints,
    [EXTENSION_CRL_DISTRIBUTION_POINTS] = extension_read_crl_points,
    [EXTENSION_CERTIFICATE_POLICIES] = extension_read_policies,
    [EXTENSION_POLICY_MAPPINGS] = extension_read_policy_mappings,
    [EXTENSION_AUTHORITY_KEY_ID] = read_authority_key_id,
    [EXTENSION_POLICY_CONSTRAINTS] = extension_read_policy_constraints,
    [EXTENSION_EXT_KEY_USAGE] = read_ext_key_usage,
    [EXTENSION_FRESHEST_CRL] = extension_read_crl_points,
    [EXTENSION_INHIBIT_ANY_POLICY] = extension_read_inhibit_any_policy,
    [EXTENSION_AUTHORITY_INFO_ACCESS] = extension_read_access,
    [EXTENSION_SUBJECT_INFO_ACCESS] = extension_read_access,
    [EXTENSION_QC_STATEMENTS] = extension_read_qc_statements,
    [EXTENSION_TLS_FEATURE] = extension_read_tls_feature,
    [EXTENSION_SCTS] = extension_read_scts,
    [EXTENSION_CT_POISON] = extension_read_poison,
};

void
extension_check(struct der *d, const struct extension *e, const struct place *at)
{
	struct reading r = {.d = d};

	if (readers[e->kind] != NULL)
		readers[e->kind](&r, e, at);
}

const struct value *
extension_value(struct arena *arena, const struct extension *e)
{
	struct der d = {.start = e->value.p, .muted = true};
	struct reading r = {.d = &d, .arena = arena};

	if (readers[e->kind] == NULL)
		return value_null();
	return readers[e->kind](&r, e, NULL);
}
