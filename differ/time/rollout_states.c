#include "rollout_states.h"

#include <stdlib.h>

#include "store/base/mem.h"

void
rollout_states_clear(struct rollout_states *s)
{
	s->n = s->found_n = 0;
}

void
rollout_states_finish(struct rollout_states *s)
{
	free(s->list);
	free(s->found);
	*s = (struct rollout_states){0};
}

void
rollout_states_add(struct rollout_states *s, uint64_t bucket, uint32_t series, size_t at,
    const struct lifetimes *l)
{
	uint64_t earlier_last = 0; /* the last sighting of all lifetimes so far */

	while (s->cap - s->n < l->n) {
		s->cap = s->cap > 0 ? 2 * s->cap : 64;
		s->list = mem_grow(s->list, s->cap, sizeof(*s->list));
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct lifetime *one = &l->list[i];
		bool alone = i == 0 || earlier_last < one->first_index;

		s->list[s->n++] = (struct rollout_lifetime){.bucket = bucket,
		    .state = one->first.state,
		    .evidence = one->first.evidence,
		    .series = series,
		    .at = at,
		    .first_ms = one->first.time_ms,
		    .certain_ms = !alone	 ? INT64_MIN
				  : i + 1 < l->n ? l->list[i + 1].first.time_ms
						 : INT64_MAX,
		    .over_ms = one->has_next ? one->next.time_ms : INT64_MAX};
		if (earlier_last < one->last_index)
			earlier_last = one->last_index;
	}
}

static int
by_state(const void *a, const void *b)
{
	const struct rollout_lifetime *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	if (x->first_ms != y->first_ms)
		return x->first_ms < y->first_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void
rollout_states_sort(struct rollout_states *s)
{
	if (s->n > 0)
		qsort(s->list, s->n, sizeof(*s->list), by_state);
}

static size_t
first_of(const struct rollout_states *s, uint64_t bucket, uint32_t state)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct rollout_lifetime *one = &s->list[middle];

		if (one->bucket < bucket || (one->bucket == bucket && one->state < state))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
found_add(struct rollout_states *s, size_t at)
{
	if (s->found_n == s->found_cap) {
		s->found_cap = s->found_cap > 0 ? 2 * s->found_cap : 64;
		s->found = mem_grow(s->found, s->found_cap, sizeof(*s->found));
	}
	s->found[s->found_n++] = at;
}

/* 1 if it was what its series showed when last observed before before_ms. */
static int
showed(
    const struct rollout_lifetime *one, struct history *history, int64_t before_ms, struct err *err)
{
	struct lifetime_sighting last;
	int rc;

	if (before_ms <= one->certain_ms)
		return 1;
	if (before_ms > one->over_ms)
		return 0; /* a later lifetime of the same state has an entry of its own */
	if ((rc = history_last_observed(history, one->series, before_ms, &last, err)) <= 0)
		return rc;
	return last.state == one->state;
}

/* Those of list[begin..) that are of one bucket and, unless `any`, one state. */
static int
find_from(struct rollout_states *s, struct history *history, size_t begin, bool any,
    int64_t before_ms, struct err *err)
{
	int rc;

	for (size_t i = begin; i < s->n; i++) {
		const struct rollout_lifetime *one = &s->list[i];

		if (one->bucket != s->list[begin].bucket ||
		    (!any && one->state != s->list[begin].state))
			break;
		if (one->first_ms >= before_ms)
			continue;
		if ((rc = showed(one, history, before_ms, err)) < 0)
			return rc;
		if (rc > 0)
			found_add(s, i);
	}
	return 0;
}

/* What is sorted, and by what. */
struct found {
	size_t at, index;
};

static int
by_at(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

void
rollout_states_order(struct rollout_states *s)
{
	struct found *list = mem_zero(s->found_n, sizeof(*list));

	for (size_t i = 0; i < s->found_n; i++)
		list[i] = (struct found){s->list[s->found[i]].at, s->found[i]};
	qsort(list, s->found_n, sizeof(*list), by_at);
	for (size_t i = 0; i < s->found_n; i++)
		s->found[i] = list[i].index;
	free(list);
}

int
rollout_states_find(struct rollout_states *s, struct history *history, uint64_t bucket,
    const uint32_t *states, size_t n, int64_t before_ms, struct err *err)
{
	int rc = 0;

	s->found_n = 0;
	for (size_t i = 0; rc >= 0 && i < (states != NULL ? n : 1); i++) {
		uint32_t state = states != NULL ? states[i] : 0;
		size_t begin = first_of(s, bucket, state);

		if (begin < s->n && s->list[begin].bucket == bucket &&
		    (states == NULL || s->list[begin].state == state))
			rc = find_from(s, history, begin, states == NULL, before_ms, err);
	}
	return rc;
}
