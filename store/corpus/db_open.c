#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "db_lmdb.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/place.h"

#define MAP_LEAST (UINT64_C(1) << 30)

static pthread_mutex_t environments_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct environment *environments;

/* ---- the environment ------------------------------------------------------------------------- */

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
	if (db_data_stat(dir, &st) && st.st_size < 2 * sysconf(_SC_PAGESIZE))
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
	bool was_there = db_data_stat(dir, &st) && st.st_size > 0;
	int rc = open_mapped(dir, write, &flags, &e->env);

	if (rc != 0 && write && !was_there)
		remove_begun(dir);
	if (rc != 0)
		return db_open_error(dir, rc, err);
	e->writable = (flags & MDB_RDONLY) == 0;
	e->random = !write;
	rc = mdb_reader_check(e->env, NULL);
	return rc == 0 ? 0 : db_fail(dir, rc, "cannot clear the slots of dead readers", err);
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
		rc = db_open_error(dir, rc, err);
	else
		rc = db_prepare(&db, true, err);
	if (e.env != NULL)
		mdb_env_close(e.env);
	return place_new_close(&file, rc == 0 ? "data.mdb" : NULL, rc, err);
}

/* ---- reading ahead --------------------------------------------------------------------------- */

/*
 * A question about one host touches a page here and a page there; round each the kernel would read
 * as much as the disk is set to, up to megabytes. So who opens to read gets no page but those that
 * are asked for (MDB_NORDAHEAD), until a cursor goes on and on, or somebody comes to write: then
 * the whole process gets the kernel's own way back.
 *
 * LMDB does not tell where the map lies: a page in it does, by its number, with which it begins.
 */
void
db_read_ahead(struct environment *e, const void *in_map)
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
	struct db_cursor *cursor;
	struct db_bytes key, value;
	struct db_txn *txn;

	if (!e->random || db_begin(db, false, &txn, NULL) != 0)
		return;
	cursor = db_cursor_open(txn, DB_META, NULL);
	if (cursor != NULL && db_cursor_move(cursor, DB_FIRST, &key, &value, NULL) > 0)
		db_read_ahead(e, value.p);
	db_cursor_close(cursor);
	db_abort(&txn);
}

/* ---- sharing --------------------------------------------------------------------------------- */

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

	if (db_data_stat(db->dir, &st))
		for (e = environments; e != NULL; e = e->next)
			if (e->device == st.st_dev && e->inode == st.st_ino)
				break;
	if (e != NULL && write && !e->writable)
		return err_set(
		    err, ERR_SYSTEM, "%s: open for reading only; no permission to write", db->dir);
	if (e == NULL) {
		e = mem_zero(1, sizeof(*e));
		rc = lock_shared(e, db->dir, err);
		if (rc == 0 && write && !db_data_stat(db->dir, &st))
			rc = create(db->dir, err);
		if (rc == 0)
			rc = env_open(e, db->dir, write, err);
		if (rc == 0 && db_data_stat(db->dir, &st)) {
			e->device = st.st_dev;
			e->inode = st.st_ino;
			e->next = environments;
			environments = e;
		}
	}
	e->users++;
	db->environment = e;
	if (rc == 0 && !e->ready)
		rc = db_prepare(db, write, err);
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
	if (rc == 0 && !write && !db_data_stat(dir, &st))
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
