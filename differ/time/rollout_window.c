#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rollout_parts.h"
#include "store/base/mem.h"

static const struct rollout_item *
item_at(const struct rollouts *r, const struct rollout_part *part, size_t i)
{
	return &r->items[r->at[part->begin + i]];
}

static size_t
len_of(const struct rollout_part *part)
{
	return part->end - part->begin;
}

static bool
at_one_place(const struct rollouts *r, const struct rollout_part *part)
{
	const struct rollout_series *first = &r->series[item_at(r, part, 0)->series_at];

	for (size_t i = 1; i < len_of(part); i++)
		if (!rollout_same_place(first, &r->series[item_at(r, part, i)->series_at]))
			return false;
	return true;
}

/* ---- N ----------------------------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The states that its series showed before, ascending; to be freed. */
static uint32_t *
old_states(const struct rollouts *r, const struct rollout_part *part, size_t *n)
{
	uint32_t *states = mem_zero(len_of(part), sizeof(*states));
	size_t kept = 0;

	for (size_t i = 0; i < len_of(part); i++)
		states[i] = item_at(r, part, i)->change.event.old.state;
	qsort(states, len_of(part), sizeof(*states), by_number);
	for (size_t i = 0; i < len_of(part); i++)
		if (kept == 0 || states[kept - 1] != states[i])
			states[kept++] = states[i];
	*n = kept;
	return states;
}

static void
count(struct rollout *w, struct rollout_member *member)
{
	member->counted = true;
	w->total++;
	w->converted += member->state == ROLLOUT_CONVERTED;
	w->mixed += member->state == ROLLOUT_MIXED;
}

/* The members and whether one of those that have not changed is at another address. */
struct counting {
	struct rollouts *r;
	struct rollout *window;
	const uint32_t *states; /* ascending */
	size_t states_n, cap;
	const struct rollout_series *first;
	bool elsewhere;
};

static void
count_series(struct counting *c, size_t series_at)
{
	struct rollout_series *s = &c->r->series[series_at];
	struct rollout *w = c->window;

	if (s->window != c->r->marks) {
		w->members = rollout_push(w->members, &w->members_n, &c->cap, sizeof(*w->members));
		s->window = c->r->marks;
		s->index = w->members_n - 1;
		w->members[s->index] = (struct rollout_member){.series = s->number,
		    .state = ROLLOUT_OLD,
		    .left = bsearch(&s->shows, c->states, c->states_n, sizeof(*c->states),
				by_number) == NULL};
		c->elsewhere |= !rollout_same_place(s, c->first);
	}
	count(w, &w->members[s->index]);
}

static int
by_state(const void *a, const void *b)
{
	const struct rollout_lifetime *const *x = a, *const *y = b;

	return (*x)->state < (*y)->state ? -1 : (*x)->state > (*y)->state;
}

/* Whether a change from a state to what the window brings would be of its class. */
static int
would_be_the_same(struct counting *c, const struct rollout_lifetime *from, struct err *err)
{
	const struct states *states = changes_history(c->r->changes)->states;
	struct lifetime_event event = c->window->first.event;
	unsigned classes;
	int rc;

	if (from->state == event.new.state || !states_get(states, from->state)->has_chain)
		return 0;
	event.old.state = from->state;
	event.old.evidence = from->evidence;
	event.returned = event.back = false;
	if ((rc = changes_classify(c->r->changes, &event, &classes, err)) < 0)
		return rc;
	return (classes & c->window->classes) != 0;
}

/* Adds to the states that were left those that others showed at the start and from which it would
 * be the same class. Ascending; freed by the caller. */
static int
add_like_states(
    struct counting *c, const struct rollout_part *part, uint32_t **states, struct err *err)
{
	struct rollout_states *index = &c->r->states;
	size_t n = c->states_n;
	int rc = rollout_states_find(index, changes_history(c->r->changes), part->bucket, NULL, 0,
	    c->window->first.event.before_ms, err);
	struct rollout_lifetime **others =
	    mem_zero(index->found_n, sizeof(struct rollout_lifetime *));
	size_t others_n = 0;

