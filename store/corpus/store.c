#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "sound.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store_view.h"

int
store_find_dir(const char *option, struct buf *dir, struct err *err)
{
	const char *store = getenv("MX509_STORE"), *data = getenv("XDG_DATA_HOME"),
		   *home = getenv("HOME");

	buf_clear(dir);
	if (option != NULL && option[0] != '\0')
		buf_append_text(dir, option);
	else if (option == NULL && store != NULL && store[0] != '\0')
		buf_append_text(dir, store);
	else if (option == NULL && data != NULL && data[0] == '/')
		buf_printf(dir, "%s/mx509", data);
	else if (option == NULL && home != NULL && home[0] != '\0')
		buf_printf(dir, "%s/.local/share/mx509", home);
	else
		return err_set(err, ERR_INPUT, "where is the corpus? Name it with --store DIR");
	buf_text(dir);
	return 0;
}

int
store_say_damaged(const char *dir, const char *what, struct err *err)
{
	return db_say_damaged(dir, what, err);
}

int
store_open(struct store **out, const char *dir, enum store_mode mode, struct err *err)
{
	struct store *store;
	struct db *db;
	int rc = 0;

	*out = NULL;
	/* What is not there is not repaired. */
	if (pages_cut_short(dir))
		return err_set(err, ERR_DAMAGED,
		    "%s: damaged: data.mdb was cut short; keep a copy of it; what can be read is "
		    "brought into a new corpus by `mxstore merge --store NEW %s`",
		    dir, dir);
	rc = db_open(&db, dir, mode != STORE_READ, err);
	if (rc == 0 && mode == STORE_WRITE)
		rc = sound_check(db, false, err);
	if (rc != 0) {
		db_close(db);
		return rc;
	}
	store = mem_zero(1, sizeof(*store));
	store->db = db;
	store->dir = mem_strdup(dir);
	store->mode = mode;
	store->codec = certificate_codec_create();
	*out = store;
	return 0;
}

int
store_sound(struct store *store, const struct series_filter *filter, struct err *err)
{
	bool narrow = filter->under != NULL || filter->host != NULL || filter->address.family != 0;
	struct db_figures figures;
	int rc = db_figures(store->db, &figures, err);

	if (rc == 0)
		rc = sound_heads(store->db, err);
	if (rc != 0 || (narrow && figures.used_octets > LIMIT_SOUND))
		return rc;
	return sound_check(store->db, false, err);
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	db_close(store->db);
	certificate_codec_destroy(store->codec);
	cache_destroy(store->known.series);
	cache_destroy(store->known.evidence);
	cache_destroy(store->known.certificates);
	free(store->dir);
	free(store);
}

void
store_on_wait(struct store *store, void (*wait)(void *ctx, const char *dir), void *ctx)
{
	db_on_wait(store->db, wait, ctx);
}

const char *
store_dir(const struct store *store)
{
	return store->dir;
}

int
store_view_open(struct store *store, struct store_view **out, struct err *err)
{
	struct db_txn *txn;
	int rc = db_begin(store->db, false, &txn, err);

	*out = NULL;
	if (rc != 0)
		return rc;
	*out = mem_zero(1, sizeof(**out));
	**out = (struct store_view){store, txn};
	return 0;
}

void
store_view_close(struct store_view *view)
{
	if (view == NULL)
		return;
	db_abort(&view->txn);
	free(view);
}

uint64_t
store_view_number(const struct store_view *view)
{
	return db_txn_number(view->txn);
}

uint64_t
store_newest(struct store *store)
{
	return db_newest(store->db);
}

static int
damaged(struct store_view *view, const char *what, uint32_t number, struct err *err)
{
	return err_set(err, ERR_DAMAGED, "%s: damaged: %s %u cannot be read", view->store->dir,
	    what, (unsigned)number);
}

int
store_series(struct store_view *view, uint32_t number, struct series *series, struct err *err)
{
	struct db_bytes value;
	struct key key;
	int rc;

	key_number(&key, number);
	if ((rc = db_get(view->txn, DB_SERIES, &key, &value, err)) < 0)
		return rc;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "%s: no series has the number %u; see mxstore check", view->store->dir,
		    (unsigned)number);
	if (series_decode(series, value.p, value.len, NULL) != 0)
		return damaged(view, "series", number, err);
	return 0;
}

int
store_series_number(
    struct store_view *view, const struct series *series, uint32_t *number, struct err *err)
{
	struct key key;

	key_series(&key, series);
	return store_number(view->txn, DB_SERIES_KEY, &key, number, err);
}

int
store_evidence_bytes(
    struct store_view *view, uint32_t number, struct db_bytes *bytes, struct err *err)
{
	struct key key;

	key_number(&key, number);
	return db_get(view->txn, DB_EVIDENCE, &key, bytes, err);
}

