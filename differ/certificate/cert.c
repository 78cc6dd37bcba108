#include "cert.h"

#include <stdlib.h>
#include <string.h>

#include "extension.h"
#include "key.h"
#include "name.h"
#include "pss.h"
#include "store/base/mem.h"

static const struct place place_tbs = {NULL, "tbsCertificate", 0};
static const struct place place_validity = {&place_tbs, "validity", 0};
static const struct place place_extensions = {&place_tbs, "extensions", 0};

/* The places of the parts; the first word of all of them is static, so a place costs nothing. */
static const struct place places[CERT_PARTS] = {
    [CERT_VERSION] = {&place_tbs, "version", 0},
    [CERT_SERIAL] = {&place_tbs, "serialNumber", 0},
    [CERT_INNER_ALGORITHM] = {&place_tbs, "signature", 0},
    [CERT_ISSUER] = {&place_tbs, "issuer", 0},
    [CERT_NOT_BEFORE] = {&place_validity, "notBefore", 0},
    [CERT_NOT_AFTER] = {&place_validity, "notAfter", 0},
    [CERT_SUBJECT] = {&place_tbs, "subject", 0},
    [CERT_KEY] = {&place_tbs, "subjectPublicKeyInfo", 0},
    [CERT_ISSUER_UID] = {&place_tbs, "issuerUniqueID", 0},
    [CERT_SUBJECT_UID] = {&place_tbs, "subjectUniqueID", 0},
    [CERT_EXTENSIONS] = {&place_tbs, "extensions", 0},
    [CERT_OUTER_ALGORITHM] = {NULL, "signatureAlgorithm", 0},
    [CERT_SIGNATURE] = {NULL, "signatureValue", 0},
};

const char *
cert_part_name(enum cert_part part)
{
	return places[part].name;
}

/* ---- states of parts --------------------------------------------------------------------- */

/* `before`: how many faults there were before the part: the next one is its reason. */
static void
part_malformed(struct part *part, size_t before)
{
	part->state = PART_MALFORMED;
	part->fault = before + 1;
}

static size_t
faults_so_far(const struct cert *c)
{
	return c->der_state.faults[FAULT_MALFORMED].total;
}

static void
part_done(const struct cert *c, struct part *part, size_t before)
{
	if (faults_so_far(c) > before)
		part_malformed(part, before);
	else
		part->state = PART_OK;
}

static void
resolve(const struct cert *c, struct part *part)
{
	if (part->state != PART_MALFORMED)
		return;
	if (part->fault == 0)
		part->why = "what stands before it cannot be read";
	else if (part->fault > c->der_state.faults[FAULT_MALFORMED].n)
		part->why = "one of more faults than are named";
	else
		part->why = c->der_state.faults[FAULT_MALFORMED].list[part->fault - 1].why;
}

/* Once all faults are known and their list moves no more: the reasons into the parts. */
static void
resolve_parts(struct cert *c)
{
	for (int i = 0; i < CERT_PARTS; i++)
		resolve(c, &c->part[i]);
	for (size_t i = 0; i < c->extensions_n; i++)
		resolve(c, &c->extensions[i].part);
	resolve(c, &c->unread_extensions);
}

/* An element of which the end may be cut off: what is there of it is read. */
static bool
expect_clamped(
    struct der *d, struct cursor *in, uint8_t id, struct tlv *out, const struct place *at)
{
	bool there;

	d->clamp = true;
	there = der_expect(d, in, id, 0, out, at);
	d->clamp = false;
	return there;
}

/* ---- parts ------------------------------------------------------------------------------- */

static void
read_algorithm(struct cert *c, const struct tlv *seq, struct algorithm *out, const struct place *up)
{
	struct der *d = &c->der_state;
	struct place type = {up, "algorithm", 0}, parameters = {up, "parameters", 0};
	struct cursor in = cursor_of(seq->value);
	struct tlv oid;

	out->whole = seq->whole;
	if (der_expect(d, &in, DER_OID, 0, &oid, &type) && der_oid(d, &oid, &type))
		out->oid = oid.value;
	if (!der_at_end(&in) && der_next(d, &in, &out->parameters, &parameters)) {
		if (der_any(d, &out->parameters, &parameters) && pss_is(out->oid))
			pss_check(d, &out->parameters, &parameters);
		der_end(d, &in, up);
	}
}

