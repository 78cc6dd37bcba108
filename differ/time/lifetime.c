#include "lifetime.h"

#include <stdlib.h>

#include "store/base/mem.h"

void
lifetimes_init(struct lifetimes *l, const struct lifetime_rules *rules)
{
	*l = (struct lifetimes){.rules = *rules};
}

void
lifetimes_clear(struct lifetimes *l)
{
	l->n = l->open_n = l->events_n = l->current = 0;
	l->observed = 0;
	l->gap = l->gone = l->has_earlier = false;
}

void
lifetimes_finish(struct lifetimes *l)
{
	if (l == NULL)
		return;
	free(l->list);
	free(l->open);
	free(l->events);
	*l = (struct lifetimes){.rules = l->rules};
}

bool
lifetimes_ended(const struct lifetimes *l, const struct lifetime *one)
{
	return l->observed - one->last_index - 1 >= l->rules.settle;
}

static struct lifetime_event *
event_add(struct lifetimes *l)
{
	if (l->events_n == l->events_cap) {
		l->events_cap = l->events_cap > 0 ? 2 * l->events_cap : 8;
		l->events = mem_grow(l->events, l->events_cap, sizeof(*l->events));
	}
	l->events[l->events_n] = (struct lifetime_event){0};
	return &l->events[l->events_n++];
}

/* Whether it ended so long ago that what comes again is another story. */
static bool
is_over(const struct lifetimes *l, const struct lifetime *one)
{
	return l->observed - one->last_index - 1 >= LIFETIME_RESUME * l->rules.settle;
}

/* The newest lifetime of `state` that is not over, or l->n. Forgets those that are. */
static size_t
find_open(struct lifetimes *l, uint32_t state)
{
	size_t found = l->n, kept = 0;

	for (size_t i = 0; i < l->open_n; i++) {
		const struct lifetime *one = &l->list[l->open[i]];

		if (is_over(l, one))
			continue;
		if (one->first.state == state)
			found = l->open[i];
		l->open[kept++] = l->open[i];
	}
	l->open_n = kept;
	return found;
}

/* When a bracket begins that ends at before_ms: never where it ends. */
static int64_t
not_empty(int64_t after_ms, int64_t before_ms)
{
	return after_ms < before_ms ? after_ms : before_ms - 1;
}

/* previous: l->n, or that of the same state that ended not long ago. */
static void
begin(struct lifetimes *l, const struct lifetime_sighting *sighting, size_t previous, bool back)
{
	struct lifetime *one;

	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 8;
		l->list = mem_grow(l->list, l->cap, sizeof(*l->list));
	}
	if (l->open_n == l->open_cap) {
		l->open_cap = l->open_cap > 0 ? 2 * l->open_cap : 8;
		l->open = mem_grow(l->open, l->open_cap, sizeof(*l->open));
	}
	one = &l->list[l->n];
	*one = (struct lifetime){.first = *sighting,
	    .back = back,
	    .first_index = l->observed,
	    .previous = previous,
	    .has_previous = previous < l->n};
	if (l->n > 0) {
		one->before = l->list[l->current].last;
		one->old = l->current;
		one->after_ms = l->has_earlier ? l->earlier_ms : sighting->time_ms - 1;
	}
	l->open[l->open_n++] = l->n++;
}

static void
add_gone(struct lifetimes *l, const struct lifetime_sighting *probe)
{
	struct lifetime_event *e = event_add(l);

	e->kind = LIFETIME_GONE;
	e->old = l->list[l->current].last;
	e->new = *probe;
	e->after_ms = e->old.time_ms;
	e->before_ms = probe->time_ms;
}

static void
add_back(struct lifetimes *l, const struct lifetime_sighting *sighting)
{
	struct lifetime_event *e = event_add(l);

	e->kind = LIFETIME_BACK;
	e->old = l->list[l->current].last;
	e->new = *sighting;
	e->after_ms = not_empty(e->old.time_ms, sighting->time_ms);
	e->before_ms = sighting->time_ms;
}

