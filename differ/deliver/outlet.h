/*
 * outlet: standard output as a place where lines are delivered, not only written. A reader that
 * dies leaves in the pipe what it had not read; who then moves a cursor past it has lost it. So
 * outlet_drain() waits until a pipe is empty.
 *
 * Lines are written whole as far as can be: a signal that ends the program lets the line that was
 * begun be finished, for OUTLET_PATIENCE_MS. Threads: one.
 */
#ifndef MX509_OUTLET_H
#define MX509_OUTLET_H

#include "spool.h"

#define OUTLET_PATIENCE_MS 1000

enum outlet_result {
	OUTLET_DONE = 0,
	OUTLET_CLOSED = 1,	/* nobody reads any more */
	OUTLET_INTERRUPTED = 2, /* options_interrupted() */
};

/* All of the spool, or <0. */
int outlet_send(const struct spool *spool, struct err *err);

/* Waits until a reader has taken all out of the pipe; of what is no pipe, nothing is known. */
int outlet_drain(struct err *err);

/* Sleeps for that long, or until nobody reads any more (OUTLET_CLOSED), or a signal comes. */
int outlet_sleep(int ms);

#endif
