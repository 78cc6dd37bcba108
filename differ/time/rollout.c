#include "rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rollout_parts.h"
#include "store/base/mem.h"
#include "store/record/operator.h"

bool
rollout_group_parse(const char *text, enum rollout_group *group)
{
	static const char *const names[] = {"operator", "host", "address", "chain"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*group = (enum rollout_group)i;
			return true;
		}
	}
	return false;
}

const char *
rollout_state_name(enum rollout_state state)
{
	static const char *const names[] = {"converted", "mixed", "old"};

	return names[state];
}

void *
rollout_push(void *list, size_t *n, size_t *cap, size_t size)
{
	if (*n == *cap) {
		*cap = *cap > 0 ? 2 * *cap : 16;
		list = mem_grow(list, *cap, size);
	}
	(*n)++;
	return list;
}

/* ---- windows ----------------------------------------------------------------------------- */

void
rollout_finish(struct rollout *w)
{
	free(w->group);
	free(w->members);
	free(w->common);
	*w = (struct rollout){.group = NULL};
}

void
rollout_list_finish(struct rollout_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		rollout_finish(&list->items[i]);
	free(list->items);
	*list = (struct rollout_list){.items = NULL};
}

void
rollout_list_add(struct rollout_list *list, const struct rollout *rollout)
{
	list->items = rollout_push(list->items, &list->n, &list->cap, sizeof(*list->items));
	list->items[list->n - 1] = *rollout;
}

