#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/probe/sts.h"

#define GOOD "version: STSv1\nmode: testing\r\nmx: mx.example.org\nmax_age: 1"

/* The lines that are kept, joined by "|", and the result. */
static enum sts_result
judge(const void *body, size_t len, char *kept, size_t size)
{
	struct sts_body b = {0};
	struct sts_answer answer;
	struct dns_answer stored;
	struct err err = {0};
	char reason[256];
	enum sts_result result;

	buf_append(&b.raw, body, len);
	sts_judge(&answer, &b, reason);
	assert_int_equal(answer.error != NULL, answer.result != STS_OK);
	kept[0] = '\0';
	for (size_t i = 0; i < answer.policy_n && i < 8; i++) {
		strncat(kept, answer.policy[i], size - strlen(kept) - 1);
		strncat(kept, "|", size - strlen(kept) - 1);
	}
	/* Whatever came, the store takes it. */
	if (sts_answer_write(&stored, &answer, &err) != 0)
		fail_msg("%s", err.text);
	dns_answer_finish(&stored);
	result = answer.result;
	sts_body_finish(&b);
	return result;
}

static void
test_lines(void **state)
{
	static const struct {
		const char *body;
		enum sts_result result;
		const char *kept;
	} cases[] = {
	    {GOOD, STS_OK, "version: STSv1|mode: testing|mx: mx.example.org|max_age: 1|"},
	    {GOOD "\n", STS_OK, "version: STSv1|mode: testing|mx: mx.example.org|max_age: 1|"},
	    {GOOD "\r\n", STS_OK, "version: STSv1|mode: testing|mx: mx.example.org|max_age: 1|"},
	    {GOOD "\n\n", STS_POLICY_INVALID,
		"version: STSv1|mode: testing|mx: mx.example.org|max_age: 1||"},
	    {GOOD "\r", STS_POLICY_INVALID, NULL},
	    {"", STS_POLICY_INVALID, ""},
	    {"\n", STS_POLICY_INVALID, "|"},
	    {GOOD "\nx: \xff", STS_POLICY_INVALID, NULL},
	};
	char kept[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(judge(cases[i].body, strlen(cases[i].body), kept, sizeof(kept)),
		    cases[i].result);
		if (cases[i].kept != NULL)
			assert_string_equal(kept, cases[i].kept);
	}
}

static void
test_hostile(void **state)
{
	static char body[LIMIT_STS_OCTETS];
	char kept[512];

	assert_int_equal(judge(GOOD "\nx: a\0b", sizeof(GOOD "\nx: a\0b") - 1, kept, sizeof(kept)),
	    STS_POLICY_INVALID);
	/* What is escaped grows beyond what is kept. */
	for (int c = 0; c < 256; c++) {
		memset(body, c, sizeof(body));
		assert_int_equal(judge(body, sizeof(body), kept, sizeof(kept)), STS_POLICY_INVALID);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
