/* Jobs go out to several threads, and each comes back once, to the conductor's own; those that are
 * called off come back, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/run/crew.h"

#define JOBS 200
#define THREADS 3

struct world {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct record *record;
	struct crew *crew;
	struct crew_job jobs[JOBS];
	pthread_t conductor;
	unsigned done, rests, aborted;
	int listener;
	uint16_t port;
};

static void
on_record(void *ctx)
{
	(void)ctx;
}

static void
on_done(void *ctx, struct crew_job *job)
{
	struct world *w = ctx;

	assert_true(pthread_equal(pthread_self(), w->conductor));
	assert_in_range(job - w->jobs, 0, JOBS - 1);
	w->done++;
	w->aborted += job->aborted;
}

static void
on_rest(void *ctx)
{
	struct world *w = ctx;

	w->rests++;
	if (w->done == JOBS)
		loop_stop(w->loop);
}

/* Takes connections, as the kernel does for it, and never says a word; or a port of nobody's. */
static void
listen_on(struct world *w, bool listens)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t len = sizeof(own);

	w->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&own, len), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&own, &len), 0);
	if (listens)
		assert_int_equal(listen(w->listener, JOBS), 0);
	w->port = ntohs(own.sin_port);
}

static struct world *
begin(bool listens, unsigned threads)
{
	struct world *w = calloc(1, sizeof(*w));
	struct crew_settings settings = {.threads = threads,
	    .offers = {[OFFER_DEFAULT] = true},
	    .ehlo_domain = "probe.test",
	    .timeout_ms = 30000,
	    .done = on_done,
	    .rest = on_rest,
	    .ctx = w};
	struct err err = {0};

	strcpy(w->dir, "/tmp/mx509-crew-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(loop_create(&w->loop, NULL), 0);
	assert_int_equal(store_open(&w->store, w->dir, STORE_WRITE, NULL), 0);
	w->record = record_create(w->store, NULL, w->loop, on_record, w);
	w->conductor = pthread_self();
	listen_on(w, listens);
	settings.loop = w->loop;
	settings.record = w->record;
	assert_int_equal(crew_create(&w->crew, &settings, &err), 0);
	for (unsigned i = 0; i < JOBS; i++) {
		struct series *s = &w->jobs[i].series;

		*s = (struct series){.kind = SERIES_PROBE, .sni = SNI_NONE, .port = w->port};
		snprintf(s->host, sizeof(s->host), "mx%u.test", i);
		strcpy(s->vantage, "t");
		ip_parse(&s->address, "127.0.0.1");
		w->jobs[i].dns_ms = -1;
		crew_probe(w->crew, &w->jobs[i]);
	}
	return w;
}

static void
end(struct world *w, unsigned stored)
{
	char command[128];

	crew_destroy(w->crew);
	record_finish(w->record);
	assert_null(record_failed(w->record));
	assert_int_equal(record_counts(w->record).observations, stored);
	record_destroy(w->record);
	store_close(w->store);
	loop_destroy(w->loop);
	close(w->listener);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
}

static void
test_each_comes_back_once(void **state)
{
	for (unsigned threads = 1; threads <= THREADS; threads++) {
		struct world *w = begin(false, threads);

		loop_run(w->loop);
		assert_int_equal(w->done, JOBS);
		assert_int_equal(w->aborted, 0);
		assert_true(w->rests > 0);
		for (unsigned i = 0; i < JOBS; i++) {
			assert_int_equal(w->jobs[i].outcome, OUTCOME_CONNECTION_REFUSED);
			assert_false(w->jobs[i].connected);
			assert_false(w->jobs[i].local);
		}
		end(w, JOBS);
	}
}

static void
call_off(void *ctx)
{
	struct world *w = ctx;

	assert_int_equal(w->done, 0);
	crew_abort(w->crew);
	on_rest(w); /* those of the conductor's own thread are back already */
}

static void
test_called_off_they_come_back(void **state)
{
	struct world *w = begin(true, THREADS);
	struct loop_timer *timer = loop_timer_create(w->loop, call_off, w);

	loop_timer_set(timer, 200);
	loop_run(w->loop);
	assert_int_equal(w->done, JOBS);
	assert_int_equal(w->aborted, JOBS);
	loop_timer_destroy(timer);
	end(w, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_comes_back_once),
	    cmocka_unit_test(test_called_off_they_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
