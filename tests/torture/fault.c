/*
 * fault: a library for LD_PRELOAD that stands between a program and the kernel where files change.
 * It counts the calls that change a file below $FAULT_DIR (boundaries, from 1), and at one of them
 * does what $FAULT says:
 *
 *	kill-before:N  kill-after:N	the process ends there by SIGKILL
 *	kill-half:N			half the octets of a write, then SIGKILL; nothing of one
 *that lies within a sector, which is written in whole or not at all
 *	short:N[:M]			half the octets of a write, and says so
 *	eio:N[:M]  enospc:N[:M]		the call fails, nothing is done
 *
 * at M calls in a row, 1 unless given. With $FAULT_TRACE every boundary is appended to that file
 * when it is done, together with what goes to standard output, which is the witness: power.py
 * makes of it what the files may be after a power cut. A record of it, little-endian:
 *
 *	call u8, flags u8 (1: O_DSYNC, 2: failed), length of the path u16, offset u64, length of the
 *	data u64, path, data (of a rename: the new path)
 *
 * System calls are made directly: it must work below the sanitizers' interceptors too. Threads are
 * counted together. Built without _FILE_OFFSET_BITS, which would rename what is defined here; the
 * names that it makes are aliases, on 64-bit machines.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512

enum call {
	CALL_SAID, /* to standard output: no boundary */
	CALL_WRITE,
	CALL_SYNC,
	CALL_TRUNCATE,
	CALL_CREATE,
	CALL_RENAME,
	CALL_LINK,
	CALL_UNLINK,
	CALL_MKDIR,
	CALL_MSYNC,
};

enum fault { NONE, KILL_BEFORE, KILL_AFTER, KILL_HALF, SHORT, FAIL_EIO, FAIL_ENOSPC };

static struct {
	bool read;
	const char *dir;
	size_t dir_len;
	enum fault fault;
	unsigned long first, n;
	int trace;
} plan = {.trace = -1};

static atomic_ulong boundaries;

static void
read_fault(const char *text)
{
	static const char *const words[] = {[KILL_BEFORE] = "kill-before",
	    [KILL_AFTER] = "kill-after",
	    [KILL_HALF] = "kill-half",
	    [SHORT] = "short",
	    [FAIL_EIO] = "eio",
	    [FAIL_ENOSPC] = "enospc"};
	size_t len = strcspn(text, ":");

	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
			plan.fault = (enum fault)i;
	plan.n = 1;
	if (plan.fault == NONE || sscanf(text + len, ":%lu:%lu", &plan.first, &plan.n) < 1) {
		fprintf(stderr, "fault: FAULT=%s: cannot be read\n", text);
		_exit(99);
	}
}

static void
read_plan(void)
{
	const char *fault = getenv("FAULT"), *trace = getenv("FAULT_TRACE");

	if (plan.read)
		return;
	plan.read = true;
	plan.dir = getenv("FAULT_DIR");
	plan.dir_len = plan.dir != NULL ? strlen(plan.dir) : 0;
	if (fault != NULL)
		read_fault(fault);
	if (trace != NULL)
		plan.trace = (int)syscall(
		    SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static bool
is_ours(const char *path)
{
	read_plan();
	return plan.dir_len > 0 && strncmp(path, plan.dir, plan.dir_len) == 0 &&
	       (path[plan.dir_len] == '/' || path[plan.dir_len] == '\0');
}

/* The path of an open file; false if it is none of ours. */
static bool
path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	long n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return is_ours(path);
}

static void
put(const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		long n = syscall(SYS_write, plan.trace, at, len);

		if (n <= 0)
			_exit(98);
		at += n;
		len -= (size_t)n;
	}
}

static void
record(enum call call, unsigned flags, const char *path, uint64_t offset, const struct iovec *data,
    int data_n, size_t len)
{
	uint8_t head[20] = {(uint8_t)call, (uint8_t)flags};
	uint16_t path_len = (uint16_t)strlen(path);
	uint64_t data_len = data != NULL ? len : 0;

	if (plan.trace < 0)
		return;
	memcpy(head + 2, &path_len, 2);
	memcpy(head + 4, &offset, 8);
	memcpy(head + 12, &data_len, 8);
	put(head, sizeof(head));
	put(path, path_len);
	for (int i = 0; data != NULL && i < data_n && len > 0; i++) {
		size_t n = data[i].iov_len < len ? data[i].iov_len : len;

		put(data[i].iov_base, n);
		len -= n;
	}
}

