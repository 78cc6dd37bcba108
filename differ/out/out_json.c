#include "out_json.h"

#include <string.h>

#include "store/base/clock.h"
#include "store/base/text.h"

/* Octets that stand for themselves in a string; the others are escapes, or parts of UTF-8. */
static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
append_escape(struct buf *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

	switch (c) {
	case '"':
		buf_append_text(out, "\\\"");
		break;
	case '\\':
		buf_append_text(out, "\\\\");
		break;
	case '\n':
		buf_append_text(out, "\\n");
		break;
	case '\r':
		buf_append_text(out, "\\r");
		break;
	case '\t':
		buf_append_text(out, "\\t");
		break;
	default:
		buf_append(out, escape, sizeof(escape));
	}
}

/* One character that is not plain; how many octets it has. */
static size_t
append_character(struct buf *out, const uint8_t *p, size_t left)
{
	uint32_t rune;
	size_t n = text_utf8(p, left, &rune);

	if (n > 1)
		buf_append(out, p, n);
	else if (n == 1)
		append_escape(out, *p);
	else /* the same as text_valid_utf8(), in JSON */
		buf_printf(out, "\\\\x%02X", *p);
	return n > 0 ? n : 1;
}

static void
append_text(struct buf *out, const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;

	buf_append_byte(out, '"');
	while (p < end) {
		const uint8_t *run = p;

		while (p < end && is_plain(*p))
			p++;
		buf_append(out, run, (size_t)(p - run));
		if (p < end)
			p += append_character(out, p, (size_t)(end - p));
	}
	buf_append_byte(out, '"');
}

static void
append_number(struct buf *out, int64_t number)
{
	char digits[20];
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		buf_append_byte(out, '-');
	buf_append(out, digits + n, sizeof(digits) - n);
}

static void
append_name(struct buf *out, const struct value *member)
{
	append_text(out, member->name, strlen(member->name));
	buf_append_byte(out, ':');
}

static void
append_members(struct buf *out, const struct value *v)
{
	for (size_t i = 0; i < v->n; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		if (v->kind == VALUE_OBJECT)
			append_name(out, &v->items[i]);
		out_json_value(out, &v->items[i]);
	}
}

static int
append_items(struct buf *out, size_t n, out_json_item *item, void *ctx)
{
	struct arena arena = {0};
	size_t i;

	buf_append_byte(out, '[');
	for (i = 0; i < n; i++) {
		const struct value *v = item(ctx, i, &arena);

		if (v == NULL)
			break;
		if (i > 0)
			buf_append_byte(out, ',');
		out_json_value(out, v);
		arena_clear(&arena);
	}
	buf_append_byte(out, ']');
	arena_finish(&arena);
	return i == n ? 0 : -1;
}

int
out_json_listing(struct buf *line, const struct value *object, const char *name, size_t n,
    out_json_item *item, void *ctx)
{
	int rc = 0;

	buf_append_byte(line, '{');
	for (size_t i = 0; rc == 0 && i < object->n; i++) {
		if (i > 0)
			buf_append_byte(line, ',');
		append_name(line, &object->items[i]);
		if (strcmp(object->items[i].name, name) == 0)
			rc = append_items(line, n, item, ctx);
		else
			out_json_value(line, &object->items[i]);
	}
	buf_append_byte(line, '}');
	return rc;
}

void
out_json_value(struct buf *line, const struct value *v)
{
	char time[CLOCK_TEXT_MAX];

	switch (v->kind) {
	case VALUE_NULL:
		buf_append_text(line, "null");
		break;
	case VALUE_MALFORMED:
		buf_append_text(line, "{\"malformed\":");
		append_text(line, v->text, v->len);
		buf_append_byte(line, '}');
		break;
	case VALUE_BOOL:
		buf_append_text(line, v->truth ? "true" : "false");
		break;
	case VALUE_NUMBER:
		append_number(line, v->number);
		break;
	case VALUE_TEXT:
		append_text(line, v->text, v->len);
		break;
	case VALUE_TIME:
		clock_format_s(v->number, time);
		append_text(line, time, strlen(time));
		break;
	case VALUE_LIST:
		buf_append_byte(line, '[');
		append_members(line, v);
		buf_append_byte(line, ']');
		break;
	case VALUE_OBJECT:
		buf_append_byte(line, '{');
		append_members(line, v);
		buf_append_byte(line, '}');
		break;
	}
}
