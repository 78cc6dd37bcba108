#include "clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_now_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_monotonic_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_days(int year, int month, int day)
{
	/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

int64_t
clock_day_of_ms(int64_t time_ms)
{
	int64_t day = time_ms / CLOCK_DAY_MS;

	return day - (time_ms % CLOCK_DAY_MS < 0);
}

bool
clock_from_civil(int year, int month, int day, int hour, int minute, int second, int64_t *time_ms)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 0 || year > 9999 || month < 1 || month > 12 || day < 1 ||
	    day > days[month - 1] + (month == 2 && leap) || hour < 0 || hour > 23 || minute < 0 ||
	    minute > 59 || second < 0 || second > 59)
		return false;
	*time_ms = clock_days(year, month, day) * CLOCK_DAY_MS +
		   ((int64_t)hour * 3600 + minute * 60 + second) * 1000;
	return true;
}

static void
civil(int64_t time_ms, struct tm *tm, int *millis)
{
	time_t s = (time_t)(time_ms / 1000);
	int ms = (int)(time_ms % 1000);

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	gmtime_r(&s, tm);
	*millis = ms;
}

void
clock_format_ms(int64_t time_ms, char out[CLOCK_TEXT_MAX])
{
	struct tm tm;
	int ms;

	civil(time_ms, &tm, &ms);
	snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
}