static void
take_algorithm(
    struct cert *c, struct cursor *in, enum cert_part part, uint8_t then, struct algorithm *out)
{
	size_t before = faults_so_far(c);
	struct tlv seq;

	if (der_expect(&c->der_state, in, DER_SEQUENCE, then, &seq, &places[part])) {
		c->part[part].whole = seq.whole;
		read_algorithm(c, &seq, out, &places[part]);
	}
	part_done(c, &c->part[part], before);
}

static void
take_version(struct cert *c, struct cursor *in)
{
	struct der *d = &c->der_state;
	const struct place *at = &places[CERT_VERSION];
	size_t before = faults_so_far(c);
	struct tlv outer, number;
	struct cursor inner;
	int64_t v;

	c->version = 1;
	if (!der_optional(d, in, DER_CONTEXT_CONSTRUCTED | 0, &outer, at)) {
		part_done(c, &c->part[CERT_VERSION], before);
		return;
	}
	c->part[CERT_VERSION].whole = outer.whole;
	inner = cursor_of(outer.value);
	if (der_expect(d, &inner, DER_INTEGER, 0, &number, at) && !der_is_minimal(number.value)) {
		der_fault(
		    d, FAULT_MALFORMED, at, number.whole.p, "non-minimal INTEGER: X.690 8.3.2");
	} else if (faults_so_far(c) == before && der_number(d, &number, &v, at)) {
		if (v == INT64_MAX)
			der_fault(d, FAULT_MALFORMED, at, number.whole.p, "no version");
		else
			c->version = v + 1;
		if (v == 0)
			der_fault(
			    d, FAULT_NOT_DER, at, outer.whole.p, "encoded default: X.690 11.5");
		else if (v < 0 || v > 2)
			der_fault(d, FAULT_NOT_DER, at, number.whole.p,
			    "a version that RFC 5280 4.1.2.1 does not know");
		der_end(d, &inner, at);
	}
	part_done(c, &c->part[CERT_VERSION], before);
}

static void
take_serial(struct cert *c, struct cursor *in)
{
	const struct place *at = &places[CERT_SERIAL];
	size_t before = faults_so_far(c);
	struct tlv t;

	if (der_expect(&c->der_state, in, DER_INTEGER, DER_SEQUENCE, &t, at)) {
		c->part[CERT_SERIAL].whole = t.whole;
		der_integer(&c->der_state, &t, &c->serial, at);
	}
	part_done(c, &c->part[CERT_SERIAL], before);
}

static void
take_name(struct cert *c, struct cursor *in, enum cert_part part, struct span *rdns)
{
	size_t before = faults_so_far(c);
	struct tlv t;

	if (der_expect(&c->der_state, in, DER_SEQUENCE, 0, &t, &places[part])) {
		c->part[part].whole = t.whole;
		*rdns = t.value;
		name_check(&c->der_state, t.value, &places[part]);
	}
	part_done(c, &c->part[part], before);
}

static void
take_time(struct cert *c, struct cursor *in, enum cert_part part, int64_t *time_ms, uint8_t *type)
{
	struct der *d = &c->der_state;
	size_t before = faults_so_far(c);
	struct tlv t;

	if (der_next(d, in, &t, &places[part])) {
		c->part[part].whole = t.whole;
		*type = t.id;
		if (t.id != DER_UTC_TIME && t.id != DER_GENERALIZED_TIME)
			der_fault(d, FAULT_MALFORMED, &places[part], t.whole.p,
			    "neither UTCTime nor GeneralizedTime: RFC 5280 4.1.2.5");
		else
			der_time(d, &t, time_ms, &places[part]);
	}
	part_done(c, &c->part[part], before);
}

