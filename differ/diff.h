/*
 * diff: the fields that differ between two facts, by the field table: the one place where two
 * certificates, chains or TLS facts are compared.
 */
#ifndef MX509_DIFF_H
#define MX509_DIFF_H

#include "facts.h"

struct difference {
	enum field field;
	const struct value *old, *new; /* borrowed from the two facts */
	enum severity severity;
	bool encoding_only; /* the same meaning in other DER (string type, time type) */
};

/* In the order of the table; returns how many were filled. */
size_t diff_facts(const struct facts *old, const struct facts *new,
    struct difference out[FIELD_N]);

#endif
