#include "out_json.h"

#include <jansson.h>
#include <stdlib.h>

#include "../store/clock.h"
#include "../store/text.h"

static int
append_dumped(const char *p, size_t len, void *ctx)
{
	buf_append(ctx, p, len);
	return 0;
}

static bool
is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	uint32_t rune;

	for (size_t n; len > 0; p += n, len -= n) {
		if ((n = *p < 0x80 ? 1 : text_utf8(p, len, &rune)) == 0)
			return false;
	}
	return true;
}

static json_t *
text_to_json(const char *text, size_t len)
{
	struct buf valid = {0};
	json_t *j;

	if (is_utf8(text, len))
		return json_stringn_nocheck(text, len);
	text_valid_utf8(&valid, text, len);
	j = json_stringn_nocheck((const char *)valid.data, valid.len);
	buf_finish(&valid);
	return j;
}

static json_t *to_json(const struct value *v);

static json_t *
list_to_json(const struct value *v)
{
	json_t *j = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(j, to_json(&v->items[i]));
	return j;
}

static json_t *
object_to_json(const struct value *v)
{
	json_t *j = json_object();

	for (size_t i = 0; i < v->n; i++)
		json_object_set_new_nocheck(j, v->items[i].name, to_json(&v->items[i]));
	return j;
}

static json_t *
to_json(const struct value *v)
{
	char time[CLOCK_TEXT_MAX];
	json_t *j;

	switch (v->kind) {
	case VALUE_NULL:
		return json_null();
	case VALUE_MALFORMED:
		j = json_object();
		json_object_set_new_nocheck(j, "malformed", text_to_json(v->text, v->len));
		return j;
	case VALUE_BOOL:
		return json_boolean(v->truth);
	case VALUE_NUMBER:
		return json_integer(v->number);
	case VALUE_TEXT:
		return text_to_json(v->text, v->len);
	case VALUE_TIME:
		clock_format_s(v->number, time);
		return json_string_nocheck(time);
	case VALUE_LIST:
		return list_to_json(v);
	case VALUE_OBJECT:
		return object_to_json(v);
	}
	return json_null();
}

void
out_json_value(struct buf *line, const struct value *v)
{
	json_t *j = to_json(v);

	json_dump_callback(j, append_dumped, line, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(j);
}
