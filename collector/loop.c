#include "loop.h"

#include <stdlib.h>
#include <uv.h>

#include "store/base/mem.h"

struct loop {
	uv_loop_t uv;
};

struct loop_watch {
	uv_poll_t uv;
	loop_watch_fn *fn;
	void *ctx;
	unsigned events;
};

struct loop_timer {
	uv_timer_t uv;
	loop_fn *fn;
	void *ctx;
};

struct loop_signal {
	uv_signal_t uv;
	loop_fn *fn;
	void *ctx;
};

struct loop_wake {
	uv_async_t uv;
	loop_fn *fn;
	void *ctx;
};

int
loop_create(struct loop **loop, struct err *err)
{
	struct loop *l = mem_zero(1, sizeof(*l));
	int rc = uv_loop_init(&l->uv);

	*loop = NULL;
	if (rc != 0) {
		free(l);
		return err_set(err, ERR_SYSTEM, "cannot start an event loop: %s", uv_strerror(rc));
	}
	*loop = l;
	return 0;
}

void
loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	/* Handles that were destroyed are freed by the loop's next round. */
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	free(loop);
}

void
loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void
loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

int64_t
loop_now_ms(struct loop *loop)
{
	return (int64_t)uv_now(&loop->uv);
}

static void
release(uv_handle_t *handle)
{
	free(handle->data);
}

static void
on_poll(uv_poll_t *uv, int status, int events)
{
	struct loop_watch *watch = uv->data;
	unsigned seen =
	    ((events & UV_READABLE) ? LOOP_READ : 0u) | ((events & UV_WRITABLE) ? LOOP_WRITE : 0u);

	/* libuv stops a descriptor that has an error; the owner learns it from the system call. */
	watch->fn(watch->ctx, status < 0 ? watch->events : seen);
}

struct loop_watch *
loop_watch_create(struct loop *loop, int fd, loop_watch_fn *fn, void *ctx, struct err *err)
{
	struct loop_watch *watch = mem_zero(1, sizeof(*watch));
	int rc = uv_poll_init(&loop->uv, &watch->uv, fd);

	if (rc != 0) {
		free(watch);
		err_set(err, ERR_SYSTEM, "cannot watch a descriptor: %s", uv_strerror(rc));
		return NULL;
	}
	watch->uv.data = watch;
	watch->fn = fn;
	watch->ctx = ctx;
	return watch;
}

void
loop_watch_set(struct loop_watch *watch, unsigned events)
{
	int wanted =
	    ((events & LOOP_READ) ? UV_READABLE : 0) | ((events & LOOP_WRITE) ? UV_WRITABLE : 0);

	if (events == watch->events && uv_is_active((uv_handle_t *)&watch->uv))
		return;
	watch->events = events;
	if (events == 0)
		uv_poll_stop(&watch->uv);
	else
		uv_poll_start(&watch->uv, wanted, on_poll);
}

void
loop_watch_destroy(struct loop_watch *watch)
{
	if (watch != NULL)
		uv_close((uv_handle_t *)&watch->uv, release);
}

static void
on_timer(uv_timer_t *uv)
{
	struct loop_timer *timer = uv->data;

	timer->fn(timer->ctx);
}

struct loop_timer *
loop_timer_create(struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_timer *timer = mem_zero(1, sizeof(*timer));

	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->fn = fn;
	timer->ctx = ctx;
	return timer;
}

void
loop_timer_set(struct loop_timer *timer, int64_t in_ms)
{
	uv_timer_start(&timer->uv, on_timer, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

void
loop_timer_stop(struct loop_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool
loop_timer_is_set(const struct loop_timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

void
loop_timer_destroy(struct loop_timer *timer)
{
	if (timer != NULL)
		uv_close((uv_handle_t *)&timer->uv, release);
}

static void
on_signal(uv_signal_t *uv, int signum)
{
	struct loop_signal *signal = uv->data;

	(void)signum;
	signal->fn(signal->ctx);
}

struct loop_signal *
loop_signal_create(struct loop *loop, int signum, loop_fn *fn, void *ctx)
{
	struct loop_signal *signal = mem_zero(1, sizeof(*signal));

	uv_signal_init(&loop->uv, &signal->uv);
	signal->uv.data = signal;
	signal->fn = fn;
	signal->ctx = ctx;
	uv_signal_start(&signal->uv, on_signal, signum);
	uv_unref((uv_handle_t *)&signal->uv);
	return signal;
}

void
loop_signal_destroy(struct loop_signal *signal)
{
	if (signal != NULL)
		uv_close((uv_handle_t *)&signal->uv, release);
}

static void
on_wake(uv_async_t *uv)
{
	struct loop_wake *wake = uv->data;

	wake->fn(wake->ctx);
}

struct loop_wake *
loop_wake_create(struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_wake *wake = mem_zero(1, sizeof(*wake));

	uv_async_init(&loop->uv, &wake->uv, on_wake);
	wake->uv.data = wake;
	wake->fn = fn;
	wake->ctx = ctx;
	return wake;
}

void
loop_wake_send(struct loop_wake *wake)
{
	uv_async_send(&wake->uv);
}

void
loop_wake_destroy(struct loop_wake *wake)
{
	if (wake != NULL)
		uv_close((uv_handle_t *)&wake->uv, release);
}
