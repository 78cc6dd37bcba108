#include "certificate_codec.h"

#include <stdlib.h>
#include <string.h>

#include "certificate_dictionary.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/zstd_frame.h"

#define SAMPLES_MOST 4000		/* certificates that a dictionary is trained on */
#define SAMPLES_OCTETS_MOST (16u << 20) /* all of them together */
#define SAMPLE_LARGEST 8192		/* larger ones are no model for the others */
#define PACKED_SHARE 32			/* DER for each octet of a dictionary for packs */

struct certificate_codec {
	struct certificate_dictionaries dictionaries;
	struct buf scratch;
	struct buf packed;   /* the value of the pack that was read last; empty: none */
	struct buf unpacked; /* and its DERs */
};

struct certificate_codec *
certificate_codec_create(void)
{
	return mem_zero(1, sizeof(struct certificate_codec));
}

void
certificate_codec_forget(struct certificate_codec *codec)
{
	certificate_dictionaries_forget(&codec->dictionaries);
	buf_clear(&codec->packed);
}

void
certificate_codec_destroy(struct certificate_codec *codec)
{
	if (codec == NULL)
		return;
	certificate_codec_forget(codec);
	buf_finish(&codec->scratch);
	buf_finish(&codec->packed);
	buf_finish(&codec->unpacked);
	free(codec);
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
	struct zstd_dictionary *dictionary;
	size_t start = value->len;
	uint32_t number;
	int rc =
	    certificate_dictionary_newest(&codec->dictionaries, txn, &dictionary, &number, err);

	if (rc < 0)
		return rc;
	if (dictionary != NULL) {
		buf_append_byte(value, CERTIFICATE_ZSTD_DICTIONARY);
		buf_append_varint(value, number);
	} else {
		buf_append_byte(value, CERTIFICATE_ZSTD);
	}
	buf_append_varint(value, len);
	zstd_frame_compress(value, der, len, dictionary, ZSTD_QUICK);
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

/* ---- packs ---------------------------------------------------------------------------------- */

struct pack {
	uint64_t dictionary; /* its number and 1 */
	unsigned n;
	struct reader items, frame;
	size_t octets;
};

/* Whoever made it: after this, what `items` and `octets` say holds. */
static bool
parse_pack(struct pack *pack, const struct db_bytes *value)
{
	struct reader r = reader_of(value->p, value->len);
	bool is_pack = reader_byte(&r) == CERTIFICATE_PACK;
	uint64_t n, span = 0;

	*pack = (struct pack){.dictionary = reader_varint(&r)};
	n = reader_varint(&r);
	if (!is_pack || r.failed || n == 0 || n > LIMIT_PACK || pack->dictionary > UINT32_MAX)
		return false;
	pack->n = (unsigned)n;
	pack->items = r;
	for (unsigned i = 0; i < pack->n; i++) {
		uint64_t difference = reader_varint(&r), len = reader_varint(&r);

		if (r.failed || (difference == 0) != (i == 0) || difference > UINT32_MAX - span ||
		    len > LIMIT_PACK_OCTETS - pack->octets)
			return false;
		span += difference;
		pack->octets += len;
	}
	pack->frame = r;
	return true;
}

int
certificate_encode_pack(struct certificate_codec *codec, struct db_txn *txn, struct buf *value,
    const struct certificate_part *parts, size_t n, const void *ders, struct err *err)
{
	struct zstd_dictionary *dictionary;
	size_t octets = 0;
	uint32_t number;
	int rc =
	    certificate_dictionary_newest(&codec->dictionaries, txn, &dictionary, &number, err);

	if (rc < 0)
		return rc;
	buf_append_byte(value, CERTIFICATE_PACK);
	buf_append_varint(value, dictionary != NULL ? (uint64_t)number + 1 : 0);
	buf_append_varint(value, n);
	for (size_t i = 0; i < n; i++) {
		buf_append_varint(value, i > 0 ? parts[i].number - parts[i - 1].number : 0);
		buf_append_varint(value, parts[i].len);
		octets += parts[i].len;
	}
	zstd_frame_compress(value, ders, octets, dictionary, ZSTD_THOROUGH);
	return 0;
}

bool
certificate_items_init(
    struct certificate_items *items, const struct db_bytes *key, const struct db_bytes *value)
{
	struct reader r = reader_of(key->p, key->len);
	struct pack pack;

	*items = (struct certificate_items){.number = reader_u32be(&r), .left = 1};
	if (r.failed || reader_left(&r) > 0)
		return false;
	items->packed = value->len > 0 && value->p[0] == CERTIFICATE_PACK;
	if (!items->packed)
		return true;
	if (!parse_pack(&pack, value))
		return false;
	items->left = pack.n;
	items->rest = pack.items;
	return true;
}

bool
certificate_items_next(struct certificate_items *items)
{
	if (items->left == 0)
		return false;
	items->left--;
	items->index += items->started;
	items->started = true;
	if (items->packed) {
		items->number += (uint32_t)reader_varint(&items->rest);
		reader_varint(&items->rest);
	}
	return true;
}

int
certificate_find(
    struct db_txn *txn, uint32_t number, struct certificate_record *record, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, DB_CERT, err);
	struct certificate_items items;
	struct db_bytes found;
	struct key key;
	int rc;

	*record = (struct certificate_record){.number = number};
	if (cursor == NULL)
		return ERR_SYSTEM;
	key_number(&key, number);
	key.bytes[key.len++] = 0; /* just above that key */
	rc = db_cursor_seek_below(cursor, &key, &found, &record->value, err);
	db_cursor_close(cursor);
	if (rc <= 0)
		return rc;
	if (!certificate_items_init(&items, &found, &record->value))
		return cannot_be_read(err);
	record->first = items.number;
	while (certificate_items_next(&items)) {
		record->index = items.index;
		if (items.number == number)
			return 1;
	}
	return 0;
}

