/*
 * key: the keys of the store's sub-databases, built in one place. Integers are big-endian, so
 * that keys sort by their numbers; LMDB compares as memcmp, a prefix first.
 *
 * The key of a series is its place in the order of exports:
 *
 *	labels of the host, last first, each followed by 00	com 00 google 00 mx 00
 *	00							end of the host
 *	kind u8
 *	of a probe: family u8, 4 or 16 octets, port u16, sni u8, sni_name, 00, offer u8
 *	of DNS:     rrtype u16
 *	vantage, 00
 *
 * so that an operator's names are one range ("com 00 google 00"), a host one range in it ("com 00
 * google 00 00"). LMDB's keys end at 511 octets: an sni_name that does not fit is cut and
 * followed by 01 and its SHA-256 instead of 00; the key stays unique, and in order but among
 * names that agree in all that was kept.
 */
#ifndef MX509_KEY_H
#define MX509_KEY_H

#include "series.h"
#include "store/base/hash.h"

#define KEY_MAX 511

struct key {
	size_t len;
	uint8_t bytes[KEY_MAX];
};

void key_series(struct key *key, const struct series *s);
void key_host(struct key *key, const char *host);  /* of the host's own range */
void key_under(struct key *key, const char *name); /* of the range of the name and all below */
void key_number(struct key *key, uint32_t number);
void key_sequence(struct key *key, uint64_t sequence);
void key_hash(struct key *key, const struct hash *hash);

/* Day: days since 1970-01-01; KEY_DAY_BIAS is added, so that days before it sort. */
#define KEY_DAY_BIAS (INT64_C(1) << 31)
void key_day(struct key *key, uint32_t series, int64_t day, uint16_t chunk);
void key_date(struct key *key, int64_t day, uint32_t series);

/* All of one address: port and series left out. */
void key_address(struct key *key, const struct ip *address);
void key_address_series(struct key *key, const struct ip *address, uint16_t port, uint32_t series);

int key_compare(const struct key *a, const struct key *b); /* as LMDB does */
bool key_has_prefix(const void *key, size_t len, const struct key *prefix);

/* Of a key of sub-database `day` (10 octets) and `date` (8): false if it is none. */
bool key_parse_day(const void *key, size_t len, uint32_t *series, int64_t *day, uint16_t *chunk);
bool key_parse_date(const void *key, size_t len, int64_t *day, uint32_t *series);

/* Of a key of sub-database `series_key`: false if it is none, or its sni_name was cut. */
bool key_parse_series(const struct key *key, struct series *series);

#endif
