/* Who may be called upon now: one at a time, gaps, rests, caps, a rate, and no network in a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/run/pace.h"

#define HOST "mx.example.org"

static struct pace *
pace_of(struct pace_settings settings)
{
	return pace_create(&settings);
}

static struct pace_item
item(const char *address)
{
	struct pace_item i = {0};

	assert_true(ip_parse(&i.address, address));
	return i;
}

static void
add(struct pace *pace, struct pace_item *i)
{
	pace_add(pace, i, HOST);
}

static bool
release(struct pace *pace, const struct pace_item *i, int64_t now)
{
	return pace_release(pace, &i->address, PACE_ANSWERED, now);
}

static void
test_one_at_a_time(void **state)
{
	struct pace *pace = pace_of((struct pace_settings){0});
	struct pace_item a1 = item("192.0.2.1"), a2 = a1, b = item("2001:db8::1"), *first, *second;

	add(pace, &a1);
	add(pace, &a2);
	add(pace, &b);
	assert_int_equal(pace_queued(pace), 3);
	first = pace_next(pace, 0);
	second = pace_next(pace, 0);
	assert_true((first == &a1 && second == &b) || (first == &b && second == &a1));
	assert_null(pace_next(pace, 1000000));
	assert_int_equal(pace_wait_ms(pace, 0), -1);
	assert_true(release(pace, &a1, 0));
	assert_ptr_equal(pace_next(pace, 0), &a2);
	release(pace, &a2, 0);
	release(pace, &b, 0);
	assert_null(pace_next(pace, 0));
	pace_destroy(pace);
}

static void
test_gap(void **state)
{
	struct pace *pace = pace_of((struct pace_settings){.gap_ms = 250});
	struct pace_item a1 = item("192.0.2.1"), a2 = a1, a3 = a1;

	add(pace, &a1);
	add(pace, &a2);
	assert_ptr_equal(pace_next(pace, 1000), &a1);
	release(pace, &a1, 2000);
	assert_null(pace_next(pace, 2000));
	assert_int_equal(pace_wait_ms(pace, 2000), 250);
	assert_null(pace_next(pace, 2249));
	assert_ptr_equal(pace_next(pace, 2250), &a2);
	release(pace, &a2, 2300);
	/* Nothing is queued now: the gap counts for what comes all the same. */
	add(pace, &a3);
	assert_null(pace_next(pace, 2300));
	assert_ptr_equal(pace_next(pace, 2550), &a3);
	pace_destroy(pace);
}

/* Rests of different lengths: who is ready first comes first. */
static void
test_back_off(void **state)
{
	struct pace *pace = pace_of((struct pace_settings){.gap_ms = 10, .back_off_ms = 1000});
	struct pace_item a = item("192.0.2.1"), b = item("198.51.100.1");
	int64_t now = 0, rest = 1000;

	for (int i = 1; i <= LIMIT_BACK_OFFS; i++, rest *= 4) {
		add(pace, &a);
		assert_ptr_equal(pace_next(pace, now), &a);
		assert_int_equal(
		    pace_release(pace, &a.address, PACE_LATER, now), i < LIMIT_BACK_OFFS);
		add(pace, &b);
		assert_ptr_equal(pace_next(pace, now), &b);
		assert_true(release(pace, &b, now));
		assert_int_equal(pace_wait_ms(pace, now), 10);
		assert_null(pace_next(pace, now + rest - 1));
		assert_int_equal(pace_wait_ms(pace, now + rest - 1), 1);
		now += rest;
	}
	pace_destroy(pace);
}

static void
test_an_answer_ends_the_back_off(void **state)
{
	struct pace *pace = pace_of((struct pace_settings){.back_off_ms = 1000});
	struct pace_item a[6];
	int64_t now = 0;

	for (int i = 0; i < 6; i++) {
		a[i] = item("192.0.2.1");
		add(pace, &a[i]);
	}
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(pace_next(pace, now), &a[2 * i]);
		assert_true(pace_release(pace, &a[0].address, PACE_LATER, now));
		assert_int_equal(pace_wait_ms(pace, now), 1000);
		assert_null(pace_next(pace, now + 999));
		now += 1000;
		assert_ptr_equal(pace_next(pace, now), &a[2 * i + 1]);
		assert_true(release(pace, &a[0], now));
	}
	pace_destroy(pace);
}

