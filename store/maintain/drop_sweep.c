#include <stdlib.h>
#include <string.h>

#include "drop.h"
#include "store/base/mem.h"
#include "store/corpus/numbers.h"
#include "store/record/members.h"

/* Names that may go, sorted, and which of them something that stays refers to. */
struct names {
	struct buf list;
	bool *used;
	size_t n;
};

static int
compare_names(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN);
}

/* After the last one was appended to the list. */
static void
names_seal(struct names *names)
{
	struct hash *list = (void *)names->list.data;
	size_t n = names->list.len / HASH_LEN, kept = 0;

	if (n > 0)
		qsort(list, n, HASH_LEN, compare_names);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || hash_compare(&list[kept - 1], &list[i]) != 0)
			list[kept++] = list[i];
	names->n = kept;
	names->used = mem_zero(kept, sizeof(*names->used));
}

static void
names_use(struct names *names, const void *name)
{
	const uint8_t *found =
	    names->n > 0 ? bsearch(name, names->list.data, names->n, HASH_LEN, compare_names)
			 : NULL;

	if (found != NULL)
		names->used[(size_t)(found - names->list.data) / HASH_LEN] = true;
}

static void
names_finish(struct names *names)
{
	buf_finish(&names->list);
	free(names->used);
}

/* The chain of a record of evidence: 1, 0 (none; of DNS there is none), <0. */
static int
chain_of(const struct db_bytes *bytes, uint32_t number, struct hash *id, struct err *err)
{
	struct evidence e;
	bool has_chain;

	if (bytes->len > 0 && bytes->p[0] == MEMBERS_DNS_ANSWER)
		return 0;
	if (evidence_decode(&e, &has_chain, id, bytes->p, bytes->len, NULL) != 0)
		return err_set(err, ERR_DAMAGED, "damaged: sub-database evidence: record %u",
		    (unsigned)number);
	evidence_finish(&e);
	return has_chain;
}

static int
drop_evidence(struct drop *d, uint32_t number, struct names *chains, struct err *err)
{
	struct db_bytes bytes;
	struct hash id, chain;
	struct key key;
	int rc = store_evidence_bytes(&d->view, number, &bytes, err);

	if (rc <= 0)
		return rc < 0 ? rc
			      : err_set(err, ERR_DAMAGED,
				    "damaged: an observation shows evidence %u that is not there",
				    (unsigned)number);
	if ((rc = chain_of(&bytes, number, &chain, err)) < 0)
		return rc;
	if (rc > 0)
		buf_append(&chains->list, chain.bytes, HASH_LEN);
	id = hash_sha256(bytes.p, bytes.len);
	key_number(&key, number);
	if ((rc = db_delete(d->view.txn, DB_EVIDENCE, &key, err)) != 0)
		return rc;
	key_hash(&key, &id);
	d->counts->evidence++;
	return db_delete(d->view.txn, DB_EVIDENCE_ID, &key, err);
}

/* Which of the chains what stays refers to. */
static int
use_chains(struct drop *d, struct names *chains, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(d->view.txn, DB_EVIDENCE, err);
	struct db_bytes key, value;
	struct reader r;
	struct hash id;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	while (rc > 0) {
		r = reader_of(key.p, key.len);
		rc = chain_of(&value, reader_u32be(&r), &id, err);
		if (rc > 0)
			names_use(chains, id.bytes);
		if (rc >= 0)
			rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err);
	}
	db_cursor_close(cursor);
	return rc;
}

/* Which of the certificates the chains that stay name. */
static int
use_certificates(struct drop *d, struct names *certificates, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(d->view.txn, DB_CHAIN, err);
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err))
		for (size_t i = 0; i + HASH_LEN <= value.len; i += HASH_LEN)
			names_use(certificates, value.p + i);
	db_cursor_close(cursor);
	return rc;
}

static int
drop_chains(struct drop *d, const struct names *chains, struct names *certificates, struct err *err)
{
	const struct hash *list = (const void *)chains->list.data;
	struct key key;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < chains->n; i++) {
		if (chains->used[i])
			continue;
		if ((rc = store_chain(&d->view, &list[i], &certificates->list, err)) != 0)
			return rc;
		key_hash(&key, &list[i]);
		rc = db_delete(d->view.txn, DB_CHAIN, &key, err);
		d->counts->chains++;
	}
	return rc;
}

static int
drop_certificates(struct drop *d, const struct names *certificates, struct err *err)
{
	const struct hash *list = (const void *)certificates->list.data;
	uint32_t number;
	struct key key;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < certificates->n; i++) {
		if (certificates->used[i])
			continue;
		key_hash(&key, &list[i]);
		if ((rc = store_number(d->view.txn, DB_CERT_ID, &key, &number, err)) <= 0)
			continue;
		if ((rc = db_delete(d->view.txn, DB_CERT_ID, &key, err)) == 0)
			rc = certificate_remove(d->store->codec, d->view.txn, number, err);
		d->counts->certificates++;
	}
	return rc < 0 ? rc : 0;
}

static int
drop_series(struct drop *d, uint32_t number, struct err *err)
{
	struct series series;
	struct key key;
	int rc = store_series(&d->view, number, &series, err);

	if (rc != 0)
		return rc;
	key_series(&key, &series);
	rc = db_delete(d->view.txn, DB_SERIES_KEY, &key, err);
	if (rc == 0 && series.kind == SERIES_PROBE) {
		key_address_series(&key, &series.address, series.port, number);
		rc = db_delete(d->view.txn, DB_BY_ADDRESS, &key, err);
	}
	key_number(&key, number);
	if (rc == 0)
		rc = db_delete(d->view.txn, DB_SERIES, &key, err);
	d->counts->series++;
	return rc;
}

/* The numbers that are free at the end of a table must not be given again. */
static int
keep_numbers(struct drop *d, struct err *err)
{
	struct numbers numbers;
	int rc = numbers_read(d->view.txn, &numbers, err);

	return rc == 0 ? numbers_write(d->view.txn, &numbers, err) : rc;
}

int
drop_sweep(struct drop *d, struct err *err)
{
	struct names chains = {0}, certificates = {0};
	int rc = keep_numbers(d, err);

	for (uint64_t i = 0; rc == 0 && i < 8 * (uint64_t)d->unused.octets.len; i++)
		if (bits_has(&d->unused, (uint32_t)i) && !bits_has(&d->used, (uint32_t)i))
			rc = drop_evidence(d, (uint32_t)i, &chains, err);
	names_seal(&chains);
	if (rc == 0 && chains.n > 0)
		rc = use_chains(d, &chains, err);
	if (rc == 0)
		rc = drop_chains(d, &chains, &certificates, err);
	names_seal(&certificates);
	if (rc == 0 && certificates.n > 0)
		rc = use_certificates(d, &certificates, err);
	if (rc == 0)
		rc = drop_certificates(d, &certificates, err);
	for (size_t i = 0; rc == 0 && i < d->series_n; i++)
		if (bits_has(&d->empty, d->series[i]))
			rc = drop_series(d, d->series[i], err);
	names_finish(&chains);
	names_finish(&certificates);
	return rc;
}
