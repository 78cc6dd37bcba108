#include "day.h"

#include <string.h>

#include "key.h"
#include "store/base/clock.h"

#define FORM 1
#define HEADER_LEN 11
#define SIGHTING_LEAST 3 /* octets: the word and a time */
#define SIGHTING_MOST 30 /* the word, 4 for each of seven fields */
#define SIGHTING_ROOM 34 /* a field is read as four octets, whatever its length */

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
	struct reader r = reader_of(chunk, len);
	uint8_t form = reader_byte(&r);
	uint32_t offset_ms;

	*count = reader_u16le(&r);
	offset_ms = reader_u32le(&r);
	*last_evidence = reader_u32le(&r);
	*last_ms = day * CLOCK_DAY_MS + offset_ms;
	return !r.failed && form == FORM && *count > 0 && offset_ms < CLOCK_DAY_MS;
}

bool
day_reader_init(
    struct day_reader *r, enum series_kind kind, int64_t day, const void *chunk, size_t len)
{
	int64_t last_ms;
	uint32_t last_evidence;

	*r = (struct day_reader){
	    .kind = kind, .day_ms = day * CLOCK_DAY_MS, .time_ms = day * CLOCK_DAY_MS};
	if (!day_summary(chunk, len, day, &r->left, &last_ms, &last_evidence))
		return false;
	r->p = (const uint8_t *)chunk + HEADER_LEN;
	r->end = (const uint8_t *)chunk + len;
	return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Where the fields of an octet's four pairs begin and, the fourth, where the last one ends, in
 * octets from the first: the sums of their lengths. */
struct places {
	uint8_t end[4];
};

#define LEN(pair) ((pair) == 3 ? 4 : (pair))
#define PLACES(first, i)                                                                      \
	{                                                                                     \
		{                                                                             \
			first, first + LEN((i) >> 2 & 3),                                     \
			    first + LEN((i) >> 2 & 3) + LEN((i) >> 4 & 3),                    \
			    first + LEN((i) >> 2 & 3) + LEN((i) >> 4 & 3) + LEN((i) >> 6 & 3) \
		}                                                                             \
	}
#define LOW(i) PLACES(((i)&3) + 1, i)
#define HIGH(i) PLACES(LEN((i)&3), i)
#define FOUR(m, i) m(i), m((i) + 1), m((i) + 2), m((i) + 3)
#define SIXTEEN(m, i) FOUR(m, i), FOUR(m, (i) + 4), FOUR(m, (i) + 8), FOUR(m, (i) + 12)
#define SIXTY_FOUR(m, i) \
	SIXTEEN(m, i), SIXTEEN(m, (i) + 16), SIXTEEN(m, (i) + 32), SIXTEEN(m, (i) + 48)
#define ALL(m) SIXTY_FOUR(m, 0), SIXTY_FOUR(m, 64), SIXTY_FOUR(m, 128), SIXTY_FOUR(m, 192)

/* Of the word's low octet: time, evidence, two measures; of its high one: three measures. */
static const struct places low_places[256] = {ALL(LOW)}, high_places[256] = {ALL(HIGH)};

static const uint32_t masks_of_time[4] = {0xff, 0xffff, 0xffffff, 0xffffffff};
static const uint32_t masks[4] = {0, 0xff, 0xffff, 0xffffffff};

static inline uint32_t
u32le_at(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline int32_t
measure(const uint8_t *p, unsigned pair)
{
	return pair == 0 ? -1 : (int32_t)(u32le_at(p) & masks[pair]);
}

static inline int64_t
evidence_of(const uint8_t *p, unsigned pair, uint32_t before)
{
	uint32_t v = u32le_at(p) & masks[pair];

	return pair == 3 ? (int64_t)v : (int64_t)before + unzigzag(v);
}

/* One sighting at p, where SIGHTING_ROOM octets can be read, of which `room` are the chunk's. */
static inline int
take(struct day_reader *r, const uint8_t *p, size_t room, struct sighting *out)
{
	const struct places *low = &low_places[p[0]], *high = &high_places[p[1]];
	unsigned pairs = (unsigned)p[0] | (unsigned)p[1] << 8;
	size_t len = 2u + low->end[3] + high->end[2];
	int64_t time_ms, evidence;
	bool bad;

	p += 2;
	time_ms = r->time_ms + (u32le_at(p) & masks_of_time[pairs & 3]);
	evidence = evidence_of(p + low->end[0], pairs >> 2 & 3, r->evidence);
	out->ms[0] = measure(p + low->end[1], pairs >> 4 & 3);
	out->ms[1] = measure(p + low->end[2], pairs >> 6 & 3);
	p += low->end[3];
	out->ms[2] = measure(p, pairs >> 8 & 3);
	out->ms[3] = measure(p + high->end[0], pairs >> 10 & 3);
	out->ms[4] = measure(p + high->end[1], pairs >> 12 & 3);
	out->ttl_s = 0;
	bad = pairs >> 14 != 0 || len > room || time_ms >= r->day_ms + CLOCK_DAY_MS ||
	      evidence < 0 || evidence > UINT32_MAX;
	if (r->kind == SERIES_DNS) {
		out->ttl_s = (pairs >> 4 & 3) == 0 ? 0 : (uint32_t)out->ms[0];
		out->ms[0] = -1;
		bad |= pairs >> 6 != 0;
	}
	for (int i = 0; i < MS_N; i++)
		bad |= out->ms[i] < -1;
	if (bad)
		return -1;
	out->time_ms = r->time_ms = time_ms;
	out->evidence = r->evidence = (uint32_t)evidence;
	r->p += len;
	r->left--;
	return 1;
}

/* The last ones of a chunk, behind which there may be nothing to read. */
static int __attribute__((noinline))
take_near_end(struct day_reader *r, size_t room, struct sighting *out)
{
	uint8_t octets[SIGHTING_ROOM] = {0};

	if (room < SIGHTING_LEAST)
		return -1;
	memcpy(octets, r->p, room);
	return take(r, octets, room, out);
}

int
day_next(struct day_reader *r, struct sighting *out)
{
	size_t room = (size_t)(r->end - r->p);

	if (r->left == 0)
		return room == 0 ? 0 : -1;
	return room >= SIGHTING_ROOM ? take(r, r->p, room, out) : take_near_end(r, room, out);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void
put_le(uint8_t *p, uint32_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* A field in 1, 2 or 4 octets; its pair. */
static unsigned
put_field(uint8_t **p, uint32_t v)
{
	unsigned pair = v <= 0xff ? 1 : v <= 0xffff ? 2 : 3;

	put_le(*p, v, LEN(pair));
	*p += LEN(pair);
	return pair;
}

static unsigned
put_time(uint8_t **p, uint32_t delta_ms)
{
	unsigned len = delta_ms <= 0xff ? 1 : delta_ms <= 0xffff ? 2 : delta_ms <= 0xffffff ? 3 : 4;

	put_le(*p, delta_ms, len);
	*p += len;
	return len - 1;
}

static unsigned
put_evidence(uint8_t **p, uint32_t evidence, uint32_t before)
{
	uint64_t difference = zigzag((int64_t)evidence - before);

	if (difference == 0)
		return 0;
	if (difference <= 0xffff)
		return put_field(p, (uint32_t)difference);
	put_le(*p, evidence, 4);
	*p += 4;
	return 3;
}

bool
day_append(struct buf *chunk, enum series_kind kind, int64_t day, const struct sighting *s)
{
	int64_t before_ms = day * CLOCK_DAY_MS;
	uint8_t bytes[SIGHTING_MOST], *p = bytes + 2;
	uint32_t count = 0, evidence = 0;
	unsigned pairs;

	if (chunk->len > 0 &&
	    !day_summary(chunk->data, chunk->len, day, &count, &before_ms, &evidence))
		return false;
	pairs = put_time(&p, (uint32_t)(s->time_ms - before_ms));
	pairs |= put_evidence(&p, s->evidence, evidence) << 2;
	if (kind == SERIES_DNS && s->ttl_s > 0)
		pairs |= put_field(&p, s->ttl_s) << 4;
	for (int i = 0; kind == SERIES_PROBE && i < MS_N; i++)
		if (s->ms[i] >= 0)
			pairs |= put_field(&p, (uint32_t)s->ms[i]) << (4 + 2 * i);
	put_le(bytes, pairs, 2);
	if (chunk->len == 0)
		buf_append(chunk, (uint8_t[HEADER_LEN]){FORM}, HEADER_LEN);
	if (chunk->len + (size_t)(p - bytes) > DAY_CHUNK_MAX)
		return false;
	buf_append(chunk, bytes, (size_t)(p - bytes));
	put_le(chunk->data + 1, count + 1, 2);
	put_le(chunk->data + 3, (uint32_t)(s->time_ms - day * CLOCK_DAY_MS), 4);
	put_le(chunk->data + 7, s->evidence, 4);
	return true;
}

/* ---- the last chunk of a series ------------------------------------------------------------- */

bool
day_last_parse(struct day_last *last, const void *value, size_t len)
{
	struct reader r = reader_of(value, len);

	last->day = (int64_t)reader_u32le(&r) - KEY_DAY_BIAS;
	last->number = reader_u16le(&r);
	last->chunk = r.p;
	last->len = reader_left(&r);
	return !r.failed;
}

void
day_last_encode(struct buf *value, int64_t day, uint16_t number, const void *chunk, size_t len)
{
	buf_append_u32le(value, (uint32_t)(day + KEY_DAY_BIAS));
	buf_append_u16le(value, number);
	buf_append(value, chunk, len);
}
