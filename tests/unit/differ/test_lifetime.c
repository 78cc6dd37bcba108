/*
 * Lifetimes against a plain model that follows CONTRACT's sentences one by one, over random series
 * of states, gaps and settles; and the cases that the sentences name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "differ/time/lifetime.h"

#define GAP UINT32_MAX
#define MOST 200
#define HOUR INT64_C(3600000)

struct plain {
	int64_t time_ms[MOST];
	uint32_t state[MOST]; /* of the observed ones */
	int life[MOST];
	int n, lives;
	int first[MOST], last[MOST]; /* by lifetime: positions among the observed */
};

/* "its sightings, as long as fewer than settle other observed states lie between one and the next"
 */
static void
plain_lifetimes(struct plain *p, int settle)
{
	p->lives = 0;
	for (int i = 0; i < p->n; i++) {
		int previous = i - 1;

		while (previous >= 0 && p->state[previous] != p->state[i])
			previous--;
		if (previous >= 0 && i - previous - 1 < settle) {
			p->life[i] = p->life[previous];
		} else {
			p->life[i] = p->lives;
			p->first[p->lives++] = i;
		}
		p->last[p->life[i]] = i;
	}
}

/* "ended when settle other observed states have followed its last sighting" */
static bool
plain_ended(const struct plain *p, int life, int settle)
{
	return p->n - p->last[life] - 1 >= settle;
}

static const struct lifetime_event *
find(const struct lifetime_event *events, size_t n, enum lifetime_kind kind, int64_t after_ms,
    int64_t before_ms)
{
	for (size_t i = 0; i < n; i++)
		if (events[i].kind == kind && events[i].after_ms == after_ms &&
		    events[i].before_ms == before_ms)
			return &events[i];
	return NULL;
}

static void
compare(const struct plain *p, int settle, const struct lifetime_event *events, size_t n)
{
	size_t begins = 0, rolled_back = 0, want_rolled_back = 0;

	for (size_t i = 0; i < n; i++) {
		begins += events[i].kind == LIFETIME_BEGIN;
		rolled_back += events[i].kind == LIFETIME_ROLLED_BACK;
		assert_true(i == 0 || events[i - 1].before_ms <= events[i].before_ms);
	}
	assert_int_equal(begins, p->lives > 0 ? p->lives - 1 : 0);
	for (int life = 1; life < p->lives; life++) {
		int first = p->first[life], last = p->last[life], old = p->life[first - 1];
		const struct lifetime_event *e =
		    find(events, n, LIFETIME_BEGIN, p->time_ms[first - 1], p->time_ms[first]);
		bool mixed = p->last[old] > first && !plain_ended(p, old, settle);

		assert_non_null(e);
		assert_int_equal(e->old.state, p->state[first - 1]);
		assert_int_equal(e->new.state, p->state[first]);
		assert_int_equal(e->mixed, mixed);
		assert_int_equal(e->has_old_gone, !mixed);
		if (!mixed) {
			assert_int_equal(e->old_gone_after_ms, p->time_ms[p->last[old]]);
			assert_int_equal(e->old_gone_before_ms, p->time_ms[p->last[old] + 1]);
		}
		if (last + 1 < p->n && p->life[last + 1] < life && plain_ended(p, life, settle)) {
			want_rolled_back++;
			e = find(events, n, LIFETIME_ROLLED_BACK, p->time_ms[last],
			    p->time_ms[last + 1]);
			assert_non_null(e);
			assert_int_equal(e->new.state, p->state[last + 1]);
		}
	}
	assert_int_equal(rolled_back, want_rolled_back);
}

