/*
 * clock: points in time, as milliseconds since 1970-01-01T00:00:00Z without leap seconds (int64_t,
 * suffix _ms), from 0001-01-01 to 9999-12-31 in the proleptic Gregorian calendar.
 */
#ifndef MX509_CLOCK_H
#define MX509_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_MAX 96
#define CLOCK_DAY_MS INT64_C(86400000)

int64_t clock_now_ms(void); /* wall clock */
int64_t clock_monotonic_ms(void);

/* "2026-03-19T06:10:00.000Z" (ISO 8601, UTC, milliseconds). */
void clock_format_ms(int64_t time_ms, char out[CLOCK_TEXT_MAX]);

/* "2026-03-19T06:10:00Z": for times that have no milliseconds (a certificate's own). */
void clock_format_s(int64_t time_ms, char out[CLOCK_TEXT_MAX]);

/* "2026-03-19 06:10:00 UTC" or in the user's zone (TZ), whose offset is always printed. */
void clock_format_human(int64_t time_ms, bool utc, char out[CLOCK_TEXT_MAX]);
/* The same with milliseconds. */
void clock_format_human_ms(int64_t time_ms, bool utc, char out[CLOCK_TEXT_MAX]);

/* "3 d 4 h", "12 min", "9 s": a span for people, its two greatest units. */
void clock_format_span(int64_t span_ms, char out[CLOCK_TEXT_MAX]);

/*
 * A time on the command line or in a record: ISO 8601 (date; date and time with T or a space,
 * seconds and fraction optional; Z or an offset, else the zone of the user), "now", "today",
 * "yesterday" (their midnight in the zone of the user), or a span before now such as "-90s",
 * "-15m", "-2h", "-7d", "-4w". False if it is none of these, or no day of the calendar.
 */
bool clock_parse(const char *text, int64_t now_ms, int64_t *time_ms);

/* Only ISO 8601 with date, time and Z or offset: what stands in records. */
bool clock_parse_iso(const char *text, int64_t *time_ms);

/* A span: "90" and "90s" are seconds; also ms, m, h, d, w. False if negative or none. */
bool clock_parse_span(const char *text, int64_t *span_ms);

/* Days since 1970-01-01 (negative before it) of a civil date, and of a time. */
int64_t clock_days(int year, int month, int day);
int64_t clock_day_of_ms(int64_t time_ms);

/* Civil date and time to milliseconds; false if there is no such moment (30 February, 25:00). A
 * second of 60 is none: certificates and SMTP know no leap seconds. */
bool clock_from_civil(
    int year, int month, int day, int hour, int minute, int second, int64_t *time_ms);

#endif
