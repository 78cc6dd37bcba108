#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/limits.h"
#include "collector/run/lookup.h"
#include "resolver.h"

#define ANCHOR \
	". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
#define PATIENCE_MS 30000
#define PORT 25

struct world {
	struct resolver resolver;
	struct loop *loop;
	struct dns *dns;
	char anchor[64];
	/* of one look-up */
	bool done, runs;
	enum lookup_end end;
	unsigned hosts, addresses, notices, port, announced, texts;
	char names[300], domain[300], notice[600];
};

/* aN.example: N addresses; bN: as many as are probed; cN: N hosts of one address; dN: N of bN. */
static void
answer_by_number(struct resolver_reply *reply, const char *name, uint16_t rrtype)
{
	char letter, text[300];
	unsigned n;

	if (sscanf(name, "%c%u.example", &letter, &n) != 2)
		return;
	if (letter == 'b')
		n = LIMIT_DNS_ADDRESSES;
	for (unsigned i = 0; rrtype == RDATA_A && (letter == 'a' || letter == 'b') && i < n; i++) {
		snprintf(text, sizeof(text), "203.0.%u.%u", i / 250, i % 250);
		resolver_add_a(reply, name, text);
	}
	for (unsigned i = 1; rrtype == RDATA_MX && (letter == 'c' || letter == 'd') && i <= n;
	     i++) {
		snprintf(text, sizeof(text), "%c%u.example", letter == 'c' ? 'h' : 'b', i);
		resolver_add_mx(reply, name, i, text);
	}
}

static int
answer(struct resolver_reply *reply, const char *name, uint16_t rrtype)
{
	char host[300];

	if (strncmp(name, "nx", 2) == 0)
		return 3;
	if (strncmp(name, "refuses", 7) == 0)
		return 5;
	answer_by_number(reply, name, rrtype);
	if (rrtype == RDATA_A && name[0] == 'h')
		resolver_add_a(reply, name, "192.0.2.1");
	for (unsigned i = 0; rrtype == RDATA_A && strcmp(name, "wide.example") == 0 && i < 500;
	     i++) {
		snprintf(host, sizeof(host), "198.51.%u.%u", i / 250, i % 250);
		resolver_add_a(reply, name, host);
	}
	if (rrtype == RDATA_TXT && strcmp(name, "_mta-sts.h1.example") == 0)
		resolver_add_txt(reply, name, "v=ST|Sv1; id=|20260319");
	if (rrtype == RDATA_TXT && strcmp(name, "_mta-sts.h2.example") == 0)
		for (int i = 0; i < 2; i++)
			resolver_add_txt(reply, name, i == 0 ? "v=STSv1; id=1" : "v=STSv1; id=2");
	if (rrtype != RDATA_MX)
		return 0;
	if (strcmp(name, "two.example") == 0) {
		resolver_add_mx(reply, name, 100, "h2.example");
		resolver_add_mx(reply, name, 20, "H1.Example");
		resolver_add_mx(reply, name, 30, "h1.example");
	} else if (strcmp(name, "null.example") == 0) {
		resolver_add_mx(reply, name, 0, "");
	} else if (strcmp(name, "nameless.example") == 0) {
		resolver_add_mx(reply, name, 1, "192.0.2.1");
		resolver_add_mx(reply, name, 2, "b\x1b[2J.example");
		resolver_add_mx(reply, name, 3, "h.example");
	} else if (strcmp(name, "dangling.example") == 0) {
		resolver_add_mx(reply, name, 1, "nx.example");
	}
	/* Sorted as texts, 1000 would come before 200. */
	for (unsigned i = 0; strcmp(name, "crowd.example") == 0 && i < 1000; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		resolver_add_mx(reply, name, 1000 - i, host);
	}
	return 0;
}

static void
on_record(void *ctx, const struct dns_result *result)
{
	struct world *w = ctx;

	w->texts += result->rrtype == RDATA_TXT;
}

