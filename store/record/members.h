/*
 * members: the canonical bytes of content-addressed records: a byte that tells the kind of record,
 * then members in ascending order of their tags: tag u8, length varint, value. What is missing is
 * left out. A text's value ends in a NUL that is counted, so that a decoder can point into it.
 */
#ifndef MX509_MEMBERS_H
#define MX509_MEMBERS_H

#include <stdbool.h>

#include "store/base/buf.h"

/* The first byte. On disk: only append. */
enum members_kind { MEMBERS_EVIDENCE = 1, MEMBERS_DNS_ANSWER = 2 };

void members_put(struct buf *out, uint8_t tag, const void *value, size_t len);
void members_put_text(struct buf *out, uint8_t tag, const char *text); /* NULL: nothing */
void members_put_number(struct buf *out, uint8_t tag, uint64_t v);     /* as a varint */
/* Texts one behind the other; none at all: nothing. */
void members_put_list(struct buf *out, uint8_t tag, const char *const *texts, size_t n);

struct member {
	uint8_t tag;
	struct reader value;
};

/* 1, 0 (no more) or -1 (they are not in order, or cut). */
int members_next(struct reader *r, uint8_t *last_tag, struct member *m);

const char *members_text(struct member *m);	    /* NULL if it is none */
bool members_number(struct member *m, uint64_t *v); /* false if it is none */

/* A list of texts, in memory of the caller's for members_list_len() of them. */
size_t members_list_len(const struct member *m);
bool members_list(struct member *m, const char **texts, size_t n);

#endif
