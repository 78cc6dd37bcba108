#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "differ/facts/diff.h"
#include "differ/facts/explain.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"
#include "sample.h"

struct pair {
	struct buf der; /* of the original, to be changed */
	struct facts *old, *new;
	struct difference d[FIELD_N];
	struct arena arena;
	size_t n;
};

static void
pair_begin(struct pair *p, const char *name)
{
	memset(p, 0, sizeof(*p));
	p->der = sample_der(name);
	p->old = facts_of_certificate(p->der.data, p->der.len);
}

static void
pair_compare(struct pair *p)
{
	p->new = facts_of_certificate(p->der.data, p->der.len);
	p->n = diff_facts(p->old, p->new, &p->arena, p->d);
}

static void
pair_finish(struct pair *p)
{
	facts_destroy(p->old);
	facts_destroy(p->new);
	arena_finish(&p->arena);
	buf_finish(&p->der);
}

static const struct difference *
difference_in(const struct pair *p, enum field field)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->d[i].field == field)
			return &p->d[i];
	}
	fail_msg("%s is not told", field_table[field].name);
	return NULL;
}

static void
assert_text(const struct pair *p, enum field field, const char *text)
{
	struct buf out = {0};

	out_text_differences(&out, difference_in(p, field), 1, 0, false);
	assert_string_equal(buf_text(&out), text);
	buf_finish(&out);
}

static void
test_nothing(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	pair_compare(&p);
	assert_int_equal(p.n, 0);
	pair_finish(&p);
}

static void
test_meaning(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	sample_change(&p.der, "300101000000Z", "310101000000Z", 13, 0);
	sample_change(&p.der, "\x90\x76\x89\x18", "\x90\x76\x89\x19", 4, 0);
	pair_compare(&p);
	assert_int_equal(p.n, 2);
	assert_text(&p, FIELD_NOT_AFTER,
	    "not after                   2030-01-01 00:00:00 UTC → 2031-01-01 00:00:00 UTC (365 d "
	    "later)\n");
	assert_text(
	    &p, FIELD_SERIAL, "serial number               90768918E93393A0 → 90768919E93393A0\n");
	assert_false(p.d[0].encoding_only);
	pair_finish(&p);
}

static void
test_names_by_rdn(void **state)
{
	struct pair p;
	struct explanation e;
	struct arena arena = {0};

	pair_begin(&p, "incident/invalid2.pem");
	sample_change(&p.der, "invalid2.invalid", "invalid3.invalid", 16, 1);
	pair_compare(&p);
	assert_int_equal(p.n, 2); /* and self-signed no longer */
	explain(&arena, difference_in(&p, FIELD_SUBJECT), &e);
	assert_int_equal(e.kind, EXPLANATION_SET);
	assert_int_equal(e.removed->n, 1);
	assert_string_equal(e.removed->items[0].text, "CN=invalid2.invalid");
	assert_int_equal(e.added->n, 1);
	assert_string_equal(e.added->items[0].text, "CN=invalid3.invalid");
	assert_false(difference_in(&p, FIELD_SELF_SIGNED)->new->truth);
	arena_finish(&arena);
	pair_finish(&p);
}

static void
test_sets(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	/* keyCertSign becomes cRLSign */
	sample_change(&p.der, "\x03\x02\x02\xa4", "\x03\x02\x01\xa2", 4, 0);
	pair_compare(&p);
	assert_int_equal(p.n, 1);
	assert_text(&p, FIELD_KEY_USAGE,
	    "key usage                   - keyCertSign\n                            + cRLSign\n");
	pair_finish(&p);
}

