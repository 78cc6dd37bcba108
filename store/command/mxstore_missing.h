/*
 * mxstore_missing: the certificates that an import's observations name and that were not there when
 * they did. Which of them are still missing is told at the end of the run: a certificate may stand
 * in a later line, or in another file.
 *
 * Threads: one. Memory: 32 octets for each, up to MXSTORE_MISSING_MAX; those past it are not told.
 */
#ifndef MX509_MXSTORE_MISSING_H
#define MX509_MXSTORE_MISSING_H

#include "store/corpus/store.h"

#define MXSTORE_MISSING_MAX (1u << 20)

struct mxstore_missing { /* zero-initialise */
	struct buf names;
	size_t sorted; /* so many of them are, and differ */
};

void mxstore_missing_add(struct mxstore_missing *m, const struct hash *name);
/* How many are not there now, and the first of them by name. <0: the store cannot be read. */
int mxstore_missing_count(struct mxstore_missing *m, struct store *store, uint64_t *n,
    struct hash *first, struct err *err);
void mxstore_missing_finish(struct mxstore_missing *m);

#endif
