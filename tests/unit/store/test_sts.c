#include <string.h>

#include "fixture.h"
#include "store/record/json.h"
#include "store/record/sts_answer.h"
#include "store/record/sts_policy.h"
#include "store/record/txt.h"

/* A text cut at its LFs. */
static int
parse(struct sts_policy *policy, const char *text, struct err *err)
{
	const char *lines[32];
	char copy[4096], *rest = copy, *line;
	size_t n = 0;

	strcpy(copy, text);
	while ((line = strsep(&rest, "\n")) != NULL)
		lines[n++] = line;
	return sts_policy_parse(policy, lines, n, err);
}

static void
test_policy(void **state)
{
	struct sts_policy p;
	struct err err = {0};

	assert_ok(parse(&p,
		      "version: STSv1\nmode: enforce\nmx: Mail.Example.COM\nmx:*.example.net  \n"
		      "mx: \tbackupmx.example.com\nmax_age: 604800",
		      &err),
	    err);
	assert_int_equal(p.mode, STS_MODE_ENFORCE);
	assert_int_equal(p.max_age_s, 604800);
	assert_int_equal(p.mx_n, 3);
	assert_string_equal(p.mx[0], "mail.example.com");
	assert_string_equal(p.mx[1], "*.example.net");
	assert_true(sts_policy_matches(&p, "mail.example.com"));
	assert_true(sts_policy_matches(&p, "a.example.net"));
	assert_false(sts_policy_matches(&p, "example.net"));
	assert_false(sts_policy_matches(&p, "a.b.example.net"));
	assert_false(sts_policy_matches(&p, "xexample.net"));
	assert_false(sts_policy_matches(&p, "x.mail.example.com"));
	assert_false(sts_policy_matches(&p, "net"));
	sts_policy_finish(&p);

	/* The order is free, unknown fields are ignored, the first of a kind counts, UTF-8 may
	 * stand in a value; without mx where the mode is none. */
	assert_ok(parse(&p,
		      "x-1._: Grüße an alle\nmax_age: 9999999999\nmode: none\nmode: enforce\n"
		      "version: STSv1\nversion: STSv2",
		      &err),
	    err);
	assert_int_equal(p.mode, STS_MODE_NONE);
	assert_int_equal(p.max_age_s, STS_MAX_AGE_S);
	assert_int_equal(p.mx_n, 0);
	sts_policy_finish(&p);
	assert_string_equal(sts_mode_name(STS_MODE_TESTING), "testing");
}

static void
test_policy_that_is_none(void **state)
{
	static const char *const bad[][2] = {
	    {"", "line 1"},
	    {"version: STSv1\nmode: enforce\nmax_age: 1", "no mx"},
	    {"mode: enforce\nmx: a.b\nmax_age: 1", "no version"},
	    {"version: STSv1\nmx: a.b\nmax_age: 1", "no mode"},
	    {"version: STSv1\nmode: enforce\nmx: a.b", "no max_age"},
	    {"version: STSv2\nmode: enforce\nmx: a.b\nmax_age: 1", "line 1: version"},
	    {"version: stsv1\nmode: enforce\nmx: a.b\nmax_age: 1", "line 1: version"},
	    {"Version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 1", "no version"},
	    {"version: STSv1\nmode: Enforce\nmx: a.b\nmax_age: 1", "line 2: mode"},
	    {"version: STSv1\nmode: report\nmx: a.b\nmax_age: 1", "line 2: mode"},
	    {"version: STSv1\n\nmode: enforce\nmx: a.b\nmax_age: 1", "line 2: empty"},
	    {"version: STSv1\nmode enforce\nmx: a.b\nmax_age: 1", "line 2: not a name"},
	    {"version: STSv1\nmode:\nmx: a.b\nmax_age: 1", "line 2: a value"},
	    {"version: STSv1\nmode: testing\nmx: a.b\nmax_age: -1", "line 4: max_age"},
	    {"version: STSv1\nmode: testing\nmx: a.b\nmax_age: 12345678901", "line 4: max_age"},
	    {"version: STSv1\nmode: testing\nmx: a..b\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: .a\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: a.b.\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: a-.b\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: *.*.b\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: *b.c\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: *.\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: a b\nmax_age: 1", "line 3: mx"},
	    {"version: STSv1\nmode: testing\nmx: a.b\nmax_age: 1\nx: \xff", "line 5: a value"},
	    {"version: STSv1\nmode: testing\nmx: a.b\nmax_age: 1\nx: a\x01"
	     "b",
		"line 5: a value"},
	    {"<html>", "line 1: not a name"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sts_policy p;
		struct err err = {0};

		assert_int_equal(parse(&p, bad[i][0], &err), ERR_INPUT);
		if (strstr(err.text, bad[i][1]) == NULL)
			fail_msg("%s: %s", bad[i][0], err.text);
	}
}

static void
test_txt(void **state)
{
	static const struct {
		const char *record, *text;
	} cases[] = {
	    {"\"\"", ""},
	    {"\"v=STSv1; id=1\"", "v=STSv1; id=1"},
	    {"\"v=ST\" \"Sv1; \" \"\" \"id=1\"", "v=STSv1; id=1"},
	    {"\"a\\\"b\\\\c\\255\"", "a\"b\\c\xff"},
	    {"", NULL},
	    {"a", NULL},
	    {"\"a", NULL},
	    {"\"a\" ", NULL},
	    {"\"a\" b", NULL},
	    {"\"\\256\"", NULL},
	    {"\"\\2\"", NULL},
	    {"\"a\\", NULL},
	    {"\\# 1 00", NULL},
	};
	struct buf out = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&out);
		buf_append_text(&out, "x");
		assert_int_equal(txt_join(&out, cases[i].record), cases[i].text != NULL);
		assert_string_equal(buf_text(&out) + 1, cases[i].text != NULL ? cases[i].text : "");
	}
	buf_finish(&out);
}

