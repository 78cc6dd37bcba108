#include "db.h"

#include <stdlib.h>
#include <string.h>

#include "db_lmdb.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/reminder.h"

#define CHECKSUM_LEN 8

/* Moves of one cursor, after which it is taken for a walk. One series has a record a day. */
#define WALK_MOVES 256
#define WALK_MOVES_OF_DAYS 4096

/* ---- values: each with its checksum ---------------------------------------------------------- */

static void
names(struct buf *out, const void *key, size_t len)
{
	buf_append_text(out, "key ");
	buf_append_hex(out, key, len < 64 ? len : 64);
	if (len > 64)
		buf_append_text(out, "…");
}

static int
damaged(struct db_txn *txn, enum db_table table, const MDB_val *key, struct err *err)
{
	struct buf shown = {0};

	names(&shown, key->mv_data, key->mv_size);
	err_set(err, ERR_DAMAGED, "%s: damaged: sub-database %s, %s: the checksum does not hold",
	    txn->db->dir, db_table_names[table], buf_text(&shown));
	buf_finish(&shown);
	return ERR_DAMAGED;
}

/* As reader_u64le(), for what is done once a record. */
static inline uint64_t
read_u64le(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < CHECKSUM_LEN; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* Checks the checksum and strips it. */
static inline bool
holds(const MDB_val *key, const uint8_t *sealed, size_t sealed_len, struct db_bytes *out)
{
	size_t len = sealed_len - CHECKSUM_LEN;

	if (sealed_len < CHECKSUM_LEN ||
	    read_u64le(sealed + len) != hash_checksum(key->mv_data, key->mv_size, sealed, len))
		return false;
	*out = (struct db_bytes){sealed, len};
	return true;
}

static int
unseal(struct db_txn *txn, enum db_table table, const MDB_val *key, const MDB_val *value,
    struct db_bytes *out, struct err *err)
{
	return holds(key, value->mv_data, value->mv_size, out) ? 1 : damaged(txn, table, key, err);
}

static void
write_u64le(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < CHECKSUM_LEN; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static MDB_val
val_of(const struct key *key)
{
	return (MDB_val){key->len, (void *)(uintptr_t)key->bytes};
}

bool
db_unseal(const struct key *key, const uint8_t *sealed, size_t len, struct db_bytes *value)
{
	MDB_val k = val_of(key);

	return holds(&k, sealed, len, value);
}

/* ---- transactions ---------------------------------------------------------------------------- */

void
db_on_wait(struct db *db, void (*wait)(void *ctx, const char *dir), void *ctx)
{
	db->wait = wait;
	db->wait_ctx = ctx;
}

static void
tell_wait(void *ctx)
{
	struct db *db = ctx;

	db->wait(db->wait_ctx, db->dir);
}

/* LMDB waits for its turn in a mutex, without a limit and without a word. */
static int
begin_writing(struct db *db, MDB_txn **txn)
{
	struct reminder *reminder =
	    db->wait != NULL ? reminder_start(LIMIT_WAIT_MS, tell_wait, db) : NULL;
	int rc = mdb_reader_check(db->environment->env, NULL);

	/* A reader that was killed would keep the pages of its view, and the file of a writer that
	 * runs for years would grow. */
	if (rc == 0)
		rc = mdb_txn_begin(db->environment->env, NULL, 0, txn);
	reminder_stop(reminder);
	return rc;
}

int
db_begin(struct db *db, bool write, struct db_txn **out, struct err *err)
{
	MDB_txn *txn;
	int rc = write ? begin_writing(db, &txn)
		       : mdb_txn_begin(db->environment->env, NULL, MDB_RDONLY, &txn);

	*out = NULL;
	if (rc != 0)
		return db_fail(db->dir, rc, "no transaction", err);
	*out = mem_zero(1, sizeof(**out));
	(*out)->db = db;
	(*out)->txn = txn;
	return 0;
}

const char *
db_txn_dir(const struct db_txn *txn)
{
	return txn->db->dir;
}

uint64_t
db_txn_number(const struct db_txn *txn)
{
	return mdb_txn_id(txn->txn);
}

int
db_commit(struct db_txn **txn, struct err *err)
{
	int rc = mdb_txn_commit((*txn)->txn);

	if (rc != 0)
		rc = db_fail((*txn)->db->dir, rc, "cannot be committed", err);
	free(*txn);
	*txn = NULL;
	return rc;
}

void
db_abort(struct db_txn **txn)
{
	if (txn == NULL || *txn == NULL)
		return;
	mdb_txn_abort((*txn)->txn);
	free(*txn);
	*txn = NULL;
}

int
db_get(struct db_txn *txn, enum db_table table, const struct key *key, struct db_bytes *value,
    struct err *err)
{
	MDB_val k = val_of(key), v;
	int rc = mdb_get(txn->txn, txn->db->environment->dbi[table], &k, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return db_fail(txn->db->dir, rc, db_table_names[table], err);
	return unseal(txn, table, &k, &v, value, err);
}

/* What is put is written into the page itself, its checksum behind it. */
static int
put_done(struct db_txn *txn, enum db_table table, int rc, const struct key *key, const void *value,
    size_t len, MDB_val *room, struct err *err)
{
	if (rc == MDB_KEYEXIST)
		return err_set(err, ERR_DAMAGED,
		    "%s: sub-database %s: its numbers are not in order", txn->db->dir,
		    db_table_names[table]);
	if (rc != 0)
		return db_fail(txn->db->dir, rc, db_table_names[table], err);
	if (len > 0)
		memcpy(room->mv_data, value, len);
	write_u64le(
	    (uint8_t *)room->mv_data + len, hash_checksum(key->bytes, key->len, value, len));
	return 0;
}

static unsigned
put_flags(enum db_put how)
{
	return MDB_RESERVE | (how == DB_PUT_LAST ? MDB_APPEND : 0);
}

int
db_put(struct db_txn *txn, enum db_table table, const struct key *key, const void *value,
    size_t len, enum db_put how, struct err *err)
{
	MDB_val k = val_of(key), v = {len + CHECKSUM_LEN, NULL};
	int rc = mdb_put(txn->txn, txn->db->environment->dbi[table], &k, &v, put_flags(how));

	return put_done(txn, table, rc, key, value, len, &v, err);
}

int
db_delete(struct db_txn *txn, enum db_table table, const struct key *key, struct err *err)
{
	MDB_val k = val_of(key);
	int rc = mdb_del(txn->txn, txn->db->environment->dbi[table], &k, NULL);

	return rc == 0 || rc == MDB_NOTFOUND
		   ? 0
		   : db_fail(txn->db->dir, rc, db_table_names[table], err);
}

/* ---- cursors --------------------------------------------------------------------------------- */

struct db_cursor *
db_cursor_open(struct db_txn *txn, enum db_table table, struct err *err)
{
	struct db_cursor *c = mem_zero(1, sizeof(*c));
	int rc = mdb_cursor_open(txn->txn, txn->db->environment->dbi[table], &c->cursor);

	if (rc != 0) {
		db_fail(txn->db->dir, rc, db_table_names[table], err);
		free(c);
		return NULL;
	}
	c->txn = txn;
	c->table = table;
	c->moves_most = table == DB_DAY ? WALK_MOVES_OF_DAYS : WALK_MOVES;
	return c;
}

void
db_cursor_close(struct db_cursor *c)
{
	if (c == NULL)
		return;
	mdb_cursor_close(c->cursor);
	free(c);
}

static int
cursor_get(struct db_cursor *c, MDB_cursor_op op, MDB_val *k, struct db_bytes *key,
    struct db_bytes *value, struct err *err)
{
	MDB_val v;
	int rc = mdb_cursor_get(c->cursor, k, &v, op);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return db_fail(c->txn->db->dir, rc, db_table_names[c->table], err);
	if (c->moves++ == c->moves_most && c->txn->db->environment->random)
		db_read_ahead(c->txn->db->environment, v.mv_data);
	*key = (struct db_bytes){k->mv_data, k->mv_size};
	return unseal(c->txn, c->table, k, &v, value, err);
}

int
db_cursor_get(struct db_cursor *c, const struct key *key, struct db_bytes *value, struct err *err)
{
	struct db_bytes found;
	MDB_val k = val_of(key);

	return cursor_get(c, MDB_SET_KEY, &k, &found, value, err);
}

int
db_cursor_put(struct db_cursor *c, const struct key *key, const void *value, size_t len,
    enum db_put how, struct err *err)
{
	MDB_val k = val_of(key), v = {len + CHECKSUM_LEN, NULL};
	int rc = mdb_cursor_put(c->cursor, &k, &v, put_flags(how));

	return put_done(c->txn, c->table, rc, key, value, len, &v, err);
}

int
db_cursor_move(struct db_cursor *c, enum db_move move, struct db_bytes *key, struct db_bytes *value,
    struct err *err)
{
	static const MDB_cursor_op ops[] = {
	    [DB_FIRST] = MDB_FIRST,
	    [DB_LAST] = MDB_LAST,
	    [DB_NEXT] = MDB_NEXT,
	    [DB_PREV] = MDB_PREV,
	};
	MDB_val k;

	return cursor_get(c, ops[move], &k, key, value, err);
}

int
db_cursor_seek(struct db_cursor *c, const struct key *key, struct db_bytes *found,
    struct db_bytes *value, struct err *err)
{
	MDB_val k = val_of(key);

	return cursor_get(c, MDB_SET_RANGE, &k, found, value, err);
}

int
db_cursor_seek_below(struct db_cursor *c, const struct key *key, struct db_bytes *found,
    struct db_bytes *value, struct err *err)
{
	MDB_val k = val_of(key), v;
	int rc = mdb_cursor_get(c->cursor, &k, &v, MDB_SET_RANGE);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return db_fail(c->txn->db->dir, rc, db_table_names[c->table], err);
	return cursor_get(c, rc == 0 ? MDB_PREV : MDB_LAST, &k, found, value, err);
}

/* ---- figures --------------------------------------------------------------------------------- */

int
db_table_size(
    struct db_txn *txn, enum db_table table, uint64_t *records, uint64_t *octets, struct err *err)
{
	MDB_stat stat;
	int rc = mdb_stat(txn->txn, txn->db->environment->dbi[table], &stat);

	if (rc != 0)
		return db_fail(txn->db->dir, rc, db_table_names[table], err);
	*records = stat.ms_entries;
	*octets = (uint64_t)stat.ms_psize *
		  (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
	return 0;
}

/* A heading, then a line a reader: process, thread, and the transaction that it reads, "-" for
 * none; or one line that says that there is no reader. */
static int
count_reader(const char *line, void *ctx)
{
	struct db_figures *figures = ctx;
	const char *last;
	uint64_t reads;
	char *end;

	if (line[strspn(line, " ")] < '0' || line[strspn(line, " ")] > '9')
		return 0;
	figures->readers++;
	last = strrchr(line, ' ');
	reads = strtoull(last + 1, &end, 10);
	if (end != last + 1 && reads < figures->oldest_read)
		figures->oldest_read = reads;
	return 0;
}

uint64_t
db_newest(struct db *db)
{
	MDB_envinfo info = {0};

	mdb_env_info(db->environment->env, &info); /* fails for no environment alone */
	return info.me_last_txnid;
}

int
db_figures(struct db *db, struct db_figures *figures, struct err *err)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int rc = mdb_env_info(db->environment->env, &info);

	if (rc == 0)
		rc = mdb_env_stat(db->environment->env, &stat);
	if (rc != 0)
		return db_fail(db->dir, rc, "no figures", err);
	figures->newest = figures->oldest_read = info.me_last_txnid;
	figures->readers = 0;
	mdb_reader_list(db->environment->env, count_reader, figures);
	figures->page_octets = stat.ms_psize;
	figures->used_octets = (uint64_t)stat.ms_psize * (info.me_last_pgno + 1);
	figures->file_octets = db_data_stat(db->dir, &st) ? (uint64_t)st.st_size : 0;
	return 0;
}