static int
by_start(const void *a, const void *b)
{
	const struct rollout *x = a, *y = b;

	if (x->start.before_ms != y->start.before_ms)
		return x->start.before_ms < y->start.before_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

void
rollout_list_sort(struct rollout_list *list)
{
	if (list->n > 0)
		qsort(list->items, list->n, sizeof(*list->items), by_start);
}

static bool
same_bracket(bool has, const struct rollout_bracket *a, const struct rollout_bracket *b)
{
	return !has || (a->after_ms == b->after_ms && a->before_ms == b->before_ms);
}

static bool
same_member(const struct rollout_member *a, const struct rollout_member *b)
{
	bool changed = a->state != ROLLOUT_OLD;

	return a->series == b->series && a->state == b->state && a->left == b->left &&
	       a->undone == b->undone && a->counted == b->counted &&
	       (!changed || (a->after_ms == b->after_ms && a->before_ms == b->before_ms));
}

bool
rollout_same(const struct rollout *a, const struct rollout *b)
{
	if (a->classes != b->classes || a->severity != b->severity || a->has_end != b->has_end ||
	    a->has_instant != b->has_instant || a->converted != b->converted ||
	    a->mixed != b->mixed || a->total != b->total || a->undone != b->undone ||
	    a->unlisted != b->unlisted || a->members_n != b->members_n ||
	    a->common_n != b->common_n || !same_bracket(true, &a->start, &b->start) ||
	    !same_bracket(a->has_end, &a->end, &b->end) ||
	    !same_bracket(a->has_instant, &a->instant, &b->instant))
		return false;
	for (size_t i = 0; i < a->members_n; i++)
		if (!same_member(&a->members[i], &b->members[i]))
			return false;
	return true;
}

static bool
has_changed(const struct rollout *w, uint32_t series, int64_t before_ms)
{
	for (size_t i = 0; i < w->changed_n; i++)
		if (w->members[i].series == series && w->members[i].before_ms == before_ms)
			return true;
	return false;
}

bool
rollout_shares(const struct rollout *a, const struct rollout *b)
{
	const struct lifetime_event *x = &a->first.event, *y = &b->first.event;
	bool alike = x->kind == y->kind && x->new.state == y->new.state;

	for (size_t i = 0; i < a->changed_n; i++)
		for (size_t j = 0; j < b->changed_n; j++)
			if (a->members[i].series == b->members[j].series &&
			    (alike || a->members[i].before_ms == b->members[j].before_ms))
				return true;
	return false;
}

bool
rollout_has(const struct rollout *w, const struct change *change)
{
	return has_changed(w, change->series, change->before_ms);
}

bool
rollout_has_common(const struct rollout *w, const struct difference *difference)
{
	struct hash hash = change_difference_hash(difference);

	for (size_t i = 0; i < w->common_n; i++)
		if (hash_compare(&w->common[i], &hash) == 0)
			return true;
	return false;
}

int64_t
rollout_interval_ms(const struct rollout *w)
{
	if (w->changed_n < 2)
		return -1;
	return (w->members[w->changed_n - 1].before_ms - w->members[0].before_ms) /
	       (int64_t)(w->changed_n - 1);
}

/* ---- gathering --------------------------------------------------------------------------- */

struct rollouts *
rollouts_create(struct changes *changes, enum rollout_group group, int64_t gap_ms)
{
	struct rollouts *r = mem_zero(1, sizeof(*r));

	r->changes = changes;
	r->group = group;
	r->gap_ms = gap_ms;
	return r;
}

/* What was gathered; the memory for it is kept. */
void
rollouts_clear(struct rollouts *r)
{
	for (size_t i = 0; i < r->groups_n; i++)
		free(r->groups[i]);
	if (r->slots_n > 0)
		memset(r->slots, 0, r->slots_n * sizeof(*r->slots));
	r->groups_n = r->items_n = r->series_n = r->parts_n = 0;
	r->cuts = r->marks = 0;
	rollout_states_clear(&r->states);
}

void
rollouts_destroy(struct rollouts *r)
{
	if (r == NULL)
		return;
	rollouts_clear(r);
	free(r->items);
	free(r->series);
	free(r->groups);
	free(r->slots);
	free(r->at);
	free(r->parts);
	rollout_states_finish(&r->states);
	free(r);
}

static uint32_t *
find_slot(const struct rollouts *r, const char *name)
{
	size_t at = hash_checksum("", 0, name, strlen(name));

	for (;; at++) {
		uint32_t *slot = &r->slots[at & (r->slots_n - 1)];

		if (*slot == 0 || strcmp(r->groups[*slot - 1], name) == 0)
			return slot;
	}
}

static uint32_t
intern(struct rollouts *r, const char *name)
{
	uint32_t *slot;

	if (2 * (r->groups_n + 1) > r->slots_n) {
		free(r->slots);
		r->slots_n = r->slots_n > 0 ? 2 * r->slots_n : 64;
		r->slots = mem_zero(r->slots_n, sizeof(*r->slots));
		for (size_t i = 0; i < r->groups_n; i++)
			*find_slot(r, r->groups[i]) = (uint32_t)i + 1;
	}
	slot = find_slot(r, name);
	if (*slot == 0) {
		r->groups =
		    rollout_push(r->groups, &r->groups_n, &r->groups_cap, sizeof(*r->groups));
		r->groups[r->groups_n - 1] = mem_strdup(name);
		*slot = (uint32_t)r->groups_n;
	}
	return *slot - 1;
}

static uint32_t
group_of(struct rollouts *r, const struct series *series)
{
	char name[LIMIT_NAME + 1] = "";

	switch (r->group) {
	case ROLLOUT_OPERATOR:
		operator_of_host(series->host, name);
		break;
	case ROLLOUT_HOST:
		snprintf(name, sizeof(name), "%s", series->host);
		break;
	case ROLLOUT_ADDRESS:
		ip_format(&series->address, name);
		break;
	case ROLLOUT_CHAIN: /* the chain is in the key of every window */
		break;
	}
	return intern(r, name);
}

void
rollouts_add(struct rollouts *r, uint32_t number, const struct series *series,
    const struct change *list, size_t n)
{
	const struct lifetimes *lifetimes = &changes_history(r->changes)->lifetimes;
	struct rollout_series *s;

	r->series = rollout_push(r->series, &r->series_n, &r->series_cap, sizeof(*r->series));
	s = &r->series[r->series_n - 1];
	*s = (struct rollout_series){.number = number,
	    .group = group_of(r, series),
	    .sni = (uint8_t)series->sni,
	    .offer = (uint8_t)series->offer,
	    .port = series->port,
	    .address = series->address};
	if (lifetimes->n > 0)
		s->shows = lifetimes->list[lifetimes->current].first.state;
	rollout_states_add(&r->states, rollout_bucket(s), number, r->series_n - 1, lifetimes);
	for (size_t i = 0; i < n; i++) {
		if (list[i].event.resumed)
			continue;
		r->items = rollout_push(r->items, &r->items_n, &r->items_cap, sizeof(*r->items));
		r->items[r->items_n - 1] = (struct rollout_item){
		    .change = list[i], .parent = r->items_n - 1, .series_at = r->series_n - 1};
	}
}

/* ---- finding ----------------------------------------------------------------------------- */

int
rollouts_find(struct rollouts *r, rollout_wanted *wanted, void *ctx, struct rollout_list *list,
    struct err *err)
{
	int rc = 0;

	if (r->items_n > 0) {
		rollout_states_sort(&r->states);
		rollout_link(r);
	}
	for (size_t i = 0; rc >= 0 && i < r->parts_n; i++) {
		struct rollout window;

		if ((rc = rollout_window(r, &r->parts[i], &window, err)) <= 0)
			continue;
		if (wanted != NULL && !wanted(ctx, &window)) {
			rollout_finish(&window);
			continue;
		}
		window.part = i;
		rollout_list_add(list, &window);
	}
	return rc < 0 ? rc : 0;
}

int
rollouts_judge(struct rollouts *r, struct rollout *w, struct err *err)
{
	if (w->judged || changes_judge_of(r->changes) == NULL)
		return 0;
	return rollout_judge(r, &r->parts[w->part], w, err);
}
