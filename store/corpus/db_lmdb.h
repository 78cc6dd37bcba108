/*
 * db_lmdb: what stands behind the names of db.h, for the files of db alone: LMDB's header is
 * included here and nowhere else.
 *
 * db_open.c opens, shares and replaces the file; db_format.c knows its sub-databases and formats;
 * db_error.c says what LMDB and the system say; db.c does the rest.
 */
#ifndef MX509_DB_LMDB_H
#define MX509_DB_LMDB_H

#include <lmdb.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "db.h"

extern const char *const db_table_names[DB_TABLE_N];

/* One LMDB environment, shared by the handles of this process. */
struct environment {
	struct environment *next;
	MDB_env *env;
	MDB_dbi dbi[DB_TABLE_N];
	dev_t device;
	ino_t inode;
	bool writable, ready;
	atomic_bool random; /* the kernel reads nothing but the pages that are asked for */
	atomic_bool sound;
	unsigned users;
	int lock_fd; /* of the directory, under flock(2); -1: it may not be opened */
};

struct db {
	struct environment *environment;
	bool write;
	char *dir;
	void (*wait)(void *ctx, const char *dir);
	void *wait_ctx;
};

struct db_txn {
	struct db *db;
	MDB_txn *txn;
};

struct db_cursor {
	struct db_txn *txn;
	enum db_table table;
	MDB_cursor *cursor;
	unsigned moves, moves_most; /* moves_most: then the kernel is to read ahead */
};

/* Whether there is a data.mdb; if not, errno says why. */
bool db_data_stat(const char *dir, struct stat *st);

/* What a call of LMDB's returned, or mdb_env_open(), as an error of ours. */
int db_fail(const char *dir, int rc, const char *what, struct err *err);
int db_open_error(const char *dir, int rc, struct err *err);

/* The handles of the tables, of a corpus of a format that is known; made where there is nothing. */
int db_prepare(struct db *db, bool write, struct err *err);

/* From now on the kernel reads ahead in the whole map, in which the address lies. */
void db_read_ahead(struct environment *environment, const void *in_map);

#endif
