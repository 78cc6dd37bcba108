#include "feed.h"

#include <stdlib.h>
#include <string.h>

#include "feed_windows.h"
#include "store/base/mem.h"

/* The observations that came after the cursor, by series and time. */
struct arrivals {
	struct journal_entry *list;
	size_t n, cap;
};

struct feed_id {
	char id[CHANGE_ID_LEN + 1];
	size_t at; /* in the picture */
};

#define ARRIVALS_MAX (1u << 20)
#define LATE_MS 3600000 /* what is first seen of a series and older than this came late */

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
	struct feed_windows windows;
	bool differs;	      /* the pictures of a series do */
	int64_t committed_ms; /* when the last commit was made */
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
by_series(const void *a, const void *b)
{
	const struct journal_entry *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

/* Keeps the arrivals of the lower half of the series; *to is the first one that is left for later.
 * All of one series stay, however many they are. */
static void
halve(struct arrivals *a, uint32_t *to)
{
	size_t kept = a->n / 2;

	qsort(a->list, a->n, sizeof(*a->list), by_series);
	while (kept < a->n && a->list[kept].series == a->list[0].series)
		kept++;
	while (kept > 0 && kept < a->n && a->list[kept - 1].series == a->list[kept].series)
		kept--;
	if (kept == a->n)
		return;
	*to = a->list[kept].series;
	a->n = kept;
}

static void
add_arrival(struct arrivals *a, const struct journal_entry *entry, uint32_t *to)
{
	if (a->n >= ARRIVALS_MAX && a->n == a->cap)
		halve(a, to);
	if (a->n == a->cap) {
		a->cap = a->cap > 0 ? 2 * a->cap : 1024;
		a->list = mem_grow(a->list, a->cap, sizeof(*a->list));
	}
	if (entry->series < *to)
		a->list[a->n++] = *entry;
}

/* The arrivals of the series from..*to), sorted; *to becomes less where they are too many. */
static int
read_arrivals(
    struct feed *f, uint64_t cursor, uint64_t *last, uint32_t from, uint32_t *to, struct err *err)
{
	const struct journal_entry *entries;
	struct journal_walk *walk;
	int64_t committed_ms;
	size_t n;
	int rc;

	f->arrivals.n = 0;
	*last = cursor;
	if ((rc = journal_walk_open(&walk, f->query->view, cursor, err)) < 0)
		return rc;
	while ((rc = journal_walk_next(walk, last, &committed_ms, &entries, &n, err)) > 0) {
		f->committed_ms = committed_ms;
		for (size_t i = 0; i < n; i++)
			if (entries[i].series >= from && entries[i].series < *to)
				add_arrival(&f->arrivals, &entries[i], to);
	}
	journal_walk_close(walk);
	if (f->arrivals.n > 0)
		qsort(f->arrivals.list, f->arrivals.n, sizeof(*f->arrivals.list), by_series);
	return rc;
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
	for (size_t i = 0; i < n; i++) {
		memcpy(f->ids[i].id, list[i].id, sizeof(f->ids[i].id));
		f->ids[i].at = i;
	}
	if (n > 0)
		qsort(f->ids, n, sizeof(*f->ids), by_id);
}

static const struct feed_id *
find_id(const struct feed *f, size_t n, const char *id)
{
	return n > 0 ? bsearch(id, f->ids, n, sizeof(*f->ids), by_id) : NULL;
}

/* Whether a change of the same id says something else by now. */
static bool
is_altered(const struct change *old, const struct change *now)
{
	const struct lifetime_event *a = &old->event, *b = &now->event;

	return a->mixed != b->mixed || a->has_old_gone != b->has_old_gone ||
	       (a->has_old_gone && (a->old_gone_after_ms != b->old_gone_after_ms ||
				       a->old_gone_before_ms != b->old_gone_before_ms)) ||
	       old->classes != now->classes || old->severity != now->severity;
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

/* Whether a change is let through, once it is judged: *judged is it then. 1, 0, <0. */
static int
takes(struct feed *f, const struct series *series, const struct change *change,
    struct change *judged, struct err *err)
{
	*judged = *change;
	return query_takes_judged(f->query, series, judged, err);
}

static int
retract(struct feed *f, const struct series *series, const struct change *old, struct err *err)
{
	struct change judged;
	struct feed_event event = {.news = FEED_RETRACTED, .change = &judged, .series = series};
	int rc = takes(f, series, old, &judged, err);

	return rc > 0 ? f->each(f->ctx, &event, err) : rc;
}

/* A change that was there before under the same id. */
static int
emit_known(struct feed *f, const struct series *series, const struct change *old,
    const struct change *now, struct err *err)
{
	struct change judged;
	struct feed_event event = {.change = &judged, .series = series};
	int told, rc;

	if (!is_altered(old, now))
		return 0;
	f->differs = true;
	if ((told = takes(f, series, old, &judged, err)) < 0)
		return told;
	event.news = told > 0 ? FEED_ALTERED : FEED_NEW;
	if ((rc = takes(f, series, now, &judged, err)) != 0)
		return rc < 0 ? rc : f->each(f->ctx, &event, err);
	return told > 0 ? retract(f, series, old, err) : 0;
}

static int
emit_new(struct feed *f, const struct series *series, const struct change *now, size_t *from,
    struct err *err)
{
	struct change judged;
	struct feed_event event = {.news = FEED_NEW, .change = &judged, .series = series};
	const struct change *old = take_revised(f, now, from);
	int rc = 0;

	f->differs = true;
	/* What the filters did not let through, the reader has not seen. */
	if (old != NULL && (rc = takes(f, series, old, &judged, err)) > 0)
		event.revises = old->id;
	if (rc < 0 || (rc = takes(f, series, now, &judged, err)) != 0)
		return rc < 0 ? rc : f->each(f->ctx, &event, err);
	return event.revises != NULL ? retract(f, series, old, err) : 0;
}

static int
emit(struct feed *f, const struct series *series, const struct change *list, size_t n,
    struct err *err)
{
	size_t from = 0;
	int rc = 0;

	sort_ids(f, list, n);
	for (size_t i = 0; i < f->before_n; i++)
		f->over[i] = find_id(f, n, f->before[i].id) == NULL;
	sort_ids(f, f->before, f->before_n);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		const struct feed_id *known = find_id(f, f->before_n, list[i].id);

		rc = known != NULL ? emit_known(f, series, &f->before[known->at], &list[i], err)
				   : emit_new(f, series, &list[i], &from, err);
	}
	for (size_t i = 0; rc >= 0 && i < f->before_n; i++) {
		if (!f->over[i])
			continue;
		f->differs = true;
		rc = retract(f, series, &f->before[i], err);
	}
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

/* Whether what arrived may count among the N of a window that was told before: it came late. Just
 * after the history without it was read. */
static bool
is_late(struct feed *f, int64_t first_ms)
{
	const struct lifetimes *l = &changes_history(f->query->changes)->lifetimes;

	if (l->n == 0)
		return first_ms < f->committed_ms - LATE_MS;
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].last.time_ms > first_ms)
			return true;
	return false;
}

