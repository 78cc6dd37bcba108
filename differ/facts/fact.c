#include "fact.h"

#include <string.h>

#include "differ/certificate/extension.h"
#include "differ/certificate/name.h"
#include "differ/certificate/pss.h"

/* ---- parts ------------------------------------------------------------------------------- */

/* NULL if the part was read; else what stands for its value. */
static const struct value *
unread(const struct fact_input *in, const struct part *part)
{
	if (part->state == PART_OK)
		return NULL;
	if (part->state == PART_ABSENT)
		return value_null();
	return value_malformed(in->arena, part->why);
}

static const struct value *
unread_part(const struct fact_input *in, enum cert_part part)
{
	return unread(in, &in->cert->part[part]);
}

const struct value *
fact_none(struct fact_input *in)
{
	return value_null();
}

const struct value *
fact_sha256(struct fact_input *in)
{
	struct hash hash = hash_sha256(in->cert->der.p, in->cert->der.len);

	return value_hex(in->arena, hash.bytes, HASH_LEN);
}

const struct value *
fact_version(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_VERSION);

	return v != NULL ? v : value_number(in->arena, in->cert->version);
}

/* Of a negative number the magnitude of its two's complement, with a sign. */
const struct value *
fact_serial(struct fact_input *in)
{
	static const char digits[] = "0123456789ABCDEF";
	const struct value *unreadable = unread_part(in, CERT_SERIAL);
	struct span s = in->cert->serial;
	struct value *v;
	bool negative;
	char *out;
	size_t n = 0, skip;
	unsigned carry = 1;

	if (unreadable != NULL)
		return unreadable;
	negative = s.p[0] >= 0x80;
	out = arena_alloc(in->arena, 2 * s.len + 2);
	if (negative)
		out[n++] = '-';
	for (size_t i = s.len; i-- > 0;) {
		unsigned octet = negative ? (uint8_t)~s.p[i] + carry : s.p[i];

		carry = octet >> 8;
		out[n + 2 * i] = digits[octet >> 4 & 15];
		out[n + 2 * i + 1] = digits[octet & 15];
	}
	/* The sign's octet of zeros does not count. */
	skip = s.len > 1 && out[n] == '0' && out[n + 1] == '0' ? 2 : 0;
	memmove(out + n, out + n + skip, 2 * s.len - skip);
	out[n + 2 * s.len - skip] = '\0';
	v = value_text_static(in->arena, out);
	return v;
}

static const struct value *
oid_value(const struct fact_input *in, struct span oid)
{
	return value_text_static(in->arena, oid_dotted(in->arena, oid, NULL));
}

static const struct value *
algorithm_name(const struct fact_input *in, struct span oid)
{
	struct oid_entry known;

	if (!oid_find(oid, &known))
		return oid_value(in, oid);
	return value_text_static(in->arena, known.algorithm != NULL ? known.algorithm : known.oid);
}

const struct value *
fact_signature_algorithm(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_OUTER_ALGORITHM);

	return v != NULL ? v : algorithm_name(in, in->cert->outer.oid);
}

const struct value *
fact_signature_algorithm_oid(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_OUTER_ALGORITHM);

	return v != NULL ? v : oid_value(in, in->cert->outer.oid);
}

static const struct value *
parameters_value(const struct fact_input *in, const struct algorithm *algorithm)
{
	const struct tlv *parameters = &algorithm->parameters;

	if (parameters->whole.len == 0 || parameters->id == DER_NULL)
		return value_null();
	if (pss_is(algorithm->oid))
		return pss_value(in->arena, parameters);
	return value_hex(in->arena, parameters->whole.p, parameters->whole.len);
}

const struct value *
fact_signature_parameters(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_OUTER_ALGORITHM);

	return v != NULL ? v : parameters_value(in, &in->cert->outer);
}

const struct value *
fact_inner_signature_algorithm(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_INNER_ALGORITHM);

	return v != NULL ? v : algorithm_name(in, in->cert->inner.oid);
}

const struct value *
fact_signature_algorithms_agree(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_INNER_ALGORITHM);

	if (v == NULL)
		v = unread_part(in, CERT_OUTER_ALGORITHM);
	if (v != NULL)
		return v;
	return value_bool(in->arena, span_equal(in->cert->inner.whole, in->cert->outer.whole));
}

const struct value *
fact_issuer(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_ISSUER);

	return v != NULL ? v : name_value(in->arena, in->cert->issuer);
}

const struct value *
fact_subject(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_SUBJECT);

	return v != NULL ? v : name_value(in->arena, in->cert->subject);
}

const struct value *
fact_not_before(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_NOT_BEFORE);

	return v != NULL ? v : value_time(in->arena, in->cert->not_before_ms);
}

