#include "drop.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/corpus/day_erase.h"
#include "store/corpus/journal.h"
#include "store/corpus/numbers.h"
#include "store/corpus/timeline.h"

static int
list_series(struct drop *d, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(d->view.txn, DB_SERIES, err);
	struct db_bytes key, value;
	struct reader r;
	size_t cap = 0;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		if (d->series_n == cap) {
			cap = cap > 0 ? 2 * cap : 1024;
			d->series = mem_grow(d->series, cap, sizeof(*d->series));
		}
		r = reader_of(key.p, key.len);
		d->series[d->series_n++] = reader_u32be(&r);
	}
	db_cursor_close(cursor);
	return rc;
}

int
drop_begin(struct drop *d, struct store *store, const struct maintain_hooks *hooks,
    struct maintain_dropped *counts, struct err *err)
{
	int rc;

	*d = (struct drop){.store = store, .hooks = hooks, .counts = counts};
	*counts = (struct maintain_dropped){0};
	d->view.store = store;
	rc = db_begin(store->db, true, &d->view.txn, err);
	return rc == 0 ? list_series(d, err) : rc;
}

int
drop_commit(struct drop *d, struct err *err)
{
	return db_commit(&d->view.txn, err);
}

void
drop_finish(struct drop *d)
{
	db_abort(&d->view.txn);
	free(d->series);
	buf_finish(&d->sightings);
	buf_finish(&d->kept);
	bits_finish(&d->used);
	bits_finish(&d->unused);
	bits_finish(&d->empty);
	bits_finish(&d->touched);
	buf_finish(&d->entries);
	*d = (struct drop){0};
}

/* ---- sightings ------------------------------------------------------------------------------ */

static int
read_series(struct drop *d, uint32_t number, const struct series *series, struct err *err)
{
	struct timeline t;
	struct sighting s;
	int rc = timeline_init(&t, &d->view, number, series->kind, INT64_MIN, INT64_MAX, err);

	buf_clear(&d->sightings);
	if (rc != 0)
		return rc;
	while ((rc = timeline_next(&t, &s, err)) > 0)
		buf_append(&d->sightings, &s, sizeof(s));
	timeline_finish(&t);
	return rc;
}

static void
count_going(struct drop *d, const struct series *series, const struct sighting *s)
{
	struct maintain_dropped *c = d->counts;

	if (c->observations + c->dns_answers == 0)
		c->first_ms = c->last_ms = s->time_ms;
	c->first_ms = s->time_ms < c->first_ms ? s->time_ms : c->first_ms;
	c->last_ms = s->time_ms > c->last_ms ? s->time_ms : c->last_ms;
	*(series->kind == SERIES_DNS ? &c->dns_answers : &c->observations) += 1;
}

/* Only the days up to the last one of which something goes are written anew. */
static int
rewrite(struct drop *d, uint32_t number, const struct series *series, const bool *going,
    int64_t before_day, struct err *err)
{
	const struct sighting *s = (const void *)d->sightings.data;
	size_t n = d->sightings.len / sizeof(*s);
	int rc = day_erase(d->view.txn, number, before_day, err);

	buf_clear(&d->kept);
	for (size_t i = 0; i < n && clock_day_of_ms(s[i].time_ms) < before_day; i++) {
		struct day_arrival a = {
		    .sighting = s[i], .series = number, .kind = (uint8_t)series->kind};

		if (!going[i])
			buf_append(&d->kept, &a, sizeof(a));
	}
	n = d->kept.len / sizeof(struct day_arrival);
	if (rc == 0 && n > 0)
		rc = day_write(d->view.txn, (void *)d->kept.data, n, err);
	return rc;
}

static int
drop_some(struct drop *d, uint32_t number, const struct series *series, const bool *going,
    struct err *err)
{
	const struct sighting *s = (const void *)d->sightings.data;
	size_t n = d->sightings.len / sizeof(*s), gone = 0;
	int64_t before_day = INT64_MIN;

	for (size_t i = 0; i < n; i++) {
		struct journal_entry entry = {number, s[i].time_ms};

		bits_add(going[i] ? &d->unused : &d->used, s[i].evidence);
		if (!going[i])
			continue;
		gone++;
		count_going(d, series, &s[i]);
		buf_append(&d->entries, &entry, sizeof(entry));
		before_day = clock_day_of_ms(s[i].time_ms) + 1;
	}
	d->stay += n - gone;
	if (gone == n)
		bits_add(&d->empty, number);
	if (gone == 0)
		return 0;
	bits_add(&d->touched, number);
	/* Of a whole series the number alone tells. */
	if (gone == n) {
		d->entries.len -= n * sizeof(struct journal_entry);
		before_day = INT64_MAX;
	}
	return rewrite(d, number, series, going, before_day, err);
}

