#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "differ/certificate/der.h"
#include "hex.h"
#include "store/base/clock.h"

static const struct place here = {NULL, "here", 0};

struct reading_of {
	struct der d;
	struct hex octets;
	struct cursor c;
	struct tlv t;
	bool ok;
};

/* Reads the first element of the octets. */
static struct tlv *
read_one(struct reading_of *r, const char *octets)
{
	struct span s = hex(&r->octets, octets);

	der_finish(&r->d);
	der_init(&r->d, s);
	r->c = cursor_of(s);
	r->ok = der_next(&r->d, &r->c, &r->t, &here);
	return &r->t;
}

static size_t
malformed(const struct reading_of *r)
{
	return r->d.faults[FAULT_MALFORMED].total;
}

static size_t
not_der(const struct reading_of *r)
{
	return r->d.faults[FAULT_NOT_DER].total;
}

static void
test_lengths(void **state)
{
	static const struct {
		const char *octets;
		bool ok;
		size_t len, not_der;
	} cases[] = {
	    {"04 02 AA BB", true, 2, 0},
	    {"04 00", true, 0, 0},
	    {"04", false, 0, 0},
	    {"04 02 AA", false, 0, 0},	       /* longer than what there is */
	    {"04 81 02 AA BB", true, 2, 1},    /* X.690 10.1 */
	    {"04 82 00 02 AA BB", true, 2, 1}, /* the same, with a leading zero */
	    {"04 84 00 00 00 01 AA", true, 1, 1},
	    {"04 88 FF FF FF FF FF FF FF FF", false, 0, 0},
	    {"04 80 AA 00 00", false, 0, 0}, /* indefinite, but primitive */
	    {"30 80 04 01 AA 00 00", true, 3, 1},
	    {"30 80 30 80 05 00 00 00 04 00 00 00", true, 8, 1}, /* one within another */
	    {"30 80 30 80 05 00 00 00", false, 0, 0},
	    {"1F 21 00", true, 0, 0}, /* a tag of two octets */
	    {"1F 1E 00", true, 0, 1}, /* X.690 8.1.2.2 */
	    {"1F 81", false, 0, 0},
	};
	struct reading_of r = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_one(&r, cases[i].octets);
		if (r.ok != cases[i].ok || not_der(&r) != cases[i].not_der ||
		    (r.ok && r.t.value.len != cases[i].len))
			fail_msg("%s: ok %d, length %zu, not DER %zu", cases[i].octets, r.ok,
			    r.t.value.len, not_der(&r));
		assert_int_equal(malformed(&r), !cases[i].ok);
		if (r.ok)
			assert_true(r.c.p <= r.c.end);
	}
	der_finish(&r.d);
}

static void
test_whole_length_behind_a_long_header(void **state)
{
	struct reading_of r = {0};
	char text[3 * 300 + 16] = "04 81 80";

	for (int i = 0; i < 128; i++)
		strcat(text, " 00");
	read_one(&r, text);
	assert_true(r.ok);
	assert_int_equal(r.t.whole.len, 131);
	assert_int_equal(not_der(&r), 0);
	der_finish(&r.d);
}

static void
test_expect_steps_over_what_is_odd(void **state)
{
	struct reading_of r = {0};
	struct tlv t;

	read_one(&r, "05 00 02 01 07");
	r.c = cursor_of(span_of(r.octets.octets, r.octets.len));
	assert_false(der_expect(&r.d, &r.c, DER_OID, 0, &t, &here));
	assert_true(der_expect(&r.d, &r.c, DER_INTEGER, 0, &t, &here));
	assert_false(der_expect(&r.d, &r.c, DER_INTEGER, 0, &t, &here));
	assert_int_equal(malformed(&r), 2);
	assert_string_equal(
	    r.d.faults[FAULT_MALFORMED].list[0].why, "OBJECT IDENTIFIER must stand here, not NULL");
	assert_string_equal(r.d.faults[FAULT_MALFORMED].list[1].why, "INTEGER is missing");
	assert_int_equal(r.d.faults[FAULT_MALFORMED].list[1].offset, 5);
	der_finish(&r.d);
}

static void
test_expect_keeps_what_comes_then(void **state)
{
	struct reading_of r = {0};
	struct tlv t;

	read_one(&r, "30 00");
	r.c = cursor_of(span_of(r.octets.octets, r.octets.len));
	assert_false(der_expect(&r.d, &r.c, DER_INTEGER, DER_SEQUENCE, &t, &here));
	assert_true(der_expect(&r.d, &r.c, DER_SEQUENCE, 0, &t, &here));
	der_finish(&r.d);
}

static void
test_places(void **state)
{
	struct place list = {&here, "extensions", 0}, third = {&list, NULL, 3},
		     value = {&third, "extnValue", 0};
	struct der d;

	der_init(&d, span_of("", 0));
	der_fault(&d, FAULT_NOT_DER, &value, d.start, "%s", "why");
	der_fault(&d, FAULT_NOT_DER, NULL, d.start, "%s", "why");
	assert_string_equal(d.faults[FAULT_NOT_DER].list[0].at, "here.extensions[3].extnValue");
	assert_string_equal(d.faults[FAULT_NOT_DER].list[1].at, "certificate");
	der_finish(&d);
}

