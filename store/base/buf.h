/*
 * buf: bytes that grow, and bytes that are read with a bound.
 *
 * struct buf is what records, keys and lines of output are built in. Zero-initialise it
 * (struct buf b = {0}), buf_finish() it. Numbers are written byte by byte, so that what is on
 * disk does not depend on the machine: big-endian in keys (they sort), little-endian in values,
 * and LEB128 varints (7 bits an octet, least significant first).
 *
 * struct reader walks bytes that may be hostile: every take is checked; after the first one that
 * does not fit, `failed` is set and all further ones yield zeros, so that a decoder checks once.
 */
#ifndef MX509_BUF_H
#define MX509_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
};

void buf_finish(struct buf *b);		       /* frees; b can be used again */
void buf_clear(struct buf *b);		       /* empties, keeps the memory */
uint8_t *buf_reserve(struct buf *b, size_t n); /* room for n more bytes; len is not changed */
void buf_append(struct buf *b, const void *p, size_t len);
void buf_append_text(struct buf *b, const char *text); /* without its NUL */
void buf_append_byte(struct buf *b, uint8_t byte);
void buf_append_hex(struct buf *b, const uint8_t *p, size_t len); /* lower-case */
void buf_append_u16be(struct buf *b, uint16_t v);
void buf_append_u32be(struct buf *b, uint32_t v);
void buf_append_u64be(struct buf *b, uint64_t v);
void buf_append_u16le(struct buf *b, uint16_t v);
void buf_append_u32le(struct buf *b, uint32_t v);
void buf_append_u64le(struct buf *b, uint64_t v);
void buf_append_varint(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0), nonnull(2)));

/* The contents as a C string: a NUL is written behind them, not counted in len. Valid until the
 * next call on b. */
const char *buf_text(struct buf *b);

struct reader {
	const uint8_t *p, *end;
	bool failed;
};

static inline struct reader
reader_of(const void *p, size_t len)
{
	return (struct reader){.p = p, .end = (const uint8_t *)p + len};
}

static inline size_t
reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

const uint8_t *reader_take(struct reader *r, size_t len); /* NULL where it does not fit */
uint8_t reader_byte(struct reader *r);
uint16_t reader_u16be(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);
uint16_t reader_u16le(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint64_t reader_u64le(struct reader *r);
uint64_t reader_varint(struct reader *r); /* at most 10 octets */

/* Signed numbers as varints: 0, -1, 1, -2, … become 0, 1, 2, 3, … */
static inline uint64_t
zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t
unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
