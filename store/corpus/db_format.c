#include <string.h>

#include "db_lmdb.h"

const char *const db_table_names[DB_TABLE_N] = {
    [DB_META] = "meta",
    [DB_SERIES] = "series",
    [DB_SERIES_KEY] = "series_key",
    [DB_BY_ADDRESS] = "by_address",
    [DB_EVIDENCE] = "evidence",
    [DB_EVIDENCE_ID] = "evidence_id",
    [DB_CHAIN] = "chain",
    [DB_CERT] = "cert",
    [DB_CERT_ID] = "cert_id",
    [DB_DICTIONARY] = "dictionary",
    [DB_DAY] = "day",
    [DB_DAY_LAST] = "last",
    [DB_DATE] = "date",
    [DB_JOURNAL] = "journal",
};

const char *
db_table_name(enum db_table table)
{
	return db_table_names[table];
}

static const uint8_t format_key[] = {'f', 'o', 'r', 'm', 'a', 't'};

bool
db_is_format(const struct key *key)
{
	return key->len == sizeof(format_key) &&
	       memcmp(key->bytes, format_key, sizeof(format_key)) == 0;
}

static void
set_format_key(struct key *key)
{
	key->len = sizeof(format_key);
	memcpy(key->bytes, format_key, sizeof(format_key));
}

bool
db_knows_format(uint32_t version)
{
	return version >= DB_FORMAT_NEW && version <= DB_FORMAT_3;
}

static int
check_format(struct db_txn *txn, struct err *err)
{
	const char *dir = txn->db->dir;
	struct db_bytes value;
	struct reader r;
	struct key key;
	uint32_t version;
	int rc;

	set_format_key(&key);
	if ((rc = db_get(txn, DB_META, &key, &value, err)) < 0)
		return rc;
	if (rc == 0)
		return err_set(
		    err, ERR_FORMAT, "%s/data.mdb: no corpus of mx509: it names no format", dir);
	r = reader_of(value.p, value.len);
	version = reader_u32le(&r);
	if (version == 1)
		return err_set(err, ERR_FORMAT,
		    "%s: a corpus of format 1, which only mx509 before its first release wrote; "
		    "take "
		    "that one to `mxstore export jsonl` it, and `mxstore import jsonl` into a new "
		    "directory",
		    dir);
	if (r.failed || !db_knows_format(version))
		return err_set(err, ERR_FORMAT,
		    "%s: a corpus of format %u; this version of mx509 knows formats %d to %d: use "
		    "a newer one",
		    dir, (unsigned)version, DB_FORMAT_NEW, DB_FORMAT_3);
	return 0;
}

static int
write_format(struct db_txn *txn, uint32_t version, struct err *err)
{
	uint8_t bytes[4] = {(uint8_t)version, 0, 0, 0};
	struct key key;

	set_format_key(&key);
	return db_put(txn, DB_META, &key, bytes, sizeof(bytes), DB_PUT, err);
}

int
db_raise_format(struct db_txn *txn, uint32_t version, struct err *err)
{
	struct db_bytes value;
	struct reader r;
	struct key key;
	int rc;

	set_format_key(&key);
	if ((rc = db_get(txn, DB_META, &key, &value, err)) < 0)
		return rc;
	r = reader_of(value.p, rc > 0 ? value.len : 0);
	return reader_u32le(&r) < version ? write_format(txn, version, err) : 0;
}

/* Whether there is nothing at all in the environment yet. */
static bool
is_blank(MDB_txn *txn)
{
	MDB_stat stat;
	MDB_dbi main_dbi;

	return mdb_dbi_open(txn, NULL, 0, &main_dbi) == 0 && mdb_stat(txn, main_dbi, &stat) == 0 &&
	       stat.ms_entries == 0;
}

static int
open_tables(struct db_txn *txn, bool create, struct err *err)
{
	struct environment *e = txn->db->environment;

	for (int i = 0; i < DB_TABLE_N; i++) {
		int rc =
		    mdb_dbi_open(txn->txn, db_table_names[i], create ? MDB_CREATE : 0, &e->dbi[i]);

		if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE)
			return err_set(err, ERR_FORMAT,
			    "%s/data.mdb: no corpus of mx509: it has no sub-database %s",
			    txn->db->dir, db_table_names[i]);
		if (rc != 0)
			return db_fail(txn->db->dir, rc, "cannot be opened", err);
		/* Before the others: another format has others. */
		if (i == DB_META && (rc = create ? write_format(txn, DB_FORMAT_NEW, err)
						 : check_format(txn, err)) != 0)
			return rc;
	}
	return 0;
}

/* The handles of the tables stay open when the transaction is committed, a reading one too. */
int
db_prepare(struct db *db, bool write, struct err *err)
{
	struct environment *e = db->environment;
	struct db_txn *txn;
	bool blank;
	int rc;

	if ((rc = db_begin(db, false, &txn, err)) != 0)
		return rc;
	blank = is_blank(txn->txn);
	if (blank && !write) {
		rc = err_set(err, ERR_NOT_FOUND,
		    "%s: no corpus here; `mxcollect run --store %s …` makes one", db->dir, db->dir);
	} else if (blank) {
		db_abort(&txn);
		if ((rc = db_begin(db, true, &txn, err)) != 0)
			return rc;
		/* Another process may have been faster. */
		blank = is_blank(txn->txn);
	}
	if (rc == 0)
		rc = open_tables(txn, blank, err);
	if (rc == 0)
		rc = db_commit(&txn, err);
	db_abort(&txn);
	e->ready = rc == 0;
	return rc;
}
