#include "day_write.h"

#include <stdlib.h>

#include "store/base/clock.h"
#include "store/base/mem.h"

/* The last chunk of the series in hand. */
struct last {
	int64_t day;
	unsigned number; /* of the chunk */
	bool there, changed;
	struct buf chunk; /* empty: not begun */
};

struct writer {
	struct db_cursor *days, *lasts, *dates;
	uint32_t series;
	enum series_kind kind;
	struct last last;
	struct buf scratch;
	struct buf old, merged; /* struct sighting: of a day that is rewritten */
};

/* ---- records -------------------------------------------------------------------------------- */

static int
damaged(const struct writer *w, int64_t day, struct err *err)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_s(day * CLOCK_DAY_MS, text);
	return err_set(err, ERR_DAMAGED,
	    "damaged: sub-database day: series %u on %.10s cannot be read", (unsigned)w->series,
	    text);
}

static int
check_number(unsigned number, struct err *err)
{
	return number <= UINT16_MAX
		   ? 0
		   : err_set(err, ERR_LIMIT,
			 "more observations of one series on one day than the corpus can hold");
}

static int
put_chunk(struct writer *w, int64_t day, unsigned number, const struct buf *chunk, struct err *err)
{
	struct key key;
	int rc = check_number(number, err);

	key_day(&key, w->series, day, (uint16_t)number);
	return rc != 0 ? rc : db_cursor_put(w->days, &key, chunk->data, chunk->len, DB_PUT, err);
}

static int
put_date(struct writer *w, int64_t day, struct err *err)
{
	struct key key;

	key_date(&key, day, w->series);
	return db_cursor_put(w->dates, &key, NULL, 0, DB_PUT, err);
}

static int
read_last(struct writer *w, struct err *err)
{
	struct db_bytes value;
	struct day_last found;
	struct key key;
	int rc;

	w->last.there = w->last.changed = false;
	buf_clear(&w->last.chunk);
	key_number(&key, w->series);
	if ((rc = db_cursor_get(w->lasts, &key, &value, err)) <= 0)
		return rc;
	if (!day_last_parse(&found, value.p, value.len))
		return damaged(w, 0, err);
	w->last.there = true;
	w->last.day = found.day;
	w->last.number = found.number;
	buf_append(&w->last.chunk, found.chunk, found.len);
	return 0;
}

static int
write_last(struct writer *w, struct err *err)
{
	struct key key;
	int rc;

	if (!w->last.changed)
		return 0;
	if ((rc = check_number(w->last.number, err)) != 0)
		return rc;
	buf_clear(&w->scratch);
	day_last_encode(&w->scratch, w->last.day, (uint16_t)w->last.number, w->last.chunk.data,
	    w->last.chunk.len);
	key_number(&key, w->series);
	return db_cursor_put(w->lasts, &key, w->scratch.data, w->scratch.len, DB_PUT, err);
}

/* ---- a day that something comes late for ---------------------------------------------------- */

static int
append_sightings(struct writer *w, int64_t day, const void *chunk, size_t len, struct err *err)
{
	struct day_reader r;
	struct sighting s;
	int more = -1;

	if (day_reader_init(&r, w->kind, day, chunk, len))
		while ((more = day_next(&r, &s)) > 0)
			buf_append(&w->old, &s, sizeof(s));
	return more < 0 ? damaged(w, day, err) : 0;
}

/* One more chunk of the day: those that end before from_ms are not looked at, unless it is the
 * last one, which may have room. *first is the number of the first one in w->old. */
static int
take_chunk(struct writer *w, int64_t day, unsigned number, const void *chunk, size_t len,
    int64_t from_ms, unsigned *first, bool *affected, struct err *err)
{
	uint32_t count, evidence;
	int64_t last_ms;

	if (!day_summary(chunk, len, day, &count, &last_ms, &evidence))
		return damaged(w, day, err);
	if (!*affected) {
		buf_clear(&w->old);
		*first = number;
	}
	*affected |= last_ms >= from_ms;
	return append_sightings(w, day, chunk, len, err);
}

