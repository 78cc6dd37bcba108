#include <stdlib.h>
#include <string.h>

#include "day_write.h"
#include "journal.h"
#include "numbers.h"
#include "store.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/record/sts_answer.h"
#include "store_view.h"

struct store_batch {
	struct store *store;
	struct db_txn *txn;
	struct err err; /* the first trouble with the store */
	struct buf shown, scratch;
	struct day_arrival *arrivals; /* in order of arrival */
	size_t n, cap;
	uint64_t next[DB_TABLE_N]; /* of the tables that number their records */
	bool certificates, changed;
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

/* ---- the beginning -------------------------------------------------------------------------- */

static int
first_free(struct store_batch *batch)
{
	struct numbers numbers;
	int rc = numbers_read(batch->txn, &numbers, &batch->err);

	batch->next[DB_SERIES] = numbers.series;
	batch->next[DB_EVIDENCE] = numbers.evidence;
	batch->next[DB_CERT] = numbers.certificates;
	return rc;
}

static void
forget(struct store *store)
{
	struct store_known *known = &store->known;

	cache_clear(known->series);
	cache_clear(known->evidence);
	cache_clear(known->certificates);
	certificate_codec_forget(store->codec);
	known->as_of = 0;
}

/* What is known from the batch before holds if nobody has written since. */
static void
take_known(struct store *store, uint64_t number)
{
	struct store_known *known = &store->known;

	if (known->series == NULL) {
		known->series = cache_create(LIMIT_CACHE_SERIES);
		known->evidence = cache_create(LIMIT_CACHE_EVIDENCE);
		known->certificates = cache_create(LIMIT_CACHE_CERTIFICATE);
	}
	if (known->as_of != 0 && known->as_of + 1 != number)
		forget(store);
	known->as_of = 0; /* until the batch is committed */
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
		take_known(store, db_txn_number(batch->txn));
	if (rc == 0)
		rc = first_free(batch);
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

/* A certificate's state in the store: how it is there, and under which number. */
enum held { HELD_NOT, HELD_NAME, HELD_DER };

static int
look_up(struct store_batch *batch, const struct hash *name, enum held *held, uint32_t *number)
{
	struct cache *known = batch->store->known.certificates;
	struct certificate_record record;
	int rc;

	*held = HELD_DER;
	if (cache_find(known, name->bytes, HASH_LEN, number))
		return 0;
	rc = store_certificate_record(batch->txn, name, &record, &batch->err);
	if (rc < 0)
		return rc;
	if (rc > 0)
		*number = record.number;
	*held = rc == 0 ? HELD_NOT : certificate_is_name(&record.value) ? HELD_NAME : HELD_DER;
	if (*held == HELD_DER)
		cache_add(known, name->bytes, HASH_LEN, *number);
	return 0;
}

/* batch->scratch as a new record. One that holds but the name goes: what came since some moment is
 * what has the numbers that were given since. */
static int
put_certificate(
    struct store_batch *batch, const struct hash *name, enum held held, uint32_t *number)
{
	struct key key;
	int rc = 0;

	if (held == HELD_NAME) {
		key_number(&key, *number);
		rc = db_delete(batch->txn, DB_CERT, &key, &batch->err);
	}
	if (rc == 0)
		rc = put_numbered(batch, DB_CERT, batch->scratch.data, batch->scratch.len, number);
	key_hash(&key, name);
	return rc == 0 ? put_index(batch, DB_CERT_ID, &key, *number) : rc;
}

int
store_batch_certificate(
    struct store_batch *batch, const void *der, size_t len, struct hash *name, struct err *err)
{
	struct hash hash;
	enum held held;
	uint32_t number;
	int rc;

	if (batch->err.code != ERR_NONE)
		return trouble(batch, err);
	if (len > LIMIT_CERTIFICATE)
		return err_set(
		    err, ERR_LIMIT, "a certificate of more than %u octets", LIMIT_CERTIFICATE);
	hash = hash_sha256(der, len);
	if (name != NULL)
		*name = hash;
	if (look_up(batch, &hash, &held, &number) < 0)
		return trouble(batch, err);
	if (held == HELD_DER)
		return 0;
	buf_clear(&batch->scratch);
	rc = certificate_encode(
	    batch->store->codec, batch->txn, &batch->scratch, der, len, &batch->err);
	if (rc == 0)
		rc = put_certificate(batch, &hash, held, &number);
	if (rc < 0)
		return trouble(batch, err);
	cache_add(batch->store->known.certificates, hash.bytes, HASH_LEN, number);
	batch->certificates = true;
	return 1;
}

int
store_batch_has_certificate(struct store_batch *batch, const struct hash *name, struct err *err)
{
	enum held held;
	uint32_t number;

	if (batch->err.code != ERR_NONE || look_up(batch, name, &held, &number) < 0)
		return trouble(batch, err);
	return held == HELD_DER;
}

/* Those of the chain that nobody has brought; unheard-of ones are remembered. */
static int
count_unknown(struct store_batch *batch, const struct hash *chain, size_t n, size_t *unknown)
{
	enum held held;
	uint32_t number;
	int rc;

	for (size_t i = 0; i < n; i++) {
		if ((rc = look_up(batch, &chain[i], &held, &number)) < 0)
			return rc;
		if (held == HELD_DER)
			continue;
		if (unknown != NULL)
			++*unknown;
		if (held == HELD_NAME)
			continue;
		buf_clear(&batch->scratch);
		certificate_encode_name(&batch->scratch, &chain[i]);
		if ((rc = put_certificate(batch, &chain[i], held, &number)) < 0)
			return rc;
	}
	return 0;
}

static int
put_chain(struct store_batch *batch, const struct hash *chain, size_t n)
{
	struct hash id = hash_chain(chain, n);
	struct db_bytes value;
	struct key key;
	int rc;

	key_hash(&key, &id);
	if ((rc = db_get(batch->txn, DB_CHAIN, &key, &value, &batch->err)) != 0)
		return rc < 0 ? rc : 0;
	batch->changed = true;
	return db_put(batch->txn, DB_CHAIN, &key, chain, n * HASH_LEN, DB_PUT, &batch->err);
}

/* ---- series and evidence -------------------------------------------------------------------- */

/* The series in batch->scratch as series_encode() writes it. */
static int
intern_series(struct store_batch *batch, const struct series *series, uint32_t *number)
{
	struct key key;
	int rc;

	key_series(&key, series);
	rc = store_number(batch->txn, DB_SERIES_KEY, &key, number, &batch->err);
	if (rc == 0) {
		rc =
		    put_numbered(batch, DB_SERIES, batch->scratch.data, batch->scratch.len, number);
		if (rc == 0)
			rc = put_index(batch, DB_SERIES_KEY, &key, *number);
		if (rc == 0 && series->kind == SERIES_PROBE) {
			key_address_series(&key, &series->address, series->port, *number);
			rc = db_put(batch->txn, DB_BY_ADDRESS, &key, NULL, 0, DB_PUT, &batch->err);
		}
	}
	if (rc >= 0)
		cache_add(
		    batch->store->known.series, batch->scratch.data, batch->scratch.len, *number);
	return rc < 0 ? rc : 0;
}

/* Canonical bytes in batch->scratch, what the cache knows them by in batch->shown. */
static int
intern_evidence(struct store_batch *batch, uint32_t *number)
{
	struct hash id = hash_sha256(batch->scratch.data, batch->scratch.len);
	struct key key;
	int rc;

	key_hash(&key, &id);
	rc = store_number(batch->txn, DB_EVIDENCE_ID, &key, number, &batch->err);
	if (rc == 0) {
		rc = put_numbered(
		    batch, DB_EVIDENCE, batch->scratch.data, batch->scratch.len, number);
		if (rc == 0)
			rc = put_index(batch, DB_EVIDENCE_ID, &key, *number);
	}
	if (rc >= 0)
		cache_add(
		    batch->store->known.evidence, batch->shown.data, batch->shown.len, *number);
	return rc < 0 ? rc : 0;
}

/* What is known was found valid when it came first. A value that its octet cannot hold would pass
 * for another's. */
static bool
find_series(struct store_batch *batch, const struct series *s, uint32_t *number)
{
	buf_clear(&batch->scratch);
	series_encode(&batch->scratch, s);
	return (unsigned)s->sni < SNI_N && (unsigned)s->offer < OFFER_N &&
	       cache_find(
		   batch->store->known.series, batch->scratch.data, batch->scratch.len, number);
}

static bool
find_evidence(struct store_batch *batch, const struct evidence *e, uint32_t *number)
{
	buf_clear(&batch->shown);
	evidence_encode_shown(&batch->shown, e);
	return e->tls_alert >= -1 && cache_find(batch->store->known.evidence, batch->shown.data,
					 batch->shown.len, number);
}

static int
has_room(const struct store_batch *batch, struct err *err)
{
	return batch->n < LIMIT_BATCH
		   ? 0
		   : err_set(err, ERR_LIMIT, "a batch of more than %d observations; commit before",
			 LIMIT_BATCH);
}

static void
arrive(struct store_batch *batch, const struct day_arrival *arrival)
{
	if (batch->n == batch->cap) {
		batch->cap = batch->cap > 0 ? 2 * batch->cap : 64;
		batch->arrivals = mem_grow(batch->arrivals, batch->cap, sizeof(*batch->arrivals));
	}
	batch->arrivals[batch->n++] = *arrival;
}

/* Evidence and its chain; `known` says that both are there. */
static int
put_evidence(struct store_batch *batch, const struct evidence *e, bool known, size_t *unknown,
    uint32_t *number)
{
	int rc = 0;

	if (e->chain_n > 0 && !known)
		rc = put_chain(batch, e->chain, e->chain_n);
	if (rc == 0 && e->chain_n > 0 && (!known || unknown != NULL))
		rc = count_unknown(batch, e->chain, e->chain_n, unknown);
	if (rc != 0 || known)
		return rc;
	buf_clear(&batch->scratch);
	evidence_encode(&batch->scratch, e);
	return intern_evidence(batch, number);
}

int
store_batch_observation(struct store_batch *batch, const struct series *series,
    const struct observation *observation, size_t *unknown, struct err *err)
{
	const struct evidence *e = &observation->evidence;
	struct day_arrival arrival = {
	    .sighting.time_ms = observation->time_ms, .kind = SERIES_PROBE};
	bool series_known, evidence_known;
	int rc;

	if (batch->err.code != ERR_NONE)
		return trouble(batch, err);
	if (series->kind != SERIES_PROBE)
		return err_set(err, ERR_INPUT, "kind: an observation needs a series of probes");
	evidence_known = find_evidence(batch, e, &arrival.sighting.evidence);
	series_known = find_series(batch, series, &arrival.series);
	if ((!series_known && (rc = series_valid(series, err)) != 0) ||
	    (rc = observation_fits(series, observation, err)) != 0 ||
	    (!evidence_known && (rc = evidence_valid(e, err)) != 0) ||
	    (rc = has_room(batch, err)) != 0)
		return rc;
	rc = series_known ? 0 : intern_series(batch, series, &arrival.series);
	if (rc == 0)
		rc = put_evidence(batch, e, evidence_known, unknown, &arrival.sighting.evidence);
	if (rc != 0)
		return trouble(batch, err);
	memcpy(arrival.sighting.ms, observation->ms, sizeof(arrival.sighting.ms));
	arrive(batch, &arrival);
	return 0;
}

/* What is kept under the number of no type must be what that number is for. */
static int
answer_valid(const struct series *series, const struct dns_answer *answer, struct err *err)
{
	struct sts_answer sts;
	int rc = dns_answer_valid(answer, err);

	if (rc == 0 && series->rrtype == RRTYPE_STS &&
	    (rc = sts_answer_read(&sts, answer, err)) == 0)
		sts_answer_finish(&sts);
	return rc;
}

int
store_batch_dns(struct store_batch *batch, const struct series *series,
    const struct dns_answer *answer, struct err *err)
{
	struct day_arrival arrival = {
	    .sighting = {.time_ms = answer->time_ms, .ttl_s = answer->ttl_s}, .kind = SERIES_DNS};
	int rc = 0;

	if (batch->err.code != ERR_NONE)
		return trouble(batch, err);
	if (series->kind != SERIES_DNS)
		return err_set(err, ERR_INPUT, "kind: an answer needs a series of DNS");
	if (!observation_time_valid(answer->time_ms))
		return err_set(err, ERR_INPUT, "time: not between the years 1 and 9999");
	if ((rc = series_valid(series, err)) != 0 ||
	    (rc = answer_valid(series, answer, err)) != 0 || (rc = has_room(batch, err)) != 0)
		return rc;
	for (int i = 0; i < MS_N; i++)
		arrival.sighting.ms[i] = -1;
	if (!find_series(batch, series, &arrival.series))
		rc = intern_series(batch, series, &arrival.series);
	buf_clear(&batch->shown);
	dns_answer_encode(&batch->shown, answer);
	if (rc == 0 && !cache_find(batch->store->known.evidence, batch->shown.data,
			   batch->shown.len, &arrival.sighting.evidence)) {
		buf_clear(&batch->scratch);
		buf_append(&batch->scratch, batch->shown.data, batch->shown.len);
		rc = intern_evidence(batch, &arrival.sighting.evidence);
	}
	if (rc != 0)
		return trouble(batch, err);
	arrive(batch, &arrival);
	return 0;
}

size_t
store_batch_len(const struct store_batch *batch)
{
	return batch->n;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Those that are new, in order of arrival. */
static void
count(const struct store_batch *batch, struct buf *entries, struct store_commit *commit)
{
	for (size_t i = 0; i < batch->n; i++) {
		const struct day_arrival *a = &batch->arrivals[i];
		struct journal_entry entry = {a->series, a->sighting.time_ms};

		if (!a->added) {
			commit->repeated++;
			continue;
		}
		*(a->kind == SERIES_DNS ? &commit->dns_answers : &commit->observations) += 1;
		buf_append(entries, &entry, sizeof(entry));
	}
}

static int
put_journal(struct store_batch *batch, const struct buf *entries, uint64_t *sequence)
{
	struct key key;
	int rc = journal_newest(batch->txn, sequence, &batch->err);

	if (rc != 0 || entries->len == 0)
		return rc;
	++*sequence;
	buf_clear(&batch->scratch);
	journal_encode(&batch->scratch, clock_now_ms(), (const void *)entries->data,
	    entries->len / sizeof(struct journal_entry));
	key_sequence(&key, *sequence);
	batch->changed = true;
	return db_put(batch->txn, DB_JOURNAL, &key, batch->scratch.data, batch->scratch.len,
	    DB_PUT_LAST, &batch->err);
}

static int
finish(struct store_batch *batch, struct store_commit *commit)
{
	struct buf entries = {0};
	int rc = batch->err.code;

	if (rc == 0)
		rc = day_write(batch->txn, batch->arrivals, batch->n, &batch->err);
	if (rc == 0) {
		count(batch, &entries, commit);
		rc = put_journal(batch, &entries, &commit->sequence);
	}
	if (rc == 0 && batch->certificates)
		rc = certificate_train_when_due(batch->store->codec, batch->txn, &batch->err);
	buf_finish(&entries);
	return rc;
}

int
store_batch_commit(struct store_batch **handle, struct store_commit *out, struct err *err)
{
	struct store_batch *batch = *handle;
	struct store_commit commit = {0};
	uint64_t number = db_txn_number(batch->txn);
	int rc = finish(batch, &commit);

	if (rc == 0 && batch->changed)
		rc = db_commit(&batch->txn, &batch->err);
	else if (rc == 0)
		number--; /* nothing was written: what is known is right as of the commit before */
	if (rc == 0)
		batch->store->known.as_of = number;
	if (rc == ERR_FULL)
		rc = err_set(err, rc,
		    "%s; the batch (%zu observations) is not stored, the corpus is as it was",
		    batch->err.text, batch->n);
	else if (rc != 0)
		rc = trouble(batch, err);
	else if (out != NULL)
		*out = commit;
	store_batch_abort(handle);
	return rc;
}

void
store_batch_abort(struct store_batch **handle)
{
	struct store_batch *batch = handle != NULL ? *handle : NULL;

	if (batch == NULL)
		return;
	db_abort(&batch->txn);
	if (batch->store->known.as_of == 0 && batch->store->known.series != NULL)
		forget(batch->store);
	buf_finish(&batch->shown);
	buf_finish(&batch->scratch);
	free(batch->arrivals);
	free(batch);
	*handle = NULL;
}
