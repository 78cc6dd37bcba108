#include <string.h>
#include <sys/stat.h>

#include "maintain.h"
#include "stage.h"
#include "store/corpus/certificate_pack.h"
#include "store/corpus/store_view.h"

/* Octets of records between two commits to the copy: what is written waits in memory until then. */
#define COMMIT_OCTETS (UINT64_C(32) << 20)
#define TICK_RECORDS 1024

struct copy {
	struct store_view *from;
	struct store *to;
	struct db_txn *txn; /* of the copy */
	struct buf der, value;
	const struct maintain_hooks *hooks;
	uint64_t seen, all; /* records of `from` */
	uint64_t records;   /* written */
	uint64_t waiting;   /* octets */
};

static int
commit(struct copy *c, struct err *err)
{
	c->waiting = 0;
	return c->txn != NULL ? db_commit(&c->txn, err) : 0;
}

static int
begin(struct copy *c, struct err *err)
{
	return c->txn != NULL ? 0 : db_begin(c->to->db, true, &c->txn, err);
}

/* One dictionary for all, trained on all: smaller than those that were trained on the way. */
static int
train(struct copy *c, struct err *err)
{
	int rc;

	buf_clear(&c->value);
	rc = certificate_train(c->from->store->codec, c->from->txn, true, &c->value, err);
	if (rc <= 0)
		return rc;
	if ((rc = begin(c, err)) != 0)
		return rc;
	c->records += 2; /* with its copy */
	return certificate_put_dictionary(c->to->codec, c->txn, c->value.data, c->value.len, err);
}

static int
put(struct copy *c, enum db_table table, const struct db_bytes *k, const struct db_bytes *value,
    struct err *err)
{
	struct key key = {.len = k->len <= KEY_MAX ? k->len : 0};
	int rc;

	memcpy(key.bytes, k->p, key.len);
	if (c->waiting >= COMMIT_OCTETS && (rc = commit(c, err)) != 0)
		return rc;
	if ((rc = begin(c, err)) != 0)
		return rc;
	c->waiting += key.len + value->len;
	c->records++;
	/* A new corpus has records in DB_META of its own. */
	return db_put(c->txn, table, &key, value->p, value->len,
	    table == DB_META ? DB_PUT : DB_PUT_LAST, err);
}

static int
interrupted(struct copy *c, struct err *err)
{
	if (++c->seen % TICK_RECORDS != 0 || c->hooks->tick == NULL ||
	    !c->hooks->tick(c->hooks->ctx, c->seen, c->all))
		return 0;
	return err_set(err, ERR_INPUT, "interrupted: nothing was made; %s is as it was",
	    store_dir(c->from->store));
}

static int
is_all(struct copy *c, enum db_table table, uint64_t n, struct err *err)
{
	uint64_t records, octets;
	int rc = db_table_size(c->from->txn, table, &records, &octets, err);

	if (rc != 0 || n == records)
		return rc;
	return err_set(err, ERR_DAMAGED,
	    "%s: damaged: sub-database %s has %llu records, of which %llu can be reached",
	    store_dir(c->from->store), db_table_name(table), (unsigned long long)records,
	    (unsigned long long)n);
}

static int
copy_table(struct copy *c, enum db_table table, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(c->from->txn, table, err);
	struct db_bytes key, value;
	uint64_t n = 0;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		if ((rc = put(c, table, &key, &value, err)) != 0)
			break;
		n++;
		if ((rc = interrupted(c, err)) != 0)
			break;
	}
	db_cursor_close(cursor);
	return rc == 0 ? is_all(c, table, n, err) : rc;
}

/* ---- certificates, in packs ----------------------------------------------------------------- */

static int
put_certificates(void *ctx, uint32_t number, const struct db_bytes *value, struct err *err)
{
	struct copy *c = ctx;
	struct db_bytes bytes;
	struct key key;
	int rc;

	key_number(&key, number);
	bytes = (struct db_bytes){key.bytes, key.len};
	rc = put(c, DB_CERT, &bytes, value, err);
	if (rc == 0 && value->p[0] == CERTIFICATE_PACK)
		rc = db_raise_format(c->txn, DB_FORMAT_3, err);
	return rc;
}

