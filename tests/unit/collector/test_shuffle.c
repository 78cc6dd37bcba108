/* Each target is drawn once, from a window that is bounded; who needs a look-up waits for none who
 * does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/run/shuffle.h"

struct world {
	struct loop *loop;
	struct buf text;
	struct source *source;
	struct shuffle *shuffle;
};

static void
begin(struct world *w)
{
	assert_int_equal(loop_create(&w->loop, NULL), 0);
	w->source = source_of_text(w->loop, NULL, 0, "list", w->text.data, w->text.len);
	w->shuffle = shuffle_create(w->source);
}

static void
end(struct world *w)
{
	shuffle_destroy(w->shuffle);
	source_close(w->source);
	loop_destroy(w->loop);
	buf_finish(&w->text);
}

static void
test_a_window_is_read_and_no_more(void **state)
{
	static uint8_t seen[3 * LIMIT_SHUFFLE];
	struct world w = {0};
	struct target target;
	size_t moved = 0, drawn = 0;

	for (int i = 0; i < 3 * LIMIT_SHUFFLE; i++)
		buf_printf(&w.text, "d%d.test\n", i);
	begin(&w);
	while (shuffle_next(w.shuffle, true, &target, NULL) == SOURCE_TARGET) {
		int number = atoi(target.name + 1);

		/* One was drawn of a window that was full, until the list came to its end. */
		assert_int_equal(shuffle_held(w.shuffle),
		    drawn <= 2 * LIMIT_SHUFFLE ? LIMIT_SHUFFLE - 1 : 3 * LIMIT_SHUFFLE - 1 - drawn);
		assert_int_equal(seen[number]++, 0);
		assert_true((size_t)number < drawn + LIMIT_SHUFFLE);
		moved += (size_t)number != drawn++;
	}
	assert_int_equal(drawn, 3 * LIMIT_SHUFFLE);
	assert_true(moved > drawn * 9 / 10);
	assert_true(shuffle_ended(w.shuffle));
	assert_int_equal(shuffle_next(w.shuffle, true, &target, NULL), SOURCE_END);
	end(&w);
}

static void
test_addresses_do_not_wait_for_names(void **state)
{
	struct world w = {0};
	struct target target;
	int addressed = 0;

	buf_append_text(&w.text, "a.test\nmx.test@192.0.2.1\nmx:b.test\nmx.test@192.0.2.2:2525\n");
	begin(&w);
	while (shuffle_next(w.shuffle, false, &target, NULL) == SOURCE_TARGET) {
		assert_int_equal(target.kind, TARGET_ADDRESS);
		addressed++;
	}
	assert_int_equal(addressed, 2);
	assert_int_equal(shuffle_next(w.shuffle, false, &target, NULL), SOURCE_WAIT);
	assert_int_equal(shuffle_held(w.shuffle), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(shuffle_next(w.shuffle, true, &target, NULL), SOURCE_TARGET);
		assert_int_not_equal(target.kind, TARGET_ADDRESS);
	}
	assert_int_equal(shuffle_next(w.shuffle, true, &target, NULL), SOURCE_END);
	assert_int_equal(shuffle_next(w.shuffle, false, &target, NULL), SOURCE_END);
	end(&w);
}

static void
test_bad_lines_are_told_as_they_come(void **state)
{
	struct world w = {0};
	struct target target;
	struct err err = {0};

	buf_append_text(&w.text, "a.test\n-bad-\n# nothing\n\nb.test\n");
	begin(&w);
	assert_int_equal(shuffle_next(w.shuffle, true, &target, &err), SOURCE_BAD);
	assert_non_null(strstr(err.text, "list, line 2"));
	assert_int_equal(shuffle_next(w.shuffle, true, &target, &err), SOURCE_TARGET);
	assert_int_equal(shuffle_next(w.shuffle, true, &target, &err), SOURCE_TARGET);
	assert_int_equal(shuffle_next(w.shuffle, true, &target, &err), SOURCE_END);
	end(&w);
	shuffle_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_window_is_read_and_no_more),
	    cmocka_unit_test(test_addresses_do_not_wait_for_names),
	    cmocka_unit_test(test_bad_lines_are_told_as_they_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