/* The type of a string, the order in a list that is a set: no difference of meaning. */
static void
test_encoding_only(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	sample_change(&p.der, "\x13\x10invalid2", "\x0c\x10invalid2", 10, 1);
	pair_compare(&p);
	assert_int_equal(difference_in(&p, FIELD_SUBJECT)->encoding_only, true);
	assert_int_equal(difference_in(&p, FIELD_SUBJECT)->severity, SEVERITY_INFO);
	pair_finish(&p);

	pair_begin(&p, "incident/invalid2.pem");
	sample_change(&p.der,
	    "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02",
	    "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01", 20,
	    0);
	pair_compare(&p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.d[0].field, FIELD_EXTENDED_KEY_USAGE);
	assert_true(p.d[0].encoding_only);
	pair_finish(&p);
}

static void
test_encoded_default(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	/* CA:TRUE as 01, not FF: BER that says the same */
	sample_change(&p.der, "\x30\x03\x01\x01\xff", "\x30\x03\x01\x01\x01", 5, 0);
	pair_compare(&p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.d[0].field, FIELD_BASIC_CONSTRAINTS);
	assert_true(p.d[0].encoding_only);
	pair_finish(&p);
}

/* What says the same in other octets, and the one row that tells it, as that. */
static const struct {
	enum build_part part;
	const char *old, *new;
	enum field field;
} encodings[] = {
    {BUILD_SUBJECT, BUILD_CN("'a'"), "30(31(30(06(550403)13('a'))))", FIELD_SUBJECT},
    {BUILD_SUBJECT, BUILD_CN("'a'"), "30(31(30(06(550403)1e(0061))))", FIELD_SUBJECT},
    {BUILD_SUBJECT, "30(31(30(06(550403)0c('a'))30(06(55040a)0c('b'))))",
	"30(31(30(06(55040a)0c('b'))30(06(550403)0c('a'))))", FIELD_SUBJECT},
    {BUILD_VALIDITY, "30(17('230101000000Z')17('330101000000Z'))",
	"30(18('20230101000000Z')17('330101000000Z'))", FIELD_NOT_BEFORE},
    {BUILD_SERIAL, "02(01)", "02(0001)", FIELD_SERIAL},
    {BUILD_VERSION, "", "a0(02(00))", FIELD_VERSION},
    {BUILD_EXTENSIONS, "a3(30(30(06(551d25)04(30(06(2a03)06(2a04))))))",
	"a3(30(30(06(551d25)04(30(06(2a04)06(2a03))))))", FIELD_EXTENDED_KEY_USAGE},
    {BUILD_EXTENSIONS, "a3(30(30(06(551d13)04(30()))))", "a3(30(30(06(551d13)01(00)04(30()))))",
	FIELD_BASIC_CONSTRAINTS},
    {BUILD_EXTENSIONS, "a3(30(30(06(551d13)04(30()))))", "a3(30(30(06(551d13)04(30(01(00))))))",
	FIELD_BASIC_CONSTRAINTS},
    {BUILD_EXTENSIONS, "a3(30(30(06(551d0f)04(03(0780)))))", "a3(30(30(06(551d0f)04(03(0080)))))",
	FIELD_KEY_USAGE},
    {BUILD_EXTENSIONS, "a3(30(" BUILD_EXTENSION("2a03", "01") BUILD_EXTENSION("2a04", "02") "))",
	"a3(30(" BUILD_EXTENSION("2a04", "02") BUILD_EXTENSION("2a03", "01") "))",
	FIELD_EXTENSIONS},
    {BUILD_OUTER, "30(06(2a864886f70d01010a)30())", "30(06(2a864886f70d01010a)30(a2(02(14))))",
	FIELD_SIGNATURE_ALGORITHM},
};

static void
test_each_encoding(void **state)
{
	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		const char *parts[BUILD_PARTS] = {NULL};
		struct pair p = {0};

		parts[encodings[i].part] = encodings[i].old;
		build(&p.der, parts, BUILD_SERIAL, NULL);
		p.old = facts_of_certificate(p.der.data, p.der.len);
		parts[encodings[i].part] = encodings[i].new;
		build(&p.der, parts, BUILD_SERIAL, NULL);
		pair_compare(&p);
		if (p.n != 1 || p.d[0].field != encodings[i].field || !p.d[0].encoding_only ||
		    p.d[0].severity != SEVERITY_INFO)
			fail_msg("%s: %zu told, first %s", encodings[i].new, p.n,
			    p.n > 0 ? field_table[p.d[0].field].name : "none");
		pair_finish(&p);
	}
}

