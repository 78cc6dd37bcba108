#include "certificate_codec.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/zstd_frame.h"

#define SAMPLES_MOST 4000		/* certificates that a dictionary is trained on */
#define SAMPLES_OCTETS_MOST (16u << 20) /* all of them together */
#define SAMPLE_LARGEST 8192		/* larger ones are no model for the others */

struct certificate_codec {
	struct zstd_dictionary **dictionaries; /* by number; NULL: not read yet */
	size_t n;
	int64_t newest; /* the number to encode with; -1: none; NEWEST_UNKNOWN */
	struct buf scratch;
};

#define NEWEST_UNKNOWN (-2)

struct certificate_codec *
certificate_codec_create(void)
{
	struct certificate_codec *codec = mem_zero(1, sizeof(*codec));

	codec->newest = NEWEST_UNKNOWN;
	return codec;
}

void
certificate_codec_forget(struct certificate_codec *codec)
{
	for (size_t i = 0; i < codec->n; i++)
		zstd_dictionary_destroy(codec->dictionaries[i]);
	free(codec->dictionaries);
	codec->dictionaries = NULL;
	codec->n = 0;
	codec->newest = NEWEST_UNKNOWN;
}

void
certificate_codec_destroy(struct certificate_codec *codec)
{
	if (codec == NULL)
		return;
	certificate_codec_forget(codec);
	buf_finish(&codec->scratch);
	free(codec);
}

/* ---- dictionaries --------------------------------------------------------------------------- */

