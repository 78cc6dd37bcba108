#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "collector/dns/dns_cache.h"
#include "collector/dns/rdata.h"
#include "collector/limits.h"
#include "store/base/mem.h"

static void
expect(uint16_t rrtype, const char *rdata, size_t len, const char *text)
{
	struct buf b = {0};

	rdata_text(&b, rrtype, rdata, len);
	assert_string_equal(buf_text(&b), text);
	buf_finish(&b);
}

#define EXPECT(rrtype, rdata, text) expect(rrtype, rdata, sizeof(rdata) - 1, text)

static void
test_presentation(void **state)
{
	EXPECT(RDATA_A, "\xc0\x00\x02\x01", "192.0.2.1");
	EXPECT(RDATA_AAAA, " \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", "2001:db8::1");
	EXPECT(RDATA_MX, "\0\012\3Mx1\7example\0", "10 mx1.example");
	EXPECT(RDATA_MX, "\0\0\0", "0 .");
	EXPECT(RDATA_CNAME, "\1a\2b.\0", "a.b\\.");
	EXPECT(RDATA_CNAME, "\3a\0c\0", "a\\000c");
	EXPECT(RDATA_TLSA, "\3\1\1\xab\xcd", "3 1 1 abcd");
	EXPECT(RDATA_TXT, "\4v=x1\3a\"\\", "\"v=x1\" \"a\\\"\\\\\"");
	EXPECT(RDATA_TXT, "\2\xff\n", "\"\\255\\010\"");
	EXPECT(RDATA_TXT, "\0", "\"\"");
	EXPECT(257, "\1\2", "\\# 2 0102");
}

static void
test_rdata_that_lies(void **state)
{
	EXPECT(RDATA_A, "\1\2\3", "\\# 3 010203");
	EXPECT(RDATA_A, "\1\2\3\4\5", "\\# 5 0102030405");
	EXPECT(RDATA_MX, "\0", "\\# 1 00");
	EXPECT(RDATA_MX, "\0\12\5ab", "\\# 5 000a056162");
	EXPECT(RDATA_MX, "\0\12\xc0\0", "\\# 4 000ac000"); /* a pointer: none of ours */
	EXPECT(RDATA_TXT, "\5ab", "\\# 3 056162");
	EXPECT(RDATA_TXT, "", "\\# 0");
	EXPECT(RDATA_TLSA, "\3\1\1", "\\# 3 030101");
}

static void
test_name_limit(void **state)
{
	uint8_t name[260];
	struct buf b = {0};
	struct reader r;

	/* 127 labels of one octet and the root: 255 octets, the most there may be. */
	for (size_t i = 0; i < sizeof(name); i += 2) {
		name[i] = 1;
		name[i + 1] = 'a';
	}
	name[254] = 0;
	r = reader_of(name, sizeof(name));
	assert_true(rdata_name(&b, &r));
	assert_int_equal(b.len, 253);
	name[254] = 1;
	name[256] = 0;
	buf_clear(&b);
	r = reader_of(name, sizeof(name));
	assert_false(rdata_name(&b, &r));
	assert_int_equal(b.len, 0);
	buf_finish(&b);
}

static void
test_cache_sorts_and_drops_repeats(void **state)
{
	struct dns_cache cache;
	struct dns_entry *e;
	char **records = mem_zero(4, sizeof(*records));

	dns_cache_init(&cache);
	e = dns_cache_add(&cache, "a.example", RDATA_MX);
	records[0] = mem_strdup("20 b");
	records[1] = mem_strdup("10 a");
	records[2] = mem_strdup("20 b");
	records[3] = mem_strdup("10 B");
	dns_entry_set_records(e, records, 4);
	assert_int_equal(e->result.answer.records_n, 3);
	assert_string_equal(e->result.answer.records[0], "10 B");
	assert_string_equal(e->result.answer.records[1], "10 a");
	assert_string_equal(e->result.answer.records[2], "20 b");
	assert_ptr_equal(dns_cache_find(&cache, "a.example", RDATA_MX), e);
	assert_null(dns_cache_find(&cache, "a.example", RDATA_A));
	assert_null(dns_cache_find(&cache, "b.example", RDATA_MX));
	dns_cache_finish(&cache);
}

/* The oldest answers go; what is under way stays. */
static void
test_cache_limit(void **state)
{
	struct dns_cache cache;
	struct dns_entry *open_one;
	char name[32];

	dns_cache_init(&cache);
	open_one = dns_cache_add(&cache, "open.example", RDATA_A);
	for (unsigned i = 0; i < LIMIT_DNS_CACHE + 10; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		dns_cache_move(&cache, dns_cache_add(&cache, name, RDATA_A), DNS_ENTRY_ANSWERED);
		assert_true(cache.n <= LIMIT_DNS_CACHE);
	}
	assert_ptr_equal(dns_cache_find(&cache, "open.example", RDATA_A), open_one);
	assert_null(dns_cache_find(&cache, "n0.example", RDATA_A));
	assert_non_null(dns_cache_find(&cache, name, RDATA_A));
	dns_cache_finish(&cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_presentation),
	    cmocka_unit_test(test_rdata_that_lies),
	    cmocka_unit_test(test_name_limit),
	    cmocka_unit_test(test_cache_sorts_and_drops_repeats),
	    cmocka_unit_test(test_cache_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
