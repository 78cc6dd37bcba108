#include "feed_windows.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define ARRIVALS_MAX (1u << 20) /* of the groups that are looked at together */

/* Groups on their way: both pictures of them. */
struct pictures {
	struct feed_windows *windows;
	struct rollouts *before, *now;
	struct rollout_list before_list, now_list; /* those that differ */
	struct rollout_list same_list;		   /* of now; before they were the same */
	struct buf chosen;			   /* bits by number: the series of these groups */
	struct journal_entry *arrivals;
	size_t arrivals_n, arrivals_cap;
	int64_t *times_ms; /* of one series */
	size_t times_cap;
};

void
feed_windows_finish(struct feed_windows *w)
{
	windows_names_finish(&w->touched);
}

void
feed_windows_touch(struct feed_windows *w, const char *host)
{
	char name[LIMIT_NAME + 1] = "";

	if (!windows_need_all(w->query))
		windows_group_name(w->query, host, name);
	windows_names_add(&w->touched, name);
}

/* ---- which series, and what arrived of them ---------------------------------------------- */

static bool
is_chosen(const struct pictures *p, uint32_t number)
{
	return number / 8 < p->chosen.len && (p->chosen.data[number / 8] & 1u << number % 8) != 0;
}

static int
choose(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct pictures *p = ctx;
	size_t octet = number / 8;

	(void)err;
	if (series->kind != SERIES_PROBE || !query_chooses(p->windows->query, series))
		return 0;
	if (octet >= p->chosen.len) {
		size_t more = octet + 1 - p->chosen.len;

		memset(buf_reserve(&p->chosen, more), 0, more);
		p->chosen.len += more;
	}
	p->chosen.data[octet] |= (uint8_t)(1u << number % 8);
	return 0;
}

static int
walk(struct pictures *p, char *const *names, size_t n, query_each *each, struct err *err)
{
	struct query *q = p->windows->query;
	bool missing = false, exact = q->rollout_group == ROLLOUT_HOST;
	int rc = 0;

	if (windows_need_all(q))
		return query_walk(q, each, p, &missing, err);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = query_walk_name(q, names[i], exact, each, p, err);
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

/* 1: they are more than ARRIVALS_MAX, and not all are there; 0; <0. */
static int
read_arrivals(struct pictures *p, uint64_t cursor, bool bounded, struct err *err)
{
	const struct journal_entry *entries;
	struct journal_walk *journal;
	int64_t committed_ms;
	uint64_t sequence;
	size_t n;
	int rc;

	p->arrivals_n = 0;
	if ((rc = journal_walk_open(&journal, p->windows->query->view, cursor, err)) < 0)
		return rc;
	while ((rc = journal_walk_next(journal, &sequence, &committed_ms, &entries, &n, err)) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (!is_chosen(p, entries[i].series))
				continue;
			if (p->arrivals_n == p->arrivals_cap) {
				p->arrivals_cap = p->arrivals_cap > 0 ? 2 * p->arrivals_cap : 256;
				p->arrivals =
				    mem_grow(p->arrivals, p->arrivals_cap, sizeof(*p->arrivals));
			}
			p->arrivals[p->arrivals_n++] = entries[i];
		}
		if (bounded && p->arrivals_n > ARRIVALS_MAX)
			break;
	}
	journal_walk_close(journal);
	if (rc == 0 && p->arrivals_n > 0)
		qsort(p->arrivals, p->arrivals_n, sizeof(*p->arrivals), by_series);
	return rc;
}

/* The first one of a series. */
static size_t
find_arrival(const struct pictures *p, uint32_t series)
{
	size_t low = 0, high = p->arrivals_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->arrivals[middle].series < series)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct history_without
without(struct pictures *p, uint32_t series)
{
	size_t at = find_arrival(p, series), n = 0;

	for (; at + n < p->arrivals_n && p->arrivals[at + n].series == series; n++) {
		if (n == p->times_cap) {
			p->times_cap = p->times_cap > 0 ? 2 * p->times_cap : 16;
			p->times_ms = mem_grow(p->times_ms, p->times_cap, sizeof(*p->times_ms));
		}
		p->times_ms[n] = p->arrivals[at + n].time_ms;
	}
	return (struct history_without){p->times_ms, n};
}

