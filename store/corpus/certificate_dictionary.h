/*
 * certificate_dictionary: the dictionaries that certificates are compressed with, in sub-database
 * `dictionary` under their numbers, for ever, and each a second time under its number with the
 * highest bit set: what damages one must damage both to cost the certificates that need it. A
 * corpus with such copies is of format 3.
 *
 * A value: how many certificates the corpus had when it was trained, u32le; then the dictionary as
 * zstd makes it. That of a copy is the same.
 */
#ifndef MX509_CERTIFICATE_DICTIONARY_H
#define MX509_CERTIFICATE_DICTIONARY_H

#include "db.h"
#include "store/base/zstd_frame.h"

#define CERTIFICATE_COPY (UINT32_C(1) << 31) /* in a number: the copy of the one without it */

/* Those that were used. Zero-initialised it holds none; of one transaction after another, but none
 * that was aborted. */
struct certificate_dictionaries {
	/* Private. */
	struct zstd_dictionary **list; /* by number; NULL: not read yet */
	size_t n;
	bool asked;	/* `newest` is known */
	int64_t newest; /* -1: there is none */
};

void certificate_dictionaries_forget(struct certificate_dictionaries *d);

/* *out is borrowed until they are forgotten. ERR_DAMAGED: neither it nor its copy can be read. */
int certificate_dictionary_load(struct certificate_dictionaries *d, struct db_txn *txn,
    uint32_t number, struct zstd_dictionary **out, struct err *err);

/* The one to encode with, and its number; NULL if there is none. */
int certificate_dictionary_newest(struct certificate_dictionaries *d, struct db_txn *txn,
    struct zstd_dictionary **out, uint32_t *number, struct err *err);

/* Puts it, and its copy, under the next number: it is the newest then. */
int certificate_dictionary_put(struct certificate_dictionaries *d, struct db_txn *txn,
    const void *value, size_t len, struct err *err);

/* Among how many certificates the newest one was trained: 1; 0: there is none; <0. */
int certificate_dictionary_among(struct db_txn *txn, uint32_t *among, struct err *err);

bool certificate_dictionary_valid(const struct db_bytes *value);

#endif
