/*
 * certificate_codec: how certificates stand in sub-database `cert`, compressed with dictionaries
 * (certificate_dictionary.h).
 *
 * A value: codec u8, then
 *	0	the DER
 *	1	its length as a varint, a bare frame of zstd (zstd_frame.h)
 *	2	the dictionary's number as a varint, its length as a varint, a bare frame
 *
 *	3	a pack of several: the dictionary's number and 1 as a varint (0: none); their count
 *		as a varint, at most LIMIT_PACK; of each the difference of its number to that of
 *		the one before (of the first: 0, its number is the key's) and its length, varints,
 *		of all together at most LIMIT_PACK_OCTETS; a bare frame of their DER, one behind
 *		the other
 *
 *	255	SHA-256: known by name only; a chain named it, nobody has brought it yet
 *
 * A record holds numbers from its key's on, all below the next record's. Packs are made where a
 * corpus is rewritten (certificate_pack.h); a corpus that has some is of format 3.
 *
 * The codec keeps the dictionaries that were used, and the last pack. Those of a transaction that
 * was aborted must be forgotten: certificate_codec_forget().
 */
#ifndef MX509_CERTIFICATE_CODEC_H
#define MX509_CERTIFICATE_CODEC_H

#include "db.h"
#include "store/base/hash.h"

/* On disk: only append. */
enum certificate_form {
	CERTIFICATE_RAW = 0,
	CERTIFICATE_ZSTD = 1,
	CERTIFICATE_ZSTD_DICTIONARY = 2,
	CERTIFICATE_PACK = 3,
	CERTIFICATE_NAME = 255,
};

struct certificate_codec;

struct certificate_codec *certificate_codec_create(void);
void certificate_codec_destroy(struct certificate_codec *codec); /* accepts NULL */
void certificate_codec_forget(struct certificate_codec *codec);

/* Appends the value, as small as the newest dictionary of the transaction makes it. */
int certificate_encode(struct certificate_codec *codec, struct db_txn *txn, struct buf *value,
    const void *der, size_t len, struct err *err);
void certificate_encode_name(struct buf *value, const struct hash *name);

/* Several DERs, one behind the other in `ders`, as a pack, with the newest dictionary. */
struct certificate_part {
	uint32_t number; /* rising */
	size_t len;
};
int certificate_encode_pack(struct certificate_codec *codec, struct db_txn *txn, struct buf *value,
    const struct certificate_part *parts, size_t n, const void *ders, struct err *err);

/* The certificates of a record, in order of their numbers. False: it cannot be read. */
struct certificate_items {
	uint32_t number; /* of the one that certificate_items_next() has moved to */
	unsigned index;	 /* its place in the record, for certificate_decode() */
	/* Private. */
	struct reader rest;
	unsigned left;
	bool packed, started;
};
bool certificate_items_init(
    struct certificate_items *items, const struct db_bytes *key, const struct db_bytes *value);
bool certificate_items_next(struct certificate_items *items);

/* The record that holds the certificate of that number: 1, 0, <0. */
struct certificate_record {
	uint32_t number, first; /* first: the key's */
	unsigned index;
	struct db_bytes value; /* in the map */
};
int certificate_find(
    struct db_txn *txn, uint32_t number, struct certificate_record *record, struct err *err);

/* 1: *der (cleared first) holds it; 0: known by name only, *der holds the name. ERR_DAMAGED: it
 * cannot be read; ERR_FORMAT: a codec of a later version. The caller checks the name. */
int certificate_decode(struct certificate_codec *codec, struct db_txn *txn,
    const struct db_bytes *value, unsigned index, struct buf *der, struct err *err);

bool certificate_is_name(const struct db_bytes *value); /* known by name only */

/* Of a transaction that writes: the others of its pack get records of their own. */
int certificate_remove(
    struct certificate_codec *codec, struct db_txn *txn, uint32_t number, struct err *err);

/* Trains a dictionary on what the transaction's certificates are, evenly chosen: 1: appended to
 * *value as the sub-database holds it; 0: they are too few, or too much alike. For packs it is
 * smaller: most of what it would hold, others of the pack do. */
int certificate_train(struct certificate_codec *codec, struct db_txn *txn, bool for_packs,
    struct buf *value, struct err *err);
/* Puts it under the next number; what is encoded from then on uses it. */
int certificate_put_dictionary(struct certificate_codec *codec, struct db_txn *txn,
    const void *value, size_t len, struct err *err);

/* Of a transaction that writes, before its end: trains and puts one where the corpus has grown
 * enough since the last one: at CERTIFICATE_TRAIN_AT, and whenever it is ten times as many. */
#define CERTIFICATE_TRAIN_AT 500
int certificate_train_when_due(
    struct certificate_codec *codec, struct db_txn *txn, struct err *err);

#endif
