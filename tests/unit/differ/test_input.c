#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "differ/certificate/input.h"

static struct input
input_of(const char *text)
{
	struct input in = {0};

	input_open_bytes(&in, text, strlen(text));
	return in;
}

static void
assert_next(struct input *in, size_t index, const char *der)
{
	assert_true(input_next(in));
	assert_int_equal(in->index, index);
	assert_int_equal(in->der.len, strlen(der));
	assert_memory_equal(in->der.data, der, strlen(der));
}

static void
test_blocks(void **state)
{
	struct input in = input_of(
	    "text before\n"
	    "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"
	    "text between\r\n"
	    "-----BEGIN RSA PRIVATE KEY-----\nZGVm\n-----END RSA PRIVATE KEY-----\n"
	    "-----BEGIN X509 CERTIFICATE-----\r\nZG Vm\t\r\n-----END X509 CERTIFICATE-----"
	    "-----BEGIN TRUSTED CERTIFICATE-----\nZ2g=\n-----END TRUSTED CERTIFICATE-----");

	assert_next(&in, 0, "abc");
	assert_false(in.trusted);
	assert_next(&in, 1, "def");
	assert_next(&in, 2, "gh");
	assert_true(in.trusted);
	assert_false(input_next(&in));
	input_finish(&in);
}

/* Everything outside the alphabet is dropped; nothing after the padding. */
static void
test_lenient(void **state)
{
	struct input in = input_of("-----BEGIN CERTIFICATE-----\nY!W?J*j\nZGVmZw==ZGVm\n");

	assert_next(&in, 0, "abcdefg");
	assert_false(input_next(&in));
	input_finish(&in);
	in = input_of("-----BEGIN CERTIFICATE-----");
	assert_next(&in, 0, "");
	assert_false(input_next(&in));
	input_finish(&in);
}

static void
test_what_is_no_pem(void **state)
{
	struct input in = input_of("-----BEGIN PUBLIC KEY-----\nYWJj\n");

	assert_next(&in, 0, "-----BEGIN PUBLIC KEY-----\nYWJj\n");
	assert_false(in.pem);
	assert_false(input_next(&in));
	input_open_bytes(&in, "", 0); /* again, and empty */
	assert_next(&in, 0, "");
	assert_false(input_next(&in));
	input_finish(&in);
}

static void
test_no_file(void **state)
{
	struct input in = {0};
	struct err err = {0};

	assert_int_equal(input_open(&in, "/nonexistent/file", &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "/nonexistent/file: "));
	err = (struct err){0};
	assert_int_equal(input_open(&in, "/", &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "directory"));
	input_finish(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_lenient),
	    cmocka_unit_test(test_what_is_no_pem),
	    cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