static void
test_faults_are_bounded(void **state)
{
	struct der d;

	der_init(&d, span_of("", 0));
	for (int i = 0; i < 1000; i++)
		der_fault(&d, FAULT_MALFORMED, &here, d.start, "fault %d", i);
	assert_int_equal(d.faults[FAULT_MALFORMED].n, DIFFER_FAULTS_MAX);
	assert_int_equal(d.faults[FAULT_MALFORMED].total, 1000);
	d.muted = true;
	der_fault(&d, FAULT_MALFORMED, &here, d.start, "not kept");
	assert_int_equal(d.faults[FAULT_MALFORMED].total, 1000);
	der_finish(&d);
}

static void
test_booleans(void **state)
{
	struct reading_of r = {0};
	bool v;

	assert_true(der_boolean(&r.d, read_one(&r, "01 01 FF"), &v, &here) && v);
	assert_true(der_boolean(&r.d, read_one(&r, "01 01 00"), &v, &here) && !v);
	assert_int_equal(not_der(&r), 0);
	assert_true(der_boolean(&r.d, read_one(&r, "01 01 01"), &v, &here) && v);
	assert_int_equal(not_der(&r), 1);
	assert_false(der_boolean(&r.d, read_one(&r, "01 00"), &v, &here));
	assert_false(der_boolean(&r.d, read_one(&r, "01 02 FF FF"), &v, &here));
	der_finish(&r.d);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *octets;
		bool ok;
		int64_t value;
		size_t not_der;
	} cases[] = {{"02 01 00", true, 0, 0}, {"02 01 80", true, -128, 0},
	    {"02 02 00 80", true, 128, 0}, {"02 02 FF 7F", true, -129, 0},
	    {"02 02 00 7F", true, 127, 1}, {"02 02 FF 80", true, -128, 1},
	    {"02 04 00 00 00 00", true, 0, 1}, {"02 00", false, 0, 0},
	    {"02 08 7F FF FF FF FF FF FF FF", true, INT64_MAX, 0},
	    {"02 08 80 00 00 00 00 00 00 00", true, INT64_MIN, 0},
	    {"02 09 00 80 00 00 00 00 00 00 00", false, 0, 0}};
	struct reading_of r = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = 0;
		bool ok = der_number(&r.d, read_one(&r, cases[i].octets), &v, &here);

		if (ok != cases[i].ok || (ok && v != cases[i].value) ||
		    not_der(&r) != cases[i].not_der)
			fail_msg("%s: ok %d, %lld", cases[i].octets, ok, (long long)v);
	}
	der_finish(&r.d);
}

static void
test_bit_strings(void **state)
{
	struct reading_of r = {0};
	struct span bits;
	unsigned unused, beyond;
	uint32_t named;

	assert_true(der_bit_string(&r.d, read_one(&r, "03 02 04 F0"), &bits, &unused, &here));
	assert_int_equal(unused, 4);
	assert_int_equal(not_der(&r), 0);
	assert_true(der_bit_string(&r.d, read_one(&r, "03 02 04 FF"), &bits, &unused, &here));
	assert_int_equal(not_der(&r), 1); /* X.690 11.2.1 */
	assert_false(der_bit_string(&r.d, read_one(&r, "03 00"), &bits, &unused, &here));
	assert_false(der_bit_string(&r.d, read_one(&r, "03 02 08 00"), &bits, &unused, &here));
	assert_false(der_bit_string(&r.d, read_one(&r, "03 01 01"), &bits, &unused, &here));

	assert_true(der_named_bits(&r.d, read_one(&r, "03 02 05 A0"), &named, &beyond, &here));
	assert_int_equal(named, 5); /* bits 0 and 2 */
	assert_int_equal(not_der(&r), 0);
	assert_true(der_named_bits(&r.d, read_one(&r, "03 02 01 06"), &named, &beyond, &here));
	assert_int_equal(named, 1u << 5 | 1u << 6);
	assert_true(der_named_bits(&r.d, read_one(&r, "03 03 07 00 80"), &named, &beyond, &here));
	assert_int_equal(named, 1u << 8);
	assert_int_equal(not_der(&r), 0);
	assert_true(der_named_bits(&r.d, read_one(&r, "03 02 00 80"), &named, &beyond, &here));
	assert_int_equal(not_der(&r), 1); /* X.690 11.2.2 */
	assert_true(
	    der_named_bits(&r.d, read_one(&r, "03 06 00 00 00 00 00 01"), &named, &beyond, &here));
	assert_int_equal(named, 0);
	assert_int_equal(beyond, 1);
	der_finish(&r.d);
}

static void
test_object_identifiers(void **state)
{
	struct reading_of r = {0};

	assert_true(der_oid(&r.d, read_one(&r, "06 03 55 04 03"), &here));
	assert_false(der_oid(&r.d, read_one(&r, "06 00"), &here));
	assert_false(der_oid(&r.d, read_one(&r, "06 02 55 84"), &here));
	assert_false(der_oid(&r.d, read_one(&r, "06 03 55 80 01"), &here));
	assert_true(der_oid(&r.d, read_one(&r, "06 04 55 81 80 01"), &here));
	der_finish(&r.d);
}

