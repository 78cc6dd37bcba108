#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "store/base/mem.h"

#define BATCH 256 /* events taken from the system at once */

/* Watches stand in an epoll set of our own, which libuv polls: its own way with a descriptor takes
 * eight system calls where four will do, and makes it non-blocking for all who share it. */
struct loop {
	uv_loop_t uv;
	uv_poll_t poll;
	int epoll;
	size_t watching; /* watches that ask for something */
	struct epoll_event batch[BATCH];
	int batch_at, batch_n; /* those that were not told yet */
};

struct loop_watch {
	struct loop *loop;
	int fd;
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

/* ---- the loop ------------------------------------------------------------------------------ */

static void on_epoll(uv_poll_t *uv, int status, int events);

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
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0 || (rc = uv_poll_init(&l->uv, &l->poll, l->epoll)) != 0) {
		rc = err_system(err, l->epoll < 0 ? errno : -rc, "cannot start an event loop");
		if (l->epoll >= 0)
			close(l->epoll);
		uv_loop_close(&l->uv);
		free(l);
		return rc;
	}
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_epoll);
	uv_unref((uv_handle_t *)&l->poll);
	*loop = l;
	return 0;
}

void
loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	/* Handles that were destroyed are freed by the loop's next round. */
	uv_close((uv_handle_t *)&loop->poll, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	close(loop->epoll);
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

/* ---- descriptors --------------------------------------------------------------------------- */

static void
tell(struct loop_watch *watch, uint32_t events)
{
	unsigned seen =
	    ((events & EPOLLIN) ? LOOP_READ : 0u) | ((events & EPOLLOUT) ? LOOP_WRITE : 0u);

	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		seen = watch->events;
	/* Since it was told, less may be asked for. */
	if ((seen & watch->events) != 0)
		watch->fn(watch->ctx, seen & watch->events);
}

static void
on_epoll(uv_poll_t *uv, int status, int events)
{
	struct loop *loop = uv->data;
	int n = epoll_wait(loop->epoll, loop->batch, BATCH, 0);

	(void)status;
	(void)events;
	loop->batch_n = n > 0 ? n : 0;
	for (loop->batch_at = 0; loop->batch_at < loop->batch_n;) {
		const struct epoll_event *event = &loop->batch[loop->batch_at++];

		if (event->data.ptr != NULL)
			tell(event->data.ptr, event->events);
	}
}

static int
control(const struct loop_watch *watch, int operation, unsigned events)
{
	/* With an edge an error is told once, and not for as long as nobody asks for it. */
	struct epoll_event event = {.events = (events == 0 ? EPOLLET : 0u) |
					      ((events & LOOP_READ) ? EPOLLIN : 0u) |
					      ((events & LOOP_WRITE) ? EPOLLOUT : 0u),
	    .data.ptr = (void *)watch};

	return epoll_ctl(watch->loop->epoll, operation, watch->fd, &event);
}

struct loop_watch *
loop_watch_create(struct loop *loop, int fd, loop_watch_fn *fn, void *ctx, struct err *err)
{
	struct loop_watch *watch = mem_zero(1, sizeof(*watch));

	watch->loop = loop;
	watch->fd = fd;
	watch->fn = fn;
	watch->ctx = ctx;
	if (control(watch, EPOLL_CTL_ADD, 0) != 0) {
		err_system(err, errno, "cannot watch a descriptor");
		free(watch);
		return NULL;
	}
	return watch;
}

/* The loop goes on for as long as somebody asks for something. */
static void
count_watching(struct loop *loop, bool before, bool after)
{
	if (before == after)
		return;
	if (after && loop->watching++ == 0)
		uv_ref((uv_handle_t *)&loop->poll);
	else if (before && --loop->watching == 0)
		uv_unref((uv_handle_t *)&loop->poll);
}

void
loop_watch_set(struct loop_watch *watch, unsigned events)
{
	if (events == watch->events)
		return;
	count_watching(watch->loop, watch->events != 0, events != 0);
	watch->events = events;
	control(watch, EPOLL_CTL_MOD, events);
}

void
loop_watch_destroy(struct loop_watch *watch)
{
	struct loop *loop;

	if (watch == NULL)
		return;
	loop = watch->loop;
	for (int i = loop->batch_at; i < loop->batch_n; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
	count_watching(loop, watch->events != 0, false);
	control(watch, EPOLL_CTL_DEL, 0);
	free(watch);
}

/* ---- timers, signals, other threads -------------------------------------------------------- */

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