int
drop_sightings(struct drop *d, drop_choose *choose, void *ctx, struct err *err)
{
	struct buf going = {0};
	struct series series;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < d->series_n; i++) {
		uint32_t number = d->series[i];
		size_t n;

		if ((rc = store_series(&d->view, number, &series, err)) != 0 ||
		    (rc = read_series(d, number, &series, err)) != 0)
			break;
		n = d->sightings.len / sizeof(struct sighting);
		buf_clear(&going);
		memset(buf_reserve(&going, n + 1), 0, n + 1);
		rc = choose(ctx, number, &series, (const void *)d->sightings.data, n,
		    (bool *)going.data, err);
		if (rc == 0)
			rc = drop_some(d, number, &series, (const bool *)going.data, err);
		if (rc == 0 && d->hooks->tick != NULL &&
		    d->hooks->tick(d->hooks->ctx, i, d->series_n))
			rc = err_set(err, ERR_INPUT, "interrupted: nothing was dropped");
	}
	buf_finish(&going);
	return rc;
}

/* ---- the journal ---------------------------------------------------------------------------- */

static int
compare_entries(const void *a, const void *b)
{
	const struct journal_entry *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* Whether the entry names something that went: of equal ones as many as did, then no more. */
static bool
take_entry(struct drop *d, const struct journal_entry *entry, bool *taken)
{
	const struct journal_entry *list = (const void *)d->entries.data, *found;
	size_t n = d->entries.len / sizeof(*list);

	if (bits_has(&d->empty, entry->series))
		return true;
	if (n == 0 || !bits_has(&d->touched, entry->series) ||
	    (found = bsearch(entry, list, n, sizeof(*list), compare_entries)) == NULL)
		return false;
	while (found > list && compare_entries(found - 1, entry) == 0)
		found--;
	for (; found < list + n && compare_entries(found, entry) == 0; found++) {
		if (taken[found - list])
			continue;
		taken[found - list] = true;
		return true;
	}
	return false;
}

static int
rewrite_commit(struct drop *d, uint64_t sequence, int64_t committed_ms,
    const struct journal_entry *entries, size_t n, bool *taken, uint64_t *named, struct err *err)
{
	struct journal_entry *kept = mem_zero(n, sizeof(*kept));
	struct buf value = {0};
	struct key key;
	size_t kept_n = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (!take_entry(d, &entries[i], taken))
			kept[kept_n++] = entries[i];
	*named += kept_n;
	if (kept_n < n) {
		journal_encode(&value, committed_ms, kept, kept_n);
		key_sequence(&key, sequence);
		rc = db_put(d->view.txn, DB_JOURNAL, &key, value.data, value.len, DB_PUT, err);
	}
	free(kept);
	buf_finish(&value);
	return rc;
}

/* How many observations no commit names. */
static int
write_numbers(struct drop *d, uint64_t forgotten, uint64_t named, struct err *err)
{
	struct numbers numbers;
	int rc = numbers_read(d->view.txn, &numbers, err);

	if (rc != 0)
		return rc;
	numbers.forgotten = forgotten > numbers.forgotten ? forgotten : numbers.forgotten;
	numbers.unnamed = d->stay - named;
	return numbers_write(d->view.txn, &numbers, err);
}

static int
first_commit(struct drop *d, uint64_t *first, struct err *err)
{
	struct numbers numbers;
	int rc = numbers_read(d->view.txn, &numbers, err);

	*first = numbers.forgotten;
	return rc;
}

int
drop_journal_entries(struct drop *d, struct err *err)
{
	const struct journal_entry *entries;
	size_t n = d->entries.len / sizeof(*entries);
	bool *taken = mem_zero(n, sizeof(*taken));
	struct journal_walk *walk = NULL;
	uint64_t sequence, first, named = 0;
	int64_t committed_ms;
	int rc;

	if (n > 0)
		qsort(d->entries.data, n, sizeof(*entries), compare_entries);
	rc = first_commit(d, &first, err);
	if (rc == 0)
		rc = journal_walk_open(&walk, &d->view, first, err);
	while (rc == 0 &&
	       (rc = journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, err)) > 0)
		rc = rewrite_commit(d, sequence, committed_ms, entries, n, taken, &named, err);
	journal_walk_close(walk);
	free(taken);
	return rc == 0 ? write_numbers(d, 0, named, err) : rc;
}

int
drop_journal_before(struct drop *d, int64_t before_ms, struct err *err)
{
	const struct journal_entry *entries;
	struct journal_walk *walk = NULL;
	uint64_t sequence, first, forgotten = 0, named = 0;
	int64_t committed_ms;
	struct key key;
	size_t n;
	int rc = first_commit(d, &first, err);

	if (rc == 0)
		rc = journal_walk_open(&walk, &d->view, first, err);
	while (rc == 0 &&
	       (rc = journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, err)) > 0) {
		named += n;
		for (size_t i = 0; i < n; i++) {
			if (entries[i].time_ms >= before_ms ||
			    !bits_has(&d->touched, entries[i].series))
				continue;
			forgotten = sequence;
			named = 0;
			break;
		}
		rc = 0;
	}
	journal_walk_close(walk);
	for (uint64_t i = first + 1; rc == 0 && i <= forgotten; i++, d->counts->commits++) {
		key_sequence(&key, i);
		rc = db_delete(d->view.txn, DB_JOURNAL, &key, err);
	}
	return rc == 0 ? write_numbers(d, forgotten, named, err) : rc;
}