const struct value *
fact_not_after(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_NOT_AFTER);

	return v != NULL ? v : value_time(in->arena, in->cert->not_after_ms);
}

static const struct value *
unique_id(const struct fact_input *in, enum cert_part part)
{
	const struct value *v = unread_part(in, part);
	struct span whole = in->cert->part[part].whole;
	struct cursor c = cursor_of(whole);
	struct der d = {.start = whole.p, .muted = true};
	struct tlv t;

	if (v != NULL || !der_next(&d, &c, &t, NULL))
		return v != NULL ? v : value_null();
	return value_hex(in->arena, t.value.p, t.value.len);
}

const struct value *
fact_issuer_unique_id(struct fact_input *in)
{
	return unique_id(in, CERT_ISSUER_UID);
}

const struct value *
fact_subject_unique_id(struct fact_input *in)
{
	return unique_id(in, CERT_SUBJECT_UID);
}

/* ---- the key ----------------------------------------------------------------------------- */

/* NULL if the key can be read. */
static const struct value *
unread_key(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_KEY);

	if (v != NULL)
		return v;
	if (!in->has_key) {
		key_read(in->cert, &in->key);
		in->has_key = true;
	}
	return in->key.malformed ? value_malformed(in->arena, in->key.why) : NULL;
}

const struct value *
fact_key_algorithm(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_KEY);

	return v != NULL ? v : algorithm_name(in, in->cert->key.oid);
}

const struct value *
fact_key_algorithm_oid(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_KEY);

	return v != NULL ? v : oid_value(in, in->cert->key.oid);
}

const struct value *
fact_key_bits(struct fact_input *in)
{
	const struct value *v = unread_key(in);

	if (v != NULL)
		return v;
	return in->key.bits == 0 ? value_null() : value_number(in->arena, in->key.bits);
}

/* Whether the key, read or not, is of that kind; true if its algorithm cannot be told. */
static bool
may_be(const struct fact_input *in, enum key_kind kind)
{
	struct oid_entry known;

	return in->cert->part[CERT_KEY].state != PART_OK ||
	       (oid_find(in->cert->key.oid, &known) && known.key == kind);
}

const struct value *
fact_key_curve(struct fact_input *in)
{
	const struct value *v = may_be(in, KEY_EC) ? unread_key(in) : value_null();

	if (v != NULL)
		return v;
	if (in->key.curve_explicit)
		return value_text_static(in->arena, "explicit");
	if (in->key.curve != NULL)
		return value_text_static(in->arena, in->key.curve);
	if (in->key.curve_oid.len > 0)
		return oid_value(in, in->key.curve_oid);
	return value_null();
}

/* Where key_curve tells all of them, none. */
const struct value *
fact_key_parameters(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_KEY);

	if (v != NULL)
		return v;
	if (in->cert->key.parameters.id == DER_OID && may_be(in, KEY_EC))
		return value_null();
	return parameters_value(in, &in->cert->key);
}

const struct value *
fact_key_strength_bits(struct fact_input *in)
{
	const struct value *v = unread_key(in);

	if (v != NULL)
		return v;
	return in->key.strength_bits < 0 ? value_null()
					 : value_number(in->arena, in->key.strength_bits);
}

/* A number where it fits one; else hexadecimal. */
const struct value *
fact_key_exponent(struct fact_input *in)
{
	const struct value *v = may_be(in, KEY_RSA) ? unread_key(in) : value_null();
	struct span e = in->key.exponent;
	int64_t n = 0;

	if (v != NULL)
		return v;
	while (e.len > 0 && e.p[0] == 0)
		e = span_of(e.p + 1, e.len - 1);
	if (e.len > 8 || (e.len == 8 && e.p[0] >= 0x80))
		return value_hex(in->arena, e.p, e.len);
	for (size_t i = 0; i < e.len; i++)
		n = n << 8 | e.p[i];
	return value_number(in->arena, n);
}

const struct value *
fact_spki_sha256(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_KEY);
	struct hash hash;

	if (v != NULL)
		return v;
	hash = hash_sha256(in->cert->part[CERT_KEY].whole.p, in->cert->part[CERT_KEY].whole.len);
	return value_hex(in->arena, hash.bytes, HASH_LEN);
}

/* ---- extensions -------------------------------------------------------------------------- */

/* NULL if it is there and can be read. */
static const struct value *
unread_extension(const struct fact_input *in, enum extension_kind kind)
{
	const struct extension *e = in->cert->known[kind];

	if (e != NULL)
		return unread(in, &e->part);
	return unread(in, &in->cert->unread_extensions);
}

