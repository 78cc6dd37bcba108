/* Passes, their schedule and its pace, on a real loop against a street of servers: who is called
 * upon when, and what becomes of an address that does not answer or asks to be left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/limits.h"
#include "collector/run/pass.h"
#include "store/base/clock.h"
#include "street.h"

#define PROBES_MAX 512
#define PATIENCE_MS 60000
#define PASSES 2

/* A probe that is over, as its pass was told. */
struct probed {
	char host[LIMIT_NAME + 1], address[IP_TEXT_MAX];
	enum outcome outcome;
};

struct tally {
	struct pass *pass;
	struct pass_counts counts; /* when it was over */
	bool over;
	unsigned queued, ended; /* visits */
};

struct world {
	struct street street;
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct record *record;
	struct schedule *schedule;
	struct schedule_settings settings;
	struct pass_settings pass;
	struct visit_plan plan;
	struct tally tallies[PASSES];
	unsigned passes_n;
	struct probed probed[PROBES_MAX];
	unsigned probed_n;
	struct loop_timer *patience, *timer;
	int mute; /* the resolver's socket */
	void (*then)(struct world *w);
};

static void
on_record(void *ctx)
{
	struct world *w = ctx;

	if (w->schedule != NULL)
		schedule_on_record(w->schedule);
}

static struct tally *
tally_of(struct world *w, const struct pass *pass)
{
	unsigned i = 0;

	while (i < w->passes_n && w->tallies[i].pass != pass)
		i++;
	assert_true(i < w->passes_n);
	return &w->tallies[i];
}

static void
on_visit(void *ctx, struct visit *visit)
{
	struct world *w = ctx;

	/* pass_create() may not have returned yet, where the pass has a source. */
	for (unsigned i = 0; i < w->passes_n; i++)
		w->tallies[i].queued += w->tallies[i].pass == visit->pass;
}

static void
on_probe(void *ctx, struct visit *visit)
{
	struct world *w = ctx;
	struct probed *p = &w->probed[w->probed_n++];

	assert_true(w->probed_n <= PROBES_MAX);
	snprintf(p->host, sizeof(p->host), "%s", visit->job.series.host);
	ip_format(&visit->job.series.address, p->address);
	p->outcome = visit->job.outcome;
}

static void
on_over(void *ctx, struct visit *visit)
{
	tally_of(ctx, visit->pass)->ended++;
}

static void
on_done(void *ctx, struct pass *pass)
{
	struct world *w = ctx;
	struct tally *t = tally_of(w, pass);
	bool all = true;

	assert_false(t->over);
	t->over = true;
	t->counts = *pass_counts(pass);
	for (unsigned i = 0; i < w->passes_n; i++)
		all = all && w->tallies[i].over;
	if (all)
		loop_stop(w->loop);
}

static void
give_up(void *ctx)
{
	loop_stop(ctx);
}

static void
on_timer(void *ctx)
{
	struct world *w = ctx;

	w->then(w);
}

static void
add_house(struct world *w, struct street_house house)
{
	assert_true(w->street.houses_n < STREET_HOUSES);
	w->street.houses[w->street.houses_n++] = house;
}

/* A world with the manners of nobody, for tests to set those that they are about. */
static struct world *
new_world(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->settings = (struct schedule_settings){.offers = {[OFFER_DEFAULT] = true},
	    .ehlo_domain = "probe.test",
	    .timeout_ms = 20000,
	    .concurrency = 64,
	    .threads = 1};
	w->plan = (struct visit_plan){.variants = {{.sni = SNI_NONE}, {.sni = SNI_HOSTNAME}},
	    .variants_n = 2,
	    .offers = {[OFFER_DEFAULT] = true},
	    .unknown_name = "unknown.test",
	    .vantage = "t"};
	w->pass.until_ms = INT64_MAX;
	w->mute = -1;
	return w;
}

