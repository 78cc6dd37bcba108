/*
 * tlsa: TLSA records (RFC 6698 section 2) in presentation form, as the store keeps them.
 *
 * Zero-initialise; tlsa_finish(). What is no record ("3 1 1 xyz") is dropped and counted: a
 * sender drops a truncated one too.
 */
#ifndef MX509_TLSA_H
#define MX509_TLSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tlsa_record {
	uint8_t usage, selector, matching;
	size_t at, len; /* the data, in struct tlsa's */
};

struct tlsa {
	struct tlsa_record *records;
	size_t n, dropped;
	uint8_t *data;
	size_t data_len;
};

void tlsa_read(struct tlsa *tlsa, const char *const *records, size_t n);
void tlsa_finish(struct tlsa *tlsa);

/* Whether Postfix tries it: usages 2 and 3 (RFC 7672 section 3.1.3), and no private matching type
 * that it takes for itself (255). */
bool tlsa_for_smtp(const struct tlsa_record *record);

#endif
