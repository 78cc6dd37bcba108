#include "members.h"

#include <string.h>

void
members_put(struct buf *out, uint8_t tag, const void *value, size_t len)
{
	buf_append_byte(out, tag);
	buf_append_varint(out, len);
	buf_append(out, value, len);
}

void
members_put_text(struct buf *out, uint8_t tag, const char *text)
{
	if (text != NULL)
		members_put(out, tag, text, strlen(text) + 1);
}

void
members_put_number(struct buf *out, uint8_t tag, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	members_put(out, tag, bytes, n);
}

void
members_put_list(struct buf *out, uint8_t tag, const char *const *texts, size_t n)
{
	size_t len = 0;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		len += strlen(texts[i]) + 1;
	buf_append_byte(out, tag);
	buf_append_varint(out, len);
	for (size_t i = 0; i < n; i++)
		buf_append(out, texts[i], strlen(texts[i]) + 1);
}

int
members_next(struct reader *r, uint8_t *last_tag, struct member *m)
{
	const uint8_t *value;
	uint64_t len;

	if (reader_left(r) == 0)
		return 0;
	m->tag = reader_byte(r);
	len = reader_varint(r);
	if (r->failed || len > reader_left(r) || m->tag <= *last_tag)
		return -1;
	value = reader_take(r, (size_t)len);
	m->value = reader_of(value, (size_t)len);
	*last_tag = m->tag;
	return 1;
}

const char *
members_text(struct member *m)
{
	size_t len = reader_left(&m->value);
	const char *text = (const char *)m->value.p;

	return len > 0 && strnlen(text, len) == len - 1 ? text : NULL;
}

bool
members_number(struct member *m, uint64_t *v)
{
	*v = reader_varint(&m->value);
	return !m->value.failed && reader_left(&m->value) == 0;
}

size_t
members_list_len(const struct member *m)
{
	size_t n = 0;

	for (const uint8_t *p = m->value.p; p < m->value.end; p++)
		n += *p == '\0';
	return n;
}

bool
members_list(struct member *m, const char **texts, size_t n)
{
	const uint8_t *p = m->value.p;

	if (p == m->value.end || m->value.end[-1] != '\0')
		return false;
	for (size_t i = 0; i < n; i++) {
		texts[i] = (const char *)p;
		p += strlen(texts[i]) + 1;
	}
	return p == m->value.end;
}