static void
open_world(struct world *w)
{
	struct err err = {0};

	street_start(&w->street);
	strcpy(w->dir, "/tmp/mx509-schedule-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(loop_create(&w->loop, NULL), 0);
	assert_int_equal(store_open(&w->store, w->dir, STORE_WRITE, NULL), 0);
	w->record = record_create(w->store, NULL, w->loop, on_record, w);
	w->settings.loop = w->loop;
	w->settings.record = w->record;
	if (schedule_create(&w->schedule, &w->settings, &err) != 0)
		fail_msg("%s", err.text);
	w->patience = loop_timer_create(w->loop, give_up, w->loop);
	w->timer = loop_timer_create(w->loop, on_timer, w);
}

static struct tally *
begin_pass(struct world *w)
{
	struct tally *t = &w->tallies[w->passes_n];

	assert_true(w->passes_n < PASSES);
	w->pass.loop = w->loop;
	w->pass.schedule = w->schedule;
	w->pass.record = w->record;
	w->pass.plan = &w->plan;
	w->pass.ipv4 = w->pass.allow_private = true;
	w->pass.nexthops_most = 1;
	w->pass.port = w->street.port;
	w->pass.done = on_done;
	w->pass.on_visit = on_visit;
	w->pass.on_probe = on_probe;
	w->pass.on_over = on_over;
	w->pass.ctx = w;
	t->pass = pass_create(&w->pass);
	w->passes_n++;
	return t;
}

static void
visit(struct world *w, struct tally *t, const char *host, unsigned house)
{
	struct ip address;

	assert_true(ip_parse(&address, w->street.houses[house].address));
	pass_visit(
	    t->pass, visit_create(&w->plan, VISIT_HOST, NULL, host, &address, w->street.port, -1));
}

static void
after(struct world *w, int64_t ms, void (*then)(struct world *w))
{
	w->then = then;
	loop_timer_set(w->timer, ms);
}

/* Until all passes are over. */
static void
run(struct world *w)
{
	loop_timer_set(w->patience, PATIENCE_MS);
	loop_run(w->loop);
	for (unsigned i = 0; i < w->passes_n; i++) {
		assert_true(w->tallies[i].over);
		assert_int_equal(w->tallies[i].queued, w->tallies[i].ended);
	}
	street_stop(&w->street);
}

/* What was stored is what was told of. */
static void
end(struct world *w)
{
	char command[128];
	uint64_t probes = 0;

	for (unsigned i = 0; i < w->passes_n; i++) {
		probes += w->tallies[i].counts.probes;
		pass_destroy(w->tallies[i].pass);
	}
	source_close(w->pass.source);
	dns_destroy(w->pass.dns);
	if (w->mute >= 0)
		close(w->mute);
	schedule_destroy(w->schedule);
	w->schedule = NULL;
	record_finish(w->record);
	assert_null(record_failed(w->record));
	assert_int_equal(record_counts(w->record).observations, probes);
	record_destroy(w->record);
	store_close(w->store);
	loop_timer_destroy(w->patience);
	loop_timer_destroy(w->timer);
	loop_destroy(w->loop);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
}

/* ---- manners ------------------------------------------------------------------------------- */

static const char *const names[] = {"a.test", "b.test", "c.test", "d.test"};

/* Four hosts at one address beside another: one connection at a time to each, with a gap. */
static void
test_one_at_a_time(void **state)
{
	for (unsigned threads = 1; threads <= 3; threads += 2) {
		struct world *w = new_world();
		struct tally *t;
		unsigned k = 0;

		add_house(w, (struct street_house){.address = "127.77.1.1", .hold_ms = 20});
		add_house(w, (struct street_house){.address = "127.77.1.2", .hold_ms = 20});
		w->settings.threads = threads;
		open_world(w);
		t = begin_pass(w);
		for (unsigned i = 0; i < 4; i++) {
			visit(w, t, names[i], 0);
			visit(w, t, names[i], 1);
		}
		run(w);
		assert_int_equal(t->counts.probes, 16);
		assert_int_equal(street_calls_of(&w->street, 0), 8);
		assert_int_equal(street_most_at_once(&w->street, "127.77.1.1"), 1);
		assert_int_equal(street_most_at_once(&w->street, "127.77.1.2"), 1);
		assert_int_equal(street_most_at_once(&w->street, "127.77.1."), 2);
		for (unsigned i = 0; i < w->probed_n; i++) {
			assert_int_equal(w->probed[i].outcome, OUTCOME_STARTTLS_NOT_OFFERED);
			k += strcmp(w->probed[i].host, "a.test") == 0;
		}
		assert_int_equal(k, 4);
		end(w);
	}
}

/* From the end of a call to the beginning of the next one at that address. */
static void
expect_gaps(const struct world *w, unsigned house, int64_t least_ms)
{
	int64_t bye_ms = 0;

	for (unsigned i = 0; i < w->street.calls_n; i++) {
		const struct street_call *c = &w->street.calls[i];

		if (c->house != house)
			continue;
		if (bye_ms != 0)
			assert_true(c->begin_ms >= bye_ms + least_ms);
		assert_true(c->bye_ms != 0);
		bye_ms = c->bye_ms;
	}
}

static void
test_gap(void **state)
{
	struct world *w = new_world();
	struct tally *t;

	add_house(w, (struct street_house){.address = "127.77.1.1"});
	w->settings.pace.gap_ms = 80;
	open_world(w);
	t = begin_pass(w);
	visit(w, t, "a.test", 0);
	visit(w, t, "b.test", 0);
	run(w);
	assert_int_equal(t->counts.probes, 4);
	assert_int_equal(street_calls_of(&w->street, 0), 4);
	expect_gaps(w, 0, 80);
	end(w);
}

/* Caps are reached, and not passed. */
static void
test_caps(void **state)
{
	static const struct {
		unsigned network, operator, concurrency, at_once_1, at_once_2, at_once;
	} cases[] = {
	    {2, 0, 64, 2, 2, 4},
	    {0, 3, 64, 3, 3, 3},
	    {0, 0, 5, 5, 5, 5},
	    {0, 0, 64, 6, 6, 12},
	};
	static const char *const addresses[] = {"127.77.1.1", "127.77.1.2", "127.77.1.3",
	    "127.77.1.4", "127.77.1.5", "127.77.1.6", "127.77.2.1", "127.77.2.2", "127.77.2.3",
	    "127.77.2.4", "127.77.2.5", "127.77.2.6"};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = new_world();
		struct tally *t;
		char host[32];

		for (unsigned k = 0; k < 12; k++)
			add_house(
			    w, (struct street_house){.address = addresses[k], .hold_ms = 400});
		w->settings.pace.per_network = cases[i].network;
		w->settings.pace.per_operator = cases[i].operator;
		w->settings.concurrency = cases[i].concurrency;
		open_world(w);
		t = begin_pass(w);
		for (unsigned k = 0; k < 12; k++) {
			snprintf(host, sizeof(host), "mx%u.one.test", k);
			visit(w, t, host, k);
		}
		run(w);
		assert_int_equal(t->counts.probes, 24);
		assert_in_range(
		    street_most_at_once(&w->street, "127.77.1."), 1, cases[i].at_once_1);
		assert_in_range(
		    street_most_at_once(&w->street, "127.77.2."), 1, cases[i].at_once_2);
		assert_int_equal(street_most_at_once(&w->street, ""), cases[i].at_once);
		end(w);
	}
}

