#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "differ/certificate/name.h"
#include "differ/certificate/oid.h"
#include "hex.h"

/* CN = 55 04 03, O = 55 04 0A; 1.2.3 = 2A 03. */
static void
test_texts(void **state)
{
	static const struct {
		const char *rdns, *text;
	} cases[] = {
	    {"", ""},
	    {"31 0A 30 08 06 03 55 04 03 0C 01 61", "CN=a"},
	    /* the last RDN first */
	    {"31 0A 30 08 06 03 55 04 0A 13 01 62 31 0A 30 08 06 03 55 04 03 0C 01 61", "CN=a,O=b"},
	    /* two attributes in one RDN */
	    {"31 14 30 08 06 03 55 04 03 0C 01 61 30 08 06 03 55 04 0A 0C 01 62", "O=b+CN=a"},
	    /* an RDN of none is dropped, as OpenSSL does */
	    {"31 00 31 0A 30 08 06 03 55 04 03 0C 01 61", "CN=a"},
	    /* an unknown type, and a known one whose value is no string */
	    {"31 09 30 07 06 02 2A 03 0C 01 61", "1.2.3=#0C0161"},
	    {"31 0B 30 09 06 03 55 04 03 03 02 00 FF", "CN=#030200FF"},
	    /* escapes: , + " \ < > ; anywhere, blanks at both ends, # in front, controls */
	    {"31 10 30 0E 06 03 55 04 03 0C 07 2C 2B 22 5C 3C 3E 3B", "CN=\\,\\+\\\"\\\\\\<\\>\\;"},
	    {"31 0E 30 0C 06 03 55 04 03 0C 05 20 61 20 62 20", "CN=\\ a b\\ "},
	    {"31 0C 30 0A 06 03 55 04 03 0C 03 23 61 23", "CN=\\#a#"},
	    {"31 0A 30 08 06 03 55 04 03 0C 01 23", "CN=#"},
	    {"31 0C 30 0A 06 03 55 04 03 0C 03 00 0A 7F", "CN=\\00\\0A\\7F"},
	    /* Latin-1, UTF-16, UTF-32 and UTF-8 become UTF-8 */
	    {"31 0A 30 08 06 03 55 04 03 14 01 E4", "CN=\xc3\xa4"},
	    {"31 0A 30 08 06 03 55 04 03 13 01 E4", "CN=\xc3\xa4"},
	    {"31 0B 30 09 06 03 55 04 03 1E 02 20 AC", "CN=\xe2\x82\xac"},
	    {"31 0D 30 0B 06 03 55 04 03 1C 04 00 01 F6 00", "CN=\xf0\x9f\x98\x80"},
	    {"31 0B 30 09 06 03 55 04 03 0C 02 C3 A4", "CN=\xc3\xa4"},
	    {"31 0A 30 08 06 03 55 04 03 0C 01 61", "CN=a"},
	    {"31 09 30 07 06 03 55 04 03 0C 00", "CN="},
	    /* a length that is not minimal is written minimal */
	    {"31 0A 30 08 06 02 2A 03 0C 81 01 61", "1.2.3=#0C0161"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		struct hex h;
		struct span rdns = hex(&h, cases[i].rdns);
		struct der d;
		const struct value *v;

		der_init(&d, rdns);
		assert_true(name_check(&d, rdns, NULL));
		v = name_value(&arena, rdns);
		assert_string_equal(v->text, cases[i].text);
		assert_int_equal(v->len, strlen(v->text));
		der_finish(&d);
		arena_finish(&arena);
	}
}

static void
test_what_cannot_be_read(void **state)
{
	static const char *const cases[] = {"30 00", "31 02 05 00",
	    "31 0A 30 08 06 03 55 04 03 0C 01 FF", "31 0B 30 09 06 03 55 04 03 0C 01 61 00",
	    "31 05 30 03 06 01 80", "31 05 30 03 06 01 55",
	    "31 0C 30 0A 06 03 55 04 03 2C 03 0C 01 61", "31 7F"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hex h;
		struct span rdns = hex(&h, cases[i]);
		struct der d;

		der_init(&d, rdns);
		if (name_check(&d, rdns, NULL) || d.faults[FAULT_MALFORMED].n == 0)
			fail_msg("%s passes for a name", cases[i]);
		der_finish(&d);
	}
}

static void
test_order_in_an_rdn(void **state)
{
	struct hex h;
	struct span rdns =
	    hex(&h, "31 14 30 08 06 03 55 04 0A 0C 01 62 30 08 06 03 55 04 03 0C 01 61");
	struct der d;

	der_init(&d, rdns);
	assert_true(name_check(&d, rdns, NULL));
	assert_int_equal(d.faults[FAULT_NOT_DER].n, 1);
	assert_non_null(strstr(d.faults[FAULT_NOT_DER].list[0].why, "X.690 11.6"));
	der_finish(&d);
}

static void
test_identifiers(void **state)
{
	static const struct {
		const char *octets, *dotted;
	} cases[] = {{"55 04 03", "2.5.4.3"}, {"00", "0.0"}, {"27", "0.39"}, {"28", "1.0"},
	    {"4F", "1.39"}, {"50", "2.0"}, {"88 37", "2.999"},
	    {"2A 86 48 86 F7 0D", "1.2.840.113549"},
	    {"2A FF FF FF FF FF FF FF FF 7F", "1.2.9223372036854775807"},
	    {"2A 81 80 80 80 80 80 80 80 80 00", "1.2.9223372036854775808"},
	    /* 2.25 with a UUID: 128 bits */
	    {"69 83 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF 7F",
		"2.25.340282366920938463463374607431768211455"},
	    {"82 80 80 80 80 80 80 80 80 50", "2.18446744073709551616"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		uint8_t back[64];
		struct hex h;
		size_t len;

		assert_string_equal(
		    oid_dotted(&arena, hex(&h, cases[i].octets), &len), cases[i].dotted);
		assert_int_equal(len, strlen(cases[i].dotted));
		len = oid_parse(cases[i].dotted, back, sizeof(back));
		if (h.len < 9) {
			assert_int_equal(len, h.len);
			assert_memory_equal(back, h.octets, h.len);
		}
		arena_finish(&arena);
	}
}

static void
test_no_identifiers(void **state)
{
	uint8_t out[8];

	assert_int_equal(oid_parse("", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("1", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("3.1", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("1.40", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("1.2.", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("1..2", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("1.2.x", out, sizeof(out)), 0);
	assert_int_equal(oid_parse("1.2.3.4.5.6.7.8.9.10.11", out, sizeof(out)), 0);
}

static void
test_known_identifiers(void **state)
{
	struct oid_entry e;
	struct hex h;

	assert_true(oid_find(hex(&h, "2A 86 48 CE 3D 03 01 07"), &e));
	assert_string_equal(e.openssl, "prime256v1");
	assert_true(e.is_curve);
	assert_int_equal(e.key_bits, 256);
	assert_true(oid_find(hex(&h, "2A 86 48 86 F7 0D 01 01 01"), &e));
	assert_string_equal(e.algorithm, "rsaEncryption");
	assert_int_equal(e.key, KEY_RSA);
	assert_true(oid_find(hex(&h, "55 1D 0F"), &e));
	assert_string_equal(e.extension, "keyUsage");
	assert_int_equal(e.extension_kind, EXTENSION_KEY_USAGE);
	assert_true(oid_find(hex(&h, "2B 06 01 05 05 07 03 01"), &e));
	assert_string_equal(e.purpose, "serverAuth");
	assert_true(oid_find(hex(&h, "2B 06 01 04 01 82 37 3C 02 01 03"), &e));
	assert_string_equal(e.openssl, "jurisdictionC");
	assert_false(oid_find(hex(&h, "2A 03"), &e));
	assert_false(oid_find(hex(&h, ""), &e));
	assert_null(e.oid);
	assert_int_equal(e.strength_bits, -1);
	assert_int_equal(e.extension_kind, EXTENSION_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_what_cannot_be_read),
	    cmocka_unit_test(test_order_in_an_rdn),
	    cmocka_unit_test(test_identifiers),
	    cmocka_unit_test(test_no_identifiers),
	    cmocka_unit_test(test_known_identifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