/* arrivals[at..at + n) are those of the series. */
static int
feed_series(struct feed *f, uint32_t number, size_t at, size_t n, struct err *err)
{
	const struct change *list;
	struct series series;
	size_t list_n;
	int rc;

	if ((rc = store_series(f->query->view, number, &series, err)) < 0 ||
	    !query_chooses(f->query, &series))
		return rc;
	if (n > f->times_cap) {
		f->times_cap = n;
		f->times_ms = mem_grow(f->times_ms, n, sizeof(*f->times_ms));
	}
	for (size_t i = 0; i < n; i++)
		f->times_ms[i] = f->arrivals.list[at + i].time_ms;
	if ((rc = changes_read(f->query->changes, number, &series, INT64_MAX,
		 &(struct history_without){f->times_ms, n}, &list, &list_n, err)) < 0)
		return rc;
	f->differs = is_late(f, f->times_ms[0]);
	keep_before(f, list, list_n);
	if ((rc = changes_read(
		 f->query->changes, number, &series, INT64_MAX, NULL, &list, &list_n, err)) < 0)
		return rc;
	rc = emit(f, &series, list, list_n, err);
	if (f->differs && series.kind == SERIES_PROBE)
		feed_windows_touch(&f->windows, series.host);
	return rc;
}

static int
feed_arrivals(struct feed *f, struct err *err)
{
	const struct arrivals *a = &f->arrivals;
	size_t n;
	int rc = 0;

	for (size_t at = 0; rc >= 0 && at < a->n; at += n) {
		for (n = 1; at + n < a->n && a->list[at + n].series == a->list[at].series;)
			n++;
		if (options_interrupted())
			return err_set(
			    err, ERR_SYSTEM, "interrupted; the cursor stays where it was");
		rc = feed_series(f, a->list[at].series, at, n, err);
	}
	return rc;
}

/* Where nothing had arrived yet. */
static int
feed_all(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct feed *f = ctx;
	const struct change *list;
	size_t n;
	int rc = changes_read(f->query->changes, number, series, INT64_MAX, NULL, &list, &n, err);

	return rc < 0 ? rc : emit(f, series, list, n, err);
}

static int
feed_begin(struct feed *f, uint64_t *last, bool *missing, struct err *err)
{
	struct journal_walk *walk;
	int rc;

	if ((rc = journal_walk_open(&walk, f->query->view, 0, err)) < 0)
		return rc; /* the journal does not reach so far back */
	journal_walk_close(walk);
	if ((rc = journal_last(f->query->view, last, err)) < 0)
		return rc;
	return query_walk(f->query, feed_all, f, missing, err);
}

int
feed_read(struct query *q, uint64_t cursor, uint64_t *last, bool with_windows, feed_each *each,
    void *ctx, bool *missing, struct err *err)
{
	struct feed f = {.query = q,
	    .windows = {.query = q, .each = each, .ctx = ctx},
	    .each = each,
	    .ctx = ctx};
	uint32_t from = 0, to = 0;
	int rc;

	if (cursor == 0) {
		rc = feed_begin(&f, last, missing, err);
		to = UINT32_MAX;
	} else {
		rc = query_find_missing(q, missing, err);
	}
	for (; rc >= 0 && to < UINT32_MAX; from = to) {
		to = UINT32_MAX;
		if ((rc = read_arrivals(&f, cursor, last, from, &to, err)) >= 0)
			rc = feed_arrivals(&f, err);
	}
	if (rc >= 0 && with_windows)
		rc = feed_windows_tell(&f.windows, cursor, err);
	feed_windows_finish(&f.windows);
	free(f.arrivals.list);
	free(f.times_ms);
	free(f.before);
	free(f.over);
	free(f.ids);
	return rc;
}
