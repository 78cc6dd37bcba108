/*
 * hash: SHA-256 (FIPS 180-4), by which certificates, chains and evidence are named, and XXH3-64,
 * by which a record that is not named by its contents is checked. Threads: hash_sha256() keeps
 * one context a thread.
 */
#ifndef MX509_HASH_H
#define MX509_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32

struct hash {
	uint8_t bytes[HASH_LEN];
};

struct hash hash_sha256(const void *p, size_t len);

/* SHA-1 (RFC 3174): by which Rapid7's Sonar names certificates. For nothing else. */
#define HASH_SHA1_LEN 20
void hash_sha1(const void *p, size_t len, uint8_t out[HASH_SHA1_LEN]);

int hash_compare(const struct hash *a, const struct hash *b); /* as memcmp */
void hash_hex(const struct hash *h, char out[2 * HASH_LEN + 1]);

/* The chain id: SHA-256 over the concatenated SHA-256s of the certificates in wire order. */
struct hash hash_chain(const struct hash *certificates, size_t n);

/* XXH3-64: for tables in memory. */
uint64_t hash_quick(const void *p, size_t len);

/* XXH3-64 of a record's value, seeded by XXH3-64 of its key: a value under a wrong key does not
 * pass either. */
uint64_t hash_checksum(const void *key, size_t key_len, const void *value, size_t value_len);

#endif
