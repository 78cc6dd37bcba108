#include "timeline.h"

#include "store/base/clock.h"
#include "store_view.h"

/* Days that a key can hold. */
#define DAY_MIN (-(INT64_C(1) << 31))
#define DAY_MAX ((INT64_C(1) << 31) - 1)

int64_t
timeline_day(int64_t time_ms)
{
	int64_t day = clock_day_of_ms(time_ms);

	return day < DAY_MIN ? DAY_MIN : day > DAY_MAX ? DAY_MAX : day;
}

int
timeline_damaged(struct store_view *view, uint32_t series, int64_t day, struct err *err)
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

/* A chunk to read; one that ends before the span is passed over: the reader stays at its end. */
static int
take_chunk(struct timeline *t, int64_t day, const void *chunk, size_t len, struct err *err)
{
	uint32_t count, evidence;
	int64_t last_ms;

	if (day_summary(chunk, len, day, &count, &last_ms, &evidence) && last_ms < t->from_ms)
		return 1;
	if (!day_reader_init(&t->day, t->kind, day, chunk, len))
		return timeline_damaged(t->view, t->series, day, err);
	return 1;
}

/* The next of the series' chunks in sub-database `day`: 1, 0, <0. */
static int
next_of_days(struct timeline *t, struct err *err)
{
	struct db_bytes found, value;
	uint32_t series;
	uint16_t chunk;
	struct key key;
	int64_t day;
	int rc;

	if (t->at == TIMELINE_DAYS) {
		rc = db_cursor_move(t->cursor, DB_NEXT, &found, &value, err);
	} else {
		key_day(&key, t->series, timeline_day(t->from_ms), 0);
		rc = db_cursor_seek(t->cursor, &key, &found, &value, err);
		t->at = TIMELINE_DAYS;
	}
	if (rc <= 0)
		return rc;
	if (!key_parse_day(found.p, found.len, &series, &day, &chunk))
		return timeline_damaged(t->view, t->series, 0, err);
	if (series != t->series || day > timeline_day(t->to_ms))
		return 0;
	return take_chunk(t, day, value.p, value.len, err);
}

int
timeline_last_chunk(
    struct store_view *view, uint32_t series, struct day_last *last, struct err *err)
{
	struct db_bytes value;
	struct key key;
	int rc;

	key_number(&key, series);
	if ((rc = db_get(view->txn, DB_DAY_LAST, &key, &value, err)) < 0)
		return rc;
	if (rc == 0) {
		rc = db_get(view->txn, DB_SERIES, &key, &value, err);
		return rc <= 0 ? rc
			       : err_set(err, ERR_DAMAGED,
				     "%s: damaged: sub-database last: the record of series %u is "
				     "not there",
				     view->store->dir, (unsigned)series);
	}
	return day_last_parse(last, value.p, value.len) ? 1
							: timeline_damaged(view, series, 0, err);
}

static int
next_chunk(struct timeline *t, struct err *err)
{
	struct day_last last;
	int rc;

	if (t->at == TIMELINE_LAST || t->at == TIMELINE_END)
		return 0;
	if ((rc = next_of_days(t, err)) != 0)
		return rc;
	t->at = TIMELINE_LAST;
	if ((rc = timeline_last_chunk(t->view, t->series, &last, err)) <= 0)
		return rc;
	return take_chunk(t, last.day, last.chunk, last.len, err);
}

int
timeline_next(struct timeline *t, struct sighting *out, struct err *err)
{
	int rc;

	while (t->at != TIMELINE_END) {
		rc = day_next(&t->day, out);
		if (rc < 0)
			return timeline_damaged(
			    t->view, t->series, clock_day_of_ms(t->day.day_ms), err);
		if (rc == 0) {
			if ((rc = next_chunk(t, err)) < 0)
				return rc;
			if (rc == 0)
				t->at = TIMELINE_END;
		} else if (out->time_ms >= t->to_ms) {
			t->at = TIMELINE_END;
		} else if (out->time_ms >= t->from_ms) {
			return 1;
		}
	}
	return 0;
}

/* The last of a chunk before before_ms: 1, 0, <0. */
static int
last_of(struct store_view *view, uint32_t series, enum series_kind kind, int64_t day,
    const void *chunk, size_t len, int64_t before_ms, struct sighting *out, struct err *err)
{
	struct day_reader r;
	struct sighting s;
	int rc = -1, found = 0;

	if (day_reader_init(&r, kind, day, chunk, len)) {
		while ((rc = day_next(&r, &s)) > 0 && s.time_ms < before_ms) {
			*out = s;
			found = 1;
		}
	}
	return rc < 0 ? timeline_damaged(view, series, day, err) : found;
}

static int
last_of_days(struct store_view *view, uint32_t series, enum series_kind kind, int64_t before_ms,
    struct sighting *out, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_DAY, err);
	struct db_bytes found, value;
	uint32_t found_series;
	struct key key;
	uint16_t chunk;
	int64_t day;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	key_day(&key, series, timeline_day(before_ms), UINT16_MAX);
	key.bytes[key.len++] = 0; /* just above that key */
	rc = db_cursor_seek_below(cursor, &key, &found, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_PREV, &found, &value, err)) {
		if (!key_parse_day(found.p, found.len, &found_series, &day, &chunk)) {
			rc = timeline_damaged(view, series, 0, err);
			break;
		}
		if (found_series != series) {
			rc = 0;
			break;
		}
		rc = last_of(view, series, kind, day, value.p, value.len, before_ms, out, err);
		if (rc != 0)
			break;
	}
	db_cursor_close(cursor);
	return rc;
}

int
timeline_last(struct store_view *view, uint32_t series, enum series_kind kind, int64_t before_ms,
    struct sighting *out, struct err *err)
{
	struct day_last last;
	int rc = timeline_last_chunk(view, series, &last, err);

	if (rc <= 0)
		return rc;
	rc = last_of(view, series, kind, last.day, last.chunk, last.len, before_ms, out, err);
	return rc != 0 ? rc : last_of_days(view, series, kind, before_ms, out, err);
}
