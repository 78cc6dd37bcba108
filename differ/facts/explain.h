/*
 * explain: what is the same and what is not within one difference: sets as added and removed,
 * names RDN by RDN, times as moved by how long. Extensions are told by name; by hash only those
 * whose contents no row of the table reads.
 */
#ifndef MX509_EXPLAIN_H
#define MX509_EXPLAIN_H

#include "diff.h"

enum explanation_kind {
	EXPLANATION_NONE,  /* from old to new, and nothing more to say */
	EXPLANATION_SET,   /* removed, added; both empty: only the rest of the object differs */
	EXPLANATION_MOVED, /* moved_ms */
};

struct explanation {
	enum explanation_kind kind;
	const struct value *removed, *added; /* lists */
	int64_t moved_ms;		     /* later is positive */
};

void explain(struct arena *arena, const struct difference *d, struct explanation *e);

/* "kept" or "replaced": the public key, by its SubjectPublicKeyInfo; NULL if one cannot be read. */
const char *explain_key(const struct facts *old, const struct facts *new);

/* The one list that a value is or has as a member; NULL if it has none, or several. */
const struct value *explain_list(const struct value *v);

#endif