static void
test_rate(void **state)
{
	struct pace *pace = pace_of((struct pace_settings){.per_second = 10});
	struct pace_item items[40];
	size_t started = 0;

	for (unsigned i = 0; i < 40; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		items[i] = item(text);
		add(pace, &items[i]);
	}
	for (int64_t now = 5000; now < 7000; now++)
		while (pace_next(pace, now) != NULL)
			started++;
	assert_in_range(started, 19, 21);
	while (pace_drop(pace, NULL) != NULL)
		started++;
	assert_int_equal(started, 40);
	assert_int_equal(pace_queued(pace), 0);
	assert_null(pace_next(pace, 9000));
	pace_destroy(pace);
}

static void
test_many_addresses(void **state)
{
	static struct pace_item items[5000];
	struct pace *pace = pace_of((struct pace_settings){.gap_ms = 10});
	size_t n = 0;

	for (unsigned i = 0; i < 5000; i++) {
		items[i] = (struct pace_item){
		    .address = {.family = 4, .octets = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}}};
		add(pace, &items[i]);
	}
	for (unsigned i = 0; i < 5000; i++)
		assert_non_null(pace_next(pace, i));
	assert_null(pace_next(pace, 5000));
	for (unsigned i = 0; i < 5000; i++)
		release(pace, &items[i], 5000);
	for (unsigned i = 0; i < 5000; i++)
		add(pace, &items[i]);
	assert_null(pace_next(pace, 5009));
	while (pace_next(pace, 5010) != NULL)
		n++;
	assert_int_equal(n, 5000);
	pace_destroy(pace);
}

/* A sorted list of ten networks: neighbours in time are of different ones nearly always. */
static void
test_no_network_in_a_row(void **state)
{
	static struct pace_item items[1000];
	struct pace *pace = pace_of((struct pace_settings){0});
	unsigned in_a_row = 0, in_order = 0;
	struct pace_item *last = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		items[i] = (struct pace_item){
		    .address = {.family = 4, .octets = {10, 0, (uint8_t)(i / 100), i % 100}}};
		add(pace, &items[i]);
	}
	for (unsigned i = 0; i < 900; i++) {
		struct pace_item *next = pace_next(pace, 0);

		assert_non_null(next);
		in_a_row +=
		    last != NULL && memcmp(last->address.octets, next->address.octets, 3) == 0;
		in_order += next == last + 1;
		last = next;
	}
	assert_in_range(in_a_row, 0, 20); /* by chance 90 */
	assert_in_range(in_order, 0, 20);
	while (pace_drop(pace, NULL) != NULL)
		;
	pace_destroy(pace);
}

/* So many of the network's addresses at once, and the next when one of them is done. */
static void
check_cap(struct pace_settings settings, const char *const addresses[6], const char *const hosts[6],
    unsigned most)
{
	struct pace *pace = pace_create(&settings);
	struct pace_item items[6], *at[7];
	unsigned n = 0;

	for (unsigned i = 0; i < 6; i++) {
		items[i] = item(addresses[i]);
		pace_add(pace, &items[i], hosts[i]);
	}
	while ((at[n] = pace_next(pace, 0)) != NULL)
		n++;
	assert_int_equal(n, most);
	assert_int_equal(pace_wait_ms(pace, 0), -1);
	for (; n < 6; n++) {
		release(pace, at[n - most], 0);
		at[n] = pace_next(pace, 0);
		assert_non_null(at[n]);
		assert_null(pace_next(pace, 0));
	}
	assert_int_equal(pace_queued(pace), 0);
	pace_destroy(pace);
}

#define SIX(x) x, x, x, x, x, x

static void
test_cap_of_a_network(void **state)
{
	static const char *const v4[] = {
	    "192.0.2.1", "192.0.2.9", "192.0.2.77", "192.0.2.200", "192.0.2.254", "192.0.2.255"};
	static const char *const v6[] = {"2001:db8:1::1", "2001:db8:1:2::", "2001:db8:1:3::",
	    "2001:db8:1:4::", "2001:db8:1:ffff::", "2001:db8:1::2"};
	static const char *const others[] = {
	    "192.0.2.1", "192.0.3.1", "2001:db8:1::1", "2001:db8:2::1", "192.1.2.1", "193.0.2.1"};
	static const char *const hosts[] = {SIX(HOST)};

	check_cap((struct pace_settings){.per_network = 2}, v4, hosts, 2);
	check_cap((struct pace_settings){.per_network = 3}, v6, hosts, 3);
	check_cap((struct pace_settings){.per_network = 1}, others, hosts, 6);
}

