/*
 * Changes that leave most of DER whole, for fuzz targets that read certificates. Octets changed at
 * random in PEM, or in DER whose lengths then lie, are refused in the first few steps; here one
 * element is changed, and the lengths of all that it stands in are made right. PEM becomes DER.
 *
 * MUTATE_PAIR: two certificates, one behind the other; one alone is doubled first, so that they
 * differ in little.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "differ/certificate/input.h"
#include "mutate_values.h"

#define DEPTH_MOST 24

#ifndef MUTATE_PAIR
#define MUTATE_PAIR 0
#endif

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t len, const uint8_t *other,
    size_t other_len, uint8_t *out, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t most);

struct element {
	size_t start, contents, end; /* in the octets that it was found in */
};

static unsigned
next(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % below;
}

static bool
element_at(const uint8_t *p, size_t at, size_t end, struct element *out)
{
	size_t len, head = 2;

	if (end - at < 2 || (p[at] & 0x1f) == 0x1f)
		return false;
	len = p[at + 1];
	if (len >= 0x80) {
		size_t octets = len & 0x7f;

		if (octets == 0 || octets > 3 || end - at < 2 + octets)
			return false;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | p[at + head++];
	}
	if (len > end - at - head)
		return false;
	*out = (struct element){at, at + head, at + head + len};
	return true;
}

/* One of the elements between at and end; false if those are not elements to the last octet. */
static bool
choose(const uint8_t *p, size_t at, size_t end, unsigned *seed, struct element *out)
{
	struct element e;
	unsigned n = 0;

	while (at < end) {
		if (!element_at(p, at, end, &e))
			return false;
		if (next(seed, ++n) == 0)
			*out = e;
		at = e.end;
	}
	return n > 0;
}

/* From the element at `at` down to one in it; path[0] is the outermost. Returns how many. */
static size_t
descend(const uint8_t *p, size_t at, size_t end, unsigned *seed, struct element path[DEPTH_MOST])
{
	size_t n = 0;

	if (!element_at(p, at, end, &path[0]))
		return 0;
	while (++n < DEPTH_MOST && next(seed, 12) > 0) {
		const struct element *up = &path[n - 1];
		size_t from = up->contents + (p[up->start] == DER_BIT_STRING);

		if (((p[up->start] & 0x20) == 0 && p[up->start] != DER_OCTET_STRING &&
			p[up->start] != DER_BIT_STRING) ||
		    from >= up->end || !choose(p, from, up->end, seed, &path[n]))
			break;
	}
	return n;
}

static void
append_element(struct buf *out, uint8_t id, const void *contents, size_t len)
{
	size_t octets = 0;

	buf_append_byte(out, id);
	if (len < 128) {
		buf_append_byte(out, (uint8_t)len);
	} else {
		while (len >> (8 * octets) != 0)
			octets++;
		buf_append_byte(out, (uint8_t)(0x80 | octets));
		while (octets-- > 0)
			buf_append_byte(out, (uint8_t)(len >> (8 * octets)));
	}
	buf_append(out, contents, len);
}

/* The element with other contents: of libFuzzer's choice, or of the list. */
static void
append_changed(struct buf *out, const uint8_t *p, const struct element *e, unsigned *seed)
{
	size_t len = e->end - e->contents, n = sizeof(mutate_values) / sizeof(mutate_values[0]);
	const struct mutate_value *value = &mutate_values[next(seed, (unsigned)n)];
	struct buf contents = {0};
	uint8_t *room;

	if (next(seed, 3) == 0) {
		append_element(out, p[e->start], value->p, value->len);
		return;
	}
	room = buf_reserve(&contents, len + 16);
	memcpy(room, p + e->contents, len);
	append_element(out, p[e->start], room, LLVMFuzzerMutate(room, len, len + 16));
	buf_finish(&contents);
}

/* What shall stand where the element stands. */
static void
append_mutant(struct buf *out, const uint8_t *p, const struct element *e, unsigned *seed)
{
	static const uint8_t ids[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x12, 0x13, 0x14,
	    0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82, 0x86, 0x87, 0x88,
	    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5};
	size_t whole = e->end - e->start, len = e->end - e->contents, at = out->len;

	switch (next(seed, 9)) {
	case 0: /* removed */
		break;
	case 1: /* doubled */
		buf_append(out, p + e->start, whole);
		buf_append(out, p + e->start, whole);
		break;
	case 2: /* of another type */
		append_element(out, ids[next(seed, sizeof(ids))], p + e->contents, len);
		break;
	case 3: /* a length that lies */
		buf_append(out, p + e->start, whole);
		out->data[at + 1] ^= (uint8_t)(1u << next(seed, 8));
		break;
	case 4: /* of indefinite length */
		buf_append_byte(out, p[e->start]);
		buf_append_byte(out, 0x80);
		buf_append(out, p + e->contents, len);
		buf_append(out, "\0", 2);
		break;
	case 5: /* a length in more octets than it needs */
		buf_append_byte(out, p[e->start]);
		buf_append_byte(out, 0x84);
		buf_append_u32be(out, (uint32_t)len);
		buf_append(out, p + e->contents, len);
		break;
	default:
		append_changed(out, p, e, seed);
	}
}