	for (size_t i = 0; rc == 0 && i < index->found_n; i++) {
		struct rollout_lifetime *one = &index->list[index->found[i]];

		if (bsearch(&one->state, *states, n, sizeof(**states), by_number) == NULL)
			others[others_n++] = one;
	}
	qsort(others, others_n, sizeof(struct rollout_lifetime *), by_state);
	*states = mem_grow(*states, n + others_n + 1, sizeof(**states));
	for (size_t i = 0; rc >= 0 && i < others_n; i++)
		if ((i == 0 || others[i]->state != others[i - 1]->state) &&
		    (rc = would_be_the_same(c, others[i], err)) > 0)
			(*states)[n++] = others[i]->state;
	qsort(*states, n, sizeof(**states), by_number);
	c->states = *states;
	c->states_n = n;
	free(others);
	return rc < 0 ? rc : 0;
}

static int
count_listed(struct counting *c, const struct rollout_part *part, struct err *err)
{
	struct rollout_states *index = &c->r->states;
	int rc = rollout_states_find(index, changes_history(c->r->changes), part->bucket, c->states,
	    c->states_n, c->window->first.event.before_ms, err);

	if (rc == 0 && !part->crowded)
		rollout_states_order(index);
	for (size_t i = 0; rc == 0 && i < index->found_n; i++) {
		size_t at = index->list[index->found[i]].at;

		if (part->crowded && c->r->series[at].window != c->r->marks) {
			c->window->unlisted++;
			c->window->total++;
		} else {
			count_series(c, at);
		}
	}
	return rc;
}

/* N, and those among it that have not changed. */
static int
count_total(struct counting *c, const struct rollout_part *part, struct err *err)
{
	struct rollout *w = c->window;
	uint32_t *states;
	int rc = 0;

	if (w->first.event.kind == LIFETIME_BACK) {
		/* Gone is no state that is observed: N is what came back. */
		for (size_t i = 0; i < w->changed_n; i++)
			count(w, &w->members[i]);
		return 0;
	}
	c->states = states = old_states(c->r, part, &c->states_n);
	if (!part->crowded && c->states_n > 1 && w->classes != 0 &&
	    w->first.event.kind == LIFETIME_BEGIN && rollout_direction(&w->first) == 0)
		rc = add_like_states(c, part, &states, err);
	if (rc == 0)
		rc = count_listed(c, part, err);
	free(states);
	return rc;
}

/* ---- what it says ------------------------------------------------------------------------ */

/* Keeps of the common fields those that a change has from-to as well. */
static int
keep_common(struct rollouts *r, struct rollout *w, const struct change *change, struct err *err)
{
	struct hash others[FIELD_N];
	const struct difference *d;
	size_t kept = 0;
	int n = changes_differences(r->changes, change, &d, err);

	if (n < 0)
		return n;
	for (int j = 0; j < n; j++)
		others[j] = change_difference_hash(&d[j]);
	for (size_t k = 0; k < w->common_n; k++) {
		int j = 0;

		while (j < n && hash_compare(&others[j], &w->common[k]) != 0)
			j++;
		if (j < n)
			w->common[kept++] = w->common[k];
	}
	w->common_n = kept;
	return 0;
}

/* The fields that all changes share from-to. The same evidence needs no second look. */
static int
find_common(struct rollouts *r, struct rollout *w, const struct rollout_part *part, struct err *err)
{
	const struct difference *d;
	int rc;

	if ((rc = changes_differences(r->changes, &w->first, &d, err)) < 0)
		return rc;
	w->common = mem_zero((size_t)rc, sizeof(*w->common));
	for (int i = 0; i < rc; i++)
		w->common[w->common_n++] = change_difference_hash(&d[i]);
	for (size_t i = 1; i < len_of(part) && w->common_n > 0; i++) {
		const struct change *change = &item_at(r, part, i)->change;
		const struct change *before = &item_at(r, part, i - 1)->change;

		if (change->event.old.evidence == before->event.old.evidence &&
		    change->event.new.evidence == before->event.new.evidence)
			continue;
		if ((rc = keep_common(r, w, change, err)) < 0)
			return rc;
	}
	return 0;
}

static int64_t
lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
set_brackets(struct rollouts *r, struct rollout *w, const struct rollout_part *part)
{
	w->start = w->end = (struct rollout_bracket){w->first.after_ms, w->first.before_ms};
	for (size_t i = 1; i < len_of(part); i++) {
		const struct change *c = &item_at(r, part, i)->change;

		w->start.after_ms = lesser(w->start.after_ms, c->after_ms);
		w->start.before_ms = lesser(w->start.before_ms, c->before_ms);
		w->end.after_ms = greater(w->end.after_ms, c->after_ms);
		w->end.before_ms = greater(w->end.before_ms, c->before_ms);
	}
	w->instant = (struct rollout_bracket){w->end.after_ms, w->start.before_ms};
	w->has_instant = w->instant.after_ms < w->instant.before_ms;
}

