/*
 * day: the sightings of one series on one UTC date, in chunks of some 2 kB, and their codec.
 *
 * A chunk: form u8, 1; count u16le; time of the last sighting in ms of the day u32le; its evidence
 * u32le; then the sightings. Each: a word u16le of seven pairs of bits, lowest first, then the
 * fields that they announce, little-endian:
 *
 *	time		ms since the one before, of the first: since the day's start; pair + 1
 *octets evidence	pair 0: the same as before, of the first: 0; 1, 2: zigzag difference to the
 *			one before in 1, 2 octets; 3: its number in 4
 *	five measures	pair 0: null; 1, 2, 3: in 1, 2, 4 octets
 *
 * Of DNS the first measure is the TTL, 0 where the pair is 0, and the others are null. Every field
 * is as short as it can be; the two highest bits of the word are 0.
 *
 * The form lets all lengths of a sighting be known before any of its fields is read: decoding is
 * a table lookup, not a loop over octets.
 *
 * Sightings stand in the order of day_compare(). A day's chunks are numbered from 0 without gaps.
 * The last chunk of a series' last day stands in sub-database `last` under the series' number,
 * behind its day u32le (as in keys) and number u16le; all others in sub-database `day`.
 */
#ifndef MX509_DAY_H
#define MX509_DAY_H

#include "observation.h"

/* Octets; with key, day, checksum and LMDB's node two of them fill a page. */
#define DAY_CHUNK_MAX 1984

struct sighting {
	int64_t time_ms;
	uint32_t evidence; /* store_evidence(), store_dns_answer() */
	int32_t ms[MS_N];  /* of a probe; -1: null */
	uint32_t ttl_s;	   /* of DNS */
};

/* By time, then evidence number, then measures: total. */
int day_compare(const struct sighting *a, const struct sighting *b);

struct day_reader {
	enum series_kind kind;
	int64_t day_ms, time_ms; /* start of the day; of the sighting read last */
	uint32_t evidence;
	uint32_t left; /* sightings */
	const uint8_t *p, *end;
};

/* False if it is no chunk. */
bool day_reader_init(
    struct day_reader *r, enum series_kind kind, int64_t day, const void *chunk, size_t len);
int day_next(struct day_reader *r, struct sighting *out); /* 1, 0, -1: it cannot be read */

/* The header only; false if there is none. last_ms is absolute. */
bool day_summary(const void *chunk, size_t len, int64_t day, uint32_t *count, int64_t *last_ms,
    uint32_t *last_evidence);

/* Appends to a chunk (empty: begins it). The sighting is of this day and not before the last.
 * False, and nothing done, where it does not fit. */
bool day_append(
    struct buf *chunk, enum series_kind kind, int64_t day, const struct sighting *sighting);

/* A record of sub-database `last`. */
struct day_last {
	int64_t day;
	uint16_t number; /* of the chunk */
	const uint8_t *chunk;
	size_t len;
};

bool day_last_parse(struct day_last *last, const void *value, size_t len);
void day_last_encode(
    struct buf *value, int64_t day, uint16_t number, const void *chunk, size_t len);

#endif
