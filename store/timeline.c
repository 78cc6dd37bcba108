#include "timeline.h"

#include "clock.h"
#include "store_view.h"

/* Days that a key can hold. */
#define DAY_MIN (-(INT64_C(1) << 31))
#define DAY_MAX ((INT64_C(1) << 31) - 1)

static int64_t
day_within(int64_t time_ms)
{
	int64_t day = clock_day_of_ms(time_ms);

	return day < DAY_MIN ? DAY_MIN : day > DAY_MAX ? DAY_MAX : day;
}

static int
damaged(struct store_view *view, uint32_t series, int64_t day, struct err *err)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_s(day * CLOCK_DAY_MS, text);
	return err_set(err, ERR_DAMAGED,
	    "%s: damaged: sub-database day: series %u on %.10s cannot be read", view->store->dir,
	    (unsigned)series, text);
}

int
timeline_init(struct timeline *t, struct store_view *view, uint32_t series, enum series_kind kind,
    int64_t from_ms, int64_t to_ms, struct err *err)
{
	*t = (struct timeline){
	    .view = view, .series = series, .kind = kind, .from_ms = from_ms, .to_ms = to_ms};
	t->cursor = db_cursor_open(view->txn, DB_DAY, err);
	return t->cursor == NULL ? ERR_SYSTEM : 0;
}

void
timeline_finish(struct timeline *t)
{
	db_cursor_close(t->cursor);
	*t = (struct timeline){0};
}

/* The next chunk of the series: 1, 0, <0. */
static int
next_chunk(struct timeline *t, struct err *err)
{
	struct db_bytes found, value;
	uint32_t series, count, evidence;
	uint16_t chunk;
	struct key key;
	int64_t day, last_ms;
	int rc;

	if (t->started) {
		rc = db_cursor_move(t->cursor, DB_NEXT, &found, &value, err);
	} else {
		key_day(&key, t->series, day_within(t->from_ms), 0);
		rc = db_cursor_seek(t->cursor, &key, &found, &value, err);
		t->started = true;
	}
	if (rc <= 0)
		return rc;
	if (!key_parse_day(found.p, found.len, &series, &day, &chunk))
		return damaged(t->view, t->series, 0, err);
	if (series != t->series || day > day_within(t->to_ms))
		return 0;
	if (day_summary(value.p, value.len, day, &count, &last_ms, &evidence) &&
	    last_ms < t->from_ms)
		return 1; /* nothing of it is wanted: t->day stays at its end */
	if (!day_reader_init(&t->day, t->kind, day, value.p, value.len))
		return damaged(t->view, series, day, err);
	return 1;
}

int
timeline_next(struct timeline *t, struct sighting *out, struct err *err)
{
	int rc;

	while (!t->ended) {
		rc = day_next(&t->day, out);
		if (rc < 0)
			return damaged(t->view, t->series, clock_day_of_ms(t->day.day_ms), err);
		if (rc == 0) {
			if ((rc = next_chunk(t, err)) < 0)
				return rc;
			t->ended = rc == 0;
		} else if (out->time_ms >= t->to_ms) {
			t->ended = true;
		} else if (out->time_ms >= t->from_ms) {
			return 1;
		}
	}
	return 0;
}

/* The last of a chunk before before_ms: 1, 0, -1. */
static int
last_of(struct day_reader *r, int64_t before_ms, struct sighting *out)
{
	struct sighting s;
	int rc, found = 0;

	while ((rc = day_next(r, &s)) > 0 && s.time_ms < before_ms) {
		*out = s;
		found = 1;
	}
	return rc < 0 ? -1 : found;
}

int
timeline_last(struct store_view *view, uint32_t series, enum series_kind kind, int64_t before_ms,
    struct sighting *out, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_DAY, err);
	struct db_bytes found, value;
	struct day_reader reader;
	uint32_t found_series;
	struct key key;
	uint16_t chunk;
	int64_t day;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	key_day(&key, series, day_within(before_ms), UINT16_MAX);
	key.bytes[key.len++] = 0; /* just above that key */
	rc = db_cursor_seek_below(cursor, &key, &found, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_PREV, &found, &value, err)) {
		if (!key_parse_day(found.p, found.len, &found_series, &day, &chunk)) {
			rc = damaged(view, series, 0, err);
			break;
		}
		if (found_series != series) {
			rc = 0;
			break;
		}
		rc = day_reader_init(&reader, kind, day, value.p, value.len)
			 ? last_of(&reader, before_ms, out)
			 : -1;
		if (rc < 0)
			rc = damaged(view, series, day, err);
		if (rc != 0)
			break;
	}
	db_cursor_close(cursor);
	return rc;
}