static void
test_model(void **ctx)
{
	unsigned seed = 1;
	size_t changes = 0;

	for (int round = 0; round < 20000; round++) {
		int settle = 1 + rand_r(&seed) % 6, states = 1 + rand_r(&seed) % 4, sticky;
		struct lifetimes l;
		struct plain p = {.n = 0};
		const struct lifetime_event *events;
		uint32_t state = 0;
		size_t n;

		sticky = 1 + rand_r(&seed) % 12;
		lifetimes_init(&l, &(struct lifetime_rules){(uint64_t)settle, INT64_MAX});
		for (int i = rand_r(&seed) % MOST; i > 0; i--) {
			if (rand_r(&seed) % sticky == 0)
				state = (uint32_t)(rand_r(&seed) % states);
			if (rand_r(&seed) % 8 == 0) {
				lifetimes_gap(
				    &l, (struct lifetime_sighting){.time_ms = (MOST - i) * HOUR});
				continue;
			}
			p.time_ms[p.n] = (MOST - i) * HOUR;
			p.state[p.n] = state;
			lifetimes_observe(
			    &l, (struct lifetime_sighting){p.time_ms[p.n], state, (uint32_t)p.n});
			p.n++;
		}
		plain_lifetimes(&p, settle);
		events = lifetimes_events(&l, &n);
		compare(&p, settle, events, n);
		changes += n;
		lifetimes_finish(&l);
	}
	assert_true(changes > 20000);
}

/* Feeds "AAABBA.": one letter an hour, a point is a probe in vain. */
static const struct lifetime_event *
feed(struct lifetimes *l, const char *letters, size_t *n)
{
	lifetimes_init(l, &(struct lifetime_rules){LIFETIME_SETTLE, LIFETIME_GONE_AFTER_MS});
	for (int i = 0; letters[i] != '\0'; i++) {
		struct lifetime_sighting s = {i * HOUR, (uint32_t)letters[i], (uint32_t)i};

		if (letters[i] == '.')
			lifetimes_gap(l, s);
		else
			lifetimes_observe(l, s);
	}
	return lifetimes_events(l, n);
}

static void
test_replaced(void **ctx)
{
	struct lifetimes l;
	size_t n;
	const struct lifetime_event *e = feed(&l, "AAA..BB", &n);

	assert_int_equal(n, 1);
	assert_int_equal(e->kind, LIFETIME_BEGIN);
	assert_int_equal(e->after_ms, 2 * HOUR); /* what is not observed is a gap */
	assert_int_equal(e->before_ms, 5 * HOUR);
	assert_false(e->mixed);
	assert_int_equal(e->old_gone_after_ms, 2 * HOUR);
	assert_int_equal(e->old_gone_before_ms, 5 * HOUR);
	lifetimes_finish(&l);
}

static void
test_balancer_is_one_change(void **ctx)
{
	struct lifetimes l;
	size_t n;
	const struct lifetime_event *e = feed(&l, "AAABABABBABAAB", &n);

	assert_int_equal(n, 1);
	assert_true(e->mixed);
	assert_false(e->has_old_gone);
	lifetimes_finish(&l);

	e = feed(&l, "AAABABABBBBBBBBBBBBBBBBBBBBBBBB", &n);
	assert_int_equal(n, 1);
	assert_false(e->mixed);
	assert_int_equal(e->before_ms, 3 * HOUR);
	assert_int_equal(e->old_gone_after_ms, 6 * HOUR);
	assert_int_equal(e->old_gone_before_ms, 7 * HOUR);
	lifetimes_finish(&l);
}

static void
test_rolled_back(void **ctx)
{
	struct lifetimes l;
	size_t n;
	const struct lifetime_event *e = feed(&l, "AAABBAAAAAAAAAAAAAAAAAAAAAA", &n);

	assert_int_equal(n, 2);
	assert_int_equal(e[0].kind, LIFETIME_BEGIN);
	assert_int_equal(e[1].kind, LIFETIME_ROLLED_BACK);
	assert_int_equal(e[1].after_ms, 4 * HOUR);
	assert_int_equal(e[1].before_ms, 5 * HOUR);
	assert_int_equal(e[1].new.state, 'A');
	lifetimes_finish(&l);

	/* One sighting fewer than it takes: not yet. */
	feed(&l, "AAABBAAAAAAAAAAAAAAAAAAA", &n);
	assert_int_equal(n, 1);
	lifetimes_finish(&l);
}