static void
end_here(void)
{
	syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

/* Before a boundary: what to do at it. */
static enum fault
arrive(void)
{
	unsigned long number = atomic_fetch_add(&boundaries, 1) + 1;

	if (plan.fault == NONE || number < plan.first || number - plan.first >= plan.n)
		return NONE;
	if (plan.fault == KILL_BEFORE)
		end_here();
	return plan.fault;
}

static long
refuse(enum fault fault)
{
	errno = fault == FAIL_EIO ? EIO : ENOSPC;
	return -1;
}

/* ---- writes --------------------------------------------------------------------------------- */

static ssize_t
write_at(int fd, const struct iovec *data, int n, off_t offset)
{
	return offset < 0 ? syscall(SYS_writev, fd, data, n)
			  : syscall(SYS_pwritev, fd, data, n, offset, 0L);
}

/* The first half of the data, in octets. */
static ssize_t
write_half(int fd, const struct iovec *data, int n, off_t offset, size_t len)
{
	struct iovec half[IOV_MAX];
	int half_n = 0;

	for (size_t left = len / 2; half_n < n && left > 0; half_n++) {
		half[half_n] = data[half_n];
		if (half[half_n].iov_len > left)
			half[half_n].iov_len = left;
		left -= half[half_n].iov_len;
	}
	return write_at(fd, half, half_n, offset);
}

/* offset -1: where the file stands. */
static ssize_t
do_write(int fd, const struct iovec *data, int n, off_t offset)
{
	char path[PATH_MAX];
	off_t at = offset;
	unsigned flags = 0;
	enum fault fault;
	size_t len = 0;
	ssize_t done;

	for (int i = 0; i < n; i++)
		len += data[i].iov_len;
	read_plan();
	if (fd == STDOUT_FILENO && plan.trace >= 0)
		record(CALL_SAID, 0, "", 0, data, n, len);
	if (!path_of(fd, path))
		return write_at(fd, data, n, offset);
	if (offset < 0)
		at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
	if ((syscall(SYS_fcntl, fd, F_GETFL) & O_DSYNC) != 0)
		flags = 1;
	fault = arrive();
	if (fault == FAIL_EIO || fault == FAIL_ENOSPC)
		return refuse(fault);
	if (fault == KILL_HALF && (size_t)at / SECTOR == ((size_t)at + len - 1) / SECTOR)
		end_here();
	if (fault == KILL_HALF || fault == SHORT)
		done = write_half(fd, data, n, offset, len);
	else
		done = write_at(fd, data, n, offset);
	if (fault == KILL_HALF || fault == KILL_AFTER)
		end_here();
	if (done >= 0)
		record(CALL_WRITE, flags, path, (uint64_t)at, data, n, (size_t)done);
	return done;
}

ssize_t
write(int fd, const void *p, size_t len)
{
	struct iovec one = {(void *)(uintptr_t)p, len};

	return do_write(fd, &one, 1, -1);
}

ssize_t
writev(int fd, const struct iovec *data, int n)
{
	return do_write(fd, data, n, -1);
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
	struct iovec one = {(void *)(uintptr_t)p, len};

	return do_write(fd, &one, 1, offset);
}

ssize_t
pwritev(int fd, const struct iovec *data, int n, off_t offset)
{
	return do_write(fd, data, n, offset);
}

ssize_t pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec *, int, off64_t) __attribute__((alias("pwritev")));

/* ---- the others ----------------------------------------------------------------------------- */

/* A call that is done in whole or not at all. */
static long
whole(enum call call, const char *path, const char *to, uint64_t offset, long number, long a,
    long b, long c)
{
	struct iovec data = {(void *)(uintptr_t)to, to != NULL ? strlen(to) : 0};
	enum fault fault = arrive();
	long rc;

	if (fault == FAIL_EIO || (fault == FAIL_ENOSPC && call != CALL_UNLINK))
		return refuse(fault);
	rc = syscall(number, a, b, c);
	if (fault == KILL_AFTER || fault == KILL_HALF)
		end_here();
	if (rc >= 0) {
		int kept = errno;

		record(call, 0, path, offset, to != NULL ? &data : NULL, 1, data.iov_len);
		errno = kept;
	}
	return rc;
}

static int
sync_file(int fd, long number)
{
	char path[PATH_MAX];

	if (!path_of(fd, path))
		return (int)syscall(number, fd);
	return (int)whole(CALL_SYNC, path, NULL, 0, number, fd, 0, 0);
}