static void
test_id(void **state)
{
	static const struct {
		const char *records[3];
		int rc;
		const char *id; /* or what the error says */
	} cases[] = {
	    {{"\"v=STSv1; id=20160831085700Z;\""}, 1, "20160831085700Z"},
	    {{"\"v=STSv1;id=1\""}, 1, "1"},
	    {{"\"v=STSv1; x.y-z=a/b;\" \" id=12\" \"34 ; \""}, 1, "1234"},
	    {{"\"v=STSv1; id=1; id=2\""}, 1, "1"},
	    {{"\"v=spf1 -all\"", "\"v=STSv1; id=a\""}, 1, "a"},
	    {{"\"v=spf1 -all\"", "\"v=STSv2; id=a\"", "\"V=STSv1; id=a\""}, 0, ""},
	    {{"\"v=STSv1 ; id=a\""}, 0, ""},
	    {{NULL}, 0, ""},
	    {{"\"v=STSv1; id=a\"", "\"v=STSv1; id=a\""}, ERR_INPUT, "more than one"},
	    {{"\"v=STSv1;\""}, ERR_INPUT, "no id"},
	    {{"\"v=STSv1; id=a b\""}, ERR_INPUT, "semicolon"},
	    {{"\"v=STSv1; id=\""}, ERR_INPUT, "not a name"},
	    {{"\"v=STSv1; id=a-b\""}, ERR_INPUT, "1 to 32"},
	    {{"\"v=STSv1; id=123456789012345678901234567890123\""}, ERR_INPUT, "1 to 32"},
	    {{"\"v=STSv1; id=a\\000b\""}, ERR_INPUT, "NUL"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char id[STS_ID_MAX + 1] = "";
		struct err err = {0};
		size_t n = 0;

		while (n < 3 && cases[i].records[n] != NULL)
			n++;
		assert_int_equal(sts_policy_id(cases[i].records, n, id, &err), cases[i].rc);
		if (cases[i].rc > 0)
			assert_string_equal(id, cases[i].id);
		else if (strstr(err.text, cases[i].id) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
}

static const char *const records[] = {
    "{\"type\":\"sts\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":\"example.org\",\"result\":\"ok\",\"error\":null,"
    "\"policy\":[\"version: STSv1\",\"mode: enforce\",\"mx: mx.example.org\","
    "\"max_age: 86400\"]}\n",
    "{\"type\":\"sts\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":\"example.org\",\"result\":\"sts-policy-invalid\","
    "\"error\":\"line 2: empty\",\"policy\":[\"version: STSv1\",\"\",\"é\\u001b\"]}\n",
    "{\"type\":\"sts\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":\"example.org\",\"result\":\"sts-webpki-invalid\",\"error\":\"expired\","
    "\"policy\":[]}\n",
    "{\"type\":\"sts\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":\"example.org\",\"result\":\"sts-policy-fetch-error\",\"error\":null,"
    "\"policy\":[]}\n",
};
#define RECORDS (sizeof(records) / sizeof(records[0]))

static void
test_json(void **state)
{
	struct json_record record;
	struct buf out = {0};
	struct err err = {0};

	for (size_t i = 0; i < RECORDS; i++) {
		assert_ok(json_parse(&record, records[i], strlen(records[i]), &err), err);
		assert_int_equal(record.type, JSON_RECORD_DNS);
		assert_int_equal(record.series.rrtype, RRTYPE_STS);
		buf_clear(&out);
		json_dns(&out, &record.series, &record.answer);
		assert_string_equal(buf_text(&out), records[i]);
		json_record_finish(&record);
	}
	buf_finish(&out);
}

static void
test_json_that_is_none(void **state)
{
	static const char *const bad[][2] = {
	    {"\"domain\":\"a..b\",\"result\":\"ok\"", "domain"},
	    {"\"domain\":\"a.b\",\"result\":\"fine\"", "result"},
	    {"\"domain\":\"a.b\",\"result\":\"ok\",\"error\":\"x\"", "error"},
	    {"\"domain\":\"a.b\",\"result\":\"ok\",\"policy\":[1]", "policy"},
	    {"\"domain\":\"a.b\"", "result"},
	};
	struct json_record record;
	struct buf line = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = {0};

		buf_clear(&line);
		buf_printf(&line,
		    "{\"type\":\"sts\",\"time\":\"2026-03-19T06:10:00Z\",\"vantage\":\"a\",%s}",
		    bad[i][0]);
		assert_int_equal(json_parse(&record, (char *)line.data, line.len, &err), ERR_INPUT);
		assert_non_null(strstr(err.text, bad[i][1]));
	}
	buf_finish(&line);
}

/* The number is no type of DNS: no record of another kind may stand under it. */
static void
test_type_is_kept(void **state)
{
	static const char line[] =
	    "{\"type\":\"dns\",\"time\":\"2026-03-19T06:10:00Z\",\"vantage\":\"a\","
	    "\"name\":\"a.b\",\"rrtype\":\"TYPE65280\",\"status\":\"secure\",\"records\":[]}";
	struct dns_answer foreign = {.time_ms = TIME_0, .rcode = "NOERROR"};
	struct series s = fixture_dns_series("example.org", RRTYPE_STS);
	struct store *store = fixture_open(fixture_path(*state, "kept"), STORE_WRITE);
	struct store_batch *batch;
	struct json_record record;
	struct err err = {0};

	assert_int_equal(json_parse(&record, line, strlen(line), &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "rrtype"));
	err = (struct err){0};
	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_int_equal(store_batch_dns(batch, &s, &foreign, &err), ERR_INPUT);
	store_batch_abort(&batch);
	store_close(store);
}

static void
test_limits(void **state)
{
	static const char *lines[LIMIT_STS_LINES + 1];
	struct sts_answer sts = {.policy = lines};
	static char line[LIMIT_STS_OCTETS + 1], reason[LIMIT_REASON + 2];
	struct dns_answer answer;
	struct err err = {0};

	for (size_t i = 0; i < LIMIT_STS_LINES + 1; i++)
		lines[i] = "x: y";
	sts.policy_n = LIMIT_STS_LINES;
	assert_ok(sts_answer_write(&answer, &sts, &err), err);
	dns_answer_finish(&answer);
	sts.policy_n++;
	assert_int_equal(sts_answer_write(&answer, &sts, &err), ERR_LIMIT);

	memset(line, 'x', sizeof(line) - 1);
	lines[0] = line;
	sts.policy_n = 1;
	assert_int_equal(sts_answer_write(&answer, &sts, &err), ERR_LIMIT);
	line[LIMIT_STS_OCTETS - 100] = '\0';
	err = (struct err){0};
	assert_ok(sts_answer_write(&answer, &sts, &err), err);
	dns_answer_finish(&answer);

	memset(reason, 'x', sizeof(reason) - 1);
	sts.result = STS_FETCH_ERROR;
	sts.error = reason;
	assert_int_equal(sts_answer_write(&answer, &sts, &err), ERR_LIMIT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_policy_that_is_none),
	    cmocka_unit_test(test_txt),
	    cmocka_unit_test(test_id),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_that_is_none),
	    cmocka_unit_test_setup_teardown(test_type_is_kept, fixture_setup, fixture_teardown),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
