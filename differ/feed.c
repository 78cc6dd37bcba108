#include "feed.h"

#include <stdlib.h>
#include <string.h>

#include "../store/mem.h"

/* The observations that came after the cursor, by series and time. */
struct arrivals {
	struct journal_entry *list;
	size_t n, cap;
};

struct feed_id {
	char id[CHANGE_ID_LEN + 1];
};

struct feed {
	struct query *query;
	struct arrivals arrivals;
	int64_t *times_ms; /* of one series */
	size_t times_cap;
	struct change *before; /* as it stood at the cursor */
	bool *over;	       /* of each: it is no more, and nothing has taken its place yet */
	size_t before_n, before_cap;
	struct feed_id *ids; /* of one picture, sorted */
	size_t ids_cap;
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

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
sort_ids(struct feed *f, const struct change *list, size_t n)
{
	if (n > f->ids_cap) {
		f->ids_cap = n;
		f->ids = mem_grow(f->ids, n, sizeof(*f->ids));
	}
	for (size_t i = 0; i < n; i++)
		memcpy(f->ids[i].id, list[i].id, sizeof(f->ids[i].id));
	if (n > 0)
		qsort(f->ids, n, sizeof(*f->ids), by_id);
}

static bool
has_id(const struct feed *f, size_t n, const char *id)
{
	return n > 0 && bsearch(id, f->ids, n, sizeof(*f->ids), by_id) != NULL;
}

/* An old change that is no more and led to the same state: what the new one takes the place of.
 * It is taken once; *from is where to look from, for those that were taken in order. */
static const struct change *
take_revised(struct feed *f, const struct change *now, size_t *from)
{
	while (*from < f->before_n && !f->over[*from])
		(*from)++;
	for (size_t i = *from; i < f->before_n; i++) {
		const struct change *old = &f->before[i];

		if (!f->over[i] || old->event.kind != now->event.kind ||
		    old->event.new.state != now->event.new.state)
			continue;
		f->over[i] = false;
		return old;
	}
	return NULL;
}

static int
retract(struct feed *f, const struct series *series, const struct change *old, struct err *err)
{
	struct feed_event event = {.series = series, .retracted = old->id};

	return query_takes_change(f->query, old) ? f->each(f->ctx, &event, err) : 0;
}

static int
emit(struct feed *f, const struct series *series, const struct change *list, size_t n,
    struct err *err)
{
	size_t from = 0;
	int rc = 0;

	sort_ids(f, list, n);
	for (size_t i = 0; i < f->before_n; i++)
		f->over[i] = !has_id(f, n, f->before[i].id);
	sort_ids(f, f->before, f->before_n);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct feed_event event = {.change = &list[i], .series = series};
		const struct change *old;

		if (has_id(f, f->before_n, list[i].id))
			continue;
		/* What the filters did not let through, the reader has not seen. */
		if ((old = take_revised(f, &list[i], &from)) != NULL &&
		    query_takes_change(f->query, old))
			event.revises = old->id;
		if (query_takes_change(f->query, &list[i]))
			rc = f->each(f->ctx, &event, err);
		else if (event.revises != NULL)
			rc = retract(f, series, old, err);
	}
	for (size_t i = 0; rc >= 0 && i < f->before_n; i++)
		if (f->over[i])
			rc = retract(f, series, &f->before[i], err);
	return rc;
}

static void
keep_before(struct feed *f, const struct change *list, size_t n)
{
	if (n > f->before_cap) {
		f->before_cap = n;
		f->before = mem_grow(f->before, n, sizeof(*f->before));
		f->over = mem_grow(f->over, n, sizeof(*f->over));
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
	free(f.over);
	free(f.ids);
	return rc;
}
