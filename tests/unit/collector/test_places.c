/* When a watch looks again: after a change and around it, less and less often, within bounds, and
 * near the end of a leaf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/watch/places.h"

#define HOUR INT64_C(3600000)
#define MINUTE INT64_C(60000)

static const struct visit_plan plan = {.variants = {{.sni = SNI_NONE}, {.sni = SNI_NEXTHOP}},
    .variants_n = 2,
    .offers = {[OFFER_DEFAULT] = true},
    .unknown_name = "unknown.test",
    .vantage = "here"};

static struct place *
meet(
    struct places *places, const char *host, const char *address, const char *domain, uint32_t pass)
{
	struct visit *visit;
	struct place *place;
	struct ip ip;

	assert_true(ip_parse(&ip, address));
	visit = visit_create(
	    &plan, domain != NULL ? VISIT_NEXTHOP : VISIT_HOST, domain, host, &ip, 25, -1);
	assert_non_null(visit);
	place = places_meet(places, visit, domain != NULL, pass, 0);
	assert_null(places_meet(places, visit, domain == NULL, pass, 0));
	free(visit);
	return place;
}

static struct place *
settled(struct places *places, const char *host, const char *address)
{
	struct place *place = meet(places, host, address, NULL, 1);

	assert_false(places_saw(places, place, &place->series[0], 7));
	places_over(places, place, 0, 0);
	return place;
}

static void
count(void *ctx, struct place *place)
{
	(void)place;
	++*(unsigned *)ctx;
}

static unsigned
due(struct places *places, int64_t now)
{
	unsigned n = 0;

	places_due(places, now, count, &n);
	return n;
}

/* Looks at the place when its time has come; when that was. */
static int64_t
look(struct places *places, struct place *place)
{
	int64_t now = place->due_ms;

	assert_int_not_equal(now, INT64_MAX);
	places_visit(places, place);
	places_over(places, place, now, 0);
	return now;
}

static void
test_relaxes_step_by_step(void **state)
{
	struct places *places = places_create(&plan, HOUR, MINUTE);
	struct place *place = settled(places, "mx.a.example", "192.0.2.1");
	const int64_t minutes[] = {1, 2, 4, 8, 16, 32};
	int64_t at = 10 * MINUTE;

	assert_int_equal(places_wait_ms(places, at), -1);
	assert_true(places_saw(places, place, &place->series[0], 8));
	assert_int_equal(places_tend(places, at), 1);
	assert_int_equal(places_wait_ms(places, at), 0); /* it was long ago */
	assert_int_equal(due(places, at), 1);
	places_visit(places, place);
	assert_int_equal(due(places, at), 0); /* it is being looked at */
	places_over(places, place, at, 0);
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		int64_t then = look(places, place);

		assert_int_equal(then - at, minutes[i] * MINUTE);
		at = then;
	}
	assert_int_equal(place->due_ms, INT64_MAX);
	assert_int_equal(places_close(places), 0);
	places_destroy(places);
}

static void
test_balancer_is_no_change(void **state)
{
	struct places *places = places_create(&plan, HOUR, MINUTE);
	struct place *place = settled(places, "mx.a.example", "192.0.2.1");

	for (uint32_t turn = 0; turn < 40; turn++)
		assert_true(places_saw(places, place, &place->series[0], 7 + turn % 4) ==
			    (turn > 0 && turn < 4));
	assert_true(places_saw(places, place, &place->series[0], 99));
	places_remember(&place->series[0], 5); /* all four are taken */
	assert_true(places_saw(places, place, &place->series[0], 5));
	places_destroy(places);
}

static void
test_who_is_near(void **state)
{
	struct places *places = places_create(&plan, HOUR, MINUTE);
	struct place *place = settled(places, "mx1.a.example", "192.0.2.1");
	struct place *sibling = settled(places, "mx1.a.example", "192.0.2.2");
	struct place *operator= settled(places, "mx2.a.example", "198.51.100.1");
	struct place *shared = settled(places, "mx.b.example", "192.0.2.1");
	struct place *hop = meet(places, "mx2.a.example", "198.51.100.1", "c.example", 1);
	struct place *far = settled(places, "mx.c.example", "203.0.113.1");

	places_over(places, hop, 0, 0);
	assert_int_equal(places_n(places), 6);
	assert_true(places_saw(places, place, &place->series[0], 8));
	assert_int_equal(places_tend(places, HOUR), 5);
	assert_true(
	    place->close && sibling->close && operator->close && shared->close && hop->close);
	assert_false(far->close);
	assert_int_equal(places_tend(places, HOUR), 0);
	places_leave(places, sibling);
	assert_int_equal(places_close(places), 4);
	assert_int_equal(due(places, HOUR), 4);
	places_destroy(places);
}