static const struct value *
extension_of(const struct fact_input *in, enum extension_kind kind)
{
	const struct value *v = unread_extension(in, kind);

	return v != NULL ? v : extension_value(in->arena, in->cert->known[kind]);
}

#define EXTENSION_FACT(name, kind)                             \
	const struct value *fact_##name(struct fact_input *in) \
	{                                                      \
		return extension_of(in, EXTENSION_##kind);     \
	}

EXTENSION_FACT(key_usage, KEY_USAGE)
EXTENSION_FACT(basic_constraints, BASIC_CONSTRAINTS)
EXTENSION_FACT(extended_key_usage, EXT_KEY_USAGE)
EXTENSION_FACT(subject_alt_names, SUBJECT_ALT_NAME)
EXTENSION_FACT(subject_key_id, SUBJECT_KEY_ID)
EXTENSION_FACT(issuer_alt_names, ISSUER_ALT_NAME)
EXTENSION_FACT(policies, CERTIFICATE_POLICIES)
EXTENSION_FACT(policy_mappings, POLICY_MAPPINGS)
EXTENSION_FACT(policy_constraints, POLICY_CONSTRAINTS)
EXTENSION_FACT(inhibit_any_policy, INHIBIT_ANY_POLICY)
EXTENSION_FACT(name_constraints, NAME_CONSTRAINTS)
EXTENSION_FACT(authority_info_access, AUTHORITY_INFO_ACCESS)
EXTENSION_FACT(subject_info_access, SUBJECT_INFO_ACCESS)
EXTENSION_FACT(crl_distribution_points, CRL_DISTRIBUTION_POINTS)
EXTENSION_FACT(freshest_crl, FRESHEST_CRL)
EXTENSION_FACT(scts, SCTS)
EXTENSION_FACT(tls_features, TLS_FEATURE)
EXTENSION_FACT(ct_poison, CT_POISON)
EXTENSION_FACT(qc_statements, QC_STATEMENTS)

const struct value *
fact_authority_key_id(struct fact_input *in)
{
	const struct value *v = extension_of(in, EXTENSION_AUTHORITY_KEY_ID);

	return v->kind == VALUE_OBJECT ? value_member(v, "key_id") : v;
}

const struct value *
fact_authority_cert(struct fact_input *in)
{
	const struct value *v = extension_of(in, EXTENSION_AUTHORITY_KEY_ID);
	struct value_builder b = {.arena = in->arena};

	if (v->kind != VALUE_OBJECT)
		return v;
	if (value_member(v, "issuer")->kind == VALUE_NULL &&
	    value_member(v, "serial")->kind == VALUE_NULL)
		return value_null();
	value_add_member(&b, "issuer", value_member(v, "issuer"));
	value_add_member(&b, "serial", value_member(v, "serial"));
	return value_object(&b);
}

const struct value *
fact_self_signed(struct fact_input *in)
{
	const struct value *v = unread_part(in, CERT_ISSUER), *authority, *subject;

	if (v == NULL)
		v = unread_part(in, CERT_SUBJECT);
	if (v != NULL)
		return v;
	authority = fact_authority_key_id(in);
	subject = extension_of(in, EXTENSION_SUBJECT_KEY_ID);
	if (!cert_same_part(in->cert, in->cert, CERT_ISSUER) ||
	    !span_equal(in->cert->part[CERT_ISSUER].whole, in->cert->part[CERT_SUBJECT].whole))
		return value_bool(in->arena, false);
	if (authority->kind == VALUE_MALFORMED)
		return authority;
	return value_bool(
	    in->arena, authority->kind == VALUE_NULL || value_equal(authority, subject));
}

/* Always a list. */
const struct value *
fact_extensions(struct fact_input *in)
{
	struct value_builder b = {.arena = in->arena};

	for (size_t i = 0; i < in->cert->extensions_n; i++) {
		const struct extension *e = &in->cert->extensions[i];
		struct value_builder one = {.arena = in->arena};
		struct hash hash = hash_sha256(e->value.p, e->value.len);
		struct oid_entry known;
		bool is_known = oid_find(e->oid, &known);

		value_add_member(&one, "oid",
		    is_known ? value_text_static(in->arena, known.oid) : oid_value(in, e->oid));
		value_add_member(&one, "name",
		    known.extension != NULL ? value_text_static(in->arena, known.extension)
					    : value_null());
		value_add_member(&one, "critical", value_bool(in->arena, e->critical));
		value_add_member(&one, "sha256",
		    e->value.p == NULL ? value_malformed(in->arena, e->part.why)
				       : value_hex(in->arena, hash.bytes, HASH_LEN));
		value_add(&b, value_object(&one));
	}
	return value_list(&b);
}