/* All octets, with `changed` in the place of the last element of the path. */
static void
rebuild(struct buf *out, const uint8_t *p, size_t len, const struct element *path, size_t n,
    const struct buf *changed)
{
	struct buf inner = {0}, outer = {0};

	buf_append(&inner, changed->data, changed->len);
	for (size_t i = n - 1; i-- > 0;) {
		const struct element *up = &path[i], *e = &path[i + 1];
		struct buf contents = {0};

		buf_append(&contents, p + up->contents, e->start - up->contents);
		buf_append(&contents, inner.data, inner.len);
		buf_append(&contents, p + e->end, up->end - e->end);
		buf_clear(&outer);
		append_element(&outer, p[up->start], contents.data, contents.len);
		buf_clear(&inner);
		buf_append(&inner, outer.data, outer.len);
		buf_finish(&contents);
	}
	buf_append(out, p, path[0].start);
	buf_append(out, inner.data, inner.len);
	buf_append(out, p + path[0].end, len - path[0].end);
	buf_finish(&inner);
	buf_finish(&outer);
}

/* The DER of PEM, or what is there. */
static void
to_der(struct buf *out, const uint8_t *data, size_t len, bool pair)
{
	struct element first;
	struct input in = {0};

	input_open_bytes(&in, data, len);
	if (input_next(&in))
		buf_append(out, in.der.data, in.der.len);
	if (pair && in.pem && input_next(&in))
		buf_append(out, in.der.data, in.der.len);
	input_finish(&in);
	if (pair && out->len > 0 && element_at(out->data, 0, out->len, &first) &&
	    first.end == out->len) {
		uint8_t *room = buf_reserve(out, first.end);

		memcpy(room, out->data, first.end);
		out->len += first.end;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed)
{
	struct element path[DEPTH_MOST];
	struct buf der = {0}, changed = {0}, out = {0};
	size_t n, at = 0;

	if (next(&seed, 8) == 0)
		return LLVMFuzzerMutate(data, len, most);
	to_der(&der, data, len, MUTATE_PAIR);
	if (MUTATE_PAIR && next(&seed, 2) == 0 && element_at(der.data, 0, der.len, &path[0]))
		at = path[0].end;
	n = der.len > 0 ? descend(der.data, at, der.len, &seed, path) : 0;
	if (n > 0) {
		append_mutant(&changed, der.data, &path[n - 1], &seed);
		rebuild(&out, der.data, der.len, path, n, &changed);
	}
	if (n == 0 || out.len > most) {
		len = LLVMFuzzerMutate(data, len, most);
	} else {
		len = out.len;
		memcpy(data, buf_text(&out), len);
	}
	buf_finish(&der);
	buf_finish(&changed);
	buf_finish(&out);
	return len;
}

size_t
LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t len, const uint8_t *other, size_t other_len,
    uint8_t *out, size_t most, unsigned seed)
{
	struct element path[DEPTH_MOST], taken[DEPTH_MOST];
	struct buf der = {0}, from = {0}, changed = {0}, mixed = {0};
	size_t n, m;

	to_der(&der, data, len, false);
	to_der(&from, other, other_len, false);
	n = der.len > 0 ? descend(der.data, 0, der.len, &seed, path) : 0;
	m = from.len > 0 ? descend(from.data, 0, from.len, &seed, taken) : 0;
	len = 0;
	if (n > 0 && m > 0) {
		const struct element *e = &taken[m - 1];

		buf_append(&changed, from.data + e->start, e->end - e->start);
		e = &path[n - 1];
		if (next(&seed, 2) == 0)
			buf_append(&changed, der.data + e->start, e->end - e->start);
		rebuild(&mixed, der.data, der.len, path, n, &changed);
		len = mixed.len <= most ? mixed.len : 0;
		memcpy(out, buf_text(&mixed), len);
	}
	buf_finish(&der);
	buf_finish(&from);
	buf_finish(&changed);
	buf_finish(&mixed);
	return len;
}
