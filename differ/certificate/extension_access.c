#include <string.h>

#include "extension_reader.h"
#include "name.h"
#include "store/base/buf.h"
#include "store/base/clock.h"

/* id-ad-ocsp, id-ad-caIssuers … by name: RFC 5280 section 4.2.2. */
static const struct value *
access_method(const struct reading *r, struct span oid)
{
	static const struct {
		uint8_t last;
		const char *name;
	} known[] = {{1, "ocsp"}, {2, "caIssuers"}, {3, "timeStamping"}, {5, "caRepository"}};
	static const uint8_t id_ad[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30};

	if (oid.len == sizeof(id_ad) + 1 && memcmp(oid.p, id_ad, sizeof(id_ad)) == 0) {
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (known[i].last == oid.p[sizeof(id_ad)])
				return value_text_static(r->arena, known[i].name);
		}
	}
	return extension_oid_value(r, oid);
}

/* AccessDescription: {"method", "location"}. */
static const struct value *
read_description(const struct reading *r, const struct tlv *seq, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in = cursor_of(seq->value);
	struct tlv oid, name;

	if (!der_expect(r->d, &in, DER_OID, 0, &oid, at) || !der_oid(r->d, &oid, at) ||
	    !der_next(r->d, &in, &name, at) || !der_end(r->d, &in, at))
		return value_null();
	value_add_member(&b, "method", access_method(r, oid.value));
	value_add_member(&b, "location", general_name_value(r, &name, false, at));
	return value_object(&b);
}

/* AuthorityInfoAccess and SubjectInfoAccess: RFC 5280 section 4.2.2 */
const struct value *
extension_read_access(const struct reading *r, const struct extension *e, const struct place *at)
{
	return extension_read_set(r, e, "access", DER_SEQUENCE, read_description, at);
}

/* DistributionPointName: fullName, or a name relative to the issuer's as hex. */
static void
read_point_name(
    const struct reading *r, struct cursor *in, struct value_builder *b, const struct place *at)
{
	struct cursor inner;
	struct tlv outer, t;

	if (!der_optional(r->d, in, DER_CONTEXT_CONSTRUCTED | 0, &outer, at))
		return;
	inner = cursor_of(outer.value);
	if (!der_next(r->d, &inner, &t, at) || !der_end(r->d, &inner, at))
		return;
	if (t.id == (DER_CONTEXT_CONSTRUCTED | 0))
		value_add_member(b, "names", general_names_value(r, t.value, at));
	else if (t.id == (DER_CONTEXT_CONSTRUCTED | 1))
		value_add_member(b, "relative", value_hex(r->arena, t.value.p, t.value.len));
	else
		der_fault(r->d, FAULT_MALFORMED, at, t.whole.p,
		    "no DistributionPointName: RFC 5280 4.2.1.13");
}

static const struct value *
read_point(const struct reading *r, const struct tlv *seq, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in = cursor_of(seq->value);
	unsigned beyond;
	uint32_t bits;
	struct tlv t;

	read_point_name(r, &in, &b, at);
	if (der_optional(r->d, &in, DER_CONTEXT | 1, &t, at) &&
	    der_named_bits(r->d, &t, &bits, &beyond, at))
		value_add_member(&b, "reasons", value_hex(r->arena, t.value.p, t.value.len));
	if (der_optional(r->d, &in, DER_CONTEXT_CONSTRUCTED | 2, &t, at))
		value_add_member(&b, "issuer", general_names_value(r, t.value, at));
	der_end(r->d, &in, at);
	return value_object(&b);
}

/* CRLDistributionPoints and FreshestCRL: RFC 5280 sections 4.2.1.13 and 4.2.1.15 */
const struct value *
extension_read_crl_points(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	return extension_read_set(r, e, "points", DER_SEQUENCE, read_point, at);
}

/* QCStatement: {"oid", "info": hex|null}. */
static const struct value *
read_statement(const struct reading *r, const struct tlv *seq, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct cursor in = cursor_of(seq->value);
	const struct value *info = value_null();
	struct tlv oid, t;

	if (!der_expect(r->d, &in, DER_OID, 0, &oid, at) || !der_oid(r->d, &oid, at))
		return value_null();
	if (!der_at_end(&in)) {
		if (!der_next(r->d, &in, &t, at) || !der_end(r->d, &in, at))
			return value_null();
		info = value_hex(r->arena, t.whole.p, t.whole.len);
	}
	value_add_member(&b, "oid", extension_oid_value(r, oid.value));
	value_add_member(&b, "info", info);
	return value_object(&b);
}

