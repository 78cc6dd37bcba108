#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "differ/certificate/value.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"

static const struct value *
list_of(struct arena *arena, const char *words, bool set)
{
	struct value_builder b = {.arena = arena};

	for (const char *p = words; *p != '\0'; p++)
		value_add(&b, value_text_len(arena, p, 1));
	return set ? value_set(&b) : value_list(&b);
}

static void
test_equality(void **state)
{
	struct arena a = {0};

	assert_true(value_equal(value_number(&a, 1), value_number(&a, 1)));
	assert_false(value_equal(value_number(&a, 1), value_time(&a, 1)));
	assert_false(value_equal(value_text(&a, "x"), value_text(&a, "xy")));
	assert_true(value_equal(value_text_len(&a, "a\0b", 3), value_text_len(&a, "a\0b", 3)));
	assert_false(value_equal(value_text_len(&a, "a\0b", 3), value_text_len(&a, "a\0c", 3)));
	assert_false(value_equal(value_text(&a, "x"), value_malformed(&a, "x")));
	assert_true(value_equal(value_null(), value_text(&a, NULL)));
	assert_true(value_equal(list_of(&a, "abc", true), list_of(&a, "cab", true)));
	assert_false(value_equal(list_of(&a, "abc", false), list_of(&a, "cab", false)));
	assert_false(value_equal(list_of(&a, "aab", true), list_of(&a, "abb", true)));
	assert_true(value_equal(list_of(&a, "", true), list_of(&a, "", true)));
	arena_finish(&a);
}

static void
test_objects(void **state)
{
	struct arena a = {0};
	struct value_builder one = {.arena = &a}, two = {.arena = &a};
	const struct value *v, *w;

	value_add_member(&one, "x", value_number(&a, 1));
	value_add_member(&one, "y", value_bool(&a, true));
	value_add_member(&two, "y", value_bool(&a, true));
	value_add_member(&two, "x", value_number(&a, 1));
	v = value_object(&one);
	w = value_object(&two);
	assert_true(value_equal(v, w));
	assert_int_equal(value_member(v, "x")->number, 1);
	assert_null(value_member(v, "z"));
	assert_null(value_member(value_null(), "x"));
	arena_finish(&a);
}

static void
test_missing(void **state)
{
	struct arena a = {0};
	const struct value *old = list_of(&a, "dbaac", true), *new = list_of(&a, "abe", true);
	bool missing[5] = {0};

	assert_int_equal(value_list_missing(old, new, missing), 3);
	assert_true(missing[0]);		      /* d */
	assert_false(missing[1]);		      /* b */
	assert_int_equal(missing[2] + missing[3], 1); /* one a of two */
	assert_true(missing[4]);		      /* c */
	arena_finish(&a);
}

static void
test_building_without_an_arena(void **state)
{
	struct value_builder b = {0};

	value_add(&b, value_number(NULL, 7));
	value_add_member(&b, "x", value_text(NULL, "x"));
	assert_int_equal(value_list(&b)->kind, VALUE_NULL);
	assert_int_equal(value_hex(NULL, "x", 1)->kind, VALUE_NULL);
	assert_int_equal(value_malformed(NULL, "x")->kind, VALUE_NULL);
	assert_int_equal(value_bool(NULL, true)->kind, VALUE_NULL);
}

static void
test_arena(void **state)
{
	struct arena a = {0};
	char *small, *large;

	for (int i = 0; i < 1000; i++)
		assert_int_equal((uintptr_t)arena_alloc(&a, 24) % 16, 0);
	large = arena_alloc(&a, 3 << 20);
	memset(large, 7, 3 << 20);
	small = arena_text(&a, "text", 4);
	assert_string_equal(small, "text");
	arena_finish(&a);
	assert_null(a.blocks);
}

/* Every octet, alone and in its place, comes out as JSON that another reader takes. */
static void
test_json_is_json(void **state)
{
	for (int c = 0; c < 256; c++) {
		struct arena a = {0};
		struct buf line = {0};
		uint8_t text[] = {'<', (uint8_t)c, '>'};
		struct value_builder b = {.arena = &a};
		json_t *j;

		value_add_member(&b, "t", value_text_len(&a, text, sizeof(text)));
		value_add_member(&b, "n", value_number(&a, INT64_MIN + c));
		out_json_value(&line, value_object(&b));
		assert_null(memchr(line.data, '\n', line.len));
		j = json_loadb((char *)line.data, line.len, JSON_ALLOW_NUL, NULL);
		assert_non_null(j);
		assert_int_equal(json_integer_value(json_object_get(j, "n")), INT64_MIN + c);
		if (c < 0x80) {
			assert_int_equal(json_string_length(json_object_get(j, "t")), 3);
			assert_memory_equal(json_string_value(json_object_get(j, "t")), text, 3);
		} else { /* no UTF-8 */
			assert_int_equal(json_string_length(json_object_get(j, "t")), 6);
		}
		json_decref(j);
		buf_finish(&line);
		arena_finish(&a);
	}
}

static void
test_json_of_each_kind(void **state)
{
	struct arena a = {0};
	struct value_builder b = {.arena = &a};
	struct buf line = {0};

	value_add(&b, value_null());
	value_add(&b, value_bool(&a, false));
	value_add(&b, value_number(&a, -12));
	value_add(&b, value_time(&a, 1773900600000));
	value_add(&b, value_text(&a, "\xc3\xa4\"\\\n\xff"));
	value_add(&b, value_malformed(&a, "why"));
	value_add(&b, value_hex(&a, "\x00\xab", 2));
	value_add(&b, list_of(&a, "", false));
	out_json_value(&line, value_list(&b));
	assert_string_equal(buf_text(&line),
	    "[null,false,-12,\"2026-03-19T06:10:00Z\",\"\xc3\xa4\\\"\\\\\\n\\\\xFF\","
	    "{\"malformed\":\"why\"},\"00ab\",[]]");
	buf_finish(&line);
	arena_finish(&a);
}

static void
test_text_is_harmless(void **state)
{
	struct arena a = {0};
	struct buf out = {0};

	out_text_value(&out, value_text(&a, "a\033[2Jb\xe2\x80\xae"
					    "c"));
	assert_string_equal(buf_text(&out), "a\\x1B[2Jb\\u{202E}c");
	buf_finish(&out);
	arena_finish(&a);
}

static void
test_idn_in_both_forms(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {{"dns:xn--mnchen-3ya.de", "dns:xn--mnchen-3ya.de (m\xc3\xbcnchen.de)"},
	    {"dns:xn--.de", "dns:xn--.de"}, {"dns:*.xn--mnchen-3ya.de\033", NULL},
	    {"dns:plain.de", "dns:plain.de"}, {"uri:xn--mnchen-3ya.de", "uri:xn--mnchen-3ya.de"}};
	struct arena a = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};

		out_text_value(&out, value_text(&a, cases[i].name));
		if (cases[i].text != NULL)
			assert_string_equal(buf_text(&out), cases[i].text);
		assert_null(memchr(out.data, '\033', out.len));
		buf_finish(&out);
	}
	arena_finish(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equality),
	    cmocka_unit_test(test_objects),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_building_without_an_arena),
	    cmocka_unit_test(test_arena),
	    cmocka_unit_test(test_json_is_json),
	    cmocka_unit_test(test_json_of_each_kind),
	    cmocka_unit_test(test_text_is_harmless),
	    cmocka_unit_test(test_idn_in_both_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
