/*
 * reader: opens view after view of a corpus that writers of the workload are at work on, and sees
 * to it that each is one consistent state: the ledger of every writer equally long in all its
 * series, none shorter than in the view before, the journal as long as what it counts. Ends when
 * its standard input does, with "views N, longest M": that so many commits came while one of them
 * was open; the first thing that does not hold ends it with a line and status 1.
 *
 *	-w N  so many writers (2)
 *	-h    only holds the corpus open, without a view, and says so
 *	-v    holds one view for all the time
 */
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/corpus/timeline.h"
#include "workload.h"

#define WRITERS_MAX 16

struct reader_state {
	struct store *store;
	struct store_view *view;
	unsigned writers;
	uint64_t ledger[WRITERS_MAX], sequence, views, longest;
	struct err err;
};

static void __attribute__((format(printf, 1, 2), noreturn)) broken(const char *fmt, ...)
{
	va_list ap;

	printf("broken: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static void
must(int rc, struct reader_state *r)
{
	if (rc < 0)
		broken("%s", r->err.text);
}

static bool
is_over(int wait_ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, wait_ms) > 0;
}

/* How many batches a series of the ledger shows: all from the first on. */
static uint64_t
length_of(struct reader_state *r, unsigned writer, unsigned i)
{
	struct series wanted = workload_ledger(writer, i), s;
	struct series_filter filter = {.host = wanted.host};
	struct series_walk *walk;
	struct timeline t;
	struct sighting seen;
	uint32_t number;
	uint64_t n = 0;
	int rc;

	must(series_walk_open(&walk, r->view, &filter, &r->err), r);
	rc = series_walk_next(walk, &number, &s, &r->err);
	must(rc, r);
	if (rc > 0) {
		must(timeline_init(&t, r->view, number, s.kind, INT64_MIN, INT64_MAX, &r->err), r);
		for (; (rc = timeline_next(&t, &seen, &r->err)) > 0; n++)
			if (seen.time_ms != LEDGER_TIME(n))
				broken("ledger %u of writer %u: batch %" PRIu64
				       " is not in its place",
				    i, writer, n);
		must(rc, r);
		timeline_finish(&t);
	}
	series_walk_close(walk);
	return n;
}

static void
look_at_writer(struct reader_state *r, unsigned writer)
{
	uint64_t n = length_of(r, writer, 0);

	for (unsigned i = 1; i < LEDGER_N; i++) {
		uint64_t other = length_of(r, writer, i);

		if (other != n)
			broken("writer %u: a batch in part: %" PRIu64 " and %" PRIu64, writer, n,
			    other);
	}
	if (n < r->ledger[writer])
		broken("writer %u: went back from %" PRIu64 " batches to %" PRIu64, writer,
		    r->ledger[writer], n);
	r->ledger[writer] = n;
}

static void
look(struct reader_state *r)
{
	uint64_t batches = 0, sequence;

	for (unsigned w = 0; w < r->writers; w++) {
		look_at_writer(r, w);
		batches += r->ledger[w];
	}
	must(journal_last(r->view, &sequence, &r->err), r);
	if (sequence != batches || sequence < r->sequence)
		broken("the journal ends at %" PRIu64 " after %" PRIu64 "; there are %" PRIu64
		       " batches",
		    sequence, r->sequence, batches);
	r->sequence = sequence;
	r->views++;
}

static void
close_view(struct reader_state *r)
{
	uint64_t meanwhile = store_newest(r->store) - store_view_number(r->view);

	if (meanwhile > r->longest)
		r->longest = meanwhile;
	store_view_close(r->view);
}

int
main(int argc, char **argv)
{
	struct reader_state r = {.writers = 2};
	bool hold = false, one = false;
	int c;

	while ((c = getopt(argc, argv, "w:hv")) != -1) {
		if (c == 'w')
			r.writers = (unsigned)strtoul(optarg, NULL, 10) % (WRITERS_MAX + 1);
		else if (c == 'h')
			hold = true;
		else if (c == 'v')
			one = true;
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	must(store_open(&r.store, argv[optind], hold ? STORE_WRITE : STORE_READ, &r.err), &r);
	printf("open\n");
	fflush(stdout);
	while (hold && !is_over(-1))
		;
	while (!hold && !is_over(0)) {
		must(store_view_open(r.store, &r.view, &r.err), &r);
		do
			look(&r);
		while (one && !is_over(50));
		close_view(&r);
	}
	store_close(r.store);
	printf("views %" PRIu64 ", longest %" PRIu64 "\n", r.views, r.longest);
	return 0;
}
