#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "differ/certificate/cert.h"
#include "differ/out/out_json.h"
#include "sample.h"

static void
assert_json(const struct facts *facts, enum field field, const char *json)
{
	struct buf out = {0};

	out_json_value(&out, facts_get(facts, field));
	assert_string_equal(buf_text(&out), json);
	buf_finish(&out);
}

/* Every fact that the report of the incident gives. */
static void
test_the_incident(void **state)
{
	struct facts *f = sample_facts("incident/invalid2.pem");
	static const char name[] =
	    "\"CN=invalid2.invalid,OU=No SNI provided\\\\; please fix your client.\"";

	assert_json(f, FIELD_SUBJECT, name);
	assert_json(f, FIELD_ISSUER, name);
	assert_json(f, FIELD_SERIAL, "\"90768918E93393A0\"");
	assert_json(f, FIELD_NOT_BEFORE, "\"2015-01-01T00:00:00Z\"");
	assert_json(f, FIELD_NOT_AFTER, "\"2030-01-01T00:00:00Z\"");
	assert_json(f, FIELD_KEY_ALGORITHM, "\"rsaEncryption\"");
	assert_json(f, FIELD_KEY_BITS, "2048");
	assert_json(f, FIELD_KEY_EXPONENT, "65537");
	assert_json(f, FIELD_KEY_STRENGTH_BITS, "112");
	assert_json(f, FIELD_KEY_CURVE, "null");
	assert_json(f, FIELD_SIGNATURE_ALGORITHM, "\"sha256WithRSAEncryption\"");
	assert_json(f, FIELD_KEY_USAGE,
	    "{\"bits\":[\"digitalSignature\",\"keyEncipherment\",\"keyCertSign\"],\"critical\":"
	    "true}");
	assert_json(f, FIELD_EXTENDED_KEY_USAGE,
	    "{\"oids\":[\"serverAuth\",\"clientAuth\"],\"critical\":false}");
	assert_json(
	    f, FIELD_BASIC_CONSTRAINTS, "{\"ca\":true,\"path_len\":null,\"critical\":true}");
	assert_json(f, FIELD_SUBJECT_KEY_ID, "\"bb0f38966f3ebe4f2b46d0416ad4acb5\"");
	assert_json(f, FIELD_AUTHORITY_KEY_ID, "null");
	assert_json(f, FIELD_SELF_SIGNED, "true");
	assert_json(f, FIELD_VERSION, "3");
	facts_destroy(f);
}

static void
test_the_table(void **state)
{
	enum severity severity;

	for (int i = 0; i < FIELD_N; i++) {
		enum field field = FIELD_N;

		assert_true(field_parse(field_table[i].name, &field));
		assert_int_equal(field, i);
		assert_true(strlen(field_table[i].title) > 0 && strlen(field_table[i].doc) > 0);
		assert_true(severity_parse(severity_name(field_table[i].severity), &severity));
		assert_int_equal(severity, field_table[i].severity);
	}
	assert_false(severity_parse("dire", &severity));
}

static size_t
malformed(const struct facts *facts)
{
	size_t total, n;

	cert_faults(facts_certificate(facts), FAULT_MALFORMED, &n, &total);
	return total;
}

/* Cut off anywhere, what stands before the cut is read, and nothing behind it is made up. */
static void
test_every_beginning(void **state)
{
	struct buf der = sample_der("incident/invalid2.pem");
	struct facts *whole = facts_of_certificate(der.data, der.len);
	static const enum field in_order[] = {FIELD_SERIAL, FIELD_ISSUER, FIELD_NOT_BEFORE,
	    FIELD_NOT_AFTER, FIELD_SUBJECT, FIELD_KEY_ALGORITHM, FIELD_SPKI_SHA256, FIELD_KEY_USAGE,
	    FIELD_BASIC_CONSTRAINTS};

	for (size_t len = 0; len < der.len; len++) {
		struct facts *f = facts_of_certificate(der.data, len);

		assert_true(malformed(f) > 0);
		for (size_t i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++) {
			const struct value *v = facts_get(f, in_order[i]);

			if (v->kind != VALUE_MALFORMED &&
			    !value_equal(v, facts_get(whole, in_order[i])))
				fail_msg("cut at %zu, %s is made up", len,
				    field_table[in_order[i]].name);
		}
		facts_destroy(f);
	}
	facts_destroy(whole);
	buf_finish(&der);
}

