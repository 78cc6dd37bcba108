#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/place.h"
#include "store/base/reminder.h"

#define CHECKSUM_LEN 8
#define MAP_LEAST (UINT64_C(1) << 30)
#define ROOM_LEAST (UINT64_C(16) << 20)

/* Moves of one cursor, after which it is taken for a walk. One series has a record a day. */
#define WALK_MOVES 256
#define WALK_MOVES_OF_DAYS 4096

static const char *const table_names[DB_TABLE_N] = {
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

static pthread_mutex_t environments_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct environment *environments;

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

const char *
db_table_name(enum db_table table)
{
	return table_names[table];
}

static bool
data_stat(const char *dir, struct stat *st)
{
	struct buf path = {0};
	bool there;

	buf_printf(&path, "%s/data.mdb", dir);
	there = stat(buf_text(&path), st) == 0;
	buf_finish(&path); /* free(3) leaves errno alone */
	return there;
}

/* LMDB makes a short write, as a full disk and a limit on the size of files cause it, into EIO
 * (mdb_page_flush): whether it was one of them is told by how much room there is. */
static bool
is_full(const char *dir)
{
	struct statvfs fs;
	struct rlimit limit;
	struct stat st;

	if (statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < ROOM_LEAST)
		return true;
	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	       data_stat(dir, &st) && (uint64_t)st.st_size + ROOM_LEAST > limit.rlim_cur;
}

int
db_say_damaged(const char *dir, const char *what, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
	    "%s: damaged: %s; keep a copy of it, then try `mxstore check --repair`; what can be "
	    "read "
	    "is brought into a new corpus by `mxstore merge --store NEW %s`",
	    dir, what, dir);
}

static int
page_damaged(const char *dir, int rc, const char *what, struct err *err)
{
	struct buf text = {0};

	buf_printf(&text, "%s: %s", what, mdb_strerror(rc));
	db_say_damaged(dir, buf_text(&text), err);
	buf_finish(&text);
	return ERR_DAMAGED;
}

/* EFBIG is a limit of the process or of the file system on the size of the file. */
static int
fail(const char *dir, int rc, const char *what, struct err *err)
{
	if (rc == EIO && is_full(dir))
		rc = ENOSPC;
	switch (rc) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return err_set(
		    err, ERR_FULL, "%s: %s: %s; make room and repeat", dir, what, strerror(rc));
	case MDB_MAP_FULL:
		return err_set(err, ERR_FULL,
		    "%s: %s: the corpus fills its address space; raise the limit on virtual memory "
		    "(ulimit -v)",
		    dir, what);
	case MDB_READERS_FULL:
		return err_set(err, ERR_LIMIT, "%s: %s: %d readers are at work; try again later",
		    dir, what, LIMIT_READERS);
	case MDB_PANIC:
		return err_set(err, ERR_SYSTEM,
		    "%s: %s: a write to the disk failed before; the corpus is as it was: end the "
		    "program, see to the disk, and repeat",
		    dir, what);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_BAD_TXN: /* what was asked before has met one of these */
		return page_damaged(dir, rc, what, err);
	case MDB_MAP_RESIZED:
		return err_set(err, ERR_LIMIT,
		    "%s: %s: the corpus is larger than the address space of this process; raise "
		    "the "
		    "limit on virtual memory (ulimit -v)",
		    dir, what);
	}
	return err_set(err, ERR_SYSTEM, "%s: %s: %s", dir, what, mdb_strerror(rc));
}

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
	    txn->db->dir, table_names[table], buf_text(&shown));
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

/* ---- opening: the environment --------------------------------------------------------------- */