/* All of it in codec->unpacked; one after the other is asked for. */
static int
unpack(struct certificate_codec *codec, struct db_txn *txn, const struct db_bytes *value,
    const struct pack *pack, struct err *err)
{
	struct zstd_dictionary *dictionary = NULL;
	int rc;

	/* Octet by octet: who makes a file can make two packs of one checksum. */
	if (codec->packed.len == value->len &&
	    memcmp(codec->packed.data, value->p, value->len) == 0)
		return 0;
	buf_clear(&codec->packed);
	if (pack->dictionary > 0 && (rc = certificate_dictionary_load(&codec->dictionaries, txn,
					 (uint32_t)(pack->dictionary - 1), &dictionary, err)) < 0)
		return rc;
	buf_clear(&codec->unpacked);
	if (!zstd_frame_decompress(&codec->unpacked, pack->octets, pack->frame.p,
		reader_left(&pack->frame), dictionary))
		return cannot_be_read(err);
	buf_append(&codec->packed, value->p, value->len);
	return 0;
}

static int
decode_packed(struct certificate_codec *codec, struct db_txn *txn, const struct db_bytes *value,
    unsigned index, struct buf *der, struct err *err)
{
	struct pack pack;
	size_t start = 0, len = 0;
	int rc;

	if (!parse_pack(&pack, value) || index >= pack.n)
		return cannot_be_read(err);
	if ((rc = unpack(codec, txn, value, &pack, err)) < 0)
		return rc;
	for (unsigned i = 0; i <= index; i++) {
		start += len;
		reader_varint(&pack.items);
		len = (size_t)reader_varint(&pack.items);
	}
	buf_append(der, codec->unpacked.data + start, len);
	return 1;
}

int
certificate_remove(
    struct certificate_codec *codec, struct db_txn *txn, uint32_t number, struct err *err)
{
	struct buf pack = {0}, der = {0}, value = {0};
	struct certificate_record record;
	struct certificate_items items;
	struct db_bytes whole, first;
	struct key key;
	int rc = certificate_find(txn, number, &record, err);

