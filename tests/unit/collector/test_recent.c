/* What was met lately is remembered, what was met long ago is not, and memory stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/limits.h"
#include "collector/run/recent.h"

static void
test_all_are_remembered_within_the_limit(void **state)
{
	struct recent *recent = recent_create();

	for (uint32_t i = 0; i < LIMIT_RECENT; i++)
		assert_true(recent_add(recent, &i, sizeof(i)));
	for (uint32_t i = 0; i < LIMIT_RECENT; i++)
		assert_false(recent_add(recent, &i, sizeof(i)));
	recent_destroy(recent);
}

static void
test_numbers_are_kept(void **state)
{
	struct recent *recent = recent_create();
	bool fresh;

	for (uint32_t i = 0; i < LIMIT_RECENT; i++)
		*recent_at(recent, &i, sizeof(i), NULL) = i;
	/* Into the next generation, and past the one after it. */
	for (uint32_t i = LIMIT_RECENT; i < LIMIT_RECENT + 1000; i++)
		*recent_at(recent, &i, sizeof(i), NULL) = i;
	for (uint32_t i = 0; i < LIMIT_RECENT + 1000; i += 97) {
		assert_int_equal(*recent_at(recent, &i, sizeof(i), &fresh), i);
		assert_false(fresh);
	}
	recent_destroy(recent);
}

/* One that is asked for now and then is never forgotten, one that is not is, one past the limit. */
static void
test_the_old_is_forgotten(void **state)
{
	struct recent *recent = recent_create();
	uint32_t often = UINT32_MAX, once = UINT32_MAX - 1;

	recent_add(recent, &once, sizeof(once));
	recent_add(recent, &often, sizeof(often));
	for (uint32_t i = 0; i < 3 * LIMIT_RECENT; i++) {
		recent_add(recent, &i, sizeof(i));
		if (i % 10000 == 0)
			assert_false(recent_add(recent, &often, sizeof(often)));
	}
	assert_true(recent_add(recent, &once, sizeof(once)));
	recent_destroy(recent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_are_remembered_within_the_limit),
	    cmocka_unit_test(test_numbers_are_kept),
	    cmocka_unit_test(test_the_old_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