static int
open_error(const char *dir, int rc, struct err *err)
{
	switch (rc) {
	case MDB_INVALID:
		return err_set(err, ERR_FORMAT,
		    "%s/data.mdb: no corpus of mx509, or its first pages are damaged; choose "
		    "another "
		    "directory with --store, or bring what can be read into a new one: mxstore "
		    "merge --store NEW %s",
		    dir, dir);
	case MDB_VERSION_MISMATCH:
		return err_set(err, ERR_FORMAT,
		    "%s/data.mdb: written by another version of LMDB; use that one", dir);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_SYSTEM,
		    "%s: permission denied; data.mdb must be readable and lock.mdb writable, also "
		    "for those who only read",
		    dir);
	}
	return fail(dir, rc, "cannot be opened", err);
}

/* LMDB would abort(3) next. */
static void
on_assertion(MDB_env *env, const char *text)
{
	const char *dir = "?";

	mdb_env_get_path(env, &dir);
	fprintf(stderr,
	    "mx509: %s: damaged: LMDB cannot go on (%s); keep a copy of it before anything else\n",
	    dir, text);
	exit(2);
}

static int
try_open(const char *dir, uint64_t map, unsigned flags, MDB_env **env)
{
	int rc = mdb_env_create(env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(*env, map);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(*env, DB_TABLE_N);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(*env, LIMIT_READERS);
	if (rc == 0)
		rc = mdb_env_set_assert(*env, on_assertion);
	if (rc == 0)
		rc = mdb_env_open(*env, dir, MDB_NOTLS | flags, 0666);
	if (rc != 0 && *env != NULL) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return rc;
}

/* Half a file, as a full disk leaves it, would be no corpus and no empty directory either. One that
 * has both its head pages may be the work of another process that was faster. */
static void
remove_begun(const char *dir)
{
	struct buf path = {0};
	struct stat st;

	buf_printf(&path, "%s/data.mdb", dir);
	if (data_stat(dir, &st) && st.st_size < 2 * sysconf(_SC_PAGESIZE))
		unlink(buf_text(&path));
	buf_finish(&path);
}

/* As much address space as there is. For reading too the environment is opened to write where that
 * is allowed: one of the process must serve both. */
static int
open_mapped(const char *path, bool write, unsigned *flags, MDB_env **env)
{
	for (uint64_t map = LIMIT_MAP;;) {
		int rc = try_open(path, map, *flags, env);

		if (rc == ENOMEM && map > MAP_LEAST)
			map /= 2;
		else if ((rc == EACCES || rc == EROFS) && !write && !(*flags & MDB_RDONLY))
			*flags |= MDB_RDONLY;
		else
			return rc;
	}
}

static int
env_open(struct environment *e, const char *dir, bool write, struct err *err)
{
	unsigned flags = write ? 0 : MDB_NORDAHEAD;
	struct stat st;
	bool was_there = data_stat(dir, &st) && st.st_size > 0;
	int rc = open_mapped(dir, write, &flags, &e->env);

	if (rc != 0 && write && !was_there)
		remove_begun(dir);
	if (rc != 0)
		return open_error(dir, rc, err);
	e->writable = (flags & MDB_RDONLY) == 0;
	e->random = !write;
	rc = mdb_reader_check(e->env, NULL);
	return rc == 0 ? 0 : fail(dir, rc, "cannot clear the slots of dead readers", err);
}

/* ---- opening: the tables -------------------------------------------------------------------- */

static const uint8_t format_key[] = {'f', 'o', 'r', 'm', 'a', 't'};

bool
db_is_format(const struct key *key)
{
	return key->len == sizeof(format_key) &&
	       memcmp(key->bytes, format_key, sizeof(format_key)) == 0;
}

bool
db_knows_format(uint32_t version)
{
	return version >= DB_FORMAT_NEW && version <= DB_FORMAT_PACKS;
}

static int
check_format(struct db_txn *txn, struct err *err)
{
	MDB_val key = {sizeof(format_key), (void *)(uintptr_t)format_key}, value;
	const char *dir = txn->db->dir;
	struct db_bytes bytes;
	struct reader r;
	uint32_t version;
	int rc = mdb_get(txn->txn, txn->db->environment->dbi[DB_META], &key, &value);

	if (rc == MDB_NOTFOUND)
		return err_set(
		    err, ERR_FORMAT, "%s/data.mdb: no corpus of mx509: it names no format", dir);
	if (rc != 0)
		return fail(dir, rc, "cannot be read", err);
	if ((rc = unseal(txn, DB_META, &key, &value, &bytes, err)) < 0)
		return rc;
	r = reader_of(bytes.p, bytes.len);
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
		    dir, (unsigned)version, DB_FORMAT_NEW, DB_FORMAT_PACKS);
	return 0;
}

