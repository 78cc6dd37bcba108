/*
 * fingerprints: from a certificate's SHA-1 to its SHA-256, in memory: some 100 octets for each.
 */
#ifndef MX509_FINGERPRINTS_H
#define MX509_FINGERPRINTS_H

#include "store/base/hash.h"

struct fingerprints;

struct fingerprints *fingerprints_create(void);
void fingerprints_destroy(struct fingerprints *f); /* accepts NULL */

/* What was there first stays: two certificates of one SHA-1 are an attack. */
void fingerprints_add(
    struct fingerprints *f, const uint8_t sha1[HASH_SHA1_LEN], const struct hash *name);

/* NULL if it is not known. Valid until the next fingerprints_add(). */
const struct hash *fingerprints_find(
    const struct fingerprints *f, const uint8_t sha1[HASH_SHA1_LEN]);

#endif