/* One octet anywhere, any value: no end of the process, and a line in valid JSON, which the golden
 * tests and the fuzzers read back; here that a broken part leaves the others alone. */
static void
test_half_broken(void **state)
{
	struct buf der = sample_der("incident/invalid2.pem");
	struct facts *f;

	/* the year of notBefore */
	sample_change(&der,
	    "\x17\x0d"
	    "15",
	    "\x17\x0d"
	    "x5",
	    4, 0);
	f = facts_of_certificate(der.data, der.len);
	assert_int_equal(malformed(f), 1);
	assert_int_equal(facts_get(f, FIELD_NOT_BEFORE)->kind, VALUE_MALFORMED);
	assert_json(f, FIELD_NOT_AFTER, "\"2030-01-01T00:00:00Z\"");
	assert_json(f, FIELD_KEY_BITS, "2048");
	facts_destroy(f);
	/* the length in the key usage, too */
	sample_change(&der, "\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02",
	    "\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x05", 10, 0);
	f = facts_of_certificate(der.data, der.len);
	assert_int_equal(malformed(f), 2);
	assert_int_equal(facts_get(f, FIELD_KEY_USAGE)->kind, VALUE_MALFORMED);
	assert_json(
	    f, FIELD_BASIC_CONSTRAINTS, "{\"ca\":true,\"path_len\":null,\"critical\":true}");
	facts_destroy(f);
	buf_finish(&der);
}

/* An extension whose OID cannot be told may be any of those that are not seen. */
static void
test_unreadable_extension(void **state)
{
	struct buf der = sample_der("incident/invalid2.pem");
	struct facts *f;

	sample_change(&der, "\x06\x03\x55\x1d\x13", "\x06\x03\x55\x1d\x93", 5, 0);
	f = facts_of_certificate(der.data, der.len);
	assert_int_equal(facts_get(f, FIELD_BASIC_CONSTRAINTS)->kind, VALUE_MALFORMED);
	assert_int_equal(facts_get(f, FIELD_SUBJECT_ALT_NAMES)->kind, VALUE_MALFORMED);
	assert_int_equal(facts_get(f, FIELD_KEY_USAGE)->kind, VALUE_OBJECT);
	facts_destroy(f);
	buf_finish(&der);
}

static void
test_no_certificate(void **state)
{
	struct facts *f = facts_of_certificate("\xff\xd8\xff\xe0 JFIF", 9);

	assert_int_equal(malformed(f), 1);
	assert_int_equal(facts_get(f, FIELD_SUBJECT)->kind, VALUE_MALFORMED);
	assert_json(f, FIELD_EXTENSIONS, "[]");
	assert_int_equal(facts_get(f, FIELD_SHA256)->kind, VALUE_TEXT);
	facts_destroy(f);
	f = facts_of_certificate(NULL, 0);
	assert_int_equal(malformed(f), 1);
	facts_destroy(f);
	facts_destroy(NULL);
}

