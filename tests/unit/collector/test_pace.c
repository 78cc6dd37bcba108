#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../../collector/pace.h"
#include "../../../collector/seen.h"

static struct pace_item
item(const char *address)
{
	struct pace_item i = {0};

	assert_true(ip_parse(&i.address, address));
	return i;
}

static void
test_one_at_a_time(void **state)
{
	struct pace *pace = pace_create(0, 0);
	struct pace_item a1 = item("192.0.2.1"), a2 = a1, b = item("2001:db8::1");

	pace_add(pace, &a1);
	pace_add(pace, &a2);
	pace_add(pace, &b);
	assert_int_equal(pace_queued(pace), 3);
	assert_ptr_equal(pace_next(pace, 0), &a1);
	assert_ptr_equal(pace_next(pace, 0), &b);
	assert_null(pace_next(pace, 1000000));
	assert_int_equal(pace_wait_ms(pace, 0), -1);
	pace_release(pace, &a1.address, 0);
	assert_ptr_equal(pace_next(pace, 0), &a2);
	pace_release(pace, &a2.address, 0);
	pace_release(pace, &b.address, 0);
	assert_null(pace_next(pace, 0));
	pace_destroy(pace);
}

static void
test_gap(void **state)
{
	struct pace *pace = pace_create(250, 0);
	struct pace_item a1 = item("192.0.2.1"), a2 = a1, a3 = a1;

	pace_add(pace, &a1);
	pace_add(pace, &a2);
	assert_ptr_equal(pace_next(pace, 1000), &a1);
	pace_release(pace, &a1.address, 2000);
	assert_null(pace_next(pace, 2000));
	assert_int_equal(pace_wait_ms(pace, 2000), 250);
	assert_null(pace_next(pace, 2249));
	assert_ptr_equal(pace_next(pace, 2250), &a2);
	pace_release(pace, &a2.address, 2300);
	/* Nothing is queued now: the gap counts for what comes all the same. */
	pace_add(pace, &a3);
	assert_null(pace_next(pace, 2300));
	assert_ptr_equal(pace_next(pace, 2550), &a3);
	pace_destroy(pace);
}

static void
test_rate(void **state)
{
	struct pace *pace = pace_create(0, 10);
	struct pace_item items[40];
	size_t started = 0;

	for (unsigned i = 0; i < 40; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		items[i] = item(text);
		pace_add(pace, &items[i]);
	}
	for (int64_t now = 5000; now < 7000; now++)
		while (pace_next(pace, now) != NULL)
			started++;
	assert_in_range(started, 19, 21);
	while (pace_drop(pace) != NULL)
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
	struct pace *pace = pace_create(10, 0);
	size_t n = 0;

	for (unsigned i = 0; i < 5000; i++) {
		items[i] = (struct pace_item){
		    .address = {.family = 4, .octets = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}}};
		pace_add(pace, &items[i]);
	}
	for (unsigned i = 0; i < 5000; i++)
		assert_ptr_equal(pace_next(pace, i), &items[i]);
	for (unsigned i = 0; i < 5000; i++)
		pace_release(pace, &items[i].address, 5000);
	for (unsigned i = 0; i < 5000; i++)
		pace_add(pace, &items[i]);
	assert_null(pace_next(pace, 5009));
	while (pace_next(pace, 5010) != NULL)
		n++;
	assert_int_equal(n, 5000);
	pace_destroy(pace);
}

static void
test_seen(void **state)
{
	struct seen *seen = seen_create();

	for (uint32_t i = 0; i < 100000; i++)
		assert_true(seen_add(seen, &i, sizeof(i)));
	for (uint32_t i = 0; i < 100000; i++)
		assert_false(seen_add(seen, &i, sizeof(i)));
	assert_int_equal(seen_len(seen), 100000);
	seen_destroy(seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_at_a_time),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_many_addresses),
	    cmocka_unit_test(test_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