static void
test_residual(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	p.der.data[p.der.len - 1] ^= 1; /* the signature alone */
	pair_compare(&p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.d[0].field, FIELD_DER_RESIDUAL);
	assert_int_equal(p.d[0].new->n, 1);
	assert_memory_equal(p.d[0].new->items[0].text, "signatureValue sha256:", 22);
	pair_finish(&p);
}

static void
test_trailing_octets(void **state)
{
	struct pair p;

	pair_begin(&p, "incident/invalid2.pem");
	buf_append_byte(&p.der, 0);
	pair_compare(&p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.d[0].field, FIELD_DER_RESIDUAL);
	pair_finish(&p);
}

/* An extension that we do not read: by its hash; the row that lists them tells it. */
static void
test_unread_extension(void **state)
{
	struct pair p;

	pair_begin(&p, "certificates/unknown-critical-extension.pem");
	sample_change(&p.der, "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x01",
	    "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x09", 10, 0);
	pair_compare(&p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.d[0].field, FIELD_EXTENSIONS);
	pair_finish(&p);
}

static void
test_key_replaced(void **state)
{
	struct pair p;
	struct buf out = {0};

	pair_begin(&p, "incident/invalid2.pem");
	facts_destroy(p.old);
	p.old = sample_facts("certificates/ec-secp256k1.pem");
	pair_compare(&p);
	assert_int_equal(difference_in(&p, FIELD_KEY_BITS)->new->number, 2048);
	difference_in(&p, FIELD_SPKI_SHA256);
	out_text_key(&out, p.old, p.new, false);
	assert_string_equal(buf_text(&out), "public key                  replaced\n");
	buf_clear(&out);
	out_text_key(&out, p.new, p.new, false);
	assert_string_equal(buf_text(&out), "public key                  kept\n");
	buf_finish(&out);
	pair_finish(&p);
}

/* What nobody knows differs in nothing from what is known. */
static void
test_unknown_leaf(void **state)
{
	struct buf leaf = sample_der("incident/invalid2.pem");
	struct evidence e = {.outcome = OUTCOME_SUCCESS, .tls_alert = -1, .tls_version = "TLSv1.2"};
	struct hash name = hash_sha256(leaf.data, leaf.len);
	struct span certificate = span_of(leaf.data, leaf.len);
	struct facts *with, *without;
	struct difference d[FIELD_N];
	struct arena arena = {0};

	e.chain = &name;
	e.chain_n = 1;
	with = facts_of_evidence(&e, &certificate);
	e.tls_version = "TLSv1.3";
	without = facts_of_evidence(&e, NULL);
	assert_int_equal(diff_facts(without, with, &arena, d), 1);
	assert_int_equal(d[0].field, FIELD_TLS_VERSION);
	assert_int_equal(diff_facts(with, without, &arena, d), 1);
	facts_destroy(with);
	facts_destroy(without);
	arena_finish(&arena);
	buf_finish(&leaf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_meaning),
	    cmocka_unit_test(test_names_by_rdn),
	    cmocka_unit_test(test_sets),
	    cmocka_unit_test(test_encoding_only),
	    cmocka_unit_test(test_encoded_default),
	    cmocka_unit_test(test_each_encoding),
	    cmocka_unit_test(test_residual),
	    cmocka_unit_test(test_trailing_octets),
	    cmocka_unit_test(test_unread_extension),
	    cmocka_unit_test(test_key_replaced),
	    cmocka_unit_test(test_unknown_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