static void
test_evidence(void **state)
{
	struct buf leaf = sample_der("incident/invalid2.pem");
	struct hash chain[2] = {hash_sha256(leaf.data, leaf.len), {{0xab}}};
	const char *ehlo[] = {"STARTTLS", "SIZE *"};
	struct evidence e = {.outcome = OUTCOME_SUCCESS,
	    .tls_alert = -1,
	    .smtp_code = 220,
	    .starttls_offered = TRI_TRUE,
	    .sni_acknowledged = TRI_FALSE,
	    .tls_version = "TLSv1.3",
	    .ehlo = ehlo,
	    .ehlo_n = 2,
	    .reported_by = "postfix",
	    .reported_status = "Untrusted",
	    .chain = chain,
	    .chain_n = 2};
	struct span certificates[2] = {span_of(leaf.data, leaf.len)};
	struct facts *f = facts_of_evidence(&e, certificates);

	memset(&e, 0, sizeof(e)); /* facts owe nothing to the evidence */
	assert_json(f, FIELD_CHAIN_LENGTH, "2");
	assert_json(f, FIELD_INTERMEDIATES,
	    "[\"ab00000000000000000000000000000000000000000000000000000000000000\"]");
	assert_json(f, FIELD_TLS_VERSION, "\"TLSv1.3\"");
	assert_json(f, FIELD_CIPHER, "null");
	assert_json(f, FIELD_SNI_ACKNOWLEDGED, "false");
	assert_json(f, FIELD_STARTTLS_OFFERED, "true");
	assert_json(f, FIELD_OUTCOME, "\"success\"");
	assert_json(f, FIELD_SMTP_CODE, "220");
	assert_json(f, FIELD_TLS_ALERT, "null");
	assert_json(f, FIELD_EHLO, "[\"STARTTLS\",\"SIZE *\"]");
	assert_json(
	    f, FIELD_REPORTED, "{\"by\":\"postfix\",\"status\":\"Untrusted\",\"reason\":null}");
	assert_json(f, FIELD_KEY_BITS, "2048");
	facts_destroy(f);

	e = (struct evidence){.outcome = OUTCOME_STARTTLS_NOT_OFFERED, .tls_alert = -1};
	f = facts_of_evidence(&e, NULL);
	assert_null(facts_certificate(f));
	assert_int_equal(facts_get(f, FIELD_SUBJECT)->kind, VALUE_NULL);
	assert_json(f, FIELD_EHLO, "null");
	facts_destroy(f);
	buf_finish(&leaf);
}

/* Puts an element around what is in *b, which stands behind `before` in it. */
static void
wrap(struct buf *b, const char *tag, const char *before, size_t before_len)
{
	struct buf inner = {0};

	buf_append(&inner, before, before_len);
	buf_append(&inner, b->data, b->len);
	buf_clear(b);
	buf_append(b, tag, 1);
	buf_append_byte(b, 0x84);
	buf_append_u32be(b, (uint32_t)inner.len);
	buf_append(b, inner.data, inner.len);
	buf_finish(&inner);
}

/* A megabyte of names takes time in proportion: what is quadratic would not end in the test's. */
static void
test_sixty_thousand_names(void **state)
{
	static const char rest[] =
	    "\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x05\x06\x03\x2a\x03\x04\x30\x00\x30\x1e\x17\x0d"
	    "150101000000Z\x17\x0d"
	    "300101000000Z\x30\x00\x30\x0a\x30\x05\x06\x03\x2a\x03\x04\x03\x01\x00";
	struct buf names = {0}, out = {0};
	const struct value *list;
	struct facts *f;

	for (int i = 0; i < 60000; i++)
		buf_printf(&names, "\x82\x0cn%05d.test.", i);
	buf_append(&out, names.data, names.len);
	wrap(&out, "\x30", "", 0);
	wrap(&out, "\x04", "", 0);
	wrap(&out, "\x30", "\x06\x03\x55\x1d\x11", 5);
	wrap(&out, "\x30", "", 0);
	wrap(&out, "\xa3", "", 0);
	wrap(&out, "\x30", rest, sizeof(rest) - 1);
	wrap(&out, "\x30", "", 0);
	f = facts_of_certificate(out.data, out.len);
	list = value_member(facts_get(f, FIELD_SUBJECT_ALT_NAMES), "names");
	assert_non_null(list);
	assert_int_equal(list->n, 60000);
	assert_string_equal(list->items[59999].text, "dns:n59999.test.");
	facts_destroy(f);
	buf_finish(&names);
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_incident),
	    cmocka_unit_test(test_the_table),
	    cmocka_unit_test(test_every_beginning),
	    cmocka_unit_test(test_half_broken),
	    cmocka_unit_test(test_unreadable_extension),
	    cmocka_unit_test(test_no_certificate),
	    cmocka_unit_test(test_evidence),
	    cmocka_unit_test(test_sixty_thousand_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
