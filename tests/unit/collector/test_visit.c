/* What is made of a host at an address, in which order, and what is repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/run/visit.h"

static const struct visit_plan plan = {
    .variants = {{.sni = SNI_NONE}, {.sni = SNI_HOSTNAME}, {.sni = SNI_NEXTHOP},
	{.sni = SNI_UNKNOWN}, {.sni = SNI_LITERAL, .name = "www.test"}},
    .variants_n = 5,
    .offers = {[OFFER_RSA] = true, [OFFER_ECDSA] = true},
    .unknown_name = "unknown.test",
    .vantage = "here",
};

static struct visit *
visit_of(unsigned parts, const char *domain)
{
	struct ip address;

	assert_true(ip_parse(&address, "192.0.2.1"));
	return visit_create(&plan, parts, domain, "mx.test", &address, 2525, 7);
}

static void
expect(struct visit *visit, enum sni sni, enum offer offer, const char *server_name,
    const char *sni_name)
{
	const struct series *s = &visit->job.series;

	assert_true(visit_next(visit));
	assert_int_equal(s->sni, sni);
	assert_int_equal(s->offer, offer);
	assert_string_equal(s->sni_name, sni_name);
	assert_int_equal(s->port, 2525);
	assert_string_equal(s->host, "mx.test");
	assert_string_equal(s->vantage, "here");
	assert_int_equal(series_valid(s, NULL), 0);
	if (server_name == NULL)
		assert_null(visit->job.server_name);
	else
		assert_string_equal(visit->job.server_name, server_name);
}

static void
test_the_whole_plan(void **state)
{
	static const struct {
		enum sni sni;
		const char *server_name, *sni_name;
	} want[] = {{SNI_NONE, NULL, ""}, {SNI_HOSTNAME, "mx.test", ""},
	    {SNI_NEXTHOP, "domain.test", "domain.test"}, {SNI_UNKNOWN, "unknown.test", ""},
	    {SNI_LITERAL, "www.test", "www.test"}};
	struct visit *visit = visit_of(VISIT_HOST | VISIT_NEXTHOP, "domain.test");

	assert_int_equal(visit_left(visit), 10);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned offer = OFFER_RSA; offer <= OFFER_ECDSA; offer++) {
			expect(visit, want[i].sni, offer, want[i].server_name, want[i].sni_name);
			visit_done(visit, false);
		}
	assert_int_equal(visit_left(visit), 0);
	assert_false(visit_next(visit));
	free(visit);
}

static void
test_parts(void **state)
{
	struct visit *visit = visit_of(VISIT_NEXTHOP, "domain.test");

	assert_int_equal(visit_left(visit), 2);
	expect(visit, SNI_NEXTHOP, OFFER_RSA, "domain.test", "domain.test");
	free(visit);
	visit = visit_of(VISIT_HOST | VISIT_NEXTHOP, "mx.test"); /* the host itself: no next hop */
	assert_int_equal(visit_left(visit), 8);
	free(visit);
	assert_null(visit_of(VISIT_NEXTHOP, NULL));
	assert_null(visit_of(0, "domain.test"));
}

/* What is to be repeated comes after all others, and not for ever. */
static void
test_repeats(void **state)
{
	struct visit *visit = visit_of(VISIT_NEXTHOP, "domain.test");
	unsigned probes = 0;

	expect(visit, SNI_NEXTHOP, OFFER_RSA, "domain.test", "domain.test");
	visit_done(visit, true);
	expect(visit, SNI_NEXTHOP, OFFER_ECDSA, "domain.test", "domain.test");
	visit_done(visit, false);
	expect(visit, SNI_NEXTHOP, OFFER_RSA, "domain.test", "domain.test");
	for (; visit_next(visit); probes++)
		visit_done(visit, true);
	assert_int_equal(probes, LIMIT_REPEATS);
	free(visit);
}

static bool
is_rsa(void *ctx, const struct series *series)
{
	++*(unsigned *)ctx;
	return series->offer == OFFER_RSA;
}

static void
test_strike_out(void **state)
{
	struct visit *visit = visit_of(VISIT_HOST | VISIT_NEXTHOP, "domain.test");
	unsigned asked = 0;

	assert_int_equal(visit_strike_out(visit, is_rsa, &asked), 5);
	assert_int_equal(asked, 10);
	assert_int_equal(visit_left(visit), 5);
	expect(visit, SNI_NONE, OFFER_ECDSA, NULL, "");
	free(visit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_whole_plan),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_repeats),
	    cmocka_unit_test(test_strike_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
