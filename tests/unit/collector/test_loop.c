/* Descriptors, as the probes need them: told while it holds, told to nobody who is gone, and left
 * as they were for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/loop.h"

#define PAIRS 400 /* more than one round takes at once */

struct one {
	struct one *all;
	struct loop *loop;
	struct loop_watch *watch;
	int fd[2];
	unsigned told, seen;
};

static struct loop *
new_loop(void)
{
	struct loop *loop;
	struct err err = {0};

	assert_int_equal(loop_create(&loop, &err), 0);
	return loop;
}

static void
open_pair(struct one *one, struct loop *loop, loop_watch_fn *fn)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, one->fd), 0);
	one->loop = loop;
	one->watch = loop_watch_create(loop, one->fd[0], fn, one, NULL);
	assert_non_null(one->watch);
}

static void
close_pair(struct one *one)
{
	loop_watch_destroy(one->watch);
	one->watch = NULL;
	close(one->fd[0]);
	close(one->fd[1]);
}

/* Takes one octet of several at a time. */
static void
take_one(void *ctx, unsigned events)
{
	struct one *one = ctx;
	char octet;

	one->told++;
	one->seen |= events;
	assert_int_equal(read(one->fd[0], &octet, 1), 1);
	if (octet == '!')
		loop_watch_set(one->watch, 0);
}

static void
test_told_while_it_holds(void **state)
{
	struct loop *loop = new_loop();
	struct one one = {0};

	open_pair(&one, loop, take_one);
	assert_int_equal(fcntl(one.fd[0], F_GETFL) & O_NONBLOCK, 0);
	loop_watch_set(one.watch, LOOP_READ);
	assert_int_equal(write(one.fd[1], "abc!", 4), 4);
	loop_run(loop); /* returns, since nothing is asked for any more */
	assert_int_equal(one.told, 4);
	assert_int_equal(one.seen, LOOP_READ);
	close_pair(&one);
	loop_destroy(loop);
}

static void
write_then_read(void *ctx, unsigned events)
{
	struct one *one = ctx;

	one->told++;
	one->seen |= events;
	if (events == LOOP_WRITE) {
		assert_int_equal(write(one->fd[0], "x", 1), 1);
		loop_watch_set(one->watch, LOOP_READ);
		close(one->fd[1]);
		one->fd[1] = -1;
	} else {
		loop_watch_set(one->watch, 0);
	}
}

/* The end of a connection is told as what was asked for. */
static void
test_write_then_read(void **state)
{
	struct loop *loop = new_loop();
	struct one one = {0};

	open_pair(&one, loop, write_then_read);
	loop_watch_set(one.watch, LOOP_WRITE);
	loop_run(loop);
	assert_int_equal(one.told, 2);
	assert_int_equal(one.seen, LOOP_READ | LOOP_WRITE);
	close_pair(&one);
	loop_destroy(loop);
}

/* The first who is told destroys all others, whose events have been taken already. */
static void
destroy_others(void *ctx, unsigned events)
{
	struct one *one = ctx;

	(void)events;
	one->told++;
	for (int i = 0; i < PAIRS; i++)
		if (&one->all[i] != one && one->all[i].watch != NULL)
			close_pair(&one->all[i]);
	close_pair(one);
}

static void
test_nobody_who_is_gone_is_told(void **state)
{
	struct one *all = calloc(PAIRS, sizeof(*all));
	struct loop *loop = new_loop();
	unsigned told = 0;

	for (int i = 0; i < PAIRS; i++) {
		open_pair(&all[i], loop, destroy_others);
		all[i].all = all;
		loop_watch_set(all[i].watch, LOOP_READ);
		assert_int_equal(write(all[i].fd[1], "x", 1), 1);
	}
	loop_run(loop);
	for (int i = 0; i < PAIRS; i++)
		told += all[i].told;
	assert_int_equal(told, 1);
	loop_destroy(loop);
	free(all);
}

static void
take_last(void *ctx, unsigned events)
{
	struct one *one = ctx;

	(void)events;
	one->told++;
	close_pair(one);
}

static void
test_more_than_one_round(void **state)
{
	struct one *all = calloc(PAIRS, sizeof(*all));
	struct loop *loop = new_loop();

	for (int i = 0; i < PAIRS; i++) {
		open_pair(&all[i], loop, take_last);
		loop_watch_set(all[i].watch, LOOP_READ);
		assert_int_equal(write(all[i].fd[1], "x", 1), 1);
	}
	loop_run(loop);
	for (int i = 0; i < PAIRS; i++)
		assert_int_equal(all[i].told, 1);
	loop_destroy(loop);
	free(all);
}

static void
stop(void *ctx)
{
	loop_stop(ctx);
}

/* An error where nothing is asked for is no reason to go round and round. */
static void
test_an_error_that_nobody_asks_for(void **state)
{
	struct loop *loop = new_loop();
	struct loop_timer *timer = loop_timer_create(loop, stop, loop);
	struct one one = {0};

	open_pair(&one, loop, take_one);
	close(one.fd[1]);
	one.fd[1] = -1;
	loop_timer_set(timer, 50);
	loop_run(loop);
	assert_int_equal(one.told, 0);
	loop_timer_destroy(timer);
	close_pair(&one);
	loop_destroy(loop);
}

static void
test_what_cannot_be_watched(void **state)
{
	struct loop *loop = new_loop();
	struct err err = {0};
	char path[] = "/tmp/mx509-loop-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_null(loop_watch_create(loop, fd, take_one, NULL, &err));
	assert_int_equal(err.code, ERR_SYSTEM);
	close(fd);
	loop_watch_destroy(NULL);
	loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told_while_it_holds),
	    cmocka_unit_test(test_write_then_read),
	    cmocka_unit_test(test_nobody_who_is_gone_is_told),
	    cmocka_unit_test(test_more_than_one_round),
	    cmocka_unit_test(test_an_error_that_nobody_asks_for),
	    cmocka_unit_test(test_what_cannot_be_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