static int
open_world(void **state)
{
	static struct world w;
	struct dns_options options = {.trust_anchor = w.anchor};
	int fd;

	w = (struct world){0};
	strcpy(w.anchor, "/tmp/mx509-anchor-XXXXXX");
	fd = mkstemp(w.anchor);
	assert_int_equal(write(fd, ANCHOR, strlen(ANCHOR)), strlen(ANCHOR));
	close(fd);
	resolver_start(&w.resolver, answer);
	options.resolver = w.resolver.address;
	assert_int_equal(loop_create(&w.loop, NULL), 0);
	assert_int_equal(dns_create(&w.dns, w.loop, &options, NULL), 0);
	dns_on(w.dns, on_record, NULL, &w);
	*state = &w;
	return 0;
}

static int
close_world(void **state)
{
	struct world *w = *state;

	dns_destroy(w->dns);
	loop_destroy(w->loop);
	resolver_stop(&w->resolver);
	return unlink(w->anchor);
}

static void
on_host(void *ctx, const struct lookup_host *host)
{
	struct world *w = ctx;
	size_t len = strlen(w->names);

	w->hosts++;
	w->addresses += (unsigned)host->addresses_n;
	w->port = host->port;
	snprintf(w->domain, sizeof(w->domain), "%s", host->domain != NULL ? host->domain : "");
	if (len + strlen(host->name) + 2 < sizeof(w->names))
		sprintf(w->names + len, "%s ", host->name);
	assert_int_equal(strcmp(host->name, "h0.example") == 0, false);
}

static void
on_announced(void *ctx, const char *domain)
{
	struct world *w = ctx;

	assert_false(w->done);
	assert_string_equal(domain, "h1.example");
	w->announced++;
}

static void
on_notice(void *ctx, const char *line)
{
	struct world *w = ctx;

	w->notices++;
	snprintf(w->notice, sizeof(w->notice), "%s", line);
}

static void
on_done(void *ctx, const char *name, enum lookup_end end)
{
	struct world *w = ctx;

	assert_false(w->done);
	w->done = true;
	w->end = end;
	if (w->runs)
		loop_stop(w->loop);
}

static void
give_up(void *ctx)
{
	loop_stop(ctx);
}

static void
look_up(struct world *w, const char *line)
{
	struct lookup_settings settings = {.dns = w->dns, .ipv4 = true, .ipv6 = true, .port = PORT};
	struct lookup_calls calls = {.host = on_host,
	    .announced = on_announced,
	    .notice = on_notice,
	    .done = on_done,
	    .ctx = w};
	struct loop_timer *timer = loop_timer_create(w->loop, give_up, w->loop);
	struct target target;

	w->done = false;
	w->hosts = w->addresses = w->notices = w->announced = w->texts = 0;
	w->names[0] = w->domain[0] = w->notice[0] = '\0';
	assert_int_equal(target_parse(&target, line, strlen(line), NULL), 1);
	lookup_start(&settings, &target, &calls);
	loop_timer_set(timer, PATIENCE_MS);
	w->runs = !w->done;
	if (w->runs)
		loop_run(w->loop);
	w->runs = false;
	loop_timer_destroy(timer);
	assert_true(w->done);
}

static void
test_preference(void **state)
{
	struct world *w = *state;

	look_up(w, "two.example");
	assert_int_equal(w->end, LOOKUP_DONE);
	assert_int_equal(w->hosts, 2);
	assert_int_equal(w->addresses, 2);
	assert_int_equal(w->notices, 0);
	assert_string_equal(w->domain, "two.example");
	/* All is known by now, so the order is that of the preference. */
	look_up(w, "two.example");
	assert_string_equal(w->names, "h1.example h2.example ");
}

/* The preferred ones: those with the highest numbers here, never h0. */
static void
test_more_hosts_than_are_probed(void **state)
{
	struct world *w = *state;

	look_up(w, "crowd.example");
	assert_int_equal(w->end, LOOKUP_DONE);
	assert_int_equal(w->hosts, LIMIT_DNS_HOSTS);
	assert_int_equal(w->notices, 1);
	assert_non_null(strstr(w->notice, "more MX hosts"));
	look_up(w, "crowd.example");
	assert_int_equal(strncmp(w->names, "h999.example h998.example ", 26), 0);
}

static void
test_more_addresses_than_are_probed(void **state)
{
	struct world *w = *state;

	look_up(w, "mx:wide.example");
	assert_int_equal(w->addresses, LIMIT_DNS_ADDRESSES);
	assert_int_equal(w->notices, 1);
}

