/*
 * oid_rows: the index of object identifiers as oid_maker.c writes it when mx509 is built, and
 * oid.c reads it: nothing is left to do when a program starts, and no pointer to relocate. Texts
 * are places in one string of them all; 0 is none.
 */
#ifndef MX509_OID_ROWS_H
#define MX509_OID_ROWS_H

#include <stddef.h>
#include <stdint.h>

#define OID_SLOTS 8192 /* twice the rows and more: probing is short */

struct oid_row {
	uint16_t octets; /* place of the contents octets, of which there are octets_len */
	uint8_t octets_len;
	uint8_t key, extension_kind, is_curve;
	uint16_t key_bits;
	int16_t strength_bits;
	uint16_t oid, openssl, algorithm, extension, purpose; /* places of texts */
};

/* Where in the slots a search for an identifier begins. */
static inline uint32_t
oid_slot(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return (h ^ h >> 15) % OID_SLOTS;
}

#endif
