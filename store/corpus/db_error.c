#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "db_lmdb.h"
#include "store/base/limits.h"

#define ROOM_LEAST (UINT64_C(16) << 20)

bool
db_data_stat(const char *dir, struct stat *st)
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
	       db_data_stat(dir, &st) && (uint64_t)st.st_size + ROOM_LEAST > limit.rlim_cur;
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
int
db_fail(const char *dir, int rc, const char *what, struct err *err)
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

int
db_open_error(const char *dir, int rc, struct err *err)
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
	return db_fail(dir, rc, "cannot be opened", err);
}
