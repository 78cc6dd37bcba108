/*
 * store_view: what stands behind the names of store.h, for the files of the store alone.
 */
#ifndef MX509_STORE_VIEW_H
#define MX509_STORE_VIEW_H

#include "db.h"
#include "store.h"

/* How a certificate is kept: the octet behind its name in sub-database `cert`. On disk: only
 * append. */
enum store_codec {
	CODEC_RAW = 0,	  /* its DER */
	CODEC_NAME = 255, /* by name only: a chain named it, nobody has brought it yet */
};

struct store {
	struct db *db;
	char *dir;
	enum store_mode mode;
};

struct store_view {
	struct store *store;
	struct db_txn *txn;
};

/* A number under a name (series_key, evidence_id, cert_id): 1, 0, <0. */
int store_number(struct db_txn *txn, enum db_table table, const struct key *key, uint32_t *number,
    struct err *err);

/* Its bytes and codec, in the map, the name checked: 1, 0 (never heard of), <0. */
int store_certificate_record(struct db_txn *txn, const struct hash *name, enum store_codec *codec,
    struct db_bytes *bytes, struct err *err);

/* The bytes of a record of evidence or of a DNS answer: 1, 0, <0. */
int store_evidence_bytes(
    struct store_view *view, uint32_t number, struct db_bytes *bytes, struct err *err);

#endif