/* The text of a time behind its tag and length. */
static bool
read_time(struct reading_of *r, uint8_t id, const char *text, char out[CLOCK_TEXT_MAX])
{
	int64_t time_ms;

	der_finish(&r->d);
	der_init(&r->d, span_of(text, strlen(text)));
	r->t = (struct tlv){.id = id, .value = span_of(text, strlen(text)), .whole.p = r->d.start};
	if (!der_time(&r->d, &r->t, &time_ms, &here))
		return false;
	clock_format_s(time_ms, out);
	return true;
}

static void
test_times(void **state)
{
	static const struct {
		uint8_t id;
		const char *text, *time; /* NULL: none */
		size_t not_der;
	} cases[] = {{DER_UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z", 0},
	    {DER_UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z", 0},
	    {DER_UTC_TIME, "0102030405Z", "2001-02-03T04:05:00Z", 1},
	    {DER_UTC_TIME, "010203040506+0130", "2001-02-03T02:35:06Z", 1},
	    {DER_UTC_TIME, "010203040506", NULL, 0}, {DER_UTC_TIME, "010230040506Z", NULL, 0},
	    {DER_UTC_TIME, "20010203040506Z", NULL, 0}, {DER_UTC_TIME, "010203040560Z", NULL, 0},
	    {DER_UTC_TIME, "01020304050 Z", NULL, 0}, {DER_UTC_TIME, "", NULL, 0},
	    {DER_UTC_TIME, "010203040506Zx", NULL, 0},
	    {DER_GENERALIZED_TIME, "20200229120000Z", "2020-02-29T12:00:00Z", 0},
	    {DER_GENERALIZED_TIME, "20190229120000Z", NULL, 0},
	    {DER_GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z", 0},
	    {DER_GENERALIZED_TIME, "00000101000001Z", "0000-01-01T00:00:01Z", 0},
	    {DER_GENERALIZED_TIME, "20200101000000.5Z", "2020-01-01T00:00:00Z", 1},
	    {DER_GENERALIZED_TIME, "20200101000000.Z", NULL, 0},
	    {DER_GENERALIZED_TIME, "99991231235959-0100", NULL, 0}};
	struct reading_of r = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char time[CLOCK_TEXT_MAX] = "";
		bool ok = read_time(&r, cases[i].id, cases[i].text, time);

		if (ok != (cases[i].time != NULL) || (ok && strcmp(time, cases[i].time) != 0) ||
		    not_der(&r) != cases[i].not_der)
			fail_msg(
			    "%s: %s, not DER %zu", cases[i].text, ok ? time : "none", not_der(&r));
	}
	der_finish(&r.d);
}

static void
test_strings(void **state)
{
	static const struct {
		const char *octets;
		bool ok;
		size_t not_der;
	} cases[] = {{"13 03 41 20 2E", true, 0}, {"13 01 40", true, 1}, {"13 01 2A", true, 1},
	    {"12 02 30 20", true, 0}, {"12 01 41", true, 1}, {"16 01 7F", true, 0},
	    {"16 01 80", true, 1}, {"1A 01 0A", true, 1}, {"0C 02 C3 A4", true, 0},
	    {"0C 02 C0 80", false, 0}, {"0C 01 FF", false, 0}, {"1E 02 00 41", true, 0},
	    {"1E 01 41", false, 0}, {"1E 02 D8 00", false, 0}, {"1E 04 D8 3D DE 00", true, 1},
	    {"1C 04 00 01 F6 00", true, 0}, {"1C 04 00 11 00 00", false, 0},
	    {"1C 03 00 00 41", false, 0}, {"14 01 E4", true, 0}};
	struct reading_of r = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok = der_string(&r.d, read_one(&r, cases[i].octets), &here);

		if (ok != cases[i].ok || not_der(&r) != cases[i].not_der)
			fail_msg("%s: ok %d, not DER %zu", cases[i].octets, ok, not_der(&r));
	}
	der_finish(&r.d);
}

static void
test_set_order(void **state)
{
	struct hex a, b;

	assert_true(der_set_order(hex(&a, "30 01 05"), hex(&b, "30 01 06")));
	assert_false(der_set_order(hex(&a, "30 01 06"), hex(&b, "30 01 05")));
	assert_true(der_set_order(hex(&a, "30 01"), hex(&b, "30 01 05")));
	assert_false(der_set_order(hex(&a, "30 01 05"), hex(&b, "30 01")));
	assert_true(der_set_order(hex(&a, "30 01"), hex(&b, "30 01")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_whole_length_behind_a_long_header),
	    cmocka_unit_test(test_expect_steps_over_what_is_odd),
	    cmocka_unit_test(test_expect_keeps_what_comes_then),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_faults_are_bounded),
	    cmocka_unit_test(test_booleans),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_bit_strings),
	    cmocka_unit_test(test_object_identifiers),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_set_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