/* ---- who asks to be left alone --------------------------------------------------------------- */

static void
test_later_is_tried_again(void **state)
{
	static const struct {
		const char *greeting;
		enum outcome outcome;
	} cases[] = {{"421 busy", OUTCOME_RATE_LIMITED}, {"450 busy", OUTCOME_TEMPORARY_REJECT}};

	for (unsigned i = 0; i < 2; i++) {
		struct world *w = new_world();
		struct tally *t;

		add_house(
		    w, (struct street_house){
			   .address = "127.77.1.1", .later = cases[i].greeting, .later_n = 2});
		w->settings.pace.back_off_ms = 300;
		open_world(w);
		t = begin_pass(w);
		visit(w, t, "a.test", 0);
		run(w);
		assert_int_equal(w->probed_n, 4);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(w->probed[k].outcome,
			    k < 2 ? cases[i].outcome : OUTCOME_STARTTLS_NOT_OFFERED);
		assert_true(w->street.calls[1].begin_ms >= w->street.calls[0].bye_ms + 300);
		assert_true(w->street.calls[2].begin_ms >= w->street.calls[1].bye_ms + 1200);
		assert_true(w->street.calls[3].begin_ms < w->street.calls[2].bye_ms + 300);
		assert_int_equal(t->counts.unwelcome, 0);
		end(w);
	}
}

