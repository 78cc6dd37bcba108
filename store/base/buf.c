#include "buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

void
buf_finish(struct buf *b)
{
	if (b == NULL)
		return;
	free(b->data);
	*b = (struct buf){0};
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	if (b->cap - b->len < n) {
		size_t cap = b->cap < 64 ? 64 : b->cap;

		while (cap - b->len < n)
			cap *= 2;
		b->data = mem_grow(b->data, cap, 1);
		b->cap = cap;
	}
	return b->data + b->len;
}

void
buf_append(struct buf *b, const void *p, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(b, len), p, len);
	b->len += len;
}

void
buf_append_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void
buf_append_byte(struct buf *b, uint8_t byte)
{
	*buf_reserve(b, 1) = byte;
	b->len++;
}

void
buf_append_hex(struct buf *b, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *out = buf_reserve(b, 2 * len);

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = (uint8_t)digits[p[i] >> 4];
		out[2 * i + 1] = (uint8_t)digits[p[i] & 15];
	}
	b->len += 2 * len;
}

static void
append_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *out = buf_reserve(b, n);

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	b->len += n;
}

static void
append_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *out = buf_reserve(b, n);

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * i));
	b->len += n;
}

void
buf_append_u16be(struct buf *b, uint16_t v)
{
	append_be(b, v, 2);
}

void
buf_append_u32be(struct buf *b, uint32_t v)
{
	append_be(b, v, 4);
}

void
buf_append_u64be(struct buf *b, uint64_t v)
{
	append_be(b, v, 8);
}

void
buf_append_u16le(struct buf *b, uint16_t v)
{
	append_le(b, v, 2);
}

void
buf_append_u32le(struct buf *b, uint32_t v)
{
	append_le(b, v, 4);
}

void
buf_append_u64le(struct buf *b, uint64_t v)
{
	append_le(b, v, 8);
}

void
buf_append_varint(struct buf *b, uint64_t v)
{
	uint8_t *out = buf_reserve(b, 10);
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	b->len += n;
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		vsnprintf((char *)buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

const char *
buf_text(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return (const char *)b->data;
}

const uint8_t *
reader_take(struct reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->failed || len > reader_left(r)) {
		r->failed = true;
		return NULL;
	}
	r->p += len;
	return p;
}

static uint64_t
take_be(struct reader *r, size_t n)
{
	const uint8_t *p = reader_take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static uint64_t
take_le(struct reader *r, size_t n)
{
	const uint8_t *p = reader_take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t
reader_byte(struct reader *r)
{
	return (uint8_t)take_be(r, 1);
}

uint16_t
reader_u16be(struct reader *r)
{
	return (uint16_t)take_be(r, 2);
}

uint32_t
reader_u32be(struct reader *r)
{
	return (uint32_t)take_be(r, 4);
}

uint64_t
reader_u64be(struct reader *r)
{
	return take_be(r, 8);
}

uint16_t
reader_u16le(struct reader *r)
{
	return (uint16_t)take_le(r, 2);
}

uint32_t
reader_u32le(struct reader *r)
{
	return (uint32_t)take_le(r, 4);
}

uint64_t
reader_u64le(struct reader *r)
{
	return take_le(r, 8);
}

uint64_t
reader_varint(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t *p = reader_take(r, 1);

		if (p == NULL)
			return 0;
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (*p < 0x80)
			return v;
	}
	r->failed = true;
	return 0;
}