int
fsync(int fd)
{
	return sync_file(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return sync_file(fd, SYS_fdatasync);
}

int
ftruncate(int fd, off_t len)
{
	char path[PATH_MAX];

	if (!path_of(fd, path))
		return (int)syscall(SYS_ftruncate, fd, len);
	return (int)whole(CALL_TRUNCATE, path, NULL, (uint64_t)len, SYS_ftruncate, fd, len, 0);
}

int
msync(void *p, size_t len, int flags)
{
	read_plan();
	if (plan.dir_len == 0)
		return (int)syscall(SYS_msync, p, len, flags);
	return (int)whole(
	    CALL_MSYNC, plan.dir, NULL, 0, SYS_msync, (long)(intptr_t)p, (long)len, flags);
}

static bool
exists(const char *path)
{
	return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

int
open(const char *path, int flags, ...)
{
	long mode = 0;
	va_list ap;

	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(ap, flags);
		mode = va_arg(ap, int);
		va_end(ap);
	}
	if ((flags & O_CREAT) == 0 || !is_ours(path) || exists(path))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	return (int)whole(CALL_CREATE, path, NULL, 0, SYS_open, (long)(intptr_t)path, flags, mode);
}

/* A file without a name: the kernel calls it "DIR/#inode (deleted)". */
static int
open_nameless(int dir_fd, const char *path, int flags, long mode)
{
	char where[PATH_MAX];
	enum fault fault;
	int fd;

	if (dir_fd == AT_FDCWD || !path_of(dir_fd, where))
		return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
	fault = arrive();
	if (fault == FAIL_EIO || fault == FAIL_ENOSPC)
		return (int)refuse(fault);
	fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
	if (fault == KILL_AFTER || fault == KILL_HALF)
		end_here();
	if (fd >= 0 && path_of(fd, where))
		record(CALL_CREATE, 0, where, 0, NULL, 0, 0);
	return fd;
}

int
openat(int dir_fd, const char *path, int flags, ...)
{
	long mode = 0;
	va_list ap;

	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(ap, flags);
		mode = va_arg(ap, int);
		va_end(ap);
	}
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return open_nameless(dir_fd, path, flags, mode);
	return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

int
linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	char source[PATH_MAX], target[PATH_MAX];
	struct iovec data = {target, 0};
	enum fault fault;
	long rc, n = syscall(SYS_readlinkat, from_fd, from, source, sizeof(source) - 1);

	if (n < 0 || !path_of(to_fd, target) || strlen(target) + strlen(to) + 2 > sizeof(target))
		return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
	source[n] = '\0';
	strcat(strcat(target, "/"), to);
	data.iov_len = strlen(target);
	fault = arrive();
	if (fault == FAIL_EIO || fault == FAIL_ENOSPC)
		return (int)refuse(fault);
	rc = syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
	if (fault == KILL_AFTER || fault == KILL_HALF)
		end_here();
	if (rc == 0)
		record(CALL_LINK, 0, source, 0, &data, 1, data.iov_len);
	return (int)rc;
}

int
rename(const char *from, const char *to)
{
	if (!is_ours(from) && !is_ours(to))
		return (int)syscall(SYS_rename, from, to);
	return (int)whole(
	    CALL_RENAME, from, to, 0, SYS_rename, (long)(intptr_t)from, (long)(intptr_t)to, 0);
}

int
link(const char *from, const char *to)
{
	if (!is_ours(to))
		return (int)syscall(SYS_link, from, to);
	return (int)whole(
	    CALL_LINK, from, to, 0, SYS_link, (long)(intptr_t)from, (long)(intptr_t)to, 0);
}

int
unlink(const char *path)
{
	if (!is_ours(path))
		return (int)syscall(SYS_unlink, path);
	return (int)whole(CALL_UNLINK, path, NULL, 0, SYS_unlink, (long)(intptr_t)path, 0, 0);
}

int
rmdir(const char *path)
{
	if (!is_ours(path))
		return (int)syscall(SYS_rmdir, path);
	return (int)whole(CALL_UNLINK, path, NULL, 0, SYS_rmdir, (long)(intptr_t)path, 0, 0);
}

int
mkdir(const char *path, mode_t mode)
{
	if (!is_ours(path))
		return (int)syscall(SYS_mkdir, path, mode);
	return (int)whole(CALL_MKDIR, path, NULL, 0, SYS_mkdir, (long)(intptr_t)path, mode, 0);
}

int open64(const char *, int, ...) __attribute__((alias("open")));
int ftruncate64(int, off64_t) __attribute__((alias("ftruncate")));
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
