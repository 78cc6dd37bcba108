/*
 * spool: what a batch of the feed has to say, kept until the view that it was read from is closed:
 * whoever takes it may be slow, and a view that stays open lets the corpus grow. Octets in memory
 * up to SPOOL_MEMORY, then in a file without a name in $TMPDIR (else /tmp).
 *
 * Zero-initialise, spool_finish(). Threads: one.
 */
#ifndef MX509_SPOOL_H
#define MX509_SPOOL_H

#include "store/base/buf.h"
#include "store/base/err.h"

#define SPOOL_MEMORY (4u << 20)

struct spool {
	struct buf memory;
	bool is_file;
	int fd; /* where is_file */
	uint64_t len;
};

int spool_append(struct spool *s, const void *p, size_t len, struct err *err);
/* Exactly len octets from `at` on, which must be there. */
int spool_read(const struct spool *s, uint64_t at, void *p, size_t len, struct err *err);
void spool_clear(struct spool *s);
void spool_finish(struct spool *s);

#endif
