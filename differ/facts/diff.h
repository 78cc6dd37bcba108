/*
 * diff: the fields that differ between two facts, by the field table: the one place where two
 * certificates, chains or TLS facts are compared. Nothing differs silently: where the DER differs
 * but no value does, the row that reads it says so (encoding_only); where no row reads it, the
 * row der_residual names the place.
 */
#ifndef MX509_DIFF_H
#define MX509_DIFF_H

#include "facts.h"

struct difference {
	enum field field;
	const struct value *old, *new; /* borrowed from the two facts, or of the arena */
	enum severity severity;
	bool encoding_only; /* the same meaning in other DER (string type, time type, order) */
};

/*
 * In the order of the table; returns how many were filled. Rows of the certificate are compared
 * only where both facts have one: to one that is not there or not known, nothing compares; what is
 * judged of a chain (chain.h), only where both are known whole.
 * `sha256` names a certificate and is no difference; the signature's value is one only where all
 * that it signs is the same. What has to be built is built in the arena, and nothing in the
 * facts: those that are kept may be compared without end.
 */
size_t diff_facts(const struct facts *old, const struct facts *new, struct arena *arena,
    struct difference out[FIELD_N]);

#endif