/* The chunks of the day from the one on that from_ms may concern. */
static int
read_day(struct writer *w, int64_t day, bool is_last, int64_t from_ms, unsigned *first,
    unsigned *chunks, struct err *err)
{
	struct db_bytes found, value;
	struct key key, prefix;
	bool affected = false;
	int rc = 0;

	*first = *chunks = 0;
	buf_clear(&w->old);
	key_day(&key, w->series, day, 0);
	prefix = key;
	prefix.len -= 2;
	if (!is_last || w->last.number > 0)
		rc = db_cursor_seek(w->days, &key, &found, &value, err);
	while (rc > 0 && key_has_prefix(found.p, found.len, &prefix)) {
		if ((rc = take_chunk(w, day, (*chunks)++, value.p, value.len, from_ms, first,
			 &affected, err)) < 0)
			return rc;
		rc = db_cursor_move(w->days, DB_NEXT, &found, &value, err);
	}
	if (rc >= 0 && is_last)
		rc = take_chunk(w, day, (*chunks)++, w->last.chunk.data, w->last.chunk.len, from_ms,
		    first, &affected, err);
	return rc < 0 ? rc : 0;
}

/* w->old and the arrivals to w->merged, in order; how many were not there. */
static size_t
merge_sightings(struct writer *w, struct day_arrival **arrivals, size_t n)
{
	const struct sighting *old = (const void *)w->old.data;
	size_t old_n = w->old.len / sizeof(*old), i = 0, added = 0;

	buf_clear(&w->merged);
	for (size_t k = 0; k < n; k++) {
		const struct sighting *s = &arrivals[k]->sighting;

		while (i < old_n && day_compare(&old[i], s) < 0)
			buf_append(&w->merged, &old[i++], sizeof(*old));
		if ((i < old_n && day_compare(&old[i], s) == 0) ||
		    (k > 0 && day_compare(&arrivals[k - 1]->sighting, s) == 0))
			continue;
		buf_append(&w->merged, s, sizeof(*s));
		arrivals[k]->added = true;
		added++;
	}
	if (i < old_n)
		buf_append(&w->merged, &old[i], (old_n - i) * sizeof(*old));
	return added;
}

/* w->merged as chunks from number `first` on; those that are left over of `chunks` go. */
static int
write_day(struct writer *w, int64_t day, bool is_last, unsigned first, unsigned chunks,
    struct db_txn *txn, struct err *err)
{
	const struct sighting *all = (const void *)w->merged.data;
	size_t n = w->merged.len / sizeof(*all);
	struct buf *chunk = &w->scratch;
	struct key key;
	int rc = 0;

	buf_clear(chunk);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (day_append(chunk, w->kind, day, &all[i]))
			continue;
		rc = put_chunk(w, day, first++, chunk, err);
		buf_clear(chunk);
		day_append(chunk, w->kind, day, &all[i]);
	}
	if (rc == 0 && is_last) {
		struct buf old = w->last.chunk;

		w->last.chunk = *chunk;
		*chunk = old;
		w->last.number = first;
		w->last.changed = true;
	} else if (rc == 0) {
		rc = put_chunk(w, day, first++, chunk, err);
	}
	for (; rc == 0 && first < chunks; first++) {
		key_day(&key, w->series, day, (uint16_t)first);
		rc = db_delete(txn, DB_DAY, &key, err);
	}
	return rc;
}

static int
merge_day(struct writer *w, struct db_txn *txn, int64_t day, bool is_last,
    struct day_arrival **arrivals, size_t n, struct err *err)
{
	unsigned first, chunks;
	int rc = read_day(w, day, is_last, arrivals[0]->sighting.time_ms, &first, &chunks, err);

	if (rc != 0 || merge_sightings(w, arrivals, n) == 0)
		return rc;
	if (chunks == 0 && (rc = put_date(w, day, err)) != 0)
		return rc;
	return write_day(w, day, is_last, first, chunks, txn, err);
}

/* ---- the series' last day, and those behind it ---------------------------------------------- */

/* The last chunk is full, or its day over: another begins. */
static int
begin_chunk(struct writer *w, int64_t day, struct err *err)
{
	struct last *last = &w->last;
	bool same_day = last->there && last->day == day;
	int rc = 0;

	if (last->there)
		rc = put_chunk(w, last->day, last->number, &last->chunk, err);
	if (rc == 0 && !same_day)
		rc = put_date(w, day, err);
	last->number = same_day ? last->number + 1 : 0;
	last->day = day;
	last->there = true;
	buf_clear(&last->chunk);
	return rc;
}