static int
write_format(struct db_txn *txn, uint32_t version, struct err *err)
{
	struct key key = {.len = sizeof(format_key)};
	uint8_t bytes[4] = {(uint8_t)version, 0, 0, 0};

	memcpy(key.bytes, format_key, sizeof(format_key));
	return db_put(txn, DB_META, &key, bytes, sizeof(bytes), DB_PUT, err);
}

int
db_raise_format(struct db_txn *txn, uint32_t version, struct err *err)
{
	struct key key = {.len = sizeof(format_key)};
	struct db_bytes value;
	struct reader r;
	int rc;

	memcpy(key.bytes, format_key, sizeof(format_key));
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
		    mdb_dbi_open(txn->txn, table_names[i], create ? MDB_CREATE : 0, &e->dbi[i]);

		if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE)
			return err_set(err, ERR_FORMAT,
			    "%s/data.mdb: no corpus of mx509: it has no sub-database %s",
			    txn->db->dir, table_names[i]);
		if (rc != 0)
			return fail(txn->db->dir, rc, "cannot be opened", err);
		/* Before the others: another format has others. */
		if (i == DB_META && (rc = create ? write_format(txn, DB_FORMAT_NEW, err)
						 : check_format(txn, err)) != 0)
			return rc;
	}
	return 0;
}

/* The handles of the tables stay open when the transaction is committed, a reading one too. */
static int
prepare(struct db *db, bool write, struct err *err)
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

/* The first state of a corpus, without a record, comes into being at once: what a kill or a power
 * cut leaves of a file that is being made would be no corpus, and stand in the way of one. Where
 * the file system knows no files without a name, LMDB makes it in place. */
static int
create(const char *dir, struct err *err)
{
	struct place_new file;
	struct environment e = {0};
	struct db db = {.environment = &e, .dir = (char *)(uintptr_t)dir};
	unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK; /* nobody else knows of it */
	int rc = place_new_open(&file, dir);

	if (rc != 0)
		return 0;
	rc = open_mapped(file.path, true, &flags, &e.env);
	if (rc != 0)
		rc = open_error(dir, rc, err);
	else
		rc = prepare(&db, true, err);
	if (e.env != NULL)
		mdb_env_close(e.env);
	return place_new_close(&file, rc == 0 ? "data.mdb" : NULL, rc, err);
}

/* ---- opening: reading ahead ----------------------------------------------------------------- */

/*
 * A question about one host touches a page here and a page there; round each the kernel would read
 * as much as the disk is set to, up to megabytes. So who opens to read gets no page but those that
 * are asked for (MDB_NORDAHEAD), until a cursor goes on and on, or somebody comes to write: then
 * the whole process gets the kernel's own way back.
 *
 * LMDB does not tell where the map lies: a page in it does, by its number, with which it begins.
 */
static void
read_ahead(struct environment *e, const void *in_map)
{
	MDB_envinfo info;
	MDB_stat stat;
	uintptr_t page;
	uint64_t number;

	e->random = false;
	if (mdb_env_info(e->env, &info) != 0 || mdb_env_stat(e->env, &stat) != 0)
		return;
	page = (uintptr_t)in_map - (uintptr_t)in_map % stat.ms_psize;
	memcpy(&number, (const void *)page, sizeof(number));
	if (number <= info.me_last_pgno)
		madvise((void *)(page - number * stat.ms_psize), info.me_mapsize, MADV_NORMAL);
}