static void
test_bounds(void **state)
{
	struct places *places = places_create(&plan, HOUR, MINUTE);
	struct place *place = settled(places, "mx.a.example", "192.0.2.1");
	char host[64], address[64];
	unsigned looks = 0;

	for (unsigned i = 0; i < 2 * LIMIT_WATCH_OPERATOR; i++) {
		snprintf(host, sizeof(host), "mx%u.a.example", i);
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		settled(places, host, address);
	}
	assert_true(places_saw(places, place, &place->series[0], 8));
	assert_int_equal(places_tend(places, 0), LIMIT_WATCH_OPERATOR);
	assert_true(place->close); /* before the rest */
	/* What shows something new with each look is left alone for once. */
	while (place->close && looks++ < 100) {
		places_saw(places, place, &place->series[0], 100 + looks);
		places_tend(places, place->due_ms);
		look(places, place);
	}
	assert_in_range(looks, LIMIT_WATCH_RESTARTS, LIMIT_WATCH_RESTARTS + 10);
	places_destroy(places);
}

static void
test_end_of_a_leaf(void **state)
{
	struct places *places = places_create(&plan, HOUR, MINUTE);
	struct place *place = settled(places, "mx.a.example", "192.0.2.1");
	int64_t end = 1800000000, day = LIMIT_WATCH_END_MS;

	places_visit(places, place);
	places_leaf_ends(place, end + 5);
	places_leaf_ends(place, end);
	places_leaf_ends(place, 0); /* unknown */
	places_over(places, place, 0, end * 1000 - 30 * day);
	assert_int_equal(places_wait_ms(places, 0), -1);
	/* Before the next pass: when the last day begins. */
	places_visit(places, place);
	places_over(places, place, 0, end * 1000 - day - MINUTE);
	assert_int_equal(places_wait_ms(places, 0), MINUTE);
	places_visit(places, place);
	places_over(places, place, 0, end * 1000 - day + 1);
	assert_int_equal(places_wait_ms(places, 0), HOUR / LIMIT_WATCH_END_PART);
	/* A longer one has come in its place. */
	places_visit(places, place);
	places_leaf_ends(place, end + 100 * 86400);
	places_over(places, place, 0, end * 1000);
	assert_int_equal(places_wait_ms(places, 0), -1);
	/* Long over, and nobody minds. */
	places_visit(places, place);
	places_leaf_ends(place, end);
	places_over(places, place, 0, end * 1000 + day + 1);
	assert_int_equal(places_wait_ms(places, 0), -1);
	places_destroy(places);
}

static void
test_those_that_are_gone_are_forgotten(void **state)
{
	struct places *places = places_create(&plan, HOUR, MINUTE);
	struct place *place = settled(places, "mx.a.example", "192.0.2.1");
	size_t octets = places_octets(places);

	places_saw(places, place, &place->series[0], 8);
	places_tend(places, 0);
	for (unsigned i = 0; i < 2000; i++) {
		char host[64];

		snprintf(host, sizeof(host), "mx%u.b.example", i);
		settled(places, host, "192.0.2.9");
	}
	assert_int_equal(places_sweep(places, 2), 0); /* one pass may fail */
	place = meet(places, "mx.a.example", "192.0.2.1", NULL, 3);
	assert_true(place->close);
	assert_int_equal(places_sweep(places, 3), 2000);
	assert_int_equal(places_n(places), 1);
	places_over(places, place, 0, 0);
	assert_int_equal(places_sweep(places, 9), 1);
	assert_int_equal(places_close(places), 0);
	assert_int_equal(places_wait_ms(places, 0), -1);
	assert_true(places_octets(places) < octets + 8 * 4096);
	places_destroy(places);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_relaxes_step_by_step),
	    cmocka_unit_test(test_balancer_is_no_change),
	    cmocka_unit_test(test_who_is_near),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_end_of_a_leaf),
	    cmocka_unit_test(test_those_that_are_gone_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