/* At each limit all is taken, and nothing is said; one more is told. */
static void
test_limits_by_one(void **state)
{
	static const struct {
		const char *target;
		unsigned hosts, addresses, notices;
	} cases[] = {
	    {"mx:a128.example", 1, LIMIT_DNS_ADDRESSES, 0},
	    {"mx:a129.example", 1, LIMIT_DNS_ADDRESSES, 1},
	    {"c128.example", LIMIT_DNS_HOSTS, LIMIT_DNS_HOSTS, 0},
	    {"c129.example", LIMIT_DNS_HOSTS, LIMIT_DNS_HOSTS, 1},
	    {"d8.example", 8, LIMIT_DNS_TARGET, 0},
	    {"d9.example", 9, LIMIT_DNS_TARGET, 1},
	};
	struct world *w = *state;

	assert_int_equal(LIMIT_DNS_ADDRESSES, 128);
	assert_int_equal(LIMIT_DNS_HOSTS, 128);
	assert_int_equal(LIMIT_DNS_TARGET, 8 * LIMIT_DNS_ADDRESSES);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		look_up(w, cases[i].target);
		assert_int_equal(w->end, LOOKUP_DONE);
		assert_int_equal(w->hosts, cases[i].hosts);
		assert_int_equal(w->addresses, cases[i].addresses);
		assert_int_equal(w->notices, cases[i].notices);
	}
}

static void
test_no_host(void **state)
{
	struct world *w = *state;

	look_up(w, "null.example");
	assert_int_equal(w->end, LOOKUP_NULL_MX);
	look_up(w, "nx.example");
	assert_int_equal(w->end, LOOKUP_NO_MX);
	look_up(w, "mx:nx.example");
	assert_int_equal(w->end, LOOKUP_NO_MX);
	look_up(w, "empty.example");
	assert_int_equal(w->end, LOOKUP_NO_MX);
	look_up(w, "refuses.example");
	assert_int_equal(w->end, LOOKUP_DNS_FAILURE);
	assert_int_equal(w->notices, 0);
	look_up(w, "dangling.example");
	assert_int_equal(w->end, LOOKUP_NO_MX);
	assert_non_null(strstr(w->notice, "nx.example"));
}

static void
test_implicit_and_mx_targets(void **state)
{
	struct world *w = *state;

	look_up(w, "himself.example");
	assert_string_equal(w->names, "himself.example ");
	assert_string_equal(w->domain, "himself.example");
	look_up(w, "mx:h7.example");
	assert_string_equal(w->names, "h7.example ");
	assert_string_equal(w->domain, "");
	assert_int_equal(w->port, PORT);
	look_up(w, ", h7.example, , 587");
	assert_int_equal(w->port, 587);
}

/* One notice for all of them, and the rest is done. */
static void
test_exchanges_that_are_no_names(void **state)
{
	struct world *w = *state;

	look_up(w, "nameless.example");
	assert_int_equal(w->end, LOOKUP_DONE);
	assert_string_equal(w->names, "h.example ");
	assert_int_equal(w->notices, 1);
}

/* Both texts of each domain that takes mail, and of no host. */
static void
test_texts(void **state)
{
	struct world *w = *state;

	look_up(w, "h1.example");
	assert_int_equal(w->texts, 2);
	assert_int_equal(w->announced, 1);
	look_up(w, "h1.example"); /* from memory */
	assert_int_equal(w->texts, 0);
	assert_int_equal(w->announced, 1);
	look_up(w, "h2.example"); /* two are none */
	assert_int_equal(w->texts, 2);
	assert_int_equal(w->announced, 0);
	look_up(w, "refuses2.example"); /* no MX was to be had: others may have got one */
	assert_int_equal(w->end, LOOKUP_DNS_FAILURE);
	assert_int_equal(w->texts, 2);
	look_up(w, "null.example");
	look_up(w, "mx:h3.example");
	assert_int_equal(w->texts, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_preference),
	    cmocka_unit_test(test_more_hosts_than_are_probed),
	    cmocka_unit_test(test_more_addresses_than_are_probed),
	    cmocka_unit_test(test_limits_by_one),
	    cmocka_unit_test(test_no_host),
	    cmocka_unit_test(test_implicit_and_mx_targets),
	    cmocka_unit_test(test_exchanges_that_are_no_names),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