void
clock_format_s(int64_t time_ms, char out[CLOCK_TEXT_MAX])
{
	struct tm tm;
	int ms;

	civil(time_ms, &tm, &ms);
	snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void
format_human(int64_t time_ms, bool utc, bool with_ms, char out[CLOCK_TEXT_MAX])
{
	int64_t day = clock_day_of_ms(time_ms), in_day_ms = time_ms - day * CLOCK_DAY_MS;
	time_t s = (time_t)(day * 86400 + in_day_ms / 1000);
	struct tm tm;
	size_t len;

	if (utc)
		gmtime_r(&s, &tm);
	else
		localtime_r(&s, &tm);
	len = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	if (with_ms)
		len += (size_t)snprintf(
		    out + len, CLOCK_TEXT_MAX - len, ".%03d", (int)(in_day_ms % 1000));
	strftime(out + len, CLOCK_TEXT_MAX - len,
	    utc || strcmp(tm.tm_zone, "UTC") == 0 ? " UTC" : " %z", &tm);
}

void
clock_format_human(int64_t time_ms, bool utc, char out[CLOCK_TEXT_MAX])
{
	format_human(time_ms, utc, false, out);
}

void
clock_format_human_ms(int64_t time_ms, bool utc, char out[CLOCK_TEXT_MAX])
{
	format_human(time_ms, utc, true, out);
}

void
clock_format_span(int64_t span_ms, char out[CLOCK_TEXT_MAX])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{CLOCK_DAY_MS, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0, n = sizeof(units) / sizeof(units[0]);
	int64_t rest;

	if (span_ms < 0)
		span_ms = -span_ms;
	while (i + 1 < n && span_ms < units[i].ms)
		i++;
	if (units[i].ms == 1000 &&
	    span_ms % 1000 != 0) { /* a bound is not told shorter than it is */
		snprintf(out, CLOCK_TEXT_MAX, "%lld.%lld s", (long long)((span_ms + 99) / 1000),
		    (long long)((span_ms + 99) % 1000 / 100));
		return;
	}
	rest = span_ms % units[i].ms;
	if (i + 2 < n && rest / units[i + 1].ms > 0)
		snprintf(out, CLOCK_TEXT_MAX, "%lld %s %lld %s", (long long)(span_ms / units[i].ms),
		    units[i].name, (long long)(rest / units[i + 1].ms), units[i + 1].name);
	else
		snprintf(out, CLOCK_TEXT_MAX, "%lld %s", (long long)(span_ms / units[i].ms),
		    units[i].name);
}

/* n decimal digits at *p; -1 if they are not there. */
static int
digits(const char **p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return -1;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	return v;
}

static bool
fraction(const char **p, int *millis)
{
	int scale = 100;

	*millis = 0;
	if (**p != '.' && **p != ',')
		return true;
	if (!isdigit((unsigned char)*++*p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++, scale /= 10)
		*millis += (**p - '0') * scale;
	return true;
}

/* "Z", "+02:00", "-0730"; *zone is false where nothing stands. */
static bool
offset(const char **p, bool *zone, int64_t *offset_ms)
{
	int sign = **p == '-' ? -1 : 1, hour, minute = 0;

	*zone = true;
	*offset_ms = 0;
	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		return true;
	}
	if (**p != '+' && **p != '-') {
		*zone = false;
		return true;
	}
	(*p)++;
	if ((hour = digits(p, 2)) < 0 || hour > 23)
		return false;
	if (**p == ':')
		(*p)++;
	if (**p != '\0' && ((minute = digits(p, 2)) < 0 || minute > 59))
		return false;
	*offset_ms = sign * (hour * INT64_C(3600000) + minute * INT64_C(60000));
	return true;
}

/* What `time_ms`, read as if it were UTC, is in the zone of the user. */
static int64_t
from_local(int64_t time_ms)
{
	struct tm tm;
	int ms;

	civil(time_ms, &tm, &ms);
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000 + ms;
}

static bool
parse_iso(const char *text, bool strict, int64_t *time_ms)
{
	const char *p = text;
	int year, month, day, hour = 0, minute = 0, second = 0, millis = 0;
	int64_t offset_ms = 0;
	bool zone = false;

	if ((year = digits(&p, 4)) < 0 || *p++ != '-' || (month = digits(&p, 2)) < 0 ||
	    *p++ != '-' || (day = digits(&p, 2)) < 0)
		return false;
	if (*p == 'T' || *p == 't' || *p == ' ') {
		p++;
		if ((hour = digits(&p, 2)) < 0 || *p++ != ':' || (minute = digits(&p, 2)) < 0)
			return false;
		if (*p == ':') {
			p++;
			if ((second = digits(&p, 2)) < 0 || !fraction(&p, &millis))
				return false;
		} else if (strict) {
			return false;
		}
		if (*p == ' ')
			p++;
		if (strcmp(p, "UTC") == 0)
			p = "Z";
		if (!offset(&p, &zone, &offset_ms))
			return false;
	} else if (strict) {
		return false;
	}
	if (*p != '\0' || (strict && !zone) ||
	    !clock_from_civil(year, month, day, hour, minute, second, time_ms))
		return false;
	*time_ms += millis;
	*time_ms = zone ? *time_ms - offset_ms : from_local(*time_ms);
	return true;
}

bool
clock_parse_iso(const char *text, int64_t *time_ms)
{
	return parse_iso(text, true, time_ms);
}

bool
clock_parse_span(const char *text, int64_t *span_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000},
	    {"h", 3600000}, {"d", CLOCK_DAY_MS}, {"w", 7 * CLOCK_DAY_MS}};
	char *end;
	double v;

	if (!isdigit((unsigned char)text[0]))
		return false;
	v = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		v *= (double)units[i].ms;
		if (v > 1e15)
			return false;
		*span_ms = (int64_t)v;
		return true;
	}
	return false;
}

bool
clock_parse(const char *text, int64_t now_ms, int64_t *time_ms)
{
	int64_t span_ms;
	struct tm tm;
	time_t now_s = (time_t)(now_ms / 1000);

	if (strcmp(text, "now") == 0) {
		*time_ms = now_ms;
		return true;
	}
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		localtime_r(&now_s, &tm);
		tm.tm_mday -= text[0] == 'y';
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		*time_ms = (int64_t)mktime(&tm) * 1000;
		return true;
	}
	if (text[0] == '-') {
		if (!clock_parse_span(text + 1, &span_ms))
			return false;
		*time_ms = now_ms - span_ms;
		return true;
	}
	return parse_iso(text, false, time_ms);
}