static void
read_ahead_to_write(struct db *db)
{
	struct environment *e = db->environment;
	MDB_val key = {sizeof(format_key), (void *)(uintptr_t)format_key}, value;
	struct db_txn *txn;

	if (!e->random || db_begin(db, false, &txn, NULL) != 0)
		return;
	if (mdb_get(txn->txn, e->dbi[DB_META], &key, &value) == 0)
		read_ahead(e, value.mv_data);
	db_abort(&txn);
}

/* ---- opening: sharing ----------------------------------------------------------------------- */

/* Waits while another process has claimed the directory: it puts a new file in place. */
static int
lock_shared(struct environment *e, const char *dir, struct err *err)
{
	e->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->lock_fd < 0)
		return 0; /* LMDB will say why, or need no more than it may */
	if (flock(e->lock_fd, LOCK_SH) == 0)
		return 0;
	if (errno == EINTR)
		return err_set(err, ERR_SYSTEM,
		    "%s: interrupted while waiting for its compaction to end", dir);
	return err_system(err, errno, "%s: cannot be locked", dir);
}

static void
environment_release(struct environment *e)
{
	struct environment **link = &environments;

	if (--e->users > 0)
		return;
	while (*link != NULL && *link != e)
		link = &(*link)->next;
	if (*link == e)
		*link = e->next;
	if (e->env != NULL)
		mdb_env_close(e->env);
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	free(e);
}

static int
environment_acquire(struct db *db, bool write, struct err *err)
{
	struct stat st;
	struct environment *e = NULL;
	int rc = 0;

	if (data_stat(db->dir, &st))
		for (e = environments; e != NULL; e = e->next)
			if (e->device == st.st_dev && e->inode == st.st_ino)
				break;
	if (e != NULL && write && !e->writable)
		return err_set(
		    err, ERR_SYSTEM, "%s: open for reading only; no permission to write", db->dir);
	if (e == NULL) {
		e = mem_zero(1, sizeof(*e));
		rc = lock_shared(e, db->dir, err);
		if (rc == 0 && write && !data_stat(db->dir, &st))
			rc = create(db->dir, err);
		if (rc == 0)
			rc = env_open(e, db->dir, write, err);
		if (rc == 0 && data_stat(db->dir, &st)) {
			e->device = st.st_dev;
			e->inode = st.st_ino;
			e->next = environments;
			environments = e;
		}
	}
	e->users++;
	db->environment = e;
	if (rc == 0 && !e->ready)
		rc = prepare(db, write, err);
	if (rc == 0 && write)
		read_ahead_to_write(db);
	/* Whoever made it may have been killed before. */
	return rc == 0 && write ? place_sync(db->dir, err) : rc;
}

static int
missing(const char *dir, int errnum, struct err *err)
{
	if (errnum != ENOENT && errnum != ENOTDIR)
		return err_system(err, errnum, "%s/data.mdb: cannot be read", dir);
	return err_set(err, ERR_NOT_FOUND,
	    "%s: no corpus here; `mxcollect run --store %s …` makes one", dir, dir);
}

