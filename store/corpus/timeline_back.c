#include "timeline_back.h"

#include "store/base/clock.h"
#include "store_view.h"
#include "timeline.h"

int
timeline_back_init(struct timeline_back *t, struct store_view *view, uint32_t series,
    enum series_kind kind, int64_t from_ms, int64_t to_ms, struct err *err)
{
	*t = (struct timeline_back){
	    .view = view, .series = series, .kind = kind, .from_ms = from_ms, .to_ms = to_ms};
	t->cursor = db_cursor_open(view->txn, DB_DAY, err);
	return t->cursor == NULL ? ERR_SYSTEM : 0;
}

void
timeline_back_finish(struct timeline_back *t)
{
	db_cursor_close(t->cursor);
	buf_finish(&t->chunk);
	*t = (struct timeline_back){0};
}

static int
damaged(const struct timeline_back *t, int64_t day, struct err *err)
{
	return timeline_damaged(t->view, t->series, day, err);
}

/* 1; what begins behind the span is passed over. */
static int
take_chunk(struct timeline_back *t, int64_t day, const void *chunk, size_t len, struct err *err)
{
	struct day_reader r;
	struct sighting s;
	int more = -1;

	buf_clear(&t->chunk);
	if (day_reader_init(&r, t->kind, day, chunk, len))
		while ((more = day_next(&r, &s)) > 0)
			if (s.time_ms < t->to_ms)
				buf_append(&t->chunk, &s, sizeof(s));
	return more < 0 ? damaged(t, day, err) : 1;
}

static int
take_last(struct timeline_back *t, struct err *err)
{
	struct day_last last;
	int rc = timeline_last_chunk(t->view, t->series, &last, err);

	t->at = TIMELINE_BACK_LAST;
	return rc <= 0 ? rc : take_chunk(t, last.day, last.chunk, last.len, err);
}

static int
take_day(struct timeline_back *t, struct err *err)
{
	struct db_bytes found, value;
	uint32_t series;
	uint16_t chunk;
	struct key key;
	int64_t day;
	int rc;

	if (t->at == TIMELINE_BACK_DAYS) {
		rc = db_cursor_move(t->cursor, DB_PREV, &found, &value, err);
	} else {
		key_day(&key, t->series, timeline_day(t->to_ms), UINT16_MAX);
		key.bytes[key.len++] = 0; /* just above that key */
		rc = db_cursor_seek_below(t->cursor, &key, &found, &value, err);
		t->at = TIMELINE_BACK_DAYS;
	}
	if (rc <= 0)
		return rc;
	if (!key_parse_day(found.p, found.len, &series, &day, &chunk))
		return damaged(t, 0, err);
	if (series != t->series || day < timeline_day(t->from_ms))
		return 0;
	return take_chunk(t, day, value.p, value.len, err);
}

int
timeline_back_next(struct timeline_back *t, struct sighting *out, struct err *err)
{
	int rc;

	while (!t->ended) {
		if (t->chunk.len > 0) {
			t->chunk.len -= sizeof(*out);
			*out = ((const struct sighting *)(const void *)
				    t->chunk.data)[t->chunk.len / sizeof(*out)];
			if (out->time_ms >= t->from_ms)
				return 1;
			t->ended = true;
			break;
		}
		rc = t->at == TIMELINE_BACK_START ? take_last(t, err) : take_day(t, err);
		if (rc < 0)
			return rc;
		t->ended = rc == 0;
	}
	return 0;
}
