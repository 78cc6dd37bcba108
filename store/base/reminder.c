#include "reminder.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "mem.h"

struct reminder {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct timespec at;
	bool over;
	void (*fn)(void *ctx);
	void *ctx;
};

static void *
wait_for_it(void *arg)
{
	struct reminder *r = arg;
	int rc = 0;

	pthread_mutex_lock(&r->mutex);
	while (!r->over && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&r->cond, &r->mutex, &r->at);
	if (!r->over)
		r->fn(r->ctx);
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

/* Signals are for the threads that the program knows of. */
static int
start_thread(struct reminder *r)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&r->thread, NULL, wait_for_it, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct reminder *
reminder_start(int after_ms, void (*fn)(void *ctx), void *ctx)
{
	struct reminder *r = mem_zero(1, sizeof(*r));
	pthread_condattr_t monotonic;

	r->fn = fn;
	r->ctx = ctx;
	clock_gettime(CLOCK_MONOTONIC, &r->at);
	r->at.tv_sec += after_ms / 1000;
	r->at.tv_nsec += after_ms % 1000 * 1000000L;
	if (r->at.tv_nsec >= 1000000000L) {
		r->at.tv_sec++;
		r->at.tv_nsec -= 1000000000L;
	}
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (start_thread(r) == 0)
		return r;
	pthread_mutex_destroy(&r->mutex);
	pthread_cond_destroy(&r->cond);
	free(r);
	return NULL;
}

void
reminder_stop(struct reminder *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->mutex);
	r->over = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	pthread_mutex_destroy(&r->mutex);
	pthread_cond_destroy(&r->cond);
	free(r);
}
