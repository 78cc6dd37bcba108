#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "day_write.h"
#include "journal.h"
#include "mem.h"
#include "store.h"
#include "store_view.h"

struct store_batch {
	struct store *store;
	struct db_txn *txn;
	struct day_writer days;
	struct err err; /* the first trouble with the store */
	struct buf scratch, entries;
	size_t entry_n;
	uint64_t next[DB_TABLE_N]; /* of the tables that number their records */
	bool changed;
};

/* Trouble with the store spoils the batch; a record that is refused for what it is does not. */
static int
trouble(struct store_batch *batch, struct err *err)
{
	struct err *e = &batch->err;

	if (e->code == ERR_NONE)
		err_set(e, ERR_SYSTEM, "%s: trouble without a name", batch->store->dir);
	return err_set(err, e->code, "%s", e->text);
}

static int
first_free(struct store_batch *batch, enum db_table table)
{
	struct db_cursor *cursor = db_cursor_open(batch->txn, table, &batch->err);
	struct db_bytes key, value;
	struct reader r;
	int rc;

	if (cursor == NULL)
		return batch->err.code;
	rc = db_cursor_move(cursor, DB_LAST, &key, &value, &batch->err);
	if (rc > 0) {
		r = reader_of(key.p, key.len);
		batch->next[table] = (uint64_t)reader_u32be(&r) + 1;
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
store_batch_begin(struct store *store, struct store_batch **out, struct err *err)
{
	struct store_batch *batch;
	int rc;

	*out = NULL;
	if (store->mode != STORE_WRITE)
		return err_set(err, ERR_INPUT, "%s: opened for reading only", store->dir);
	batch = mem_zero(1, sizeof(*batch));
	batch->store = store;
	rc = db_begin(store->db, true, &batch->txn, &batch->err);
	if (rc == 0)
		rc = day_write_init(&batch->days, batch->txn, &batch->err);
	if (rc == 0)
		rc = first_free(batch, DB_SERIES);
	if (rc == 0)
		rc = first_free(batch, DB_EVIDENCE);
	if (rc == 0)
		rc = first_free(batch, DB_CERT);
	if (rc != 0) {
		rc = trouble(batch, err);
		store_batch_abort(&batch);
		return rc;
	}
	*out = batch;
	return 0;
}

/* Puts a record under the table's next number. */
static int
put_numbered(
    struct store_batch *batch, enum db_table table, const void *value, size_t len, uint32_t *number)
{
	struct key key;

	if (batch->next[table] > UINT32_MAX)
		return err_set(&batch->err, ERR_LIMIT, "%s: sub-database %s has no numbers left",
		    batch->store->dir, db_table_name(table));
	*number = (uint32_t)batch->next[table]++;
	key_number(&key, *number);
	batch->changed = true;
	return db_put(batch->txn, table, &key, value, len, DB_PUT_LAST, &batch->err);
}

static int
put_index(struct store_batch *batch, enum db_table table, const struct key *key, uint32_t number)
{
	uint8_t value[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
	    (uint8_t)(number >> 24)};

	return db_put(batch->txn, table, key, value, sizeof(value), DB_PUT, &batch->err);
}

/* ---- certificates and chains ---------------------------------------------------------------- */

/* A new record under its own number, or in place of the one that holds but the name. */
static int
put_certificate(struct store_batch *batch, const struct hash *name, enum store_codec codec,
    const void *der, size_t len)
{
	struct key key, number_key;
	uint32_t number;
	int rc;

	buf_clear(&batch->scratch);
	buf_append(&batch->scratch, name->bytes, HASH_LEN);
	buf_append_byte(&batch->scratch, (uint8_t)codec);
	buf_append(&batch->scratch, der, len);
	key_hash(&key, name);
	rc = store_number(batch->txn, DB_CERT_ID, &key, &number, &batch->err);
	if (rc > 0) {
		key_number(&number_key, number);
		batch->changed = true;
		rc = db_put(batch->txn, DB_CERT, &number_key, batch->scratch.data,
		    batch->scratch.len, DB_PUT, &batch->err);
	} else if (rc == 0) {
		rc = put_numbered(batch, DB_CERT, batch->scratch.data, batch->scratch.len, &number);
		if (rc == 0)
			rc = put_index(batch, DB_CERT_ID, &key, number);
	}
	return rc;
}

int
store_batch_certificate(
    struct store_batch *batch, const void *der, size_t len, struct hash *name, struct err *err)
{
	struct hash hash;
	enum store_codec codec;
	struct db_bytes bytes;
	int rc;

	if (batch->err.code != ERR_NONE)
		return trouble(batch, err);
	if (len > LIMIT_CERTIFICATE)
		return err_set(
		    err, ERR_LIMIT, "a certificate of more than %u octets", LIMIT_CERTIFICATE);
	hash = hash_sha256(der, len);
	if (name != NULL)
		*name = hash;
	rc = store_certificate_record(batch->txn, &hash, &codec, &bytes, &batch->err);
	if (rc > 0 && codec != CODEC_NAME)
		return 0;
	if (rc >= 0)
		rc = put_certificate(batch, &hash, CODEC_RAW, der, len);
	return rc < 0 ? trouble(batch, err) : 1;
}

/* Those of the chain that nobody has brought; unheard-of ones are remembered. */
static int
count_unknown(struct store_batch *batch, const struct hash *chain, size_t n, size_t *unknown)
{
	enum store_codec codec;
	struct db_bytes bytes;
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = store_certificate_record(batch->txn, &chain[i], &codec, &bytes, &batch->err);
		if (rc < 0)
			return rc;
		if (rc > 0 && codec != CODEC_NAME)
			continue;
		if (unknown != NULL)
			++*unknown;
		if (rc == 0 && (rc = put_certificate(batch, &chain[i], CODEC_NAME, NULL, 0)) < 0)
			return rc;
	}
	return 0;
}

static int
put_chain(struct store_batch *batch, const struct hash *chain, size_t n, size_t *unknown)
{
	struct hash id = hash_chain(chain, n);
	struct db_bytes value;
	struct key key;
	int rc;

	key_hash(&key, &id);
	if ((rc = db_get(batch->txn, DB_CHAIN, &key, &value, &batch->err)) < 0)
		return rc;
	if (rc > 0 && unknown == NULL)
		return 0;
	if (rc == 0) {
		batch->changed = true;
		rc = db_put(batch->txn, DB_CHAIN, &key, chain, n * HASH_LEN, DB_PUT, &batch->err);
		if (rc < 0)
			return rc;
	}
	return count_unknown(batch, chain, n, unknown);
}

/* ---- series and evidence -------------------------------------------------------------------- */

static int
intern_series(struct store_batch *batch, const struct series *series, uint32_t *number)
{
	struct key key;
	int rc;

	key_series(&key, series);
	rc = store_number(batch->txn, DB_SERIES_KEY, &key, number, &batch->err);
	if (rc != 0)
		return rc;
	buf_clear(&batch->scratch);
	series_encode(&batch->scratch, series);
	rc = put_numbered(batch, DB_SERIES, batch->scratch.data, batch->scratch.len, number);
	if (rc == 0)
		rc = put_index(batch, DB_SERIES_KEY, &key, *number);
	if (rc == 0 && series->kind == SERIES_PROBE) {
		key_address_series(&key, &series->address, series->port, *number);
		rc = db_put(batch->txn, DB_BY_ADDRESS, &key, NULL, 0, DB_PUT, &batch->err);
	}
	return rc;
}

/* The canonical bytes are in batch->scratch. */
static int
intern_evidence(struct store_batch *batch, uint32_t *number)
{
	struct hash id = hash_sha256(batch->scratch.data, batch->scratch.len);
	struct key key;
	int rc;

	key_hash(&key, &id);
	rc = store_number(batch->txn, DB_EVIDENCE_ID, &key, number, &batch->err);
	if (rc != 0)
		return rc;
	rc = put_numbered(batch, DB_EVIDENCE, batch->scratch.data, batch->scratch.len, number);
	return rc == 0 ? put_index(batch, DB_EVIDENCE_ID, &key, *number) : rc;
}

static int
put_sighting(struct store_batch *batch, uint32_t series, enum series_kind kind,
    const struct sighting *sighting)
{
	struct journal_entry entry = {series, sighting->time_ms};
	int rc = day_write(&batch->days, series, kind, sighting, &batch->err);

	if (rc > 0) {
		buf_append(&batch->entries, &entry, sizeof(entry));
		batch->entry_n++;
		batch->changed = true;
	}
	return rc;
}

static int
has_room(const struct store_batch *batch, struct err *err)
{
	return batch->entry_n < LIMIT_BATCH
		   ? 0
		   : err_set(err, ERR_LIMIT, "a batch of more than %d observations; commit before",
			 LIMIT_BATCH);
}

int
store_batch_observation(struct store_batch *batch, const struct series *series,
    const struct observation *observation, size_t *unknown, struct err *err)
{
	const struct evidence *e = &observation->evidence;
	struct sighting sighting = {.time_ms = observation->time_ms};
	uint32_t number;
	int rc;

	if (batch->err.code != ERR_NONE)
		return trouble(batch, err);
	if (series->kind != SERIES_PROBE)
		return err_set(err, ERR_INPUT, "kind: an observation needs a series of probes");
	if ((rc = series_valid(series, err)) != 0 ||
	    (rc = observation_valid(series, observation, err)) != 0 ||
	    (rc = has_room(batch, err)) != 0)
		return rc;
	memcpy(sighting.ms, observation->ms, sizeof(sighting.ms));
	rc = intern_series(batch, series, &number);
	if (rc >= 0 && e->chain_n > 0)
		rc = put_chain(batch, e->chain, e->chain_n, unknown);
	if (rc >= 0) {
		buf_clear(&batch->scratch);
		evidence_encode(&batch->scratch, e);
		rc = intern_evidence(batch, &sighting.evidence);
	}
	if (rc >= 0)
		rc = put_sighting(batch, number, SERIES_PROBE, &sighting);
	return rc < 0 ? trouble(batch, err) : rc;
}

int
store_batch_dns(struct store_batch *batch, const struct series *series,
    const struct dns_answer *answer, struct err *err)
{
	struct sighting sighting = {.time_ms = answer->time_ms, .ttl_s = answer->ttl_s};
	uint32_t number;
	int rc;

	if (batch->err.code != ERR_NONE)
		return trouble(batch, err);
	if (series->kind != SERIES_DNS)
		return err_set(err, ERR_INPUT, "kind: an answer needs a series of DNS");
	if (!observation_time_valid(answer->time_ms))
		return err_set(err, ERR_INPUT, "time: not between the years 1 and 9999");
	if ((rc = series_valid(series, err)) != 0 || (rc = dns_answer_valid(answer, err)) != 0 ||
	    (rc = has_room(batch, err)) != 0)
		return rc;
	for (int i = 0; i < MS_N; i++)
		sighting.ms[i] = -1;
	rc = intern_series(batch, series, &number);
	if (rc >= 0) {
		buf_clear(&batch->scratch);
		dns_answer_encode(&batch->scratch, answer);
		rc = intern_evidence(batch, &sighting.evidence);
	}
	if (rc >= 0)
		rc = put_sighting(batch, number, SERIES_DNS, &sighting);
	return rc < 0 ? trouble(batch, err) : rc;
}

size_t
store_batch_len(const struct store_batch *batch)
{
	return batch->entry_n;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int
put_journal(struct store_batch *batch, uint64_t *sequence)
{
	struct key key;
	int rc = journal_newest(batch->txn, sequence, &batch->err);

	if (rc != 0 || batch->entry_n == 0)
		return rc;
	++*sequence;
	buf_clear(&batch->scratch);
	journal_encode(
	    &batch->scratch, clock_now_ms(), (const void *)batch->entries.data, batch->entry_n);
	key_sequence(&key, *sequence);
	return db_put(batch->txn, DB_JOURNAL, &key, batch->scratch.data, batch->scratch.len,
	    DB_PUT_LAST, &batch->err);
}

int
store_batch_commit(struct store_batch **handle, uint64_t *sequence, struct err *err)
{
	struct store_batch *batch = *handle;
	uint64_t number = 0;
	int rc = batch->err.code;

	if (rc == 0)
		rc = put_journal(batch, &number);
	day_write_finish(&batch->days);
	if (rc == 0 && batch->changed)
		rc = db_commit(&batch->txn, &batch->err);
	if (rc == ERR_FULL)
		rc = err_set(err, rc,
		    "%s; the batch (%zu observations) is not stored, the corpus is as it was",
		    batch->err.text, batch->entry_n);
	else if (rc != 0)
		rc = trouble(batch, err);
	else if (sequence != NULL)
		*sequence = number;
	store_batch_abort(handle);
	return rc;
}

void
store_batch_abort(struct store_batch **handle)
{
	struct store_batch *batch = handle != NULL ? *handle : NULL;

	if (batch == NULL)
		return;
	if (batch->days.cursor != NULL)
		day_write_finish(&batch->days);
	db_abort(&batch->txn);
	buf_finish(&batch->scratch);
	buf_finish(&batch->entries);
	free(batch);
	*handle = NULL;
}