/* All of one day, which is not before that of the last chunk, and none is late. */
static int
append_day(struct writer *w, int64_t day, struct day_arrival **arrivals, size_t n, struct err *err)
{
	int rc = 0;

	if (!w->last.there || w->last.day != day)
		rc = begin_chunk(w, day, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct sighting *s = &arrivals[i]->sighting;

		if (i > 0 && day_compare(&arrivals[i - 1]->sighting, s) == 0)
			continue;
		if (!day_append(&w->last.chunk, w->kind, day, s)) {
			if ((rc = begin_chunk(w, day, err)) != 0)
				break;
			day_append(&w->last.chunk, w->kind, day, s);
		}
		arrivals[i]->added = true;
		w->last.changed = true;
	}
	return rc;
}

static int
write_day_of(struct writer *w, struct db_txn *txn, int64_t day, struct day_arrival **arrivals,
    size_t n, struct err *err)
{
	uint32_t count, evidence;
	int64_t last_ms;

	if (!w->last.there || day > w->last.day)
		return append_day(w, day, arrivals, n, err);
	if (day < w->last.day)
		return merge_day(w, txn, day, false, arrivals, n, err);
	if (!day_summary(w->last.chunk.data, w->last.chunk.len, day, &count, &last_ms, &evidence))
		return damaged(w, day, err);
	return arrivals[0]->sighting.time_ms > last_ms
		   ? append_day(w, day, arrivals, n, err)
		   : merge_day(w, txn, day, true, arrivals, n, err);
}

static int
write_series(
    struct writer *w, struct db_txn *txn, struct day_arrival **arrivals, size_t n, struct err *err)
{
	int rc;

	w->series = arrivals[0]->series;
	w->kind = arrivals[0]->kind;
	if ((rc = read_last(w, err)) < 0)
		return rc;
	for (size_t i = 0, end; rc == 0 && i < n; i = end) {
		int64_t day = clock_day_of_ms(arrivals[i]->sighting.time_ms);

		for (end = i + 1; end < n; end++)
			if (arrivals[end]->sighting.time_ms >= (day + 1) * CLOCK_DAY_MS)
				break;
		rc = write_day_of(w, txn, day, arrivals + i, end - i, err);
	}
	return rc == 0 ? write_last(w, err) : rc;
}

/* ---- all of a batch ------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct day_arrival *x = *(struct day_arrival *const *)a,
				 *y = *(struct day_arrival *const *)b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return day_compare(&x->sighting, &y->sighting);
}

static int
write_all(
    struct writer *w, struct db_txn *txn, struct day_arrival **sorted, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0, end; rc == 0 && i < n; i = end) {
		for (end = i + 1; end < n && sorted[end]->series == sorted[i]->series; end++)
			;
		rc = write_series(w, txn, sorted + i, end - i, err);
	}
	return rc;
}

int
day_write(struct db_txn *txn, struct day_arrival *arrivals, size_t n, struct err *err)
{
	struct day_arrival **sorted = mem_zero(n + 1, sizeof(struct day_arrival *));
	struct writer w = {0};
	int rc = ERR_SYSTEM;

	for (size_t i = 0; i < n; i++) {
		sorted[i] = &arrivals[i];
		arrivals[i].added = false;
	}
	qsort(sorted, n, sizeof(struct day_arrival *), compare);
	if ((w.days = db_cursor_open(txn, DB_DAY, err)) != NULL &&
	    (w.lasts = db_cursor_open(txn, DB_DAY_LAST, err)) != NULL &&
	    (w.dates = db_cursor_open(txn, DB_DATE, err)) != NULL)
		rc = write_all(&w, txn, sorted, n, err);
	db_cursor_close(w.days);
	db_cursor_close(w.lasts);
	db_cursor_close(w.dates);
	buf_finish(&w.last.chunk);
	buf_finish(&w.scratch);
	buf_finish(&w.old);
	buf_finish(&w.merged);
	free(sorted);
	return rc;
}