static void
take_validity(struct cert *c, struct cursor *in)
{
	size_t before = faults_so_far(c);
	struct cursor inner;
	struct tlv t;

	if (!der_expect(&c->der_state, in, DER_SEQUENCE, 0, &t, &place_validity)) {
		part_malformed(&c->part[CERT_NOT_BEFORE], before);
		part_malformed(&c->part[CERT_NOT_AFTER], before);
		return;
	}
	inner = cursor_of(t.value);
	take_time(c, &inner, CERT_NOT_BEFORE, &c->not_before_ms, &c->not_before_type);
	take_time(c, &inner, CERT_NOT_AFTER, &c->not_after_ms, &c->not_after_type);
	der_end(&c->der_state, &inner, &place_validity);
}

static void
take_key(struct cert *c, struct cursor *in)
{
	struct der *d = &c->der_state;
	const struct place *at = &places[CERT_KEY];
	struct place algorithm = {at, "algorithm", 0}, bits = {at, "subjectPublicKey", 0};
	size_t before = faults_so_far(c);
	struct cursor inner;
	struct tlv t, seq;

	if (der_expect(d, in, DER_SEQUENCE, DER_CONTEXT_CONSTRUCTED | 3, &t, at)) {
		c->part[CERT_KEY].whole = t.whole;
		inner = cursor_of(t.value);
		if (der_expect(d, &inner, DER_SEQUENCE, DER_BIT_STRING, &seq, &algorithm))
			read_algorithm(c, &seq, &c->key, &algorithm);
		if (der_expect(d, &inner, DER_BIT_STRING, 0, &seq, &bits) &&
		    der_bit_string(d, &seq, &c->key_bits, &c->key_bits_unused, &bits))
			der_end(d, &inner, at);
	}
	part_done(c, &c->part[CERT_KEY], before);
	if (c->part[CERT_KEY].state == PART_OK)
		key_check(d, c, at);
}

/* Whether an optional element of the end of the signed part is known not to be there: all before
 * it was reached, and another that may follow stands there, or an end that is none of a cut. */
static bool
is_absent(const struct cert *c, const struct cursor *in, uint8_t id)
{
	if (c->part[CERT_KEY].whole.p == NULL)
		return false;
	if (der_at_end(in))
		return !c->cut;
	return *in->p > id && *in->p <= (DER_CONTEXT_CONSTRUCTED | 3);
}

static void
take_unique_id(struct cert *c, struct cursor *in, enum cert_part part, uint8_t id)
{
	size_t before = faults_so_far(c);
	struct span bits;
	unsigned unused;
	struct tlv t;

	if (is_absent(c, in, id)) {
		c->part[part].state = PART_ABSENT;
		return;
	}
	if (!der_optional(&c->der_state, in, id, &t, &places[part]))
		return;
	c->part[part].whole = t.whole;
	der_bit_string(&c->der_state, &t, &bits, &unused, &places[part]);
	if (c->version < 2)
		der_fault(&c->der_state, FAULT_NOT_DER, &places[part], t.whole.p,
		    "a unique identifier in version 1: RFC 5280 4.1.2.8");
	part_done(c, &c->part[part], before);
}

/* ---- extensions -------------------------------------------------------------------------- */

static bool
read_critical(struct der *d, struct cursor *in, bool *critical, const struct place *up)
{
	struct place at = {up, "critical", 0};
	struct tlv t;

	*critical = false;
	if (der_at_end(in) || *in->p != DER_BOOLEAN)
		return true;
	if (!der_next(d, in, &t, &at) || !der_boolean(d, &t, critical, &at))
		return false;
	if (!*critical)
		der_fault(d, FAULT_NOT_DER, &at, t.whole.p, "encoded default: X.690 11.5");
	return true;
}

/* False if not even its OID can be read. */
static bool
read_extension(struct cert *c, const struct tlv *seq, struct extension *out, const struct place *at)
{
	struct der *d = &c->der_state;
	struct place id = {at, "extnID", 0}, value = {at, "extnValue", 0};
	struct cursor in = cursor_of(seq->value);
	struct oid_entry known;
	struct tlv t;

	if (!der_expect(d, &in, DER_OID, 0, &t, &id) || !der_oid(d, &t, &id))
		return false;
	oid_find(t.value, &known);
	out->kind = known.extension_kind;
	out->oid = t.value;
	out->whole = seq->whole;
	out->index = at->index;
	if (read_critical(d, &in, &out->critical, at) &&
	    der_expect(d, &in, DER_OCTET_STRING, 0, &t, &value)) {
		out->value = t.value;
		der_end(d, &in, at);
	}
	return true;
}

