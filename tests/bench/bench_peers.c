#include "bench_peers.h"

#include <lmdb.h>
#ifdef WITH_SQLITE
#include <sqlite3.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000
#define RECORD_MOST 4000
#define ITEM_LEN 18 /* time 4, evidence 4, five measures of 2 */

static void
give_up(const char *what, int rc)
{
	fprintf(stderr, "bench_store: %s: %d\n", what, rc);
	exit(2);
}

static void
put_be(uint8_t *p, uint32_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void
key_of(uint8_t key[6], const struct bench_probe *p)
{
	put_be(key, p->series, 4);
	put_be(key + 4, (uint32_t)(p->observation.time_ms / DAY_MS), 2);
}

static void
item_of(uint8_t *item, const struct bench_probe *p)
{
	put_be(item, (uint32_t)(p->observation.time_ms % DAY_MS), 4);
	put_be(item + 4, p->shown, 4);
	for (int i = 0; i < MS_N; i++)
		put_be(item + 8 + 2 * i, (uint32_t)p->observation.ms[i], 2);
}

/* ---- LMDB ----------------------------------------------------------------------------------- */

static MDB_env *env;
static MDB_txn *txn;
static MDB_dbi dbi;

static void
lmdb_check(int rc)
{
	if (rc != 0)
		give_up(mdb_strerror(rc), rc);
}

static void
lmdb_begin(void)
{
	lmdb_check(mdb_txn_begin(env, NULL, 0, &txn));
}

static void
lmdb_commit(void)
{
	lmdb_check(mdb_txn_commit(txn));
}

static void
lmdb_open(const char *dir)
{
	lmdb_check(mdb_env_create(&env));
	lmdb_check(mdb_env_set_mapsize(env, (size_t)1 << 40));
	lmdb_check(mdb_env_open(env, dir, 0, 0600));
	lmdb_begin();
	lmdb_check(mdb_dbi_open(txn, NULL, 0, &dbi));
	lmdb_commit();
}

static void
lmdb_put(const struct bench_probe *p)
{
	static uint8_t record[RECORD_MOST + ITEM_LEN];
	uint8_t key[6];
	MDB_val k = {sizeof(key), key}, v = {0};
	int rc;

	key_of(key, p);
	rc = mdb_get(txn, dbi, &k, &v);
	if (rc != 0 && rc != MDB_NOTFOUND)
		lmdb_check(rc);
	if (rc == 0)
		memcpy(record, v.mv_data, v.mv_size);
	item_of(record + v.mv_size, p);
	v = (MDB_val){v.mv_size + ITEM_LEN, record};
	lmdb_check(mdb_put(txn, dbi, &k, &v, 0));
}

static void
lmdb_close(void)
{
	mdb_env_close(env);
}

const struct peer peer_lmdb = {
    "bare LMDB", lmdb_open, lmdb_begin, lmdb_put, lmdb_commit, lmdb_close};

/* ---- SQLite --------------------------------------------------------------------------------- */

#ifdef WITH_SQLITE
static sqlite3 *sql;
static sqlite3_stmt *get, *set;

static void
sql_run(const char *text)
{
	int rc = sqlite3_exec(sql, text, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		give_up(text, rc);
}

static sqlite3_stmt *
sql_prepare(const char *text)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(sql, text, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		give_up(text, rc);
	return statement;
}

static void
sql_open(const char *dir)
{
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%s/bench.sqlite", dir);
	if ((rc = sqlite3_open(path, &sql)) != SQLITE_OK)
		give_up(path, rc);
	sql_run("PRAGMA journal_mode=WAL");
	sql_run("PRAGMA synchronous=FULL");
	sql_run("PRAGMA cache_size=-262144");
	sql_run("CREATE TABLE day (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
	get = sql_prepare("SELECT v FROM day WHERE k=?");
	set = sql_prepare("INSERT OR REPLACE INTO day VALUES (?, ?)");
}

static void
sql_begin(void)
{
	sql_run("BEGIN");
}

static void
sql_put(const struct bench_probe *p)
{
	static uint8_t record[RECORD_MOST + ITEM_LEN];
	uint8_t key[6];
	int len = 0, rc;

	key_of(key, p);
	sqlite3_bind_blob(get, 1, key, sizeof(key), SQLITE_STATIC);
	if (sqlite3_step(get) == SQLITE_ROW) {
		len = sqlite3_column_bytes(get, 0);
		memcpy(record, sqlite3_column_blob(get, 0), (size_t)len);
	}
	sqlite3_reset(get);
	item_of(record + len, p);
	sqlite3_bind_blob(set, 1, key, sizeof(key), SQLITE_STATIC);
	sqlite3_bind_blob(set, 2, record, len + ITEM_LEN, SQLITE_STATIC);
	if ((rc = sqlite3_step(set)) != SQLITE_DONE)
		give_up("INSERT", rc);
	sqlite3_reset(set);
}

static void
sql_commit(void)
{
	sql_run("COMMIT");
}

static void
sql_close(void)
{
	sqlite3_finalize(get);
	sqlite3_finalize(set);
	sqlite3_close(sql);
}

static const struct peer sqlite = {
    "bare SQLite", sql_open, sql_begin, sql_put, sql_commit, sql_close};
const struct peer *const peer_sqlite = &sqlite;
#else
const struct peer *const peer_sqlite = NULL;
#endif