void
lifetimes_observe(struct lifetimes *l, struct lifetime_sighting sighting)
{
	bool was_gone = l->gone;
	size_t at;

	if (l->n > 0 && l->list[l->current].last.time_ms < sighting.time_ms) {
		l->earlier_ms = l->list[l->current].last.time_ms;
		l->has_earlier = true;
	}
	if (l->n > 0 && !was_gone && l->list[l->current].first.state == sighting.state) {
		at = l->current; /* nearly always: what the last one showed */
	} else {
		at = find_open(l, sighting.state);
		if (at == l->n || lifetimes_ended(l, &l->list[at])) {
			size_t previous = at;

			at = l->n;
			begin(l, &sighting, previous, was_gone);
		} else {
			l->list[at].returns += at != l->current;
			if (was_gone)
				add_back(l, &sighting);
		}
		if (at != l->current) {
			l->list[l->current].next = sighting;
			l->list[l->current].next_lifetime = at;
			l->list[l->current].has_next = true;
		}
	}
	l->list[at].last = sighting;
	l->list[at].last_index = l->observed++;
	l->list[at].has_next = false;
	l->current = at;
	l->gap = l->gone = false;
}

void
lifetimes_gap(struct lifetimes *l, struct lifetime_sighting sighting)
{
	if (!l->gap)
		l->gap_first = sighting;
	l->gap_last = sighting;
	l->gap = true;
	if (l->n > 0 && !l->gone &&
	    sighting.time_ms - l->list[l->current].last.time_ms >= l->rules.gone_after_ms) {
		add_gone(l, &sighting);
		l->gone = true;
	}
}

/* Whether list[at] brings back the state that the one it replaces had replaced: it was undone.
 * What comes after that has been done anew. */
static bool
has_returned(const struct lifetimes *l, size_t at)
{
	size_t old = l->list[at].old;

	return old > 0 && !l->list[old].returned &&
	       l->list[l->list[old].old].first.state == l->list[at].first.state;
}

/* Whether list[at] goes on with what a balancer had shown before. */
static bool
has_resumed(const struct lifetimes *l, size_t at)
{
	const struct lifetime *one = &l->list[at];

	return one->has_previous && (l->list[one->previous].returns + one->returns >= 2 ||
					l->list[one->old].returns >= 2);
}

static void
find_roots(struct lifetimes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct lifetime *one = &l->list[i];

		one->goes_on = false;
		one->root = i;
		one->returned = i > 0 && has_returned(l, i);
		if (has_resumed(l, i)) {
			one->root = l->list[one->previous].root;
			l->list[one->previous].goes_on = true;
		}
	}
}

static void
add_begin(struct lifetimes *l, size_t at)
{
	const struct lifetime *one = &l->list[at], *old = &l->list[one->old];
	struct lifetime_event *e = event_add(l);
	bool reaches_beyond = old->last_index > one->first_index;

	e->kind = LIFETIME_BEGIN;
	e->old = one->before;
	e->new = one->first;
	e->after_ms = one->after_ms;
	e->before_ms = one->first.time_ms;
	e->back = one->back;
	e->returned = one->returned;
	e->resumed = one->root != at;
	e->mixed = reaches_beyond && !lifetimes_ended(l, old);
	if (!e->mixed) {
		e->has_old_gone = true;
		e->old_gone_before_ms = old->next.time_ms;
		e->old_gone_after_ms = not_empty(old->last.time_ms, old->next.time_ms);
	}
}

static void
add_rolled_back(struct lifetimes *l, size_t at)
{
	const struct lifetime *one = &l->list[at];
	struct lifetime_event *e;

	if (!one->has_next || one->next_lifetime > at || !lifetimes_ended(l, one))
		return;
	e = event_add(l);
	e->kind = LIFETIME_ROLLED_BACK;
	e->old = one->last;
	e->new = one->next;
	e->resumed = one->goes_on || l->list[one->next_lifetime].root >= one->root;
	e->before_ms = one->next.time_ms;
	e->after_ms = not_empty(one->last.time_ms, one->next.time_ms);
	e->has_old_gone = true;
	e->old_gone_after_ms = e->after_ms;
	e->old_gone_before_ms = e->before_ms;
}

static int
by_time(const void *a, const void *b)
{
	const struct lifetime_event *x = a, *y = b;

	if (x->before_ms != y->before_ms)
		return x->before_ms < y->before_ms ? -1 : 1;
	if (x->after_ms != y->after_ms)
		return x->after_ms < y->after_ms ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->new.state < y->new.state ? -1 : x->new.state > y->new.state;
}

const struct lifetime_event *
lifetimes_events(struct lifetimes *l, size_t *n)
{
	find_roots(l);
	for (size_t i = 1; i < l->n; i++)
		add_begin(l, i);
	for (size_t i = 1; i < l->n; i++)
		add_rolled_back(l, i);
	if (l->events_n > 0)
		qsort(l->events, l->events_n, sizeof(*l->events), by_time);
	*n = l->events_n;
	return l->events;
}