int
db_open(struct db **out, const char *dir, bool write, struct err *err)
{
	struct db *db = mem_zero(1, sizeof(*db));
	struct stat st;
	int rc = 0;

	*out = NULL;
	db->dir = mem_strdup(dir);
	db->write = write;
	if (write)
		rc = place_make(dir, err);
	if (rc == 0 && write && stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		rc = err_set(
		    err, ERR_INPUT, "%s: not a directory; choose another with --store", dir);
	if (rc == 0 && !write && !data_stat(dir, &st))
		rc = missing(dir, errno, err);
	else if (rc == 0 && !write && st.st_size == 0)
		rc = missing(dir, ENOENT, err);
	if (rc == 0) {
		pthread_mutex_lock(&environments_mutex);
		rc = environment_acquire(db, write, err);
		pthread_mutex_unlock(&environments_mutex);
	}
	if (rc != 0) {
		db_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	if (db->environment != NULL) {
		pthread_mutex_lock(&environments_mutex);
		environment_release(db->environment);
		pthread_mutex_unlock(&environments_mutex);
	}
	free(db->dir);
	free(db);
}

const char *
db_dir(const struct db *db)
{
	return db->dir;
}

bool
db_is_sound(const struct db *db)
{
	return db->environment->sound;
}

void
db_set_sound(struct db *db)
{
	db->environment->sound = true;
}

bool
db_same(const struct db *a, const struct db *b)
{
	return a->environment == b->environment;
}

int
db_claim(struct db *db, struct err *err)
{
	struct environment *e = db->environment;

	if (e->users == 1 && e->lock_fd >= 0 && flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	/* What failed may have let go of the shared lock. */
	if (e->lock_fd >= 0)
		flock(e->lock_fd, LOCK_SH);
	return err_set(err, ERR_INPUT,
	    "%s: another process has the corpus open; end it first, or work into another directory "
	    "with --out DIR",
	    db->dir);
}

int
db_replace(struct db **handle, const char *path, struct err *err)
{
	struct db *db = *handle;
	struct buf data = {0};
	int fd = db->environment->lock_fd, rc = 0;

	/* The lock outlives the environment: nobody may open the old file from here on. */
	db->environment->lock_fd = -1;
	buf_printf(&data, "%s/data.mdb", db->dir);
	db_close(db);
	*handle = NULL;
	if (rename(path, buf_text(&data)) != 0)
		rc = err_system(
		    err, errno, "%s: cannot take the place of %s", path, buf_text(&data));
	if (rc == 0 && fsync(fd) != 0)
		rc = err_system(err, errno, "%s: its directory cannot be synced", buf_text(&data));
	close(fd);
	buf_finish(&data);
	return rc;
}

/* ---- transactions --------------------------------------------------------------------------- */

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
		return fail(db->dir, rc, "no transaction", err);
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
		rc = fail((*txn)->db->dir, rc, "cannot be committed", err);
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
		return fail(txn->db->dir, rc, table_names[table], err);
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
		    table_names[table]);
	if (rc != 0)
		return fail(txn->db->dir, rc, table_names[table], err);
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

	return rc == 0 || rc == MDB_NOTFOUND ? 0 : fail(txn->db->dir, rc, table_names[table], err);
}

/* ---- cursors -------------------------------------------------------------------------------- */

struct db_cursor *
db_cursor_open(struct db_txn *txn, enum db_table table, struct err *err)
{
	struct db_cursor *c = mem_zero(1, sizeof(*c));
	int rc = mdb_cursor_open(txn->txn, txn->db->environment->dbi[table], &c->cursor);

	if (rc != 0) {
		fail(txn->db->dir, rc, table_names[table], err);
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
		return fail(c->txn->db->dir, rc, table_names[c->table], err);
	if (c->moves++ == c->moves_most && c->txn->db->environment->random)
		read_ahead(c->txn->db->environment, v.mv_data);
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
		return fail(c->txn->db->dir, rc, table_names[c->table], err);
	return cursor_get(c, rc == 0 ? MDB_PREV : MDB_LAST, &k, found, value, err);
}

/* ---- figures -------------------------------------------------------------------------------- */

int
db_table_size(
    struct db_txn *txn, enum db_table table, uint64_t *records, uint64_t *octets, struct err *err)
{
	MDB_stat stat;
	int rc = mdb_stat(txn->txn, txn->db->environment->dbi[table], &stat);

	if (rc != 0)
		return fail(txn->db->dir, rc, table_names[table], err);
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
		return fail(db->dir, rc, "no figures", err);
	figures->newest = figures->oldest_read = info.me_last_txnid;
	figures->readers = 0;
	mdb_reader_list(db->environment->env, count_reader, figures);
	figures->page_octets = stat.ms_psize;
	figures->used_octets = (uint64_t)stat.ms_psize * (info.me_last_pgno + 1);
	figures->file_octets = data_stat(db->dir, &st) ? (uint64_t)st.st_size : 0;
	return 0;
}