static void
test_returned(void **ctx)
{
	struct lifetimes l;
	size_t n;
	const struct lifetime_event *e = feed(&l, "AABBBBBBBBBBBBBBBBBBBBBBBBAA", &n);

	assert_int_equal(n, 2);
	assert_false(e[0].returned);
	assert_int_equal(e[1].kind, LIFETIME_BEGIN);
	assert_true(e[1].returned);
	lifetimes_finish(&l);
}

/* Probes once a day: gone after 7 days, back in the same or in another state. */
static const struct lifetime_event *
feed_days(struct lifetimes *l, const char *letters, size_t *n)
{
	lifetimes_init(l, &(struct lifetime_rules){LIFETIME_SETTLE, LIFETIME_GONE_AFTER_MS});
	for (int i = 0; letters[i] != '\0'; i++) {
		struct lifetime_sighting s = {i * 24 * HOUR, (uint32_t)letters[i], (uint32_t)i};

		if (letters[i] == '.')
			lifetimes_gap(l, s);
		else if (letters[i] != ' ')
			lifetimes_observe(l, s);
	}
	return lifetimes_events(l, n);
}

static void
test_gone(void **ctx)
{
	struct lifetimes l;
	size_t n;
	const struct lifetime_event *e = feed_days(&l, "AA........A", &n);

	assert_int_equal(n, 2);
	assert_int_equal(e[0].kind, LIFETIME_GONE);
	assert_int_equal(e[0].after_ms, 24 * HOUR);
	assert_int_equal(e[0].before_ms, 8 * 24 * HOUR); /* the first one may be bad luck */
	assert_int_equal(e[1].kind, LIFETIME_BACK);
	assert_int_equal(e[1].after_ms, 24 * HOUR);
	assert_int_equal(e[1].before_ms, 10 * 24 * HOUR);
	lifetimes_finish(&l);

	e = feed_days(&l, "AA........B", &n);
	assert_int_equal(n, 2);
	assert_int_equal(e[1].kind, LIFETIME_BEGIN);
	assert_true(e[1].back);
	lifetimes_finish(&l);

	feed_days(&l, "AA......", &n); /* not for long enough */
	assert_int_equal(n, 0);
	lifetimes_finish(&l);
	feed_days(&l, "AA        A", &n); /* not probed */
	assert_int_equal(n, 0);
	lifetimes_finish(&l);
	feed_days(&l, "AA.       A", &n); /* bad luck, then not probed */
	assert_int_equal(n, 0);
	lifetimes_finish(&l);
	feed_days(&l, "AA.......", &n); /* still gone */
	assert_int_equal(n, 1);
	lifetimes_finish(&l);
	feed_days(&l, "..........", &n); /* never observed */
	assert_int_equal(n, 0);
	lifetimes_finish(&l);
}

/* Two backends that are seen in one second of a log: no bracket is empty. */
static void
test_one_moment(void **ctx)
{
	static const struct lifetime_sighting seen[] = {
	    {1000, 'A', 0}, {2000, 'A', 1}, {2000, 'B', 2}, {2000, 'C', 3}, {2000, 'A', 4}};
	struct lifetimes l;
	const struct lifetime_event *e;
	size_t n;

	lifetimes_init(&l, &(struct lifetime_rules){LIFETIME_SETTLE, LIFETIME_GONE_AFTER_MS});
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		lifetimes_observe(&l, seen[i]);
	e = lifetimes_events(&l, &n);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(e[i].after_ms, 1000);
		assert_int_equal(e[i].before_ms, 2000);
	}
	assert_int_equal(e[0].new.state, 'B');
	assert_int_equal(e[1].new.state, 'C');
	lifetimes_clear(&l);
	lifetimes_observe(&l, seen[1]);
	lifetimes_observe(&l, seen[2]);
	e = lifetimes_events(&l, &n);
	assert_int_equal(n, 1);
	assert_int_equal(e->after_ms, 1999);
	assert_int_equal(e->old_gone_after_ms, 1999);
	lifetimes_finish(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_replaced),
	    cmocka_unit_test(test_balancer_is_one_change),
	    cmocka_unit_test(test_rolled_back),
	    cmocka_unit_test(test_returned),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