static void
test_cap_of_an_operator(void **state)
{
	static const char *const addresses[] = {
	    "192.0.2.1", "192.0.3.1", "192.0.4.1", "2001:db8::1", "2001:db9::1", "192.0.5.1"};
	static const char *const one[] = {"mx1.example.org", "a.mx.example.org", "mx2.example.org",
	    "example.org", "mx3.example.org", "mx4.example.org"};
	static const char *const many[] = {
	    "mx.a.co.uk", "mx.b.co.uk", "mx.c.co.uk", "mx.d.co.uk", "mx.e.co.uk", "mx.f.co.uk"};

	check_cap((struct pace_settings){.per_operator = 2}, addresses, one, 2);
	check_cap((struct pace_settings){.per_operator = 1}, addresses, many, 6);
}

static void
test_loopback_is_spared(void **state)
{
	static const char *const own[] = {
	    "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "::1"};
	static const char *const hosts[] = {SIX(HOST)};

	check_cap(
	    (struct pace_settings){.per_network = 1, .per_operator = 1, .spare_loopback = true},
	    own, hosts, 6);
	check_cap((struct pace_settings){.per_operator = 1}, own, hosts, 1);
}

/* Both caps: many networks of an operator each, in any order of ends, and nobody starves. */
static void
test_two_caps_and_nobody_starves(void **state)
{
	static struct pace_item items[600];
	struct pace *pace = pace_of((struct pace_settings){.per_network = 2, .per_operator = 3});
	struct pace_item *under_way[64];
	unsigned n = 0, done = 0;
	char host[64];

	for (unsigned i = 0; i < 600; i++) {
		items[i] =
		    (struct pace_item){.address = {.family = 4,
					   .octets = {10, 0, (uint8_t)(i % 7), (uint8_t)(i / 7)}}};
		snprintf(host, sizeof(host), "mx.operator%u.org", i % 5);
		pace_add(pace, &items[i], host);
	}
	while (done < 600) {
		struct pace_item *next;

		while ((next = pace_next(pace, 0)) != NULL)
			under_way[n++] = next;
		assert_in_range(n, 1, 14);
		release(pace, under_way[(done * 7) % n], 0);
		under_way[(done * 7) % n] = under_way[n - 1];
		n--;
		done++;
	}
	assert_int_equal(pace_queued(pace), 0);
	pace_destroy(pace);
}

/* What waits under a cap may be dropped; its place goes to another. */
static void
test_drop_of_an_address(void **state)
{
	struct pace *pace = pace_of((struct pace_settings){.per_network = 1});
	struct pace_item a = item("192.0.2.1"), b1 = item("192.0.2.2"), b2 = b1,
			 c = item("192.0.2.3");

	add(pace, &a);
	assert_ptr_equal(pace_next(pace, 0), &a);
	add(pace, &b1);
	add(pace, &b2);
	assert_null(pace_next(pace, 0)); /* b waits */
	add(pace, &c);
	assert_null(pace_next(pace, 0)); /* c behind it */
	assert_ptr_equal(pace_drop(pace, &b1.address), &b1);
	assert_ptr_equal(pace_drop(pace, &b1.address), &b2);
	assert_null(pace_drop(pace, &b1.address));
	release(pace, &a, 0);
	assert_ptr_equal(pace_next(pace, 0), &c);
	release(pace, &c, 0);
	assert_null(pace_drop(pace, NULL));
	pace_destroy(pace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_at_a_time),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_back_off),
	    cmocka_unit_test(test_an_answer_ends_the_back_off),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_many_addresses),
	    cmocka_unit_test(test_no_network_in_a_row),
	    cmocka_unit_test(test_cap_of_a_network),
	    cmocka_unit_test(test_cap_of_an_operator),
	    cmocka_unit_test(test_loopback_is_spared),
	    cmocka_unit_test(test_two_caps_and_nobody_starves),
	    cmocka_unit_test(test_drop_of_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
