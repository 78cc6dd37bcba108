/* Bounds of a probe that no server passes by one at will: the linker puts our clock, poll() and
 * recv() in the place of the system's (-Wl,--wrap), so that each is met exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/limits.h"
#include "collector/probe/probe.h"
#include "server.h"
#include "store/base/clock.h"

#define FAST_MS 1200 /* the time-out of probes that are to run into it */

/* What of the system is ours. */
static struct {
	bool clock, slow, late; /* the clock; one octet a read; what comes comes late */
	int64_t drift_ms;	/* of the wall clock, once it has been asked once */
	unsigned asked, polls;
	const char *greeting; /* that is read late, an octet at a time */
	size_t greeting_at;
} fake;

/* The server's thread has the system's. */
static _Thread_local bool is_probe;

int64_t __real_clock_now_ms(void);
int64_t __wrap_clock_now_ms(void);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ssize_t __real_recv(int fd, void *p, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t len, int flags);

/* In step with the monotonic clock, but for the drift. */
int64_t
__wrap_clock_now_ms(void)
{
	static int64_t began_ms;

	if (!is_probe || !fake.clock)
		return __real_clock_now_ms();
	if (fake.asked++ == 0)
		began_ms = clock_monotonic_ms();
	return INT64_C(1773900000000) + clock_monotonic_ms() +
	       (fake.asked > 1 ? fake.drift_ms : 0) - began_ms;
}

int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (!is_probe || !fake.late || timeout_ms != 0)
		return __real_poll(fds, n, timeout_ms);
	fake.polls++;
	fds[0].revents = POLLIN;
	return 1;
}

ssize_t
__wrap_recv(int fd, void *p, size_t len, int flags)
{
	if (!is_probe || !fake.late || flags != 0)
		return __real_recv(fd, p, is_probe && fake.slow ? 1 : len, flags);
	*(char *)p = fake.greeting[fake.greeting_at];
	fake.greeting_at += fake.greeting[fake.greeting_at + 1] != '\0';
	return 1;
}

struct result {
	struct loop *loop;
	enum outcome outcome;
	unsigned flags;
	int64_t took_ms;
};

static void
on_done(void *ctx, struct probe *probe, const struct probe_result *p)
{
	struct result *r = ctx;

	(void)probe;
	r->outcome = p->observation.evidence.outcome;
	r->flags = p->observation.evidence.flags;
	loop_stop(r->loop);
}

static struct result
probe(const char *const *script, int64_t timeout_ms)
{
	struct server server = {.script = script};
	struct probe_settings settings = {.ehlo_domain = "probe.test", .timeout_ms = timeout_ms};
	struct series series = {
	    .kind = SERIES_PROBE, .host = "mx.test", .vantage = "t", .sni = SNI_NONE};
	struct result r = {0};
	int64_t began_ms;

	server_start(&server);
	assert_int_equal(loop_create(&settings.loop, NULL), 0);
	settings.tls[OFFER_DEFAULT] = tls_context_create(OFFER_DEFAULT, NULL);
	assert_non_null(settings.tls[OFFER_DEFAULT]);
	assert_true(ip_parse(&series.address, "127.0.0.1"));
	series.port = server.port;
	r.loop = settings.loop;
	is_probe = true;
	began_ms = clock_monotonic_ms();
	probe_start(&settings, &series, NULL, -1, on_done, &r);
	loop_run(settings.loop);
	r.took_ms = clock_monotonic_ms() - began_ms;
	loop_destroy(settings.loop);
	tls_context_destroy(settings.tls[OFFER_DEFAULT]);
	server_join(&server);
	return r;
}

/* The flag clock-stepped, on both sides. */
static void
test_clock_drift(void **state)
{
	static const char *const script[] = {"> 554 no\r\n", "<", "> 221 bye\r\n", NULL};
	static const struct {
		int64_t drift_ms;
		bool stepped;
	} cases[] = {{0, false}, {LIMIT_CLOCK_DRIFT_MS, false}, {LIMIT_CLOCK_DRIFT_MS + 1, true},
	    {-LIMIT_CLOCK_DRIFT_MS, false}, {-LIMIT_CLOCK_DRIFT_MS - 1, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r;

		memset(&fake, 0, sizeof(fake));
		fake.clock = true;
		fake.drift_ms = cases[i].drift_ms;
		r = probe(script, 10000);
		assert_int_equal(r.outcome, OUTCOME_PERMANENT_REJECT);
		assert_int_equal((r.flags & FLAG_CLOCK_STEPPED) != 0, cases[i].stepped);
	}
}

/* A farewell in so many pieces is waited for; in one more it is not. */
static void
test_farewell_turns(void **state)
{
	static char text[LIMIT_QUIT_TURNS + 8];
	const char *script[] = {"> 554 no\r\n", "<", text, "hold", NULL};

	for (unsigned more = 0; more <= 1; more++) {
		struct result r;

		memset(&fake, 0, sizeof(fake));
		fake.slow = true;
		memset(text, 0, sizeof(text));
		memcpy(text, "> ", 2);
		memset(text + 2, 'x', LIMIT_QUIT_TURNS + more);
		r = probe(script, FAST_MS);
		assert_int_equal(r.outcome, OUTCOME_PERMANENT_REJECT);
		if (more == 0)
			assert_true(r.took_ms >= FAST_MS);
		else
			assert_true(r.took_ms < FAST_MS);
	}
}

/* After the time is over: a greeting that is whole after so many reads is taken, and the next stage
 * has a time of its own; one that takes one more is not. */
static void
test_late_turns(void **state)
{
	static const char *const script[] = {"hold", NULL};

	for (unsigned more = 0; more <= 1; more++) {
		char greeting[LIMIT_LATE_TURNS + 8] = "";
		struct result r;

		memset(&fake, 0, sizeof(fake));
		memset(greeting, 'x', LIMIT_LATE_TURNS + more);
		memcpy(greeting, "554 ", 4);
		memcpy(greeting + LIMIT_LATE_TURNS + more - 2, "\r\n", 2);
		greeting[LIMIT_LATE_TURNS + more] = '\0';
		fake.greeting = greeting;
		fake.late = true;
		r = probe(script, FAST_MS);
		assert_int_equal(fake.polls, LIMIT_LATE_TURNS);
		assert_int_equal(
		    r.outcome, more == 0 ? OUTCOME_PERMANENT_REJECT : OUTCOME_IO_TIMEOUT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clock_drift),
	    cmocka_unit_test(test_farewell_turns),
	    cmocka_unit_test(test_late_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
