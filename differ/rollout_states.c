#include "rollout_states.h"

#include <stdlib.h>

#include "../store/mem.h"

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
	while (s->cap - s->n < l->n) {
		s->cap = s->cap > 0 ? 2 * s->cap : 64;
		s->list = mem_grow(s->list, s->cap, sizeof(*s->list));
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct lifetime *one = &l->list[i];

		s->list[s->n++] = (struct rollout_lifetime){.bucket = bucket,
		    .state = one->first.state,
		    .series = series,
		    .at = at,
		    .first_ms = one->first.time_ms,
		    .certain_ms = i > 0	     ? INT64_MIN
				  : l->n > 1 ? l->list[1].first.time_ms
					     : INT64_MAX,
		    .over_ms = one->has_next ? one->next.time_ms : INT64_MAX};
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

static int
by_at(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
rollout_states_find(struct rollout_states *s, struct history *history, uint64_t bucket,
    const uint32_t *states, size_t n, int64_t before_ms, struct err *err)
{
	size_t kept = 0;
	int rc;

	s->found_n = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = first_of(s, bucket, states[i]); j < s->n; j++) {
			const struct rollout_lifetime *one = &s->list[j];

			if (one->bucket != bucket || one->state != states[i] ||
			    one->first_ms >= before_ms)
				break;
			if ((rc = showed(one, history, before_ms, err)) < 0)
				return rc;
			if (rc > 0)
				found_add(s, one->at);
		}
	}
	if (s->found_n > 0)
		qsort(s->found, s->found_n, sizeof(*s->found), by_at);
	for (size_t i = 0; i < s->found_n; i++)
		if (kept == 0 || s->found[kept - 1] != s->found[i])
			s->found[kept++] = s->found[i];
	s->found_n = kept;
	return 0;
}
