/*
 * bits: a set of numbers, as bits that grow: of series, of evidence, of certificates, which a store
 * numbers from 0. Zero-initialise it, bits_finish() it. Threads: one.
 */
#ifndef MX509_BITS_H
#define MX509_BITS_H

#include <stdbool.h>

#include "buf.h"

struct bits {
	struct buf octets;
};

bool bits_add(struct bits *b, uint32_t number); /* false: it was in it */
bool bits_has(const struct bits *b, uint32_t number);
void bits_finish(struct bits *b);

#endif
