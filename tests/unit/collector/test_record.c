/* Records handed in by several threads: all of them are stored, and told as stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/limits.h"
#include "collector/run/record.h"

#define THREADS 4
#define EACH 1500 /* more than a batch */

struct world {
	char dir[64];
	struct store *store;
	struct loop *loop;
	struct record *record;
	FILE *json;
	char *printed;
	size_t printed_len;
	unsigned calls;
};

struct hand {
	struct world *world;
	unsigned number;
	pthread_t thread;
};

static void
on_record(void *ctx)
{
	struct world *w = ctx;

	w->calls++;
	loop_stop(w->loop);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/mx509-record-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(loop_create(&w->loop, NULL), 0);
	assert_int_equal(store_open(&w->store, w->dir, STORE_WRITE, NULL), 0);
	w->json = open_memstream(&w->printed, &w->printed_len);
	w->record = record_create(w->store, w->json, w->loop, on_record, w);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	record_destroy(w->record);
	store_close(w->store);
	loop_destroy(w->loop);
	fclose(w->json);
	free(w->printed);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static void
hand_in(struct record *record, unsigned thread, unsigned i)
{
	struct series series = {.kind = SERIES_PROBE, .vantage = "t", .port = 25};
	struct observation observation = {.time_ms = 1000000 + i,
	    .evidence = {.outcome = OUTCOME_SUCCESS, .tls_alert = -1, .greeting = "220 mx"},
	    .ms = {-1, 1, 2, 3, 4}};
	uint8_t der[8] = "der";
	struct wire_part part = {0, sizeof(der)};
	struct wire_chain chain = {
	    .der = {.data = der, .len = sizeof(der)}, .parts = &part, .n = 1};

	snprintf(series.host, sizeof(series.host), "h%u.test", thread);
	series.address = (struct ip){.family = 4, .octets = {10, (uint8_t)thread, 0, 1}};
	der[7] = (uint8_t)i;
	record_observation(record, &series, &observation, &chain);
}

static void *
work(void *arg)
{
	struct hand *hand = arg;

	for (unsigned i = 0; i < EACH; i++)
		hand_in(hand->world->record, hand->number, i);
	return NULL;
}

static unsigned
count_of(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static struct store_figures
figures(struct world *w)
{
	struct store_figures figures = {0};
	struct store_view *view;

	assert_int_equal(store_view_open(w->store, &view, NULL), 0);
	assert_int_equal(store_figures(view, &figures, NULL), 0);
	store_view_close(view);
	return figures;
}

static void
test_many_threads(void **state)
{
	struct world *w = *state;
	struct hand hands[THREADS];
	struct record_counts counts;

	for (unsigned i = 0; i < THREADS; i++) {
		hands[i] = (struct hand){.world = w, .number = i};
		assert_int_equal(pthread_create(&hands[i].thread, NULL, work, &hands[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(hands[i].thread, NULL);
	record_finish(w->record);
	assert_null(record_failed(w->record));
	assert_null(record_refused(w->record));
	counts = record_counts(w->record);
	assert_int_equal(counts.observations, THREADS * EACH);
	assert_int_equal(counts.outcomes[OUTCOME_SUCCESS], THREADS * EACH);
	assert_int_equal(counts.lost, 0);
	assert_int_equal(figures(w).observations, THREADS * EACH);
	assert_int_equal(figures(w).certificates, 256);
	assert_int_equal(figures(w).certificates_unknown, 0);
	assert_int_equal(count_of(w->printed, "{\"type\":\"observation\""), THREADS * EACH);
	assert_int_equal(count_of(w->printed, "{\"type\":\"certificate\""), 256);
}

/* On the disk within a second or so, without any more coming. */
static void
test_soon_durable(void **state)
{
	struct world *w = *state;

	hand_in(w->record, 1, 1);
	for (int i = 0; i < 100 && figures(w).observations == 0; i++)
		usleep(100000);
	assert_int_equal(figures(w).observations, 1);
}

/* What the store's limits do not allow is refused alone. */
static void
test_refusal(void **state)
{
	struct world *w = *state;
	struct series series = {.kind = SERIES_DNS, .host = "a..b", .vantage = "t", .rrtype = 1};
	struct dns_answer answer = {.time_ms = 1000000, .status = DNS_FAILED};

	record_dns(w->record, &series, &answer);
	strcpy(series.host, "a.b");
	record_dns(w->record, &series, &answer);
	record_finish(w->record);
	assert_int_equal(record_counts(w->record).refused, 1);
	assert_int_equal(record_counts(w->record).dns_answers, 1);
	assert_non_null(record_refused(w->record));
	assert_null(record_failed(w->record));
}

/* A store that takes no more: the batch is lost and told, and the loop is called. */
static void
test_failure(void **state)
{
	struct rlimit before, none = {0, 0};
	struct world *w = *state;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	for (unsigned i = 0; i < LIMIT_RECORD_BATCH; i++)
		hand_in(w->record, 1, i);
	loop_run(w->loop);
	record_finish(w->record);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(w->calls, 1);
	assert_non_null(record_failed(w->record));
	assert_int_equal(record_failed(w->record)->code, ERR_FULL);
	assert_int_equal(record_counts(w->record).lost, LIMIT_RECORD_BATCH);
	assert_int_equal(record_counts(w->record).observations, 0);
}

/* More than may wait for the disk: whoever makes it is told, and called when it is caught up. */
static void
test_behind(void **state)
{
	struct world *w = *state;
	static uint8_t der[1 << 20];
	struct wire_part part = {0, sizeof(der)};
	struct wire_chain chain = {
	    .der = {.data = der, .len = sizeof(der)}, .parts = &part, .n = 1};
	struct series series = {.kind = SERIES_PROBE, .host = "a.b", .vantage = "t", .port = 25};
	struct observation observation = {
	    .time_ms = 1000000, .evidence = {.tls_alert = -1}, .ms = {-1, -1, -1, -1, -1}};
	unsigned n = 0;

	series.address = (struct ip){.family = 4, .octets = {10, 0, 0, 1}};
	while (!record_is_behind(w->record)) {
		observation.time_ms++;
		record_observation(w->record, &series, &observation, &chain);
		n++;
	}
	/* More where the writer is quick. */
	assert_true(n >= LIMIT_RECORD_OCTETS / sizeof(der));
	loop_run(w->loop);
	assert_false(record_is_behind(w->record));
	record_finish(w->record);
	assert_int_equal(record_counts(w->record).observations, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_many_threads, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_soon_durable, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_refusal, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_behind, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
