/* What store/corpus/keep.h keeps, against the lifetimes themselves: what they say of the time from
 * a moment on is the same with all that was before it and with what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "differ/time/lifetime.h"
#include "store/corpus/keep.h"

#define HOUR INT64_C(3600000)
#define N 600
#define STATES 40

static unsigned seed;

static unsigned
chance(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

/* Phases, in each of which some states alternate, with gaps and several at one moment; in the order
 * in which history takes them. */
static size_t
fill(struct keep_sighting *list, unsigned most)
{
	uint32_t shown[STATES];
	unsigned n_shown = 0, left = 0;
	int64_t time_ms = 0;
	size_t n = 1 + chance(N);

	for (size_t i = 0; i < n; i++) {
		if (left-- == 0) {
			n_shown = 1 + chance(chance(4) == 0 ? most : 2);
			left = 1 + chance(chance(3) == 0 ? 200 : 30);
			for (unsigned k = 0; k < n_shown; k++)
				shown[k] = chance(most);
		}
		time_ms += chance(20) == 0 ? 0 : chance(60) == 0 ? 200 * HOUR : HOUR;
		list[i] = (struct keep_sighting){.time_ms = time_ms,
		    .state = shown[chance(n_shown)],
		    .observed = chance(12) != 0};
		if (i > 0 && list[i - 1].time_ms == time_ms && list[i - 1].state > list[i].state)
			list[i].state = list[i - 1].state;
	}
	return n;
}

static void
feed(struct lifetimes *l, const struct keep_sighting *list, size_t n, size_t before)
{
	for (size_t i = 0; i < n; i++) {
		struct lifetime_sighting s = {list[i].time_ms, list[i].state, (uint32_t)i};

		if (i < before && !list[i].kept)
			continue;
		if (list[i].observed)
			lifetimes_observe(l, s);
		else
			lifetimes_gap(l, s);
	}
}

static void
assert_same_sighting(const struct lifetime_sighting *a, const struct lifetime_sighting *b)
{
	assert_int_equal(a->time_ms, b->time_ms);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->evidence, b->evidence);
}

static void
assert_same_event(const struct lifetime_event *a, const struct lifetime_event *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_same_sighting(&a->old, &b->old);
	assert_same_sighting(&a->new, &b->new);
	assert_int_equal(a->after_ms, b->after_ms);
	assert_int_equal(a->before_ms, b->before_ms);
	assert_int_equal(a->mixed, b->mixed);
	assert_int_equal(a->back, b->back);
	assert_int_equal(a->returned, b->returned);
	assert_int_equal(a->resumed, b->resumed);
	assert_int_equal(a->has_old_gone, b->has_old_gone);
	assert_int_equal(a->old_gone_after_ms, b->old_gone_after_ms);
	assert_int_equal(a->old_gone_before_ms, b->old_gone_before_ms);
}

/* What mxdiff show tells at the end. */
static void
assert_same_present(const struct lifetimes *a, const struct lifetimes *b)
{
	const struct lifetime *x, *y;

	assert_int_equal(a->n == 0, b->n == 0);
	if (a->n == 0) {
		assert_int_equal(a->gap, b->gap);
		assert_same_sighting(&a->gap_first, &b->gap_first);
		assert_same_sighting(&a->gap_last, &b->gap_last);
		return;
	}
	x = &a->list[a->current];
	y = &b->list[b->current];
	assert_same_sighting(&x->first, &y->first);
	assert_same_sighting(&x->last, &y->last);
	assert_int_equal(a->current == 0, b->current == 0);
	if (a->current > 0)
		assert_same_sighting(&x->before, &y->before);
}

/* Up to `n`, of which those before `before` are thinned out in the second one. */
static void
compare(const struct keep_sighting *list, size_t n, size_t before, int64_t from_ms,
    const struct lifetime_rules *rules)
{
	struct lifetimes all, kept;
	const struct lifetime_event *x, *y;
	size_t x_n, y_n, i = 0, k = 0;

	lifetimes_init(&all, rules);
	lifetimes_init(&kept, rules);
	feed(&all, list, n, 0);
	feed(&kept, list, n, before);
	assert_same_present(&all, &kept);
	x = lifetimes_events(&all, &x_n);
	y = lifetimes_events(&kept, &y_n);
	while (i < x_n && x[i].before_ms < from_ms)
		i++;
	while (k < y_n && y[k].before_ms < from_ms)
		k++;
	assert_int_equal(x_n - i, y_n - k);
	for (; i < x_n; i++, k++)
		assert_same_event(&x[i], &y[k]);
	lifetimes_finish(&all);
	lifetimes_finish(&kept);
}

static void
test_against_lifetimes(void **state)
{
	static struct keep_sighting list[N];
	size_t kept_n = 0, before_n = 0;

	assert_int_equal(KEEP_SPAN, LIFETIME_RESUME);
	assert_int_equal(KEEP_SETTLE, LIFETIME_SETTLE);
	assert_int_equal(KEEP_GONE_AFTER_MS, LIFETIME_GONE_AFTER_MS);
	for (unsigned run = 0; run < 3000; run++) {
		struct lifetime_rules rules = {1 + run % 22, (1 + run % 9) * 24 * HOUR};
		const struct keep_rules keep = {rules.settle, rules.gone_after_ms};
		int64_t from_ms;
		size_t n, before = 0;

		seed = run;
		n = fill(list, 1 + run % STATES);
		from_ms = list[chance((unsigned)n)].time_ms;
		while (before < n && list[before].time_ms < from_ms)
			before++;
		keep_choose(list, before, &keep);
		for (size_t i = 0; i < before; i++)
			kept_n += list[i].kept;
		before_n += before;
		/* At the moment itself, some time later, and in the end. */
		for (size_t end = before > 0 ? before : 1; end < n; end += 1 + n / 7)
			compare(list, end, before, from_ms, &rules);
		compare(list, n, before, from_ms, &rules);
	}
	assert_true(kept_n < before_n / 4 * 3);
}

/* A year of probes an hour that show the same. */
static void
test_little_is_kept(void **state)
{
	enum { YEAR = 365 * 24 };
	struct keep_sighting *list = calloc(YEAR, sizeof(*list));
	const struct keep_rules rules = {KEEP_SETTLE, KEEP_GONE_AFTER_MS};
	size_t kept = 0;

	for (int i = 0; i < YEAR; i++)
		list[i] = (struct keep_sighting){
		    .time_ms = i * HOUR, .state = i > 4000, .observed = i % 50 != 7};
	keep_choose(list, YEAR, &rules);
	for (int i = 0; i < YEAR; i++)
		kept += list[i].kept;
	/* Of either state enough to tell them apart from others, and nothing from before. */
	assert_int_equal(kept, 2 * KEEP_SPAN * KEEP_SETTLE);
	assert_true(list[4000].kept && list[4001].kept && list[YEAR - 1].kept);
	free(list);
	keep_choose(NULL, 0, &rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_against_lifetimes),
	    cmocka_unit_test(test_little_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