/* So many times in a row: whoever else is queued there is not heard either, another address is. */
static void
test_unwelcome(void **state)
{
	struct world *w = new_world();
	struct tally *t;

	add_house(
	    w, (struct street_house){.address = "127.77.1.1", .later = "421 no", .later_n = 1000});
	add_house(w, (struct street_house){.address = "127.77.1.2"});
	w->settings.pace.back_off_ms = 5;
	open_world(w);
	t = begin_pass(w);
	visit(w, t, "a.test", 0);
	visit(w, t, "b.test", 0);
	visit(w, t, "a.test", 1);
	run(w);
	assert_int_equal(street_calls_of(&w->street, 0), LIMIT_BACK_OFFS);
	assert_int_equal(street_calls_of(&w->street, 1), 2);
	assert_int_equal(t->counts.probes, LIMIT_BACK_OFFS + 2);
	assert_true(t->counts.unwelcome > 0);
	assert_int_equal(t->counts.dead + t->counts.left, 0);
	end(w);
}

/* A pass that ends before the rest is over leaves the address to the next one, which waits. */
static void
test_left_to_the_next_pass(void **state)
{
	struct world *w = new_world();
	struct tally *first, *next;

	add_house(
	    w, (struct street_house){.address = "127.77.1.1", .later = "421 no", .later_n = 1});
	w->settings.pace.back_off_ms = 500;
	open_world(w);
	w->pass.until_ms = clock_monotonic_ms() + 100;
	first = begin_pass(w);
	visit(w, first, "a.test", 0);
	visit(w, first, "b.test", 0);
	w->pass.until_ms = INT64_MAX;
	next = begin_pass(w);
	visit(w, next, "c.test", 0);
	run(w);
	/* Those of an address wait in order: a.test was called upon, b.test has not been. */
	assert_int_equal(first->counts.probes, 1);
	assert_int_equal(first->counts.unwelcome, 4);
	assert_int_equal(next->counts.probes, 2);
	assert_int_equal(next->counts.unwelcome, 0);
	assert_true(w->street.calls[1].begin_ms >= w->street.calls[0].bye_ms + 500);
	assert_int_equal(w->probed[0].outcome, OUTCOME_RATE_LIMITED);
	assert_int_equal(w->probed[1].outcome, OUTCOME_STARTTLS_NOT_OFFERED);
	end(w);
}

/* And one that ends after it, by however little, waits. */
static void
test_a_rest_within_the_pass_is_waited_for(void **state)
{
	struct world *w = new_world();
	struct tally *t;

	add_house(
	    w, (struct street_house){.address = "127.77.1.1", .later = "421 no", .later_n = 1});
	w->settings.pace.back_off_ms = 300;
	open_world(w);
	w->pass.until_ms = clock_monotonic_ms() + 20000;
	t = begin_pass(w);
	visit(w, t, "a.test", 0);
	run(w);
	assert_int_equal(t->counts.probes, 3);
	assert_int_equal(t->counts.unwelcome, 0);
	end(w);
}

/* ---- who does not answer --------------------------------------------------------------------- */