/* One that is known by name only stays as it is. */
static int
pack_record(struct copy *c, struct certificate_packer *packer, const struct db_bytes *key,
    const struct db_bytes *value, struct err *err)
{
	struct certificate_items items;
	int rc;

	if (!certificate_items_init(&items, key, value))
		return err_set(err, ERR_DAMAGED,
		    "%s: damaged: sub-database cert: a record cannot be read",
		    store_dir(c->from->store));
	if (certificate_is_name(value)) {
		rc = certificate_packer_flush(packer, err);
		return rc == 0 ? put(c, DB_CERT, key, value, err) : rc;
	}
	while (certificate_items_next(&items)) {
		rc = certificate_decode(
		    c->from->store->codec, c->from->txn, value, items.index, &c->der, err);
		if (rc >= 0)
			rc = certificate_packer_add(
			    packer, items.number, c->der.data, c->der.len, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* All of them anew: with one dictionary, and in packs. After DB_META, whose format they raise. */
static int
pack_certificates(struct copy *c, struct err *err)
{
	struct certificate_packer packer = {
	    .codec = c->to->codec, .put = put_certificates, .ctx = c, .txn = &c->txn};
	struct db_cursor *cursor;
	struct db_bytes key, value;
	uint64_t n = 0;
	int rc = train(c, err);

	if (rc < 0 || (rc = begin(c, err)) != 0)
		return rc;
	if ((cursor = db_cursor_open(c->from->txn, DB_CERT, err)) == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		if ((rc = pack_record(c, &packer, &key, &value, err)) != 0)
			break;
		n++;
		if ((rc = interrupted(c, err)) != 0)
			break;
	}
	db_cursor_close(cursor);
	if (rc == 0)
		rc = certificate_packer_flush(&packer, err);
	certificate_packer_finish(&packer);
	return rc == 0 ? is_all(c, DB_CERT, n, err) : rc;
}

static uint64_t
file_octets(const char *dir)
{
	struct buf path = {0};
	struct stat st = {0};

	buf_printf(&path, "%s/data.mdb", dir);
	if (stat(buf_text(&path), &st) != 0)
		st.st_size = 0;
	buf_finish(&path);
	return (uint64_t)st.st_size;
}

static int
copy_all(struct store *from, struct store *to, bool anew, const struct maintain_hooks *hooks,
    struct maintain_cursor *cursor, struct maintain_copied *copied, struct err *err)
{
	struct copy c = {.to = to, .hooks = hooks};
	uint64_t records, octets;
	int rc = store_view_open(from, &c.from, err);

	if (rc == 0)
		rc = maintain_cursor_of(c.from, cursor, err);
	for (int i = 0; rc == 0 && i < DB_TABLE_N; i++)
		if ((rc = db_table_size(c.from->txn, i, &records, &octets, err)) == 0)
			c.all += records;
	for (int i = 0; rc == 0 && i < DB_TABLE_N; i++)
		if (anew && i == DB_CERT)
			rc = pack_certificates(&c, err);
		else if (!anew || i != DB_DICTIONARY)
			rc = copy_table(&c, i, err);
	if (rc == 0)
		rc = commit(&c, err);
	db_abort(&c.txn);
	store_view_close(c.from);
	buf_finish(&c.der);
	buf_finish(&c.value);
	copied->records = c.records;
	copied->octets_before = file_octets(store_dir(from));
	copied->octets_after = file_octets(store_dir(to));
	return rc;
}

static int
copy_to(struct store *from, const char *dir, bool anew, const struct maintain_hooks *hooks,
    struct maintain_cursor *cursor, struct maintain_copied *copied, struct err *err)
{
	struct stage stage;
	int rc = stage_open(&stage, dir, err);

	if (rc != 0)
		return rc;
	if ((rc = copy_all(from, stage.store, anew, hooks, cursor, copied, err)) == 0)
		rc = stage_finish(&stage, err);
	stage_abandon(&stage);
	return rc;
}

int
maintain_copy(struct store *from, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_cursor *cursor, struct maintain_copied *copied, struct err *err)
{
	return copy_to(from, dir, false, hooks, cursor, copied, err);
}

int
maintain_copy_packed(struct store *from, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_cursor *cursor, struct maintain_copied *copied, struct err *err)
{
	return copy_to(from, dir, true, hooks, cursor, copied, err);
}

int
maintain_compact(struct store **store, const struct maintain_hooks *hooks,
    struct maintain_copied *copied, struct err *err)
{
	struct stage stage = {0};
	struct maintain_cursor cursor;
	int rc = db_claim((*store)->db, err);

	if (rc == 0)
		rc = stage_open_within(&stage, store_dir(*store), err);
	if (rc == 0)
		rc = copy_all(*store, stage.store, true, hooks, &cursor, copied, err);
	if (rc == 0)
		rc = stage_replace(&stage, store, err);
	stage_abandon(&stage);
	store_close(*store);
	*store = NULL;
	return rc;
}
