#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/dns/dns.h"
#include "collector/limits.h"
#include "resolver.h"

#define ANCHOR \
	". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
#define MANY 700
#define PATIENCE_MS 30000

struct world {
	struct resolver resolver;
	struct loop *loop;
	struct dns *dns;
	char anchor[64];
	unsigned open, done, told, recorded, cnames;
	unsigned again; /* so many more questions are asked from within answers */
	enum dns_status status;
	size_t records_n;
	char first[300], notice[512];
};

static void on_done(void *ctx, const struct dns_result *result);

static void
ask(struct world *w, const char *name, uint16_t rrtype)
{
	w->open++;
	assert_null(dns_ask(w->dns, name, rrtype, on_done, w));
}

static void
on_done(void *ctx, const struct dns_result *result)
{
	struct world *w = ctx;
	char name[32];

	w->done++;
	w->status = result->answer.status;
	w->records_n = result->answer.records_n;
	if (w->records_n > 0)
		snprintf(w->first, sizeof(w->first), "%s", result->answer.records[0]);
	if (w->again > 0) {
		snprintf(name, sizeof(name), "again%u.example", w->again--);
		ask(w, name, RDATA_A);
	}
	if (--w->open == 0)
		loop_stop(w->loop);
}

static void
on_record(void *ctx, const struct dns_result *result)
{
	struct world *w = ctx;

	w->recorded++;
	w->cnames += result->rrtype == RDATA_CNAME;
}

static void
on_notice(void *ctx, const char *line)
{
	struct world *w = ctx;

	w->told++;
	snprintf(w->notice, sizeof(w->notice), "%s", line);
}

static void
write_anchor(struct world *w, const char *text)
{
	int fd;

	strcpy(w->anchor, "/tmp/mx509-anchor-XXXXXX");
	fd = mkstemp(w->anchor);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
open_world(struct world *w, resolver_fn *answer, int64_t wait_ms)
{
	struct dns_options options = {.trust_anchor = w->anchor, .wait_ms = wait_ms};
	struct err err = {0};

	*w = (struct world){0};
	write_anchor(w, ANCHOR);
	resolver_start(&w->resolver, answer);
	options.resolver = w->resolver.address;
	assert_int_equal(loop_create(&w->loop, &err), 0);
	if (dns_create(&w->dns, w->loop, &options, &err) != 0)
		fail_msg("%s", err.text);
	dns_on(w->dns, on_record, on_notice, w);
}

static void
give_up(void *ctx)
{
	loop_stop(ctx);
}

/* Until all that was asked is answered. */
static void
run(struct world *w)
{
	struct loop_timer *timer = loop_timer_create(w->loop, give_up, w->loop);

	loop_timer_set(timer, PATIENCE_MS);
	loop_run(w->loop);
	loop_timer_destroy(timer);
	assert_int_equal(w->open, 0);
}

static void
close_world(struct world *w)
{
	dns_destroy(w->dns);
	loop_destroy(w->loop);
	resolver_stop(&w->resolver);
	unlink(w->anchor);
}

static int
answer_plainly(struct resolver_reply *reply, const char *name, uint16_t rrtype)
{
	char host[300];

	if (strncmp(name, "nx", 2) == 0)
		return 3;
	if (strcmp(name, "alias.example") == 0)
		resolver_add_cname(reply, name, "real.example");
	if (rrtype == RDATA_A && *name != '\0')
		resolver_add_a(
		    reply, strcmp(name, "alias.example") == 0 ? "real.example" : name, "192.0.2.1");
	for (unsigned i = 0; rrtype == RDATA_MX && i < 1100; i++) {
		snprintf(host, sizeof(host), "m%u.%s", i, name);
		resolver_add_mx(reply, name, i, host);
	}
	return 0;
}

static int
say_nothing(struct resolver_reply *reply, const char *name, uint16_t rrtype)
{
	return RESOLVER_MUTE;
}

static void
test_without_dnssec(void **state)
{
	struct world w;

	open_world(&w, answer_plainly, 0);
	ask(&w, "a.example", RDATA_A);
	run(&w);
	assert_int_equal(w.status, DNS_UNVALIDATED);
	assert_string_equal(w.first, "192.0.2.1");
	assert_int_equal(w.told, 1);
	assert_non_null(strstr(w.notice, "does not hand on DNSSEC"));
	assert_non_null(strstr(w.notice, w.resolver.address));
	assert_non_null(strstr(w.notice, "--resolver"));
	/* What is known is told at once, and recorded no second time. */
	assert_non_null(dns_ask(w.dns, "a.example", RDATA_A, on_done, &w));
	assert_int_equal(w.recorded, 1);
	ask(&w, "nx.example", RDATA_A);
	run(&w);
	assert_int_equal(w.records_n, 0);
	assert_int_equal(w.told, 1);
	close_world(&w);
}

static void
test_cname_is_recorded_with_the_first_question(void **state)
{
	struct world w;

	open_world(&w, answer_plainly, 0);
	ask(&w, "alias.example", RDATA_A);
	run(&w);
	assert_int_equal(w.cnames, 1);
	assert_int_equal(w.recorded, 2);
	assert_string_equal(w.first, "192.0.2.1");
	close_world(&w);
}

/* Of more records than are kept, as many as are. */
static void
test_huge_answer(void **state)
{
	struct world w;

	open_world(&w, answer_plainly, 0);
	ask(&w, "huge.example", RDATA_MX);
	run(&w);
	assert_int_equal(w.records_n, LIMIT_DNS_RECORDS);
	close_world(&w);
}

/* Every question ends, those too that are asked while the others are told of their failure. */
static void
test_dead_resolver(void **state)
{
	struct world w;
	char name[32];

	open_world(&w, say_nothing, 200);
	w.again = MANY;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "q%u.example", i);
		ask(&w, name, RDATA_MX);
	}
	run(&w);
	assert_int_equal(w.done, 2 * MANY);
	assert_int_equal(w.status, DNS_FAILED);
	assert_int_equal(w.told, 1);
	assert_non_null(strstr(w.notice, w.resolver.address));
	assert_non_null(strstr(w.notice, "does not answer"));
	assert_non_null(strstr(w.notice, "--resolver"));
	close_world(&w);
}