/* RFC 3739 section 3.2.6 */
const struct value *
extension_read_qc_statements(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	struct tlv list;

	if (!extension_open(r, e, DER_SEQUENCE, &list, at))
		return value_null();
	return extension_with_critical(
	    r, e, "statements", extension_set(r, &list, DER_SEQUENCE, read_statement, at));
}

static const struct value *
read_feature(const struct reading *r, const struct tlv *t, const struct place *at)
{
	int64_t n;

	if (!der_number(r->d, t, &n, at))
		return value_null();
	if (n == 5)
		return value_text_static(r->arena, "status_request");
	if (n == 17)
		return value_text_static(r->arena, "status_request_v2");
	return value_number(r->arena, n);
}

/* RFC 7633: extensions of the TLS handshake; status_request is must-staple. */
const struct value *
extension_read_tls_feature(
    const struct reading *r, const struct extension *e, const struct place *at)
{
	struct tlv list;

	if (!extension_open(r, e, DER_SEQUENCE, &list, at))
		return value_null();
	return extension_with_critical(
	    r, e, "features", extension_set(r, &list, DER_INTEGER, read_feature, at));
}

/* One SignedCertificateTimestamp of RFC 6962 section 3.2; false if it is none. */
static bool
read_sct(const struct reading *r, const uint8_t *p, size_t len, struct value_builder *list)
{
	struct value_builder b = {.arena = r->arena};
	struct reader in = reader_of(p, len);
	uint8_t version = reader_byte(&in);
	const uint8_t *log = reader_take(&in, 32);
	uint64_t time_ms = reader_u64be(&in);
	char text[CLOCK_TEXT_MAX];

	if (in.failed)
		return false;
	if (version == 0) {
		reader_take(&in, reader_u16be(&in)); /* extensions */
		reader_u16be(&in);		     /* algorithms of hash and signature */
		reader_take(&in, reader_u16be(&in)); /* signature */
		if (in.failed || reader_left(&in) > 0)
			return false;
	}
	if (r->arena == NULL)
		return true;
	value_add_member(&b, "version", value_number(r->arena, version + 1));
	value_add_member(&b, "log", value_hex(r->arena, log, 32));
	if (time_ms <= UINT64_C(253402300799999)) {
		clock_format_ms((int64_t)time_ms, text);
		value_add_member(&b, "time", value_text(r->arena, text));
	} else {
		value_add_member(&b, "time", value_malformed(r->arena, "after the year 9999"));
	}
	value_add(list, value_object(&b));
	return true;
}

/* RFC 6962 section 3.3: an OCTET STRING that holds a SignedCertificateTimestampList of TLS. */
const struct value *
extension_read_scts(const struct reading *r, const struct extension *e, const struct place *at)
{
	struct value_builder b = {.arena = r->arena};
	struct reader in;
	struct tlv t;

	if (!extension_open(r, e, DER_OCTET_STRING, &t, at))
		return value_null();
	in = reader_of(t.value.p, t.value.len);
	if (reader_u16be(&in) != reader_left(&in) || in.failed)
		in.failed = true;
	while (!in.failed && reader_left(&in) > 0) {
		size_t len = reader_u16be(&in);
		const uint8_t *p = reader_take(&in, len);

		if (in.failed || !read_sct(r, p, len, &b))
			in.failed = true;
	}
	if (in.failed) {
		der_fault(r->d, FAULT_MALFORMED, at, t.whole.p,
		    "no SignedCertificateTimestampList: RFC 6962 3.3");
		return value_null();
	}
	return extension_with_critical(r, e, "scts", value_set(&b));
}

/* RFC 6962 section 3.1 */
const struct value *
extension_read_poison(const struct reading *r, const struct extension *e, const struct place *at)
{
	struct tlv t;

	if (!extension_open(r, e, DER_NULL, &t, at) || !der_null(r->d, &t, at))
		return value_null();
	return value_bool(r->arena, true);
}
