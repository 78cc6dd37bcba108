/*
 * day: the sightings of one series on one UTC date, in chunks of some 2 kB, and their codec.
 *
 * A chunk: count u16le, time of the last sighting in ms of the day u32le, its evidence u32le; then
 * for each sighting: varint of the ms since the one before (of the first: since the day's start),
 * varint of the difference of evidence numbers to the one before (of the first: to 0), zigzag; then
 * of a probe MS_N varints, each a measure plus 1, 0 for null; of DNS one varint, the TTL.
 *
 * Sightings stand in the order of day_compare(). A day's chunks are numbered from 0 without gaps.
 */
#ifndef MX509_DAY_H
#define MX509_DAY_H

#include "observation.h"

#define DAY_CHUNK_MAX                                                              \
	1984 /* octets; with key, checksum and LMDB's node two of them fill a page \
	      */

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

#endif
