/*
 * certificate_pack: certificates that are laid down in packs, several in a record, so that they
 * share what they have in common, and fill whole pages of the file: of one a record a sixth of each
 * page stays empty, and those of more than half a page take one or two of their own.
 *
 * For a corpus that is being rewritten: certificates come in order of their numbers, and none of
 * another maker stands among them. Not for a corpus that grows: a record is never appended to.
 *
 * Ownership: zero-initialise, set what is not private, certificate_packer_finish(). Threads: one.
 * *txn writes the corpus that is being made; `put` may end it and begin another one.
 */
#ifndef MX509_CERTIFICATE_PACK_H
#define MX509_CERTIFICATE_PACK_H

#include "certificate_codec.h"

/* Takes a record of sub-database `cert`: 0, <0. */
typedef int certificate_put(
    void *ctx, uint32_t number, const struct db_bytes *value, struct err *err);

struct certificate_packer {
	struct certificate_codec *codec;
	certificate_put *put;
	void *ctx;
	struct db_txn **txn;
	/* Private. */
	struct buf parts, ders; /* that wait; struct certificate_part */
	struct buf value, best;
	double ratio; /* of what was packed last */
};

int certificate_packer_add(struct certificate_packer *packer, uint32_t number, const void *der,
    size_t len, struct err *err);
/* Puts what waits: at the end, and before a record that somebody else puts. */
int certificate_packer_flush(struct certificate_packer *packer, struct err *err);
void certificate_packer_finish(struct certificate_packer *packer);

#endif
