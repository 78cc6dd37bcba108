#include "pss.h"

#include <string.h>

#include "oid.h"

static const uint8_t id_rsassa_pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
static const uint8_t id_mgf1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
static const uint8_t id_sha1[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};

struct pss {
	struct span hash, mgf, mgf_hash; /* OIDs; mgf_hash is empty where the mask has none */
	int64_t salt_len, trailer;
};

#define SPAN(octets) span_of(octets, sizeof(octets))

bool
pss_is(struct span oid)
{
	return span_equal(oid, SPAN(id_rsassa_pss));
}

static void
encoded_default(struct der *d, const struct tlv *t, const struct place *at)
{
	der_fault(d, FAULT_NOT_DER, at, t->whole.p, "encoded default: X.690 11.5");
}

/* AlgorithmIdentifier: its OID, and where what follows stands. */
static bool
read_algorithm(struct der *d, const struct tlv *seq, struct span *oid, struct cursor *rest,
    const struct place *at)
{
	struct cursor in = cursor_of(seq->value);
	struct tlv t;

	if (!der_expect(d, &in, DER_OID, 0, &t, at) || !der_oid(d, &t, at))
		return false;
	*oid = t.value;
	*rest = in;
	return true;
}

/* HashAlgorithm: NULL behind it, or nothing; RFC 4055 section 2.1 takes both. */
static bool
read_hash(struct der *d, const struct tlv *seq, struct span *hash, const struct place *at)
{
	struct cursor in;
	struct tlv t;

	if (!read_algorithm(d, seq, hash, &in, at))
		return false;
	if (der_optional(d, &in, DER_NULL, &t, at) && !der_null(d, &t, at))
		return false;
	return der_end(d, &in, at);
}

static bool
read_mask(struct der *d, const struct tlv *seq, struct pss *out, const struct place *at)
{
	struct cursor in;
	struct tlv t;

	if (!read_algorithm(d, seq, &out->mgf, &in, at))
		return false;
	out->mgf_hash = (struct span){0};
	if (!span_equal(out->mgf, SPAN(id_mgf1)))
		return true;
	return der_expect(d, &in, DER_SEQUENCE, 0, &t, at) &&
	       read_hash(d, &t, &out->mgf_hash, at) && der_end(d, &in, at);
}

/* What is in [n] EXPLICIT, if that is there. False on a fault. */
static bool
optional_explicit(struct der *d, struct cursor *in, uint8_t n, uint8_t id, struct tlv *outer,
    struct tlv *t, const struct place *at)
{
	struct cursor inner;

	outer->whole.len = 0;
	if (der_at_end(in) || *in->p != (DER_CONTEXT_CONSTRUCTED | n))
		return true;
	if (!der_next(d, in, outer, at))
		return false;
	inner = cursor_of(outer->value);
	return der_expect(d, &inner, id, 0, t, at) && der_end(d, &inner, at);
}

static bool
optional_number(
    struct der *d, struct cursor *in, uint8_t n, int64_t *number, const struct place *at)
{
	int64_t assumed = *number;
	struct tlv outer, t;

	if (!optional_explicit(d, in, n, DER_INTEGER, &outer, &t, at))
		return false;
	if (outer.whole.len == 0)
		return true;
	if (!der_number(d, &t, number, at))
		return false;
	if (*number == assumed)
		encoded_default(d, &outer, at);
	else if (*number < 0)
		der_fault(d, FAULT_NOT_DER, at, t.whole.p, "a negative number where none can be");
	return true;
}

static bool
read_fields(struct der *d, struct cursor *in, struct pss *out, const struct place *up)
{
	struct place hash = {up, "hashAlgorithm", 0}, mask = {up, "maskGenAlgorithm", 0},
		     salt = {up, "saltLength", 0}, trailer = {up, "trailerField", 0};
	struct tlv outer, t;

	if (!optional_explicit(d, in, 0, DER_SEQUENCE, &outer, &t, &hash))
		return false;
	if (outer.whole.len > 0) {
		if (!read_hash(d, &t, &out->hash, &hash))
			return false;
		if (span_equal(out->hash, SPAN(id_sha1)))
			encoded_default(d, &outer, &hash);
	}
	if (!optional_explicit(d, in, 1, DER_SEQUENCE, &outer, &t, &mask))
		return false;
	if (outer.whole.len > 0) {
		if (!read_mask(d, &t, out, &mask))
			return false;
		if (span_equal(out->mgf_hash, SPAN(id_sha1)))
			encoded_default(d, &outer, &mask);
	}
	return optional_number(d, in, 2, &out->salt_len, &salt) &&
	       optional_number(d, in, 3, &out->trailer, &trailer) && der_end(d, in, up);
}

static bool
read_parameters(struct der *d, const struct tlv *t, struct pss *out, const struct place *at)
{
	struct cursor in = cursor_of(t->whole);
	struct tlv seq;

	*out = (struct pss){.hash = SPAN(id_sha1),
	    .mgf = SPAN(id_mgf1),
	    .mgf_hash = SPAN(id_sha1),
	    .salt_len = 20,
	    .trailer = 1};
	if (!der_expect(d, &in, DER_SEQUENCE, 0, &seq, at))
		return false;
	in = cursor_of(seq.value);
	return read_fields(d, &in, out, at);
}

void
pss_check(struct der *d, const struct tlv *parameters, const struct place *at)
{
	struct der mine = {.start = d->start};
	struct pss pss;

	read_parameters(&mine, parameters, &pss, at);
	der_take_faults(d, &mine, FAULT_NOT_DER);
	der_finish(&mine);
}

static const struct value *
algorithm_value(struct arena *arena, struct span oid)
{
	struct oid_entry known;

	if (oid_find(oid, &known) && known.openssl != NULL)
		return value_text_static(arena, known.openssl);
	return value_text_static(arena, oid_dotted(arena, oid, NULL));
}

const struct value *
pss_value(struct arena *arena, const struct tlv *parameters)
{
	struct value_builder b = {.arena = arena};
	struct der mine = {.start = parameters->whole.p};
	const struct value *v;
	struct pss pss;

	if (parameters->whole.len == 0)
		return value_null();
	if (read_parameters(&mine, parameters, &pss, NULL)) {
		value_add_member(&b, "hash", algorithm_value(arena, pss.hash));
		value_add_member(&b, "mgf", algorithm_value(arena, pss.mgf));
		value_add_member(&b, "mgf_hash",
		    pss.mgf_hash.len > 0 ? algorithm_value(arena, pss.mgf_hash) : value_null());
		value_add_member(&b, "salt_len", value_number(arena, pss.salt_len));
		value_add_member(&b, "trailer", value_number(arena, pss.trailer));
		v = value_object(&b);
	} else {
		v = value_malformed(arena, mine.faults[FAULT_MALFORMED].list[0].why);
	}
	der_finish(&mine);
	return v;
}
