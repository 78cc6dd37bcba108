/*
 * street: many mail servers for tests of the schedule, each on an address of its own (127.77.x.y)
 * and all on one port, played by one thread. None offers STARTTLS, so that a probe costs next to
 * nothing; what they are for is who was called upon when.
 */
#ifndef MX509_TEST_STREET_H
#define MX509_TEST_STREET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define STREET_HOUSES 32
#define STREET_CALLS 512

struct street_house {
	const char *address;
	const char *later; /* a greeting like "421 later", or NULL */
	unsigned later_n;  /* it is said to so many first callers */
	int64_t hold_ms;   /* before the greeting; -1: for ever */
	bool full;	   /* connections are not answered to at all */
	/* set by street_start() */
	int listener, fillers[4];
	unsigned callers;
};

/* One connection: times are monotonic. */
struct street_call {
	unsigned house; /* its number */
	int64_t begin_ms, end_ms;
	int64_t bye_ms; /* before QUIT was answered: the caller hung up later than that */
};

struct street {
	struct street_house houses[STREET_HOUSES];
	unsigned houses_n;
	uint16_t port;
	int stop[2]; /* a pipe */
	pthread_t thread;
	/* the thread's, to be read after street_stop() */
	struct street_call calls[STREET_CALLS];
	unsigned calls_n;
};

void street_start(struct street *street);
void street_stop(struct street *street);

/* After street_stop(): the most connections at once to those houses whose address begins so. */
unsigned street_most_at_once(const struct street *street, const char *prefix);
unsigned street_calls_of(const struct street *street, unsigned house);

#endif
