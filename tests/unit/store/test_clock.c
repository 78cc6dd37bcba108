#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixture.h"
#include "store/base/clock.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t time_ms;
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-03-19T06:00:00.000Z", TIME_0},
	    {"2026-03-19T06:00:00.1239Z", TIME_0 + 123},
	    {"2026-03-19t06:00:00z", TIME_0},
	    {"2026-03-19T08:00:00+02:00", TIME_0},
	    {"2026-03-18T22:30:00-0730", TIME_0},
	    {"1969-12-31T23:59:59.999Z", -1},
	    {"0001-01-01T00:00:00.000Z", INT64_C(-62135596800000)},
	    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
	    {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
	};
	static const char *const bad[] = {"", "2026", "2026-03-19", "2026-03-19T06:00:00",
	    "2026-03-19T06:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
	    "2026-03-19T24:00:00Z", "2026-03-19T06:00:60Z", "2026-03-19T06:00:00.Z",
	    "2026-03-19T06:00:00Zx", "2026-03-19T06:00:00+25:00", "now", "-2h"};
	char text[CLOCK_TEXT_MAX];
	int64_t time_ms;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(clock_parse_iso(rows[i].text, &time_ms));
		assert_true(time_ms == rows[i].time_ms);
		clock_format_ms(time_ms, text);
		assert_true(clock_parse_iso(text, &time_ms));
		assert_true(time_ms == rows[i].time_ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(clock_parse_iso(bad[i], &time_ms));
	clock_format_ms(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	clock_format_s(TIME_0, text);
	assert_string_equal(text, "2026-03-19T06:00:00Z");
}

static void
test_command_line(void **state)
{
	static const struct {
		const char *text;
		int64_t time_ms;
	} rows[] = {
	    {"now", TIME_0},
	    {"-2h", TIME_0 - 7200000},
	    {"-90s", TIME_0 - 90000},
	    {"-15m", TIME_0 - 900000},
	    {"-7d", TIME_0 - 7 * CLOCK_DAY_MS},
	    {"-4w", TIME_0 - 28 * CLOCK_DAY_MS},
	    /* Berlin is an hour ahead in winter, two in summer; 2026-03-29 has 23 hours. */
	    {"today", TIME_0 - 7 * 3600000},
	    {"yesterday", TIME_0 - 31 * 3600000},
	    {"2026-03-19 07:00", TIME_0},
	    {"2026-07-01T02:00:00", INT64_C(1782864000000)},
	    {"2026-03-19", TIME_0 - 7 * 3600000},
	    {"2026-03-19 06:00 UTC", TIME_0},
	};
	static const char *const bad[] = {"", "-", "-x", "2h", "tomorrow", "-1e400s", "2026-02-30"};
	int64_t time_ms;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(clock_parse(rows[i].text, TIME_0, &time_ms));
		assert_true(time_ms == rows[i].time_ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(clock_parse(bad[i], TIME_0, &time_ms));
	setenv("TZ", "UTC", 1);
	tzset();
}

static void
test_days(void **state)
{
	assert_true(clock_day_of_ms(0) == 0);
	assert_true(clock_day_of_ms(-1) == -1);
	assert_true(clock_day_of_ms(-CLOCK_DAY_MS) == -1);
	assert_true(clock_day_of_ms(-CLOCK_DAY_MS - 1) == -2);
	assert_true(clock_day_of_ms(CLOCK_DAY_MS - 1) == 0);
	assert_true(clock_days(2000, 3, 1) == 11017);
}

static void
test_spans(void **state)
{
	static const struct {
		int64_t span_ms;
		const char *text;
	} rows[] = {{0, "0 ms"}, {999, "999 ms"}, {9000, "9 s"}, {4518, "4.6 s"},
	    {720000, "12 min"}, {3 * CLOCK_DAY_MS + 4 * 3600000, "3 d 4 h"}, {-61000, "1 min 1 s"}};
	char text[CLOCK_TEXT_MAX];
	int64_t span_ms;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_format_span(rows[i].span_ms, text);
		assert_string_equal(text, rows[i].text);
	}
	assert_true(clock_parse_span("90", &span_ms) && span_ms == 90000);
	assert_true(clock_parse_span("1.5h", &span_ms) && span_ms == 5400000);
	assert_true(clock_parse_span("20ms", &span_ms) && span_ms == 20);
	assert_false(clock_parse_span("-1s", &span_ms));
	assert_false(clock_parse_span("1y", &span_ms));
	assert_false(clock_parse_span("999999999999d", &span_ms));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_command_line),
	    cmocka_unit_test(test_days),
	    cmocka_unit_test(test_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
