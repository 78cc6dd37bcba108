/*
 * store_view: what stands behind the names of store.h, for the files of the store alone.
 */
#ifndef MX509_STORE_VIEW_H
#define MX509_STORE_VIEW_H

#include "cache.h"
#include "certificate_codec.h"
#include "db.h"
#include "store.h"

/* What a writer looked up, from one batch to the next: right as long as nobody else has written. */
struct store_known {
	uint64_t as_of;	      /* the transaction that they are right after; 0: empty */
	struct cache *series; /* series_encode() to its number */
	struct cache
	    *evidence; /* evidence_encode_shown(), or a DNS answer's bytes, to its number */
	struct cache *certificates; /* the names of those whose DER is held */
};

struct store {
	struct db *db;
	char *dir;
	enum store_mode mode;
	struct store_known known;
	struct certificate_codec *codec;
};

struct store_view {
	struct store *store;
	struct db_txn *txn;
};

/* A number under a name (series_key, evidence_id, cert_id): 1, 0, <0. */
int store_number(struct db_txn *txn, enum db_table table, const struct key *key, uint32_t *number,
    struct err *err);

/* Its record in sub-database `cert`: 1, 0 (never heard of), <0. */
int store_certificate_record(struct db_txn *txn, const struct hash *name,
    struct certificate_record *record, struct err *err);

/* The bytes of a record of evidence or of a DNS answer: 1, 0, <0. */
int store_evidence_bytes(
    struct store_view *view, uint32_t number, struct db_bytes *bytes, struct err *err);

#endif