static int
gather(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct pictures *p = ctx;
	struct changes *changes = p->windows->query->changes;
	const struct history_without left_out = without(p, number);
	const struct change *list;
	size_t n;
	int rc;

	if (!is_chosen(p, number))
		return 0;
	if ((rc = changes_read(changes, number, series, INT64_MAX,
		 left_out.n > 0 ? &left_out : NULL, &list, &n, err)) < 0)
		return rc;
	rollouts_add(p->before, number, series, list, n);
	if (left_out.n > 0 &&
	    (rc = changes_read(changes, number, series, INT64_MAX, NULL, &list, &n, err)) < 0)
		return rc;
	rollouts_add(p->now, number, series, list, n);
	return 0;
}

/* ---- the difference ---------------------------------------------------------------------- */

static int
by_id(const void *a, const void *b)
{
	const struct rollout *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void
sort_by_id(struct rollout_list *list)
{
	if (list->n > 0)
		qsort(list->items, list->n, sizeof(*list->items), by_id);
}

static struct rollout *
find_id(const struct rollout_list *list, const struct rollout *like)
{
	return list->n > 0 ? bsearch(like, list->items, list->n, sizeof(*list->items), by_id)
			   : NULL;
}

/* Of those that are no more, one that a change of the new one was in; it is taken once. */
static const char *
take_revised(const struct rollout_list *before, bool *over, const struct rollout *now)
{
	for (size_t i = 0; i < before->n; i++) {
		if (!over[i] || !rollout_shares(&before->items[i], now))
			continue;
		over[i] = false;
		return before->items[i].id;
	}
	return NULL;
}

static int
tell(struct feed_windows *w, enum feed_news news, const struct rollout *window, const char *revises,
    struct err *err)
{
	return w->each(
	    w->ctx, &(struct feed_event){.news = news, .window = window, .revises = revises}, err);
}

static int
tell_now(struct pictures *p, bool *over, const struct rollout *now, struct err *err)
{
	const struct rollout *known = find_id(&p->before_list, now);

	if (known == NULL)
		return tell(
		    p->windows, FEED_NEW, now, take_revised(&p->before_list, over, now), err);
	return tell(
	    p->windows, rollout_same(known, now) ? FEED_SAME : FEED_ALTERED, now, NULL, err);
}

static int
tell_difference(struct pictures *p, struct err *err)
{
	bool *over = mem_zero(p->before_list.n + 1, sizeof(*over));
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < p->same_list.n; i++)
		rc = tell(p->windows, FEED_SAME, &p->same_list.items[i], NULL, err);
	sort_by_id(&p->now_list); /* for `over` */
	for (size_t i = 0; i < p->before_list.n; i++)
		over[i] = find_id(&p->now_list, &p->before_list.items[i]) == NULL;
	rollout_list_sort(&p->now_list);
	for (size_t i = 0; rc >= 0 && i < p->now_list.n; i++)
		rc = tell_now(p, over, &p->now_list.items[i], err);
	for (size_t i = 0; rc >= 0 && i < p->before_list.n; i++)
		if (over[i])
			rc = tell(p->windows, FEED_RETRACTED, &p->before_list.items[i], NULL, err);
	free(over);
	return rc;
}

/* Takes from both lists the windows that are the same in both. */
static void
part_same(struct pictures *p)
{
	struct rollout_list *before = &p->before_list, *now = &p->now_list;
	bool *same = mem_zero(before->n + 1, sizeof(*same));
	size_t kept = 0;

	sort_by_id(before);
	for (size_t i = 0; i < now->n; i++) {
		const struct rollout *known = find_id(before, &now->items[i]);

		if (known == NULL || !rollout_same(known, &now->items[i])) {
			now->items[kept++] = now->items[i];
			continue;
		}
		same[known - before->items] = true;
		rollout_list_add(&p->same_list, &now->items[i]);
	}
	now->n = kept;
	kept = 0;
	for (size_t i = 0; i < before->n; i++)
		if (same[i])
			rollout_finish(&before->items[i]);
		else
			before->items[kept++] = before->items[i];
	before->n = kept;
	free(same);
}

