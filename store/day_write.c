#include "day_write.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

int
day_write_init(struct day_writer *w, struct db_txn *txn, struct err *err)
{
	*w = (struct day_writer){.txn = txn};
	w->cursor = db_cursor_open(txn, DB_DAY, err);
	return w->cursor == NULL ? ERR_SYSTEM : 0;
}

void
day_write_finish(struct day_writer *w)
{
	db_cursor_close(w->cursor);
	buf_finish(&w->chunk);
	buf_finish(&w->sightings);
	*w = (struct day_writer){0};
}

static int
damaged(uint32_t series, int64_t day, struct err *err)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_s(day * CLOCK_DAY_MS, text);
	return err_set(err, ERR_DAMAGED,
	    "damaged: sub-database day: series %u on %.10s cannot be read", (unsigned)series, text);
}

static int
put_chunk(struct day_writer *w, uint32_t series, int64_t day, unsigned chunk, struct err *err)
{
	struct key key;

	if (chunk > UINT16_MAX)
		return err_set(err, ERR_LIMIT,
		    "more observations of one series on one day than the "
		    "corpus can hold");
	key_day(&key, series, day, (uint16_t)chunk);
	return db_put(w->txn, DB_DAY, &key, w->chunk.data, w->chunk.len, DB_PUT, err);
}

/* Every sighting of the day, in order, and the number of its chunks. */
static int
read_day(struct day_writer *w, uint32_t series, enum series_kind kind, int64_t day,
    unsigned *chunks, struct err *err)
{
	struct db_bytes found, value;
	struct day_reader r;
	struct sighting s;
	struct key key, prefix;
	int rc;

	*chunks = 0;
	buf_clear(&w->sightings);
	key_day(&key, series, day, 0);
	prefix = key;
	prefix.len -= 2;
	rc = db_cursor_seek(w->cursor, &key, &found, &value, err);
	while (rc > 0 && key_has_prefix(found.p, found.len, &prefix)) {
		int more = -1;

		if (day_reader_init(&r, kind, day, value.p, value.len))
			while ((more = day_next(&r, &s)) > 0)
				buf_append(&w->sightings, &s, sizeof(s));
		if (more < 0)
			return damaged(series, day, err);
		++*chunks;
		rc = db_cursor_move(w->cursor, DB_NEXT, &found, &value, err);
	}
	return rc < 0 ? rc : 0;
}

/* Where a sighting belongs among n; *equal if it is there. */
static size_t
place_of(const struct sighting *all, size_t n, const struct sighting *s, bool *equal)
{
	size_t low = 0, high = n;

	*equal = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = day_compare(&all[middle], s);

		if (c == 0)
			*equal = true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
write_day(struct day_writer *w, uint32_t series, enum series_kind kind, int64_t day,
    unsigned old_chunks, struct err *err)
{
	const struct sighting *all = (const void *)w->sightings.data;
	size_t n = w->sightings.len / sizeof(*all);
	unsigned chunk = 0;
	struct key key;
	int rc = 0;

	buf_clear(&w->chunk);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (day_append(&w->chunk, kind, day, &all[i]))
			continue;
		rc = put_chunk(w, series, day, chunk++, err);
		buf_clear(&w->chunk);
		day_append(&w->chunk, kind, day, &all[i]);
	}
	if (rc == 0)
		rc = put_chunk(w, series, day, chunk++, err);
	for (; rc == 0 && chunk < old_chunks; chunk++) {
		key_day(&key, series, day, (uint16_t)chunk);
		rc = db_delete(w->txn, DB_DAY, &key, err);
	}
	return rc;
}

static int
merge(struct day_writer *w, uint32_t series, enum series_kind kind, int64_t day,
    const struct sighting *s, struct err *err)
{
	struct sighting *all;
	unsigned chunks;
	size_t n, at;
	bool equal;
	int rc = read_day(w, series, kind, day, &chunks, err);

	if (rc != 0)
		return rc;
	n = w->sightings.len / sizeof(*all);
	at = place_of((const void *)w->sightings.data, n, s, &equal);
	if (equal)
		return 0;
	buf_reserve(&w->sightings, sizeof(*s));
	all = (void *)w->sightings.data;
	memmove(all + at + 1, all + at, (n - at) * sizeof(*s));
	all[at] = *s;
	w->sightings.len += sizeof(*s);
	rc = write_day(w, series, kind, day, chunks, err);
	return rc < 0 ? rc : 1;
}

static int
first_of_day(struct day_writer *w, uint32_t series, enum series_kind kind, int64_t day,
    const struct sighting *s, struct err *err)
{
	struct key key;
	int rc;

	buf_clear(&w->chunk);
	day_append(&w->chunk, kind, day, s);
	key_date(&key, day, series);
	if ((rc = put_chunk(w, series, day, 0, err)) == 0)
		rc = db_put(w->txn, DB_DATE, &key, NULL, 0, DB_PUT, err);
	return rc < 0 ? rc : 1;
}

int
day_write(struct day_writer *w, uint32_t series, enum series_kind kind, const struct sighting *s,
    struct err *err)
{
	int64_t day = clock_day_of_ms(s->time_ms), found_day, last_ms;
	uint32_t found_series, count, evidence;
	struct db_bytes found, value;
	uint16_t chunk;
	struct key key;
	int rc;

	key_day(&key, series, day + 1, 0);
	if ((rc = db_cursor_seek_below(w->cursor, &key, &found, &value, err)) < 0)
		return rc;
	if (rc == 0 || !key_parse_day(found.p, found.len, &found_series, &found_day, &chunk) ||
	    found_series != series || found_day != day)
		return first_of_day(w, series, kind, day, s, err);
	if (!day_summary(value.p, value.len, day, &count, &last_ms, &evidence))
		return damaged(series, day, err);
	if (s->time_ms <= last_ms)
		return merge(w, series, kind, day, s, err);
	buf_clear(&w->chunk);
	buf_append(&w->chunk, value.p, value.len);
	if (!day_append(&w->chunk, kind, day, s)) {
		buf_clear(&w->chunk);
		day_append(&w->chunk, kind, day, s);
		rc = put_chunk(w, series, day, chunk + 1u, err);
	} else {
		rc = put_chunk(w, series, day, chunk, err);
	}
	return rc < 0 ? rc : 1;
}