	if (rc <= 0)
		return rc;
	/* What is written next may move what is read. */
	buf_append(&pack, record.value.p, record.value.len);
	whole = (struct db_bytes){pack.data, pack.len};
	key_number(&key, record.first);
	first = (struct db_bytes){key.bytes, key.len};
	certificate_items_init(&items, &first, &whole);
	rc = db_delete(txn, DB_CERT, &key, err);
	while (rc == 0 && certificate_items_next(&items)) {
		if (items.number == number)
			continue;
		buf_clear(&value);
		rc = certificate_decode(codec, txn, &whole, items.index, &der, err);
		if (rc > 0)
			rc = certificate_encode(codec, txn, &value, der.data, der.len, err);
		key_number(&key, items.number);
		if (rc == 0)
			rc = db_put(txn, DB_CERT, &key, value.data, value.len, DB_PUT, err);
	}
	buf_finish(&pack);
	buf_finish(&der);
	buf_finish(&value);
	return rc;
}

/* ---- decoding ------------------------------------------------------------------------------- */

int
certificate_decode(struct certificate_codec *codec, struct db_txn *txn,
    const struct db_bytes *value, unsigned index, struct buf *der, struct err *err)
{
	struct reader r = reader_of(value->p, value->len);
	enum certificate_form form = reader_byte(&r);
	struct zstd_dictionary *dictionary = NULL;
	uint64_t number = 0, len;
	int rc;

	buf_clear(der);
	if (form == CERTIFICATE_PACK)
		return decode_packed(codec, txn, value, index, der, err);
	if (r.failed || index > 0)
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
		if ((rc = certificate_dictionary_load(
			 &codec->dictionaries, txn, (uint32_t)number, &dictionary, err)) < 0)
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
	uint64_t seen;
};

/* 1, <0. */
static int
take_sample(struct certificate_codec *codec, struct db_txn *txn, const struct db_bytes *value,
    unsigned index, struct samples *samples, struct err *err)
{
	int rc = certificate_decode(codec, txn, value, index, &codec->scratch, err);
	size_t len = codec->scratch.len;

	if (rc > 0 && len > 0 && len <= SAMPLE_LARGEST) {
		buf_append(&samples->octets, codec->scratch.data, len);
		buf_append(&samples->lengths, &len, sizeof(len));
	}
	return rc < 0 ? rc : 1;
}

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
	for (rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	     rc > 0 && samples->octets.len < SAMPLES_OCTETS_MOST;
	     rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		struct certificate_items items;

		if (!certificate_items_init(&items, &key, &value)) {
			rc = cannot_be_read(err);
			break;
		}
		while (rc > 0 && certificate_items_next(&items))
			if (samples->seen++ % step == 0)
				rc = take_sample(codec, txn, &value, items.index, samples, err);
		if (rc < 0)
			break;
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
certificate_train(struct certificate_codec *codec, struct db_txn *txn, bool for_packs,
    struct buf *value, struct err *err)
{
	struct samples samples = {0};
	uint64_t records, octets;
	size_t start = value->len, n, most = LIMIT_DICTIONARY;
	int rc = db_table_size(txn, DB_CERT_ID, &records, &octets, err);

	if (rc == 0)
		rc = take_samples(codec, txn, records, &samples, err);
	n = samples.lengths.len / sizeof(size_t);
	if (rc == 0 && n > 0) {
		if (for_packs && samples.octets.len / n * samples.seen / PACKED_SHARE < most)
			most = samples.octets.len / n * samples.seen / PACKED_SHARE;
		buf_append_u32le(value, records < UINT32_MAX ? (uint32_t)records : UINT32_MAX);
		if (zstd_dictionary_train(value, most, samples.octets.data,
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
	return certificate_dictionary_put(&codec->dictionaries, txn, value, len, err);
}

int
certificate_train_when_due(struct certificate_codec *codec, struct db_txn *txn, struct err *err)
{
	uint64_t records, octets, due = CERTIFICATE_TRAIN_AT;
	struct buf value = {0};
	uint32_t among;
	int rc;

	if ((rc = db_table_size(txn, DB_CERT_ID, &records, &octets, err)) < 0 ||
	    records < CERTIFICATE_TRAIN_AT ||
	    (rc = certificate_dictionary_among(txn, &among, err)) < 0)
		return rc;
	if (rc > 0)
		due = (uint64_t)among * 10;
	if (records < due)
		return 0;
	rc = certificate_train(codec, txn, false, &value, err);
	if (rc > 0)
		rc = certificate_put_dictionary(codec, txn, value.data, value.len, err);
	buf_finish(&value);
	return rc < 0 ? rc : 0;
}
