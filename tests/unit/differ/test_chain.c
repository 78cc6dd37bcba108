#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "differ/certificate/chain.h"
#include "differ/out/out_json.h"

#define KEY_IDS(subject, authority)                           \
	"a3(30(" BUILD_EXTENSION("551d0e", "04(" subject ")") \
	    BUILD_EXTENSION("551d23", "30(80(" authority "))") "))"

/* Issuer, subject, and the key ids of both if they are given. */
static const struct {
	const char *issuer, *subject, *extensions;
} made[] = {
    {BUILD_CN("'ca'"), BUILD_CN("'leaf'"), ""}, {BUILD_CN("'root'"), BUILD_CN("'ca'"), ""},
    {BUILD_CN("'root'"), BUILD_CN("'root'"), ""},
    {BUILD_CN("'other'"), BUILD_CN("'ca'"), ""},		 /* cross-signed */
    {BUILD_CN("'root'"), BUILD_CN("'stray'"), ""},		 /* nobody's issuer */
    {BUILD_CN("'ca'"), BUILD_CN("'leaf'"), KEY_IDS("01", "02")}, /* its issuer's key is 02 */
    {BUILD_CN("'root'"), BUILD_CN("'ca'"), KEY_IDS("03", "04")}, /* of the same name, key 03 */
    {"31()", BUILD_CN("'ca'"), ""},				 /* no issuer that can be read */
};

enum { LEAF, CA, ROOT, CROSS, STRAY, LEAF_02, CA_03, UNREADABLE, END };

static const struct {
	uint8_t chain[8];
	const char *in_order, *missing, *anchor;
	size_t surplus;
} cases[] = {
    {{LEAF, CA, END}, "true", "null", "\"CN=root\"", 0},
    {{LEAF, CA, ROOT, END}, "true", "null", "\"CN=root\"", 0},
    {{LEAF, ROOT, CA, END}, "false", "null", "\"CN=root\"", 0},
    {{LEAF, END}, "true", "\"CN=ca\"", "null", 0},
    {{LEAF, ROOT, END}, "true", "\"CN=ca\"", "null", 1},
    {{ROOT, END}, "true", "null", "\"CN=root\"", 0},
    {{LEAF, CA, STRAY, END}, "true", "null", "\"CN=root\"", 1},
    {{LEAF, STRAY, CA, END}, "true", "null", "\"CN=root\"", 1},
    {{LEAF, LEAF, CA, CA, END}, "true", "null", "\"CN=root\"", 2},
    {{ROOT, ROOT, END}, "true", "null", "\"CN=root\"", 1},
    {{LEAF, CA, CROSS, END}, "true", "null", "\"CN=root\"", 0},
    {{LEAF, CROSS, CA, END}, "true", "null", "\"CN=other\"", 0},
    {{LEAF_02, CA, END}, "true", "null", "\"CN=root\"", 0},
    {{LEAF_02, CA_03, END}, "true", "\"CN=ca\"", "null", 1},
    {{LEAF, UNREADABLE, END}, "true", "\"CN=ca\"", "null", 1},
    {{UNREADABLE, CA, END}, "null", "null", "null", 0},
    {{END}, "null", "null", "null", 0},
};

static void
assert_value(size_t i, const char *what, const struct value *v, const char *json)
{
	struct buf out = {0};

	out_json_value(&out, v);
	if (strcmp(buf_text(&out), json) != 0)
		fail_msg("case %zu: %s: %s", i, what, buf_text(&out));
	buf_finish(&out);
}

static void
judge(size_t i, const struct buf ders[])
{
	struct span certificates[8];
	struct arena arena = {0};
	struct chain chain;
	size_t n = 0;

	for (; cases[i].chain[n] != END; n++)
		certificates[n] =
		    span_of(ders[cases[i].chain[n]].data, ders[cases[i].chain[n]].len);
	chain_judge(&arena, certificates, n, &chain);
	assert_value(i, "in order", chain.in_order, cases[i].in_order);
	assert_value(i, "missing", chain.missing, cases[i].missing);
	assert_value(i, "anchor", chain.anchor, cases[i].anchor);
	if (chain.surplus->n != cases[i].surplus)
		fail_msg("case %zu: surplus: %zu", i, chain.surplus->n);
	arena_finish(&arena);
}

static void
test_paths(void **state)
{
	struct buf ders[END] = {0};

	for (size_t k = 0; k < END; k++) {
		const char *parts[BUILD_PARTS] = {[BUILD_ISSUER] = made[k].issuer,
		    [BUILD_SUBJECT] = made[k].subject,
		    [BUILD_EXTENSIONS] = made[k].extensions};

		build(&ders[k], parts, BUILD_SERIAL, NULL);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		judge(i, ders);
	for (size_t k = 0; k < END; k++)
		buf_finish(&ders[k]);
}

/* A certificate that is not known, or more of them than we judge: nothing is said. */
static void
test_not_judged(void **state)
{
	const char *parts[BUILD_PARTS] = {NULL};
	struct span certificates[DIFFER_CHAIN_MAX + 1];
	struct arena arena = {0};
	struct buf der = {0};
	struct chain chain;

	build(&der, parts, BUILD_SERIAL, NULL);
	for (size_t i = 0; i <= DIFFER_CHAIN_MAX; i++)
		certificates[i] = span_of(der.data, der.len);
	chain_judge(&arena, certificates, DIFFER_CHAIN_MAX, &chain);
	assert_int_equal(chain.in_order->kind, VALUE_BOOL);
	assert_int_equal(chain.surplus->n, DIFFER_CHAIN_MAX - 1);
	chain_judge(&arena, certificates, DIFFER_CHAIN_MAX + 1, &chain);
	assert_int_equal(chain.in_order->kind, VALUE_NULL);
	assert_int_equal(chain.surplus->kind, VALUE_NULL);
	certificates[1].len = 0;
	chain_judge(&arena, certificates, 2, &chain);
	assert_int_equal(chain.in_order->kind, VALUE_NULL);
	arena_finish(&arena);
	buf_finish(&der);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths), cmocka_unit_test(test_not_judged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