static void
identify(const struct rollouts *r, struct rollout *w, const struct rollout_item *first)
{
	const struct states *states = changes_history(r->changes)->states;
	const struct hash *new_state = &states_get(states, w->first.event.new.state)->id;
	char hex[2 * HASH_LEN + 1];
	struct buf b = {0};

	hash_hex(new_state, hex);
	w->group = mem_strdup(
	    r->group == ROLLOUT_CHAIN ? hex : r->groups[r->series[first->series_at].group]);
	/* Not the bracket's begin: addresses are probed in any order, and one that converts later
	 * may have been seen last with the old one earlier. */
	buf_printf(&b, "window\n%s\n%s\n%s\n%lld\n", w->group, sni_name(w->sni),
	    offer_name(w->offer), (long long)w->start.before_ms);
	buf_append_byte(&b, rollout_direction(&w->first));
	buf_append(&b, w->first.fields.bytes, HASH_LEN);
	buf_append(&b, new_state->bytes, HASH_LEN);
	change_id(w->id, b.data, b.len);
	buf_finish(&b);
}

static void
add_changed(struct rollouts *r, struct rollout *w, const struct rollout_part *part)
{
	r->marks++;
	for (size_t i = 0; i < len_of(part); i++) {
		const struct rollout_item *item = item_at(r, part, i);
		const struct change *c = &item->change;
		struct rollout_series *s = &r->series[item->series_at];

		s->window = r->marks;
		s->index = i;
		w->members[i] = (struct rollout_member){.series = c->series,
		    .after_ms = c->after_ms,
		    .before_ms = c->before_ms,
		    .state = c->event.mixed ? ROLLOUT_MIXED : ROLLOUT_CONVERTED,
		    .undone = item->left_ms != INT64_MAX};
		w->undone += w->members[i].undone;
		if ((w->classes & c->classes) != 0)
			w->classes &= c->classes;
		if (c->severity > w->severity)
			w->severity = c->severity;
	}
}

int
rollout_window(
    struct rollouts *r, const struct rollout_part *part, struct rollout *w, struct err *err)
{
	const struct rollout_item *first = item_at(r, part, 0);
	const struct rollout_series *series = &r->series[first->series_at];
	struct counting counting = {.r = r, .window = w, .cap = len_of(part), .first = series};
	bool one_place = at_one_place(r, part);
	bool renewal = one_place && rollout_has_class(&first->change, CLASS_RENEWAL);
	int rc;

	if ((renewal && first->own_leaf) || (one_place && rollout_is_presence(&first->change)))
		return 0;
	*w = (struct rollout){.first = first->change,
	    .sni = (enum sni)series->sni,
	    .offer = (enum offer)series->offer,
	    .classes = first->change.classes,
	    .members = mem_zero(len_of(part), sizeof(*w->members)),
	    .members_n = len_of(part),
	    .changed_n = len_of(part)};
	add_changed(r, w, part);
	set_brackets(r, w, part);
	identify(r, w, first);
	if ((rc = count_total(&counting, part, err)) < 0)
		goto out;
	/* Renewed alone: a window only if others show the old one, as if they waited. */
	if (renewal && !counting.elsewhere)
		goto out;
	if ((rc = find_common(r, w, part, err)) < 0)
		goto out;
	w->has_end = w->converted == w->total && w->mixed == 0 && w->total > 0;
	return 1;
out:
	rollout_finish(w);
	return rc;
}

/* A class of all its changes, as the others are. */
int
rollout_judge(
    struct rollouts *r, const struct rollout_part *part, struct rollout *w, struct err *err)
{
	struct store_view *view = changes_history(r->changes)->view;
	struct series series;
	enum severity severity = SEVERITY_INFO;
	int rc;

	w->lost = w->gained = ~0u;
	for (size_t i = 0; i < len_of(part); i++) {
		struct change *c = &r->items[r->at[part->begin + i]].change;

		if ((rc = store_series(view, c->series, &series, err)) < 0 ||
		    (rc = changes_judge(r->changes, &series, c, err)) < 0)
			return rc;
		w->lost &= c->lost;
		w->gained &= c->gained;
		severity = c->severity > severity ? c->severity : severity;
	}
	w->severity = severity > w->severity ? severity : w->severity;
	classify_turned(&w->classes, &w->severity, w->lost != 0, w->gained != 0);
	w->first = item_at(r, part, 0)->change;
	w->judged = true;
	return 0;
}