/* Once for every OID, known or not (RFC 5280 section 4.2). */
static void
find_duplicate(struct cert *c, struct extension *e, const struct place *at)
{
	for (size_t i = 0; i < c->extensions_n; i++) {
		struct extension *other = &c->extensions[i];

		if (!span_equal(other->oid, e->oid))
			continue;
		other->duplicate = e->duplicate = true;
		der_fault(&c->der_state, FAULT_MALFORMED, at, e->whole.p,
		    "duplicate of extensions[%zu]: RFC 5280 4.2", other->index);
		if (other->part.state != PART_MALFORMED)
			part_malformed(&other->part, faults_so_far(c) - 1);
		return;
	}
}

/* `before`: faults before this extension. */
static void
add_extension(
    struct cert *c, struct extension *e, size_t *cap, size_t before, const struct place *at)
{
	struct place value = {at, "extnValue", 0};

	find_duplicate(c, e, at);
	if (e->kind != EXTENSION_UNKNOWN && e->value.p != NULL)
		extension_check(&c->der_state, e, &value);
	part_done(c, &e->part, before);
	if (c->extensions_n == *cap) {
		*cap = *cap == 0 ? 16 : 2 * *cap;
		c->extensions = mem_grow(c->extensions, *cap, sizeof(*c->extensions));
	}
	c->extensions[c->extensions_n++] = *e;
}

static void
read_extensions(struct cert *c, const struct tlv *list)
{
	struct der *d = &c->der_state;
	struct cursor in = cursor_of(list->value);
	struct place at = {&place_extensions, NULL, 0};
	size_t cap = 0;

	if (list->value.len == 0)
		der_fault(d, FAULT_NOT_DER, &place_extensions, list->whole.p,
		    "an empty list of extensions: RFC 5280 4.1.2.9");
	for (; !der_at_end(&in); at.index++) {
		size_t before = faults_so_far(c);
		const uint8_t *start = in.p;
		struct extension e = {.part.state = PART_ABSENT};
		struct tlv seq;

		if (at.index == DIFFER_EXTENSIONS_MAX)
			der_fault(d, FAULT_MALFORMED, &at, in.p,
			    "more than %d extensions are not read", DIFFER_EXTENSIONS_MAX);
		else if (der_expect(d, &in, DER_SEQUENCE, 0, &seq, &at) &&
			 read_extension(c, &seq, &e, &at))
			add_extension(c, &e, &cap, before, &at);
		if (faults_so_far(c) > before && e.oid.p == NULL)
			part_malformed(&c->unread_extensions, before);
		if (in.p == start)
			return;
	}
}

static void
take_extensions(struct cert *c, struct cursor *in)
{
	struct der *d = &c->der_state;
	size_t before = faults_so_far(c);
	struct cursor inner;
	struct tlv outer, list;

	if (is_absent(c, in, DER_CONTEXT_CONSTRUCTED | 3)) {
		c->part[CERT_EXTENSIONS].state = PART_ABSENT;
		return;
	}
	if (der_at_end(in) || *in->p != (DER_CONTEXT_CONSTRUCTED | 3) ||
	    !expect_clamped(d, in, DER_CONTEXT_CONSTRUCTED | 3, &outer, &place_extensions))
		return;
	c->part[CERT_EXTENSIONS].whole = outer.whole;
	if (c->version < 3)
		der_fault(d, FAULT_NOT_DER, &place_extensions, outer.whole.p,
		    "extensions in a certificate of a version before 3: RFC 5280 4.1.2.9");
	inner = cursor_of(outer.value);
	if (expect_clamped(d, &inner, DER_SEQUENCE, &list, &place_extensions)) {
		c->part[CERT_EXTENSIONS].state = PART_OK;
		if (faults_so_far(c) > before)
			part_malformed(&c->unread_extensions, before);
		read_extensions(c, &list);
		der_end(d, &inner, &place_extensions);
	} else {
		part_malformed(&c->part[CERT_EXTENSIONS], before);
	}
}

/* ---- the whole --------------------------------------------------------------------------- */

