/*
 * reminder: a word when something takes long that cannot be asked how long it will take: a call
 * that blocks. A thread of its own waits beside it.
 */
#ifndef MX509_REMINDER_H
#define MX509_REMINDER_H

struct reminder;

/* Calls fn once, from another thread, unless reminder_stop() comes before `after_ms` have passed.
 * NULL where there is no thread to be had: nothing will be told. */
struct reminder *reminder_start(int after_ms, void (*fn)(void *ctx), void *ctx);
/* fn has returned, or will not be called. Accepts NULL. */
void reminder_stop(struct reminder *reminder);

#endif