static void
test_connect_timeout_drops_the_address(void **state)
{
	struct world *w = new_world();
	struct tally *t, *other;

	add_house(w, (struct street_house){.address = "127.77.1.1", .full = true});
	add_house(w, (struct street_house){.address = "127.77.1.2"});
	w->settings.timeout_ms = 2000;
	open_world(w);
	t = begin_pass(w);
	visit(w, t, "a.test", 0);
	visit(w, t, "b.test", 0);
	visit(w, t, "a.test", 1);
	other = begin_pass(w);
	visit(w, other, "c.test", 0);
	run(w);
	assert_int_equal(t->counts.probes + other->counts.probes, 3);
	assert_int_equal(t->counts.dead + other->counts.dead, 5);
	for (unsigned i = 0; i < w->probed_n; i++)
		assert_int_equal(w->probed[i].outcome, strcmp(w->probed[i].address, "127.77.1.1")
							   ? OUTCOME_STARTTLS_NOT_OFFERED
							   : OUTCOME_CONNECTION_TIMEOUT);
	end(w);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void
stop_again(struct world *w)
{
	assert_int_equal(schedule_under_way(w->schedule), 2);
	assert_int_equal(w->tallies[0].ended, 2); /* those that were queued */
	assert_false(w->tallies[0].over);
	schedule_stop(w->schedule);
}

static void
stop(struct world *w)
{
	assert_int_equal(schedule_under_way(w->schedule), 2);
	schedule_stop(w->schedule);
	assert_true(schedule_stopped(w->schedule));
	assert_true(pass_stopped(w->tallies[0].pass));
	after(w, 200, stop_again);
}

/* What is queued is left at once; what is under way goes on, until it is called off. */
static void
test_stop_and_abort(void **state)
{
	for (unsigned threads = 1; threads <= 3; threads += 2) {
		struct world *w = new_world();
		struct tally *t;

		add_house(w, (struct street_house){.address = "127.77.1.1", .hold_ms = -1});
		add_house(w, (struct street_house){.address = "127.77.1.2", .hold_ms = -1});
		w->settings.threads = threads;
		open_world(w);
		t = begin_pass(w);
		for (unsigned i = 0; i < 2; i++) {
			visit(w, t, names[i], 0);
			visit(w, t, names[i], 1);
		}
		after(w, 600, stop);
		run(w);
		assert_int_equal(t->counts.probes, 0);
		assert_int_equal(t->counts.left, 8);
		assert_int_equal(t->counts.under_way, 0);
		assert_int_equal(w->street.calls_n, 2);
		end(w);
	}
}

static void
just_stop(struct world *w)
{
	schedule_stop(w->schedule);
}

/* Those under way finish and are stored. */
static void
test_stop_lets_them_finish(void **state)
{
	struct world *w = new_world();
	struct tally *t;

	add_house(w, (struct street_house){.address = "127.77.1.1", .hold_ms = 1500});
	open_world(w);
	t = begin_pass(w);
	visit(w, t, "a.test", 0);
	after(w, 500, just_stop);
	run(w);
	assert_int_equal(t->counts.probes, 1);
	assert_int_equal(w->probed[0].outcome, OUTCOME_STARTTLS_NOT_OFFERED);
	assert_int_equal(t->counts.left, 1);
	end(w);
}

/* ---- two passes ------------------------------------------------------------------------------ */

static void
test_two_passes_share_the_pace(void **state)
{
	for (unsigned threads = 1; threads <= 3; threads += 2) {
		struct world *w = new_world();
		struct tally *t[2];

		add_house(w, (struct street_house){.address = "127.77.1.1", .hold_ms = 10});
		add_house(w, (struct street_house){.address = "127.77.1.2", .hold_ms = 10});
		w->settings.threads = threads;
		w->settings.pace.gap_ms = 30;
		w->settings.pace.per_network = 1;
		open_world(w);
		for (unsigned i = 0; i < 2; i++) {
			t[i] = begin_pass(w);
			visit(w, t[i], names[i], 0);
			visit(w, t[i], names[i], 1);
		}
		run(w);
		assert_int_equal(t[0]->counts.probes, 4);
		assert_int_equal(t[1]->counts.probes, 4);
		assert_int_equal(street_most_at_once(&w->street, ""), 1);
		expect_gaps(w, 0, 30);
		expect_gaps(w, 1, 30);
		end(w);
	}
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void
stop_at_once(struct world *w)
{
	schedule_stop(w->schedule);
	schedule_stop(w->schedule);
}

/* The pass of a list. The resolver never says a word. */
static struct tally *
begin_list(struct world *w, const char *list)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	char resolver[32];
	struct dns_options options = {.resolver = resolver};

	w->mute = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->mute, (void *)&a, len), 0);
	assert_int_equal(getsockname(w->mute, (void *)&a, &len), 0);
	snprintf(resolver, sizeof(resolver), "127.0.0.1@%u", ntohs(a.sin_port));
	assert_int_equal(dns_create(&w->pass.dns, w->loop, &options, NULL), 0);
	w->pass.source = source_of_text(w->loop, NULL, 0, "list", list, strlen(list));
	assert_non_null(w->pass.source);
	return begin_pass(w);
}

