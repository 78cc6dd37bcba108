/*
 * The difference of two certificates: two blocks of PEM, two elements of DER, or the halves of
 * anything else. What is held here: two that are equal differ in nothing, two that are not differ
 * visibly, and the other way round as well.
 */
#include <stdlib.h>
#include <string.h>

#include "differ/certificate/input.h"
#include "differ/facts/certificate_model.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
compare(const struct facts *old, const struct facts *new, bool equal)
{
	struct certificate_origin origin = {"fuzz", 0};
	struct difference d[FIELD_N];
	struct arena arena = {0};
	struct buf out = {0};
	size_t n = diff_facts(old, new, &arena, d);

	if ((n == 0) != equal)
		abort();
	out_json_value(&out, certificate_model_diff(&arena, old, &origin, new, &origin, d, n));
	out_text_differences(&out, d, n, 0, false);
	buf_finish(&out);
	arena_finish(&arena);
}

/* Where the second begins. */
static size_t
split(const uint8_t *data, size_t len)
{
	struct der d = {.start = data, .muted = true};
	struct cursor c = cursor_of(span_of(data, len));
	struct tlv first;

	if (der_optional(&d, &c, DER_SEQUENCE, &first, NULL))
		return first.whole.len;
	return len / 2;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf first = {0};
	struct input in = {0};
	size_t first_len = split(data, len), second_len = len - first_len;
	const uint8_t *second = data + first_len;
	struct facts *old, *new;
	bool equal;

	input_open_bytes(&in, data, len);
	buf_append(&first, data, first_len);
	if (input_next(&in) && in.pem) {
		buf_clear(&first);
		buf_append(&first, in.der.data, in.der.len);
		first_len = first.len;
		second_len = 0;
		if (input_next(&in)) {
			second = in.der.data;
			second_len = in.der.len;
		}
	}
	equal = first_len == second_len &&
		(first_len == 0 || memcmp(first.data, second, first_len) == 0);
	old = facts_of_certificate(first.data, first_len);
	new = facts_of_certificate(second, second_len);
	compare(old, new, equal);
	compare(new, old, equal);
	facts_destroy(old);
	facts_destroy(new);
	input_finish(&in);
	buf_finish(&first);
	return 0;
}
