#include "keep.h"

#include <stdlib.h>

#include "store/base/mem.h"

#define NONE SIZE_MAX

/* Indexes of sightings are among the observed ones, of lifetimes in the order of their begins. */
struct life {
	size_t first, last;
	size_t old;	 /* the lifetime of the observation before it; NONE in the first one */
	size_t previous; /* that of the same state that ended not long before; NONE */
	uint32_t state;
	bool wanted; /* what it is to others has to be known */
};

struct choice {
	struct keep_sighting *list;
	size_t n;
	uint64_t settle, span;
	size_t *observed; /* where each stands in the list */
	size_t m;
	struct life *lives;
	size_t lives_n;
	size_t *of_state; /* the newest lifetime of each */
	size_t from;	  /* the first one that is kept */
};

static uint32_t
state_of(const struct choice *c, size_t i)
{
	return c->list[c->observed[i]].state;
}

/* ---- lifetimes ------------------------------------------------------------------------------ */

static size_t
begin(struct choice *c, size_t i, size_t current, size_t same)
{
	struct life *one = &c->lives[c->lives_n];

	*one = (struct life){.first = i, .old = current, .previous = NONE, .state = state_of(c, i)};
	if (same != NONE && i - c->lives[same].last - 1 < c->span)
		one->previous = same;
	return c->lives_n++;
}

static void
find_lives(struct choice *c, size_t state_n)
{
	size_t current = NONE;

	c->lives = mem_zero(c->m, sizeof(*c->lives));
	c->of_state = mem_alloc(state_n * sizeof(*c->of_state));
	for (size_t i = 0; i < state_n; i++)
		c->of_state[i] = NONE;
	for (size_t i = 0; i < c->m; i++) {
		size_t *same = &c->of_state[state_of(c, i)];

		if (*same == NONE || i - c->lives[*same].last - 1 >= c->settle)
			*same = begin(c, i, current, *same);
		current = *same;
		c->lives[current].last = i;
	}
}

/* ---- what is needed of them ----------------------------------------------------------------- */

/* From its first sighting on, and what was observed before that. */
static void
need(struct choice *c, size_t life)
{
	size_t first = c->lives[life].first;

	if (first > 0)
		first--;
	if (first < c->from)
		c->from = first;
}

/* Whether it brings back what another one had replaced is told by that one, and so on for as long
 * as two states take turns. */
static void
need_what_it_replaced(struct choice *c, size_t life)
{
	for (size_t old; (old = c->lives[life].old) != NONE; life = old) {
		need(c, old);
		if (c->lives[old].old == NONE ||
		    c->lives[c->lives[old].old].state != c->lives[life].state)
			break;
	}
}

/* All that has to be known of the lifetimes that are wanted: newest first, since each wants but
 * older ones. */
static void
need_all(struct choice *c)
{
	for (size_t i = c->lives_n; i-- > 0;) {
		struct life *one = &c->lives[i];

		if (c->m - one->last - 1 < c->span)
			one->wanted = true;
		if (!one->wanted)
			continue;
		need(c, i);
		need_what_it_replaced(c, i);
		if (one->previous != NONE) {
			c->lives[one->previous].wanted = true;
			need(c, one->old);
		}
	}
}

/* ---- keeping -------------------------------------------------------------------------------- */

/* Of each run from c->from on the first and the last ones. */
static void
keep_runs(struct choice *c)
{
	for (size_t start = 0, end; start < c->m; start = end) {
		for (end = start + 1; end < c->m && state_of(c, end) == state_of(c, start);)
			end++;
		for (size_t i = start; i < end; i++)
			if (i >= c->from && (i == start || i == c->from || end - i < c->span))
				c->list[c->observed[i]].kept = true;
	}
}

static void
keep_gaps(struct choice *c, const struct keep_rules *rules)
{
	size_t last;

	if (c->m == 0) {
		c->list[0].kept = c->list[c->n - 1].kept = true;
		return;
	}
	last = c->observed[c->m - 1];
	for (size_t i = last + 1; i < c->n; i++)
		if (c->list[i].time_ms - c->list[last].time_ms >= rules->gone_after_ms) {
			c->list[i].kept = true;
			break;
		}
}

static void
keep_moments(struct choice *c)
{
	for (size_t first = 0, end; first < c->n; first = end) {
		bool any = false;

		for (end = first; end < c->n && c->list[end].time_ms == c->list[first].time_ms;
		     end++)
			any |= c->list[end].kept;
		for (size_t i = first; any && i < end; i++)
			c->list[i].kept = true;
	}
}

void
keep_choose(struct keep_sighting *list, size_t n, const struct keep_rules *rules)
{
	struct choice c = {.list = list,
	    .n = n,
	    .settle = rules->settle,
	    .span = KEEP_SPAN * rules->settle,
	    .from = NONE};
	size_t state_n = 0;

	if (n == 0)
		return;
	c.observed = mem_alloc(n * sizeof(*c.observed));
	for (size_t i = 0; i < n; i++) {
		list[i].kept = false;
		if (list[i].state >= state_n)
			state_n = (size_t)list[i].state + 1;
		if (list[i].observed)
			c.observed[c.m++] = i;
	}
	find_lives(&c, state_n);
	need_all(&c);
	keep_runs(&c);
	keep_gaps(&c, rules);
	keep_moments(&c);
	free(c.observed);
	free(c.lives);
	free(c.of_state);
}
