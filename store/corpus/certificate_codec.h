/*
 * certificate_codec: how a certificate stands in sub-database `cert`, and the dictionaries that its
 * compression needs, which stand in sub-database `dictionary` under their numbers, for ever.
 *
 * A value: codec u8, then
 *	0	the DER
 *	1	its length as a varint, a bare frame of zstd (zstd_frame.h)
 *	2	the dictionary's number as a varint, its length as a varint, a bare frame
 *	255	SHA-256: known by name only; a chain named it, nobody has brought it yet
 * and of a dictionary: how many certificates the corpus had when it was trained, u32le; then the
 * dictionary as zstd makes it.
 *
 * The codec keeps the dictionaries that were used. Those of a transaction that was aborted must be
 * forgotten: certificate_codec_forget().
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

/* 1: *der (cleared first) holds it; 0: known by name only, *der holds the name. ERR_DAMAGED: it
 * cannot be read; ERR_FORMAT: a codec of a later version. The caller checks the name. */
int certificate_decode(struct certificate_codec *codec, struct db_txn *txn,
    const struct db_bytes *value, struct buf *der, struct err *err);

bool certificate_is_name(const struct db_bytes *value); /* known by name only */

bool certificate_dictionary_valid(const struct db_bytes *value); /* of sub-database dictionary */

/* Trains a dictionary on what the transaction's certificates are, evenly chosen: 1: appended to
 * *value as the sub-database holds it; 0: they are too few, or too much alike. */
int certificate_train(
    struct certificate_codec *codec, struct db_txn *txn, struct buf *value, struct err *err);
/* Puts it under the next number; what is encoded from then on uses it. */
int certificate_put_dictionary(struct certificate_codec *codec, struct db_txn *txn,
    const void *value, size_t len, struct err *err);

/* Of a transaction that writes, before its end: trains and puts one where the corpus has grown
 * enough since the last one: at CERTIFICATE_TRAIN_AT, and whenever it is ten times as many. */
#define CERTIFICATE_TRAIN_AT 500
int certificate_train_when_due(
    struct certificate_codec *codec, struct db_txn *txn, struct err *err);

#endif
