#include "keep.h"

#include <stdlib.h>

#include "mem.h"

#define NONE SIZE_MAX

struct observed {
	size_t at;   /* in the list */
	size_t life; /* the number of its lifetime: where that begins among the observed */
};

/* What is known of a state while its sightings are walked. */
struct trail {
	size_t last;   /* among the observed; NONE: not seen yet */
	size_t number; /* of `last` among those that are kept */
	size_t life;
};

struct choice {
	struct keep_sighting *list;
	size_t n;
	const struct keep_rules *rules;
	struct observed *observed;
	size_t m;
	struct trail *trails; /* by state */
	size_t trail_n;
	bool *alive; /* by lifetime: it may go on */
	bool changed;
};

static uint32_t
state_of(const struct choice *c, size_t i)
{
	return c->list[c->observed[i].at].state;
}

static void
keep(struct choice *c, size_t i)
{
	if (c->list[c->observed[i].at].kept)
		return;
	c->list[c->observed[i].at].kept = true;
	c->changed = true;
}

static void
clear_trails(struct choice *c)
{
	for (size_t i = 0; i < c->trail_n; i++)
		c->trails[i] = (struct trail){.last = NONE};
}

/* Finds the observed ones and their lifetimes. */
static void
walk(struct choice *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].state >= c->trail_n)
			c->trail_n = c->list[i].state + 1;
		if (c->list[i].observed)
			c->m++;
	}
	c->observed = mem_zero(c->m, sizeof(*c->observed));
	c->alive = mem_zero(c->m, sizeof(*c->alive));
	c->trails = mem_zero(c->trail_n, sizeof(*c->trails));
	clear_trails(c);
	for (size_t at = 0, i = 0; at < c->n; at++) {
		struct trail *t = &c->trails[c->list[at].state];

		if (!c->list[at].observed)
			continue;
		if (t->last == NONE || i - t->last - 1 >= c->rules->settle)
			t->life = i;
		t->last = i;
		c->observed[i++] = (struct observed){at, t->life};
	}
}

static void
keep_with_before(struct choice *c, size_t i)
{
	keep(c, i);
	if (i > 0)
		keep(c, i - 1);
}

static void
keep_tail(struct choice *c)
{
	size_t run = c->m - 1;

	for (size_t i = c->m; i > 0 && c->m - i < c->rules->settle; i--) {
		keep(c, i - 1);
		c->alive[c->observed[i - 1].life] = true;
	}
	for (size_t i = 0; i < c->m; i++)
		if (c->alive[i])
			keep_with_before(c, i);
	while (run > 0 && state_of(c, run - 1) == state_of(c, run))
		run--;
	keep_with_before(c, run);
}

/* Sightings in vain. */
static void
keep_gaps(struct choice *c)
{
	size_t last;

	if (c->m == 0) {
		c->list[0].kept = c->list[c->n - 1].kept = true;
		return;
	}
	last = c->observed[c->m - 1].at;
	for (size_t i = last + 1; i < c->n; i++)
		if (c->list[i].time_ms - c->list[last].time_ms >= c->rules->gone_after_ms) {
			c->list[i].kept = true;
			return;
		}
}

static void
keep_moments(struct choice *c)
{
	for (size_t begin = 0, end; begin < c->n; begin = end) {
		bool any = false;

		for (end = begin; end < c->n && c->list[end].time_ms == c->list[begin].time_ms;
		     end++)
			any |= c->list[end].kept;
		for (size_t i = begin; any && i < end; i++)
			c->list[i].kept = true;
	}
}

/* Of the lifetime's own sightings between two the one that is nearest to the middle. */
static void
bridge(struct choice *c, size_t from, size_t to)
{
	size_t middle = from + (to - from) / 2, best = NONE, best_distance = NONE;

	for (size_t i = from + 1; i < to; i++) {
		size_t distance = i < middle ? middle - i : i - middle;

		if (c->observed[i].life == c->observed[to].life && distance < best_distance) {
			best = i;
			best_distance = distance;
		}
	}
	if (best != NONE)
		keep(c, best);
}

/* Walks what is kept as lifetimes will, and keeps more where one would break in two, or go on where
 * another one of its state had ended. */
static void
mend(struct choice *c)
{
	size_t number = 0;

	clear_trails(c);
	for (size_t i = 0; i < c->m; i++) {
		struct trail *t = &c->trails[state_of(c, i)];
		size_t life = c->observed[i].life, last = t->last;
		bool goes_on;

		if (!c->list[c->observed[i].at].kept)
			continue;
		goes_on = last != NONE && number - t->number - 1 < c->rules->settle;
		if (c->alive[life] && last != NONE) {
			if (c->observed[last].life == life && !goes_on)
				bridge(c, last, i);
			else if (c->observed[last].life != life && goes_on)
				for (size_t k = 1; k <= c->rules->settle && k <= i; k++)
					keep(c, i - k);
		}
		t->last = i;
		t->number = number++;
	}
}

void
keep_choose(struct keep_sighting *list, size_t n, const struct keep_rules *rules)
{
	struct choice c = {.list = list, .n = n, .rules = rules};

	for (size_t i = 0; i < n; i++)
		list[i].kept = false;
	if (n == 0)
		return;
	walk(&c);
	if (c.m > 0)
		keep_tail(&c);
	keep_gaps(&c);
	do {
		c.changed = false;
		keep_moments(&c);
		if (c.m > 0)
			mend(&c);
	} while (c.changed);
	free(c.observed);
	free(c.alive);
	free(c.trails);
}
