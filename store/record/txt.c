#include "txt.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What stands behind a backslash: three digits of an octet, or a character. NULL: neither. */
static const char *
join_escape(struct buf *out, const char *p)
{
	unsigned v;

	if (!is_digit(p[0])) {
		buf_append_byte(out, (uint8_t)p[0]);
		return p[0] != '\0' ? p + 1 : NULL;
	}
	if (!is_digit(p[1]) || !is_digit(p[2]))
		return NULL;
	v = (unsigned)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
	if (v > 255)
		return NULL;
	buf_append_byte(out, (uint8_t)v);
	return p + 3;
}

/* A piece behind its first quote; behind its last one, or NULL. */
static const char *
join_piece(struct buf *out, const char *p)
{
	while (p != NULL && *p != '"') {
		if (*p == '\0')
			return NULL;
		if (*p == '\\') {
			p = join_escape(out, p + 1);
		} else {
			buf_append_byte(out, (uint8_t)*p);
			p++;
		}
	}
	return p != NULL ? p + 1 : NULL;
}

bool
txt_join(struct buf *out, const char *record)
{
	size_t start = out->len;
	const char *p = record;

	while (p != NULL && *p == '"') {
		if ((p = join_piece(out, p + 1)) != NULL && *p == ' ' && p[1] == '"')
			p++;
	}
	if (p != NULL && *p == '\0' && p != record)
		return true;
	out->len = start;
	return false;
}