static void
look_at_the_queue(struct world *w)
{
	const struct pass_counts *counts = pass_counts(w->tallies[0].pass);
	unsigned most = LIMIT_QUEUED + 2 * w->settings.concurrency;

	assert_int_equal(counts->under_way, 1);
	assert_int_equal(counts->queued, most);
	assert_int_equal(counts->targets, most + 1);
	assert_true(counts->targets < LIMIT_QUEUED + 64);
	stop_at_once(w);
}

/* One connection, which hangs: so many visits wait, and no more targets are taken. */
static void
test_visits_that_wait(void **state)
{
	char *list = calloc(LIMIT_QUEUED + 64, 64), *at = list;
	struct world *w = new_world();
	struct tally *t;

	add_house(w, (struct street_house){.address = "127.77.1.1", .hold_ms = -1});
	w->settings.concurrency = 1;
	open_world(w);
	for (unsigned i = 0; i < LIMIT_QUEUED + 64; i++)
		at += sprintf(at, "mx%u.test@127.77.1.1\n", i);
	t = begin_list(w, list);
	after(w, 1500, look_at_the_queue);
	run(w);
	assert_int_equal(t->counts.left, 2 * (LIMIT_QUEUED + 3));
	assert_true(t->counts.held > 0);
	end(w);
	free(list);
}

static void
look_at_the_lookups(struct world *w)
{
	const struct pass_counts *counts = pass_counts(w->tallies[0].pass);

	/* The list's address is not held up. */
	assert_int_equal(counts->probes, 2);
	assert_int_equal(counts->targets, LIMIT_LOOKUPS + 1);
	stop_at_once(w);
}

/* Nobody answers for the names: so many are asked for, and no more are taken. */
static void
test_names_that_are_looked_up(void **state)
{
	char *list = calloc(LIMIT_LOOKUPS + 64, 64), *at = list;
	struct world *w = new_world();
	struct tally *t;

	add_house(w, (struct street_house){.address = "127.77.1.1"});
	open_world(w);
	for (unsigned i = 0; i < LIMIT_LOOKUPS + 8; i++)
		at += sprintf(at, "domain%u.test\n", i);
	strcpy(at, "mx.test@127.77.1.1\n");
	t = begin_list(w, list);
	after(w, 2000, look_at_the_lookups);
	run(w);
	assert_int_equal(t->counts.left, LIMIT_LOOKUPS);
	assert_int_equal(t->counts.held, 8);
	end(w);
	free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_at_a_time),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_caps),
	    cmocka_unit_test(test_later_is_tried_again),
	    cmocka_unit_test(test_unwelcome),
	    cmocka_unit_test(test_left_to_the_next_pass),
	    cmocka_unit_test(test_a_rest_within_the_pass_is_waited_for),
	    cmocka_unit_test(test_connect_timeout_drops_the_address),
	    cmocka_unit_test(test_stop_and_abort),
	    cmocka_unit_test(test_stop_lets_them_finish),
	    cmocka_unit_test(test_two_passes_share_the_pace),
	    cmocka_unit_test(test_visits_that_wait),
	    cmocka_unit_test(test_names_that_are_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