static void
test_stop_ends_every_question(void **state)
{
	struct world w;

	open_world(&w, say_nothing, 0);
	ask(&w, "a.example", RDATA_A);
	ask(&w, "a.example", RDATA_A);
	ask(&w, "b.example", RDATA_MX);
	dns_stop(w.dns);
	run(&w);
	assert_int_equal(w.done, 3);
	assert_int_equal(w.status, DNS_FAILED);
	assert_int_equal(w.recorded, 0);
	assert_int_equal(w.told, 0);
	close_world(&w);
}

/* Refused in our words, and with nothing of libunbound's on standard error. */
static void
test_anchor_that_is_none(void **state)
{
	static const char *const texts[] = {
	    "", "nonsense\n", ". IN DS 1 2 3 zz\n", "\xff\xd8 DS \n"};
	char path[] = "/tmp/mx509-stderr-XXXXXX";
	int copy = dup(STDERR_FILENO), fd = mkstemp(path);

	assert_true(fd >= 0 && copy >= 0);
	dup2(fd, STDERR_FILENO);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct world w = {0};
		struct dns_options options = {.trust_anchor = w.anchor, .resolver = "127.0.0.1"};
		struct err err = {0};

		write_anchor(&w, texts[i]);
		assert_int_equal(loop_create(&w.loop, NULL), 0);
		assert_int_equal(dns_create(&w.dns, w.loop, &options, &err), ERR_INPUT);
		assert_non_null(strstr(err.text, w.anchor));
		assert_null(w.dns);
		loop_destroy(w.loop);
		unlink(w.anchor);
	}
	dup2(copy, STDERR_FILENO);
	close(copy);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	unlink(path);
}

/* Names "qN.example" that have been asked for; none is answered until `tells`. */
static struct {
	atomic_bool asked[LIMIT_DNS_QUERIES + 1], tells;
	atomic_uint n;
} crowd;

static int
count_questions(struct resolver_reply *reply, const char *name, uint16_t rrtype)
{
	unsigned number;

	if (sscanf(name, "q%u.example", &number) != 1 || number > LIMIT_DNS_QUERIES)
		return answer_plainly(reply, name, rrtype);
	if (!atomic_exchange(&crowd.asked[number], true))
		atomic_fetch_add(&crowd.n, 1);
	return crowd.tells ? answer_plainly(reply, name, rrtype) : RESOLVER_MUTE;
}

struct patience {
	struct world *w;
	struct loop_timer *timer;
	bool full;
};

/* All that may be under way are: a while later there is still none more. */
static void
look_at_the_crowd(void *ctx)
{
	struct patience *p = ctx;

	if (crowd.n < LIMIT_DNS_QUERIES) {
		loop_timer_set(p->timer, 20);
	} else if (!p->full) {
		p->full = true;
		loop_timer_set(p->timer, 300);
	} else {
		assert_int_equal(crowd.n, LIMIT_DNS_QUERIES);
		assert_int_equal(p->w->open, LIMIT_DNS_QUERIES + 1);
		crowd.tells = true;
	}
}

static void
test_questions_under_way(void **state)
{
	struct patience p;
	struct world w;
	char name[32];

	open_world(&w, count_questions, PATIENCE_MS);
	ask(&w, "first.example", RDATA_A); /* and the keys before it */
	run(&w);
	for (unsigned i = 0; i <= LIMIT_DNS_QUERIES; i++) {
		snprintf(name, sizeof(name), "q%u.example", i);
		ask(&w, name, RDATA_A);
	}
	p = (struct patience){.w = &w};
	p.timer = loop_timer_create(w.loop, look_at_the_crowd, &p);
	loop_timer_set(p.timer, 20);
	run(&w);
	loop_timer_destroy(p.timer);
	assert_true(p.full);
	assert_int_equal(crowd.n, LIMIT_DNS_QUERIES + 1);
	assert_int_equal(w.done, LIMIT_DNS_QUERIES + 2);
	close_world(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_dnssec),
	    cmocka_unit_test(test_cname_is_recorded_with_the_first_question),
	    cmocka_unit_test(test_huge_answer),
	    cmocka_unit_test(test_dead_resolver),
	    cmocka_unit_test(test_stop_ends_every_question),
	    cmocka_unit_test(test_anchor_that_is_none),
	    cmocka_unit_test(test_questions_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