static int
get_evidence(struct store_view *view, uint32_t number, struct db_bytes *bytes, struct err *err)
{
	int rc = store_evidence_bytes(view, number, bytes, err);

	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "%s: no evidence has the number %u; see mxstore check", view->store->dir,
		    (unsigned)number);
	return rc < 0 ? rc : 0;
}

int
store_evidence(struct store_view *view, uint32_t number, struct evidence *out, struct err *err)
{
	struct buf names = {0};
	struct db_bytes bytes;
	struct hash chain_id;
	bool has_chain;
	int rc = get_evidence(view, number, &bytes, err);

	*out = (struct evidence){.tls_alert = -1};
	if (rc != 0)
		return rc;
	if (evidence_decode(out, &has_chain, &chain_id, bytes.p, bytes.len, NULL) != 0)
		return damaged(view, "evidence", number, err);
	if (has_chain) {
		rc = store_chain(view, &chain_id, &names, err);
		if (rc == 0)
			evidence_set_chain(out, names.data, names.len / HASH_LEN);
		else if (rc == ERR_NOT_FOUND)
			rc = damaged(view, "the chain of evidence", number, NULL);
	}
	if (rc != 0) {
		evidence_finish(out);
		err_set(err, rc, "%s: damaged: the chain of evidence %u is not there",
		    view->store->dir, (unsigned)number);
	}
	buf_finish(&names);
	return rc;
}

int
store_dns_answer(struct store_view *view, uint32_t number, struct dns_answer *out, struct err *err)
{
	struct db_bytes bytes;
	int rc = get_evidence(view, number, &bytes, err);

	*out = (struct dns_answer){0};
	if (rc == 0 && dns_answer_decode(out, bytes.p, bytes.len, NULL) != 0)
		rc = damaged(view, "DNS answer", number, err);
	return rc;
}

int
store_number(struct db_txn *txn, enum db_table table, const struct key *key, uint32_t *number,
    struct err *err)
{
	struct db_bytes value;
	struct reader r;
	int rc = db_get(txn, table, key, &value, err);

	if (rc <= 0)
		return rc;
	r = reader_of(value.p, value.len);
	*number = reader_u32le(&r);
	if (r.failed)
		return err_set(err, ERR_DAMAGED, "%s: damaged: sub-database %s holds no number",
		    db_txn_dir(txn), db_table_name(table));
	return 1;
}

int
store_certificate_record(
    struct db_txn *txn, const struct hash *name, struct certificate_record *record, struct err *err)
{
	char hex[2 * HASH_LEN + 1];
	uint32_t number;
	struct key key;
	int rc;

	key_hash(&key, name);
	if ((rc = store_number(txn, DB_CERT_ID, &key, &number, err)) <= 0)
		return rc;
	if ((rc = certificate_find(txn, number, record, err)) != 0)
		return rc;
	hash_hex(name, hex);
	return err_set(err, ERR_DAMAGED,
	    "%s: damaged: sub-database cert does not hold sha256:%s under its number %u",
	    db_txn_dir(txn), hex, (unsigned)number);
}

int
store_certificate(
    struct store_view *view, const struct hash *name, struct buf *der, struct err *err)
{
	char hex[2 * HASH_LEN + 1];
	struct certificate_record record;
	struct err why = {0};
	struct hash found;
	int rc = store_certificate_record(view->txn, name, &record, err);

	buf_clear(der);
	hash_hex(name, hex);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(
		    err, ERR_NOT_FOUND, "%s: no certificate sha256:%s", view->store->dir, hex);
	rc = certificate_decode(
	    view->store->codec, view->txn, &record.value, record.index, der, &why);
	if (rc == 0) {
		buf_clear(der);
		return err_set(err, ERR_NOT_FOUND,
		    "%s: certificate sha256:%s is known by name only; nobody has brought its DER",
		    view->store->dir, hex);
	}
	if (rc > 0) {
		found = hash_sha256(der->data, der->len);
		if (hash_compare(&found, name) == 0)
			return 0;
		rc = err_set(&why, ERR_DAMAGED, "damaged: its bytes have another hash");
	}
	buf_clear(der);
	return err_set(err, rc, "%s: certificate sha256:%s: %s", view->store->dir, hex, why.text);
}

int
store_chain(
    struct store_view *view, const struct hash *chain_id, struct buf *names, struct err *err)
{
	char hex[2 * HASH_LEN + 1];
	struct db_bytes value;
	struct hash found;
	struct key key;
	int rc;

	key_hash(&key, chain_id);
	if ((rc = db_get(view->txn, DB_CHAIN, &key, &value, err)) < 0)
		return rc;
	hash_hex(chain_id, hex);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "%s: no chain %s", view->store->dir, hex);
	found = hash_sha256(value.p, value.len);
	if (value.len % HASH_LEN != 0 || hash_compare(&found, chain_id) != 0)
		return err_set(err, ERR_DAMAGED, "%s: damaged: chain %s", view->store->dir, hex);
	buf_append(names, value.p, value.len);
	return 0;
}
