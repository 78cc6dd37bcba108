/*
 * db: LMDB behind one wall (db_lmdb.h is the only user of lmdb.h): tables, transactions and
 * cursors, and a checksum at the end of every value.
 *
 * Every value is followed on disk by 8 octets, little-endian: hash_checksum() of its key and
 * itself. Writing adds them, reading checks and strips them: ERR_DAMAGED names table and key.
 *
 * LMDB must not be opened twice by one process (closing one lets go of the locks of the other,
 * fcntl(2)); so handles of one process on one directory share an environment, counted here under
 * a mutex. It is the one piece of global state in the store.
 *
 * While a directory is open, a shared flock(2) is held on it: who wants it alone, to put another
 * file in the place of data.mdb, can tell (db_claim()), and who opens it meanwhile waits.
 *
 * Ownership: keys and values that are handed out lie in the map: valid until the transaction ends,
 * in a writing one until its next write. Threads: a handle, with its transactions, is used by one
 * thread at a time. Never across fork().
 *
 * Errors: 0, or 1 for found, is success; ERR_FULL where the disk is full, whatever the call. Where
 * LMDB finds its pages in such disorder that it aborts, a line is printed and the program ends with
 * status 2.
 */
#ifndef MX509_DB_H
#define MX509_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/record/key.h"

/* One sub-database a record type. */
enum db_table {
	DB_META,
	DB_SERIES,
	DB_SERIES_KEY,
	DB_BY_ADDRESS,
	DB_EVIDENCE,
	DB_EVIDENCE_ID,
	DB_CHAIN,
	DB_CERT,
	DB_CERT_ID,
	DB_DICTIONARY,
	DB_DAY,
	DB_DAY_LAST,
	DB_DATE,
	DB_JOURNAL,
	DB_TABLE_N
};

const char *db_table_name(enum db_table table);

struct db;
struct db_txn;
struct db_cursor;

struct db_bytes {
	const uint8_t *p;
	size_t len;
};

/* To write, the tables are made where there are none, and the directory and its parents; *db is
 * NULL on error. */
int db_open(struct db **db, const char *dir, bool write, struct err *err);
void db_close(struct db *db); /* accepts NULL */

const char *db_dir(const struct db *db);

/* ERR_DAMAGED: the corpus in dir is damaged, `what`; with the way out. */
int db_say_damaged(const char *dir, const char *what, struct err *err);

/* Whether somebody in this process has found its pages sound (sound.h). */
bool db_is_sound(const struct db *db);
void db_set_sound(struct db *db);

/* Whether both stand on one file. */
bool db_same(const struct db *a, const struct db *b);

/* Nobody else has the directory open, and nobody can open it until this handle is closed; ERR_INPUT
 * with a line if somebody has. */
int db_claim(struct db *db, struct err *err);

/* Closes a claimed handle, also on error, and puts the file `path` (whole, synced, on the same file
 * system) in the place of its data.mdb: whatever happens meanwhile, one of the two stands there. */
int db_replace(struct db **db, const char *path, struct err *err);

/* One that writes waits for its turn; if that takes longer than LIMIT_WAIT_MS, `wait` is called
 * once, from another thread. NULL: nothing is told. */
void db_on_wait(struct db *db, void (*wait)(void *ctx, const char *dir), void *ctx);
/* The number of the newest commit, whoever made it: without a transaction. */
uint64_t db_newest(struct db *db);
int db_begin(struct db *db, bool write, struct db_txn **txn, struct err *err);
const char *db_txn_dir(const struct db_txn *txn);
/* Of a reading one: of the commit that it sees, of a writing one: of the next. One more a commit,
 * whoever made it. */
uint64_t db_txn_number(const struct db_txn *txn);
int db_commit(struct db_txn **txn, struct err *err); /* ends it, also on error */
void db_abort(struct db_txn **txn);		     /* accepts NULL, and a NULL in it */

enum db_put { DB_PUT, DB_PUT_LAST }; /* DB_PUT_LAST: the key is above all that are there */

int db_get(struct db_txn *txn, enum db_table table, const struct key *key, struct db_bytes *value,
    struct err *err); /* 1, 0, <0 */
int db_put(struct db_txn *txn, enum db_table table, const struct key *key, const void *value,
    size_t len, enum db_put how, struct err *err);
int db_delete(struct db_txn *txn, enum db_table table, const struct key *key, struct err *err);

/* A record that was read without LMDB: whether its checksum holds; strips it. */
bool db_unseal(const struct key *key, const uint8_t *sealed, size_t len, struct db_bytes *value);
/* Whether it is the one that tells the format, of which the version is a u32le; and whether this
 * program knows that version. */
#define DB_FORMAT_NEW 2 /* of a new corpus */
#define DB_FORMAT_3 3	/* of one with certificates in packs, or with copies of dictionaries */
bool db_is_format(const struct key *key);
bool db_knows_format(uint32_t version);
/* Of a transaction that writes: the corpus is of at least that version. */
int db_raise_format(struct db_txn *txn, uint32_t version, struct err *err);

/* Cursors end with db_cursor_close(), before their transaction does. Each move returns 1 and sets
 * key and value, or 0 where there is no more. */
struct db_cursor *db_cursor_open(struct db_txn *txn, enum db_table table, struct err *err);
void db_cursor_close(struct db_cursor *cursor); /* accepts NULL */

/* Exactly this key, as db_get() and db_put(); quicker where keys come in order. */
int db_cursor_get(
    struct db_cursor *cursor, const struct key *key, struct db_bytes *value, struct err *err);
int db_cursor_put(struct db_cursor *cursor, const struct key *key, const void *value, size_t len,
    enum db_put how, struct err *err);

enum db_move { DB_FIRST, DB_LAST, DB_NEXT, DB_PREV };

int db_cursor_move(struct db_cursor *cursor, enum db_move move, struct db_bytes *key,
    struct db_bytes *value, struct err *err);
/* To the first key that is not below `key`. */
int db_cursor_seek(struct db_cursor *cursor, const struct key *key, struct db_bytes *found,
    struct db_bytes *value, struct err *err);
/* To the last key that is below `key`. */
int db_cursor_seek_below(struct db_cursor *cursor, const struct key *key, struct db_bytes *found,
    struct db_bytes *value, struct err *err);

/* Records of a table, and the octets of its pages. */
int db_table_size(
    struct db_txn *txn, enum db_table table, uint64_t *records, uint64_t *octets, struct err *err);

struct db_figures {
	uint64_t file_octets, used_octets;
	unsigned page_octets, readers;
	uint64_t newest,
	    oldest_read; /* transactions: the last one, the oldest that somebody reads */
};
int db_figures(struct db *db, struct db_figures *figures, struct err *err);

#endif
