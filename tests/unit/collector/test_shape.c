#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/record/shape.h"

static void
expect(const char *text, size_t len, const char *shape)
{
	struct buf b = {0};

	shape_append(&b, text, len, "mx1.example.test", 4096);
	assert_string_equal(buf_text(&b), shape);
	buf_finish(&b);
}

#define EXPECT(text, shape) expect(text, sizeof(text) - 1, shape)

static void
test_tokens(void **state)
{
	EXPECT("", "");
	EXPECT("   ", "");
	EXPECT("ESMTP ready", "ESMTP ready");
	EXPECT("mx1.example.test ESMTP Exim 4.96 Tue, 24 Nov 2026 17:00:00 +0000",
	    "mx1.example.test ESMTP Exim * Tue, * Nov * * *");
	EXPECT("MX1.Example.TEST. x", "MX1.Example.TEST. x");
	EXPECT("mx2.example.test x", "* x");
	EXPECT("xmx1.example.test", "*");
	EXPECT("  a\t b9  c ", "a * c");
	EXPECT("8BITMIME", "*");
}

static void
test_octets_that_do_not_print(void **state)
{
	EXPECT("a\033[Jb", "a\\x1B[Jb");
	EXPECT("a\0b", "a\\x00b");
	EXPECT("\xff\xfe", "\\xFF\\xFE");
	EXPECT("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	EXPECT("\xff"
	       "7",
	    "*");
}

static void
test_limit(void **state)
{
	struct buf b = {0};

	buf_append_text(&b, "220 ");
	shape_append(&b, "abc def ghi", 11, "h", 7);
	assert_string_equal(buf_text(&b), "220 abc def");
	b.len = 4;
	shape_append(&b, "abc def ghi", 11, "h", 6);
	assert_string_equal(buf_text(&b), "220 abc");
	b.len = 4;
	shape_append(&b, "abc", 3, "h", 2);
	assert_string_equal(buf_text(&b), "220 ");
	buf_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tokens),
	    cmocka_unit_test(test_octets_that_do_not_print),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