static void
read_tbs(struct cert *c, const struct tlv *tbs)
{
	struct cursor in = cursor_of(tbs->value);

	c->tbs = tbs->whole;
	take_version(c, &in);
	take_serial(c, &in);
	take_algorithm(c, &in, CERT_INNER_ALGORITHM, 0, &c->inner);
	take_name(c, &in, CERT_ISSUER, &c->issuer);
	take_validity(c, &in);
	take_name(c, &in, CERT_SUBJECT, &c->subject);
	take_key(c, &in);
	take_unique_id(c, &in, CERT_ISSUER_UID, DER_CONTEXT | 1);
	take_unique_id(c, &in, CERT_SUBJECT_UID, DER_CONTEXT | 2);
	take_extensions(c, &in);
	der_end(&c->der_state, &in, &place_tbs);
}

static void
take_signature(struct cert *c, struct cursor *in)
{
	size_t before = faults_so_far(c);
	struct span bits;
	unsigned unused;
	struct tlv t;

	if (der_expect(&c->der_state, in, DER_BIT_STRING, 0, &t, &places[CERT_SIGNATURE])) {
		c->part[CERT_SIGNATURE].whole = t.whole;
		der_bit_string(&c->der_state, &t, &bits, &unused, &places[CERT_SIGNATURE]);
	}
	part_done(c, &c->part[CERT_SIGNATURE], before);
}

static void
read_certificate(struct cert *c, const struct tlv *top)
{
	struct cursor in = cursor_of(top->value);
	size_t before = faults_so_far(c);
	struct tlv tbs;

	if (expect_clamped(&c->der_state, &in, DER_SEQUENCE, &tbs, &place_tbs)) {
		c->cut = faults_so_far(c) > before;
		read_tbs(c, &tbs);
	}
	take_algorithm(c, &in, CERT_OUTER_ALGORITHM, DER_BIT_STRING, &c->outer);
	take_signature(c, &in);
	der_end(&c->der_state, &in, NULL);
}

void
cert_init(struct cert *c, const void *der, size_t len, bool aux)
{
	struct cursor in;
	struct tlv top;

	memset(c, 0, sizeof(*c));
	c->der = span_of(der, len);
	der_init(&c->der_state, c->der);
	in = cursor_of(c->der);
	for (int i = 0; i < CERT_PARTS; i++)
		c->part[i].state = PART_MALFORMED;
	if (len > DIFFER_CERTIFICATE_MAX) {
		der_fault(&c->der_state, FAULT_MALFORMED, NULL, in.p,
		    "more than %u octets are not read", DIFFER_CERTIFICATE_MAX);
	} else if (len == 0 || *in.p != DER_SEQUENCE) {
		der_fault(&c->der_state, FAULT_MALFORMED, NULL, in.p,
		    "no certificate, neither PEM nor DER: RFC 5280 4.1");
	} else if (expect_clamped(&c->der_state, &in, DER_SEQUENCE, &top, NULL)) {
		c->certificate = top.whole;
		read_certificate(c, &top);
		if (!aux)
			der_end(&c->der_state, &in, NULL);
	}
	for (size_t i = c->extensions_n; i-- > 0;)
		c->known[c->extensions[i].kind] = &c->extensions[i];
	c->known[EXTENSION_UNKNOWN] = NULL;
	if (c->part[CERT_EXTENSIONS].state == PART_MALFORMED)
		c->unread_extensions = c->part[CERT_EXTENSIONS];
	resolve_parts(c);
}

void
cert_finish(struct cert *c)
{
	if (c == NULL)
		return;
	free(c->extensions);
	c->extensions = NULL;
	c->extensions_n = 0;
	der_finish(&c->der_state);
}

const struct fault *
cert_faults(const struct cert *c, enum fault_kind kind, size_t *n, size_t *total)
{
	*n = c->der_state.faults[kind].n;
	if (total != NULL)
		*total = c->der_state.faults[kind].total;
	return c->der_state.faults[kind].list;
}

bool
cert_same_part(const struct cert *a, const struct cert *b, enum cert_part part)
{
	return span_equal(a->part[part].whole, b->part[part].whole);
}
