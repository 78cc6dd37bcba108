#include "feed.h"

#include <stdlib.h>
#include <string.h>

#include "../store/mem.h"

/* The observations that came after the cursor, by series and time. */
struct arrivals {
	struct journal_entry *list;
	size_t n, cap;
};

struct feed {
	struct query *query;
	struct arrivals arrivals;
	int64_t *times_ms; /* of one series */
	size_t times_cap;
	struct change *before; /* as it stood at the cursor */
	size_t before_n, before_cap;
	feed_each *each;
	void *ctx;
};

int
feed_cursor_at(struct store_view *view, int64_t time_ms, uint64_t *cursor, struct err *err)
{
	const struct journal_entry *entries;
	struct journal_walk *walk;
	uint64_t sequence;
	int64_t committed_ms;
	size_t n;
	int rc;

	*cursor = 0;
	if ((rc = journal_walk_open(&walk, view, 0, err)) < 0)
		return rc;
	while ((rc = journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, err)) > 0) {
		if (committed_ms > time_ms)
			break;
		*cursor = sequence;
	}
	journal_walk_close(walk);
	return rc < 0 ? rc : 0;
}

static int
read_arrivals(struct feed *f, uint64_t cursor, uint64_t *last, struct err *err)
{
	const struct journal_entry *entries;
	struct journal_walk *walk;
	struct arrivals *a = &f->arrivals;
	int64_t committed_ms;
	size_t n;
	int rc;

	*last = cursor;
	if ((rc = journal_walk_open(&walk, f->query->view, cursor, err)) < 0)
		return rc;
	while ((rc = journal_walk_next(walk, last, &committed_ms, &entries, &n, err)) > 0) {
		while (a->cap - a->n < n) {
			a->cap = a->cap > 0 ? 2 * a->cap : 1024;
			a->list = mem_grow(a->list, a->cap, sizeof(*a->list));
		}
		if (n > 0)
			memcpy(a->list + a->n, entries, n * sizeof(*entries));
		a->n += n;
	}
	journal_walk_close(walk);
	return rc;
}

static int
by_series(const void *a, const void *b)
{
	const struct journal_entry *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

/* The first arrival of a series in the sorted list, or n. */
static size_t
find_arrivals(const struct arrivals *a, uint32_t series)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->list[middle].series < series)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
has_id(const struct change *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].id, id) == 0)
			return true;
	return false;
}

/* An old change that is no more and led to the same state: what the new one takes the place of.
 * It is taken once. */
static const char *
take_revised(
    struct feed *f, bool *taken, const struct change *now, const struct change *list, size_t n)
{
	for (size_t i = 0; i < f->before_n; i++) {
		const struct change *old = &f->before[i];

		if (taken[i] || old->event.kind != now->event.kind ||
		    old->event.new.state != now->event.new.state || has_id(list, n, old->id))
			continue;
		taken[i] = true;
		return old->id;
	}
	return NULL;
}

static int
emit(struct feed *f, const struct series *series, const struct change *list, size_t n,
    struct err *err)
{
	bool *taken = mem_zero(f->before_n, sizeof(*taken));
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct feed_event event = {.change = &list[i], .series = series};

		if (has_id(f->before, f->before_n, list[i].id))
			continue;
		event.revises = take_revised(f, taken, &list[i], list, n);
		if (query_takes_change(f->query, &list[i]))
			rc = f->each(f->ctx, &event, err);
	}
	for (size_t i = 0; rc >= 0 && i < f->before_n; i++) {
		struct feed_event event = {.series = series, .retracted = f->before[i].id};

		if (!taken[i] && !has_id(list, n, f->before[i].id) &&
		    query_takes_change(f->query, &f->before[i]))
			rc = f->each(f->ctx, &event, err);
	}
	free(taken);
	return rc;
}

static void
keep_before(struct feed *f, const struct change *list, size_t n)
{
	if (n > f->before_cap) {
		f->before_cap = n;
		f->before = mem_grow(f->before, n, sizeof(*f->before));
	}
	if (n > 0)
		memcpy(f->before, list, n * sizeof(*list));
	f->before_n = n;
}

static int
feed_series(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct feed *f = ctx;
	size_t at = find_arrivals(&f->arrivals, number), n = 0, list_n;
	const struct change *list;
	int rc;

	while (at + n < f->arrivals.n && f->arrivals.list[at + n].series == number)
		n++;
	if (n == 0)
		return 0;
	if (n > f->times_cap) {
		f->times_cap = n;
		f->times_ms = mem_grow(f->times_ms, n, sizeof(*f->times_ms));
	}
	for (size_t i = 0; i < n; i++)
		f->times_ms[i] = f->arrivals.list[at + i].time_ms;
	if ((rc = changes_read(f->query->changes, number, series, INT64_MAX,
		 &(struct history_without){f->times_ms, n}, &list, &list_n, err)) < 0)
		return rc;
	keep_before(f, list, list_n);
	if ((rc = changes_read(
		 f->query->changes, number, series, INT64_MAX, NULL, &list, &list_n, err)) < 0)
		return rc;
	return emit(f, series, list, list_n, err);
}

int
feed_read(struct query *q, uint64_t cursor, uint64_t *last, feed_each *each, void *ctx,
    bool *missing, struct err *err)
{
	struct feed f = {.query = q, .each = each, .ctx = ctx};
	int rc;

	if ((rc = read_arrivals(&f, cursor, last, err)) < 0)
		goto out;
	if (f.arrivals.n > 0)
		qsort(f.arrivals.list, f.arrivals.n, sizeof(*f.arrivals.list), by_series);
	rc = query_walk(q, feed_series, &f, missing, err);
out:
	free(f.arrivals.list);
	free(f.times_ms);
	free(f.before);
	return rc;
}
