#include "day.h"

#include <string.h>

#include "clock.h"

#define HEADER_LEN 10

int
day_compare(const struct sighting *a, const struct sighting *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	if (a->evidence != b->evidence)
		return a->evidence < b->evidence ? -1 : 1;
	for (int i = 0; i < MS_N; i++)
		if (a->ms[i] != b->ms[i])
			return a->ms[i] < b->ms[i] ? -1 : 1;
	return (a->ttl_s > b->ttl_s) - (a->ttl_s < b->ttl_s);
}

bool
day_summary(const void *chunk, size_t len, int64_t day, uint32_t *count, int64_t *last_ms,
    uint32_t *last_evidence)
{
	const uint8_t *p = chunk;
	struct reader r = reader_of(chunk, len);
	uint32_t offset_ms;

	reader_take(&r, 2);
	offset_ms = reader_u32le(&r);
	*last_evidence = reader_u32le(&r);
	if (r.failed || offset_ms >= CLOCK_DAY_MS)
		return false;
	*count = (uint32_t)p[0] | (uint32_t)p[1] << 8;
	*last_ms = day * CLOCK_DAY_MS + offset_ms;
	return true;
}

bool
day_reader_init(
    struct day_reader *r, enum series_kind kind, int64_t day, const void *chunk, size_t len)
{
	int64_t last_ms;
	uint32_t last_evidence;

	*r = (struct day_reader){
	    .kind = kind, .day_ms = day * CLOCK_DAY_MS, .time_ms = day * CLOCK_DAY_MS};
	if (!day_summary(chunk, len, day, &r->left, &last_ms, &last_evidence) || r->left == 0)
		return false;
	r->p = (const uint8_t *)chunk + HEADER_LEN;
	r->end = (const uint8_t *)chunk + len;
	return true;
}

/* Of at most 32 bits and a few; -1 if it is none. */
static inline int64_t
varint(struct day_reader *r)
{
	uint64_t v = 0;

	if (r->p < r->end && *r->p < 0x80)
		return *r->p++;
	for (unsigned shift = 0; r->p < r->end && shift <= 35; shift += 7) {
		uint8_t byte = *r->p++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return (int64_t)v;
	}
	return -1;
}

int
day_next(struct day_reader *r, struct sighting *out)
{
	int64_t delta_ms, delta_evidence, evidence, v;

	if (r->left == 0)
		return r->p == r->end ? 0 : -1;
	delta_ms = varint(r);
	delta_evidence = varint(r);
	evidence = r->evidence + unzigzag((uint64_t)delta_evidence);
	if (delta_ms < 0 || delta_evidence < 0 || evidence < 0 || evidence > UINT32_MAX ||
	    r->time_ms + delta_ms >= r->day_ms + CLOCK_DAY_MS)
		return -1;
	out->time_ms = r->time_ms += delta_ms;
	out->evidence = r->evidence = (uint32_t)evidence;
	out->ttl_s = 0;
	if (r->kind == SERIES_DNS) {
		for (int i = 0; i < MS_N; i++)
			out->ms[i] = -1;
		if ((v = varint(r)) < 0 || v > UINT32_MAX)
			return -1;
		out->ttl_s = (uint32_t)v;
	} else {
		for (int i = 0; i < MS_N; i++) {
			if ((v = varint(r)) < 0 || v > (int64_t)INT32_MAX + 1)
				return -1;
			out->ms[i] = (int32_t)(v - 1);
		}
	}
	r->left--;
	return 1;
}

static void
put_le(uint8_t *p, uint32_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

bool
day_append(struct buf *chunk, enum series_kind kind, int64_t day, const struct sighting *sighting)
{
	int64_t before_ms = day * CLOCK_DAY_MS;
	uint32_t count = 0, evidence = 0;
	size_t len = chunk->len;

	if (len == 0)
		buf_append(chunk, (uint8_t[HEADER_LEN]){0}, HEADER_LEN);
	else if (!day_summary(chunk->data, len, day, &count, &before_ms, &evidence))
		return false;
	buf_append_varint(chunk, (uint64_t)(sighting->time_ms - before_ms));
	buf_append_varint(chunk, zigzag((int64_t)sighting->evidence - evidence));
	if (kind == SERIES_DNS)
		buf_append_varint(chunk, sighting->ttl_s);
	else
		for (int i = 0; i < MS_N; i++)
			buf_append_varint(chunk, (uint64_t)((int64_t)sighting->ms[i] + 1));
	if (chunk->len > DAY_CHUNK_MAX) {
		chunk->len = len;
		return false;
	}
	put_le(chunk->data, count + 1, 2);
	put_le(chunk->data + 2, (uint32_t)(sighting->time_ms - day * CLOCK_DAY_MS), 4);
	put_le(chunk->data + 6, sighting->evidence, 4);
	return true;
}
