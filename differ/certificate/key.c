#include "key.h"

#include <stdio.h>
#include <string.h>

/* Of a number that cannot be negative: OpenSSL reads its octets as unsigned, whatever its sign. */
static unsigned
bits_of(struct span number)
{
	unsigned bits;

	while (number.len > 0 && number.p[0] == 0) {
		number.p++;
		number.len--;
	}
	if (number.len == 0)
		return 0;
	bits = (unsigned)(number.len - 1) * 8;
	for (unsigned v = number.p[0]; v > 0; v >>= 1)
		bits++;
	return bits;
}

/* The highest row of the table that `bits` reach; the first row is 80 bits. */
static int
strength(unsigned bits, const unsigned least[5])
{
	static const int rows[5] = {80, 112, 128, 192, 256};
	int reached = 0;

	for (int i = 0; i < 5; i++) {
		if (bits >= least[i])
			reached = rows[i];
	}
	return reached;
}

static const unsigned factoring[5] = {1024, 2048, 3072, 7680, 15360};
static const unsigned subgroup[5] = {160, 224, 256, 384, 512};

/* Its octets as an unsigned number; none are 0. */
static bool
take_unsigned(struct der *d, struct cursor *c, struct span *out, const struct place *at)
{
	struct tlv t;

	if (!der_expect(d, c, DER_INTEGER, 0, &t, at))
		return false;
	*out = t.value;
	if (t.value.len == 0)
		der_fault(
		    d, FAULT_NOT_DER, at, t.whole.p, "an INTEGER without octets: X.690 8.3.1");
	else if (!der_is_minimal(t.value))
		der_fault(d, FAULT_NOT_DER, at, t.whole.p, "non-minimal INTEGER: X.690 8.3.2");
	else if (t.value.p[0] >= 0x80)
		der_fault(d, FAULT_NOT_DER, at, t.whole.p, "a negative number where none can be");
	return true;
}

static void
read_rsa(struct der *d, const struct cert *c, struct key_facts *out, const struct place *at)
{
	struct cursor in = cursor_of(c->key_bits), inner;
	struct span modulus, exponent;
	struct tlv seq;

	if (!der_expect(d, &in, DER_SEQUENCE, 0, &seq, at))
		return;
	/* The key is its first element; parsers agree to overlook what follows. */
	if (!der_at_end(&in))
		der_fault(d, FAULT_NOT_DER, at, in.p, "%zu octets after the key: RFC 8017 A.1.1",
		    (size_t)(in.end - in.p));
	inner = cursor_of(seq.value);
	if (!take_unsigned(d, &inner, &modulus, at) || !take_unsigned(d, &inner, &exponent, at))
		return;
	der_end(d, &inner, at);
	out->bits = bits_of(modulus);
	out->exponent = exponent;
	out->strength_bits = strength(out->bits, factoring);
}

/* DSA (p, q, g) and X9.42 DH (p, g, q): RFC 3279 2.3.2, 2.3.3; PKCS #3 DH (p, g, length). */
static void
read_discrete_log(
    struct der *d, const struct cert *c, struct key_facts *out, const struct place *at)
{
	struct cursor in;
	struct span p, second, third;
	unsigned q_bits;
	int by_p, by_q;

	if (c->key.parameters.whole.len == 0 || c->key.parameters.id == DER_NULL)
		return; /* inherited from the issuer: RFC 3279 2.3.2 */
	in = cursor_of(c->key.parameters.value);
	if (c->key.parameters.id != DER_SEQUENCE) {
		der_fault(d, FAULT_MALFORMED, at, c->key.parameters.whole.p,
		    "no parameters of its algorithm: RFC 3279 2.3");
		return;
	}
	if (!take_unsigned(d, &in, &p, at) || !take_unsigned(d, &in, &second, at))
		return;
	out->bits = bits_of(p);
	by_p = strength(out->bits, factoring);
	out->strength_bits = by_p;
	if (der_at_end(&in) || !take_unsigned(d, &in, &third, at))
		return;
	q_bits = bits_of(bits_of(second) < bits_of(third) ? second : third);
	by_q = strength(q_bits, subgroup);
	if (q_bits >= 128 && by_q < by_p)
		out->strength_bits = by_q;
}

/* SpecifiedECDomain: SEC 1 C.2; the order is its fifth element. */
static void
read_explicit_curve(
    struct der *d, const struct cert *c, struct key_facts *out, const struct place *at)
{
	struct cursor in = cursor_of(c->key.parameters.value);
	struct span order;
	struct tlv t;

	out->curve_explicit = true;
	if (der_expect(d, &in, DER_INTEGER, 0, &t, at) &&
	    der_expect(d, &in, DER_SEQUENCE, 0, &t, at) &&
	    der_expect(d, &in, DER_SEQUENCE, 0, &t, at) &&
	    der_expect(d, &in, DER_OCTET_STRING, 0, &t, at) && take_unsigned(d, &in, &order, at)) {
		out->bits = bits_of(order);
		out->strength_bits = strength(out->bits, subgroup);
	}
}

static void
read_ec(struct der *d, const struct cert *c, struct key_facts *out, const struct place *at)
{
	const struct tlv *parameters = &c->key.parameters;
	struct oid_entry known;

	if (parameters->whole.len == 0 || parameters->id == DER_NULL)
		return; /* implicitCurve: RFC 5480 2.1.1 */
	if (parameters->id == DER_SEQUENCE) {
		read_explicit_curve(d, c, out, at);
		return;
	}
	if (parameters->id != DER_OID) {
		der_fault(
		    d, FAULT_MALFORMED, at, parameters->whole.p, "no ECParameters: RFC 5480 2.1.1");
		return;
	}
	if (!der_oid(d, parameters, at))
		return;
	out->curve_oid = parameters->value;
	if (!oid_find(parameters->value, &known) || !known.is_curve)
		return;
	out->curve = known.openssl;
	out->bits = known.key_bits;
	out->strength_bits = strength(out->bits, subgroup);
}

static void
read_key(struct der *d, const struct cert *c, struct key_facts *out, const struct place *up)
{
	struct place key = {up, "subjectPublicKey", 0}, algorithm = {up, "algorithm", 0},
		     parameters = {&algorithm, "parameters", 0};
	struct oid_entry known;

	out->strength_bits = -1;
	if (!oid_find(c->key.oid, &known))
		return;
	out->bits = known.key_bits;
	out->strength_bits = known.strength_bits;
	switch (known.key) {
	case KEY_RSA:
		read_rsa(d, c, out, &key);
		break;
	case KEY_DSA:
	case KEY_DH:
		read_discrete_log(d, c, out, &parameters);
		break;
	case KEY_EC:
		read_ec(d, c, out, &parameters);
		break;
	case KEY_FIXED:
	case KEY_UNKNOWN:
		break;
	}
}

void
key_read(const struct cert *c, struct key_facts *out)
{
	struct der d;

	memset(out, 0, sizeof(*out));
	der_init(&d, c->der);
	read_key(&d, c, out, NULL);
	if (d.faults[FAULT_MALFORMED].n > 0) {
		out->malformed = true;
		memcpy(out->why, d.faults[FAULT_MALFORMED].list[0].why, sizeof(out->why));
	}
	der_finish(&d);
}

void
key_check(struct der *d, const struct cert *c, const struct place *at)
{
	struct key_facts facts = {0};
	struct der mine;

	der_init(&mine, c->der);
	read_key(&mine, c, &facts, at);
	der_take_faults(d, &mine, FAULT_NOT_DER);
	der_finish(&mine);
}