/* A verdict adds classes and raises the severity: what passes the filters without one passes. */
static int
judge_same(struct pictures *p, struct err *err)
{
	struct query *q = p->windows->query;
	struct rollout_list *same = &p->same_list;
	size_t passed = 0;

	for (size_t i = 0; i < same->n; i++) {
		struct rollout w = same->items[i];

		if (!query_takes(q, w.classes, w.severity))
			continue;
		same->items[i] = same->items[passed];
		same->items[passed++] = w;
	}
	return windows_judge(q, p->now, same, passed, err);
}

/* A window that nothing changed in is judged only where a filter asks for it, and once: a group
 * has many, and the batch is about few. */
static int
judge(struct pictures *p, struct err *err)
{
	struct query *q = p->windows->query;
	int rc;

	part_same(p);
	if ((rc = judge_same(p, err)) < 0 ||
	    (rc = windows_judge(q, p->before, &p->before_list, 0, err)) < 0)
		return rc;
	return windows_judge(q, p->now, &p->now_list, 0, err);
}

static int
compare(struct pictures *p, char *const *names, size_t n, struct err *err)
{
	struct query *q = p->windows->query;
	int rc = walk(p, names, n, gather, err);

	if (rc >= 0)
		rc = rollouts_find(p->before, windows_take, q, &p->before_list, err);
	if (rc >= 0)
		rc = rollouts_find(p->now, windows_take, q, &p->now_list, err);
	if (rc >= 0)
		rc = judge(p, err);
	if (rc >= 0)
		rc = tell_difference(p, err);
	rollouts_clear(p->before);
	rollouts_clear(p->now);
	rollout_list_finish(&p->before_list);
	rollout_list_finish(&p->now_list);
	rollout_list_finish(&p->same_list);
	return rc;
}

/* Where too much arrived, half of the groups at a time. */
static int
tell_groups(struct pictures *p, uint64_t cursor, char *const *names, size_t n, struct err *err)
{
	bool bounded = n > 1 && !windows_need_all(p->windows->query);
	int rc;

	buf_clear(&p->chosen);
	if ((rc = walk(p, names, n, choose, err)) < 0 ||
	    (rc = read_arrivals(p, cursor, bounded, err)) < 0)
		return rc;
	if (rc == 0)
		return compare(p, names, n, err);
	rc = tell_groups(p, cursor, names, n / 2, err);
	return rc < 0 ? rc : tell_groups(p, cursor, names + n / 2, n - n / 2, err);
}

static int
tell_all(struct feed_windows *w, struct err *err)
{
	struct rollout_list list = {.items = NULL};
	bool missing = false;
	int rc = windows_find(w->query, &list, &missing, err);

	for (size_t i = 0; rc >= 0 && i < list.n; i++)
		rc = tell(w, FEED_NEW, &list.items[i], NULL, err);
	rollout_list_finish(&list);
	return rc;
}

int
feed_windows_tell(struct feed_windows *w, uint64_t cursor, struct err *err)
{
	struct query *q = w->query;
	struct pictures p = {.windows = w};
	int rc;

	if (cursor == 0)
		return tell_all(w, err);
	if (w->touched.n == 0)
		return 0;
	windows_names_sort(&w->touched, q);
	p.before = rollouts_create(q->changes, q->rollout_group, q->window_gap_ms);
	p.now = rollouts_create(q->changes, q->rollout_group, q->window_gap_ms);
	rc = tell_groups(&p, cursor, w->touched.list, w->touched.n, err);
	rollouts_destroy(p.before);
	rollouts_destroy(p.now);
	buf_finish(&p.chosen);
	free(p.arrivals);
	free(p.times_ms);
	return rc < 0 ? rc : 0;
}