/* The newest one's number, -1 if there is none, and the certificates it was trained among. */
static int
newest(struct db_txn *txn, int64_t *number, uint32_t *among, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, DB_DICTIONARY, err);
	struct db_bytes key, value;
	struct reader r;
	int rc;

	*number = -1;
	*among = 0;
	if (cursor == NULL)
		return ERR_SYSTEM;
	if ((rc = db_cursor_move(cursor, DB_LAST, &key, &value, err)) > 0) {
		r = reader_of(key.p, key.len);
		*number = reader_u32be(&r);
		r = reader_of(value.p, value.len);
		*among = reader_u32le(&r);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

/* NULL if it cannot be read. */
static struct zstd_dictionary *
open_dictionary(const struct db_bytes *value)
{
	if (value->len <= 4 || value->len > LIMIT_DICTIONARY_READ)
		return NULL;
	return zstd_dictionary_create(value->p + 4, value->len - 4);
}

bool
certificate_dictionary_valid(const struct db_bytes *value)
{
	struct zstd_dictionary *d = open_dictionary(value);
	bool valid = d != NULL;

	zstd_dictionary_destroy(d);
	return valid;
}

static int
load(struct certificate_codec *codec, struct db_txn *txn, uint32_t number,
    struct zstd_dictionary **out, struct err *err)
{
	struct zstd_dictionary *d = NULL;
	struct db_bytes value;
	struct key key;
	int rc;

	if (number < codec->n && codec->dictionaries[number] != NULL) {
		*out = codec->dictionaries[number];
		return 0;
	}
	key_number(&key, number);
	if ((rc = db_get(txn, DB_DICTIONARY, &key, &value, err)) < 0)
		return rc;
	if (rc > 0)
		d = open_dictionary(&value);
	if (d == NULL)
		return err_set(err, ERR_DAMAGED, "damaged: sub-database dictionary: number %u",
		    (unsigned)number);
	/* A number that is there is below the count of the table: no stranger chooses it. */
	if (number >= codec->n) {
		codec->dictionaries =
		    mem_grow(codec->dictionaries, number + 1, sizeof(*codec->dictionaries));
		while (codec->n <= number)
			codec->dictionaries[codec->n++] = NULL;
	}
	*out = codec->dictionaries[number] = d;
	return 0;
}

/* ---- one certificate ------------------------------------------------------------------------ */

void
certificate_encode_name(struct buf *value, const struct hash *name)
{
	buf_append_byte(value, CERTIFICATE_NAME);
	buf_append(value, name->bytes, HASH_LEN);
}

int
certificate_encode(struct certificate_codec *codec, struct db_txn *txn, struct buf *value,
    const void *der, size_t len, struct err *err)
{
	struct zstd_dictionary *dictionary = NULL;
	size_t start = value->len;
	uint32_t among;
	int rc;

	if (codec->newest == NEWEST_UNKNOWN && (rc = newest(txn, &codec->newest, &among, err)) < 0)
		return rc;
	if (codec->newest >= 0) {
		if ((rc = load(codec, txn, (uint32_t)codec->newest, &dictionary, err)) < 0)
			return rc;
		buf_append_byte(value, CERTIFICATE_ZSTD_DICTIONARY);
		buf_append_varint(value, (uint64_t)codec->newest);
	} else {
		buf_append_byte(value, CERTIFICATE_ZSTD);
	}
	buf_append_varint(value, len);
	zstd_frame_compress(value, der, len, dictionary);
	if (value->len - start > len) {
		value->len = start;
		buf_append_byte(value, CERTIFICATE_RAW);
		buf_append(value, der, len);
	}
	return 0;
}

static int
cannot_be_read(struct err *err)
{
	return err_set(err, ERR_DAMAGED, "damaged: sub-database cert: a record cannot be read");
}

int
certificate_decode(struct certificate_codec *codec, struct db_txn *txn,
    const struct db_bytes *value, struct buf *der, struct err *err)
{
	struct reader r = reader_of(value->p, value->len);
	enum certificate_form form = reader_byte(&r);
	struct zstd_dictionary *dictionary = NULL;
	uint64_t number = 0, len;
	int rc;

	buf_clear(der);
	if (r.failed)
		return cannot_be_read(err);
	switch (form) {
	case CERTIFICATE_RAW:
		buf_append(der, r.p, reader_left(&r));
		return 1;
	case CERTIFICATE_NAME:
		if (reader_left(&r) != HASH_LEN)
			return cannot_be_read(err);
		buf_append(der, r.p, HASH_LEN);
		return 0;
	case CERTIFICATE_ZSTD_DICTIONARY:
		number = reader_varint(&r);
		if (r.failed || number > UINT32_MAX)
			return cannot_be_read(err);
		if ((rc = load(codec, txn, (uint32_t)number, &dictionary, err)) < 0)
			return rc;
		break;
	case CERTIFICATE_ZSTD:
		break;
	default:
		return err_set(err, ERR_FORMAT,
		    "a certificate is compressed in a way (%d) that this version cannot read",
		    (int)form);
	}
	len = reader_varint(&r);
	if (r.failed || len > LIMIT_CERTIFICATE ||
	    !zstd_frame_decompress(der, len, r.p, reader_left(&r), dictionary))
		return cannot_be_read(err);
	return 1;
}

bool
certificate_is_name(const struct db_bytes *value)
{
	return value->len > 0 && value->p[0] == CERTIFICATE_NAME;
}

/* ---- training ------------------------------------------------------------------------------- */

struct samples {
	struct buf octets, lengths;
};

static int
take_samples(struct certificate_codec *codec, struct db_txn *txn, uint64_t records,
    struct samples *samples, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, DB_CERT, err);
	uint64_t step = records / SAMPLES_MOST + 1;
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (uint64_t i = 0; rc > 0 && samples->octets.len < SAMPLES_OCTETS_MOST; i++) {
		if (i % step == 0) {
			size_t len;

			rc = certificate_decode(codec, txn, &value, &codec->scratch, err);
			if (rc < 0)
				break;
			len = codec->scratch.len;
			if (rc > 0 && len > 0 && len <= SAMPLE_LARGEST) {
				buf_append(&samples->octets, codec->scratch.data, len);
				buf_append(&samples->lengths, &len, sizeof(len));
			}
		}
		rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
certificate_train(
    struct certificate_codec *codec, struct db_txn *txn, struct buf *value, struct err *err)
{
	struct samples samples = {0};
	uint64_t records, octets;
	size_t start = value->len, n;
	int rc = db_table_size(txn, DB_CERT, &records, &octets, err);

	if (rc == 0)
		rc = take_samples(codec, txn, records, &samples, err);
	n = samples.lengths.len / sizeof(size_t);
	if (rc == 0 && n > 0) {
		buf_append_u32le(value, records < UINT32_MAX ? (uint32_t)records : UINT32_MAX);
		if (zstd_dictionary_train(value, LIMIT_DICTIONARY, samples.octets.data,
			(const size_t *)(const void *)samples.lengths.data, (unsigned)n))
			rc = 1;
		else
			value->len = start;
	}
	buf_finish(&samples.octets);
	buf_finish(&samples.lengths);
	return rc;
}

int
certificate_put_dictionary(struct certificate_codec *codec, struct db_txn *txn, const void *value,
    size_t len, struct err *err)
{
	int64_t number;
	uint32_t among;
	struct key key;
	int rc = newest(txn, &number, &among, err);

	if (rc < 0)
		return rc;
	key_number(&key, (uint32_t)(number + 1));
	rc = db_put(txn, DB_DICTIONARY, &key, value, len, DB_PUT_LAST, err);
	if (rc == 0)
		codec->newest = number + 1;
	return rc;
}

int
certificate_train_when_due(struct certificate_codec *codec, struct db_txn *txn, struct err *err)
{
	uint64_t records, octets, due = CERTIFICATE_TRAIN_AT;
	struct buf value = {0};
	int64_t number;
	uint32_t among;
	int rc;

	if ((rc = db_table_size(txn, DB_CERT, &records, &octets, err)) < 0 ||
	    records < CERTIFICATE_TRAIN_AT || (rc = newest(txn, &number, &among, err)) < 0)
		return rc;
	if (number >= 0)
		due = (uint64_t)among * 10;
	if (records < due)
		return 0;
	rc = certificate_train(codec, txn, &value, err);
	if (rc > 0)
		rc = certificate_put_dictionary(codec, txn, value.data, value.len, err);
	buf_finish(&value);
	return rc < 0 ? rc : 0;
}
