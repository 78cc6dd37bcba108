/*
 * loop: one thread's events: descriptors, timers, signals, and calls from other threads. The only
 * user of libuv in the collector; nothing of libuv shows here.
 *
 * Handles are destroyed by their own functions, at any time, also from within a callback of
 * theirs; after that no callback comes. A descriptor must be closed after its watch is destroyed.
 * All of it belongs to the thread that runs the loop, but for loop_wake_send().
 */
#ifndef MX509_LOOP_H
#define MX509_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

struct loop;
struct loop_watch;
struct loop_timer;
struct loop_signal;
struct loop_wake;

enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_watch_fn(void *ctx, unsigned events);
typedef void loop_fn(void *ctx);

int loop_create(struct loop **loop, struct err *err);
/* All handles must be destroyed before. Accepts NULL. */
void loop_destroy(struct loop *loop);

/* Returns when loop_stop() was called, or no handle is active any more. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
int64_t loop_now_ms(struct loop *loop); /* monotonic, as of this round of events */

/* Asks nothing until loop_watch_set(). NULL and err if the system cannot watch fd (a regular
 * file), or not yet another one beside it. What is asked for is told again in each round for as
 * long as it holds; an error on the descriptor is told as what was asked for: the next read says
 * which. The descriptor's own flags are left as they are. */
struct loop_watch *loop_watch_create(
    struct loop *loop, int fd, loop_watch_fn *fn, void *ctx, struct err *err);
void loop_watch_set(struct loop_watch *watch, unsigned events); /* 0: none */
void loop_watch_destroy(struct loop_watch *watch);		/* accepts NULL */

struct loop_timer *loop_timer_create(struct loop *loop, loop_fn *fn, void *ctx);
/* Fires once, in_ms from now; a timer that runs is set anew. 0: in the next round. */
void loop_timer_set(struct loop_timer *timer, int64_t in_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer); /* accepts NULL */

/* Does not keep loop_run() from returning. */
struct loop_signal *loop_signal_create(struct loop *loop, int signum, loop_fn *fn, void *ctx);
void loop_signal_destroy(struct loop_signal *signal); /* accepts NULL */

/* fn is called in the loop's thread soon after loop_wake_send(), once for any number of them. Keeps
 * loop_run() from returning until it is destroyed. */
struct loop_wake *loop_wake_create(struct loop *loop, loop_fn *fn, void *ctx);
void loop_wake_send(struct loop_wake *wake);	/* from any thread */
void loop_wake_destroy(struct loop_wake *wake); /* accepts NULL; nobody may send any more */

#endif
