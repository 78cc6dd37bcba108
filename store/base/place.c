#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "mem.h"

/* A parent that may be passed, but not read, cannot be synced; nor can its names be changed. */
static int
sync_parent(int dir_fd, const char *dir, struct err *err)
{
	int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno == EACCES ? 0 : err_system(err, errno, "%s/..: cannot be read", dir);
	if (fsync(fd) != 0 && errno != EROFS)
		rc = err_system(err, errno, "%s/..: cannot be synced", dir);
	close(fd);
	return rc;
}

int
place_sync(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = err_system(err, errno, "%s: cannot be synced", dir);
	if (rc == 0)
		rc = sync_parent(fd, dir, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
make_one(const char *path, struct err *err)
{
	if (mkdir(path, 0777) == 0)
		return place_sync(path, err);
	return errno == EEXIST ? 0 : err_system(err, errno, "%s: cannot be made", path);
}

int
place_make(const char *dir, struct err *err)
{
	char *path = mem_strdup(dir);
	int rc = 0;

	for (char *p = path + 1; rc == 0; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		rc = make_one(path, err);
		*p = c;
		if (c == '\0')
			break;
	}
	free(path);
	return rc;
}

int
place_new_open(struct place_new *file, const char *dir)
{
	int rc = 0;

	file->dir = dir;
	file->fd = -1;
	file->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dir_fd >= 0)
		file->fd = openat(file->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	if (file->fd < 0 || access(file->path, R_OK | W_OK) != 0) {
		rc = errno;
		place_new_close(file, NULL, 0, NULL);
	}
	return rc;
}

int
place_new_close(struct place_new *file, const char *name, int rc, struct err *err)
{
	if (name != NULL && rc == 0 &&
	    linkat(AT_FDCWD, file->path, file->dir_fd, name, AT_SYMLINK_FOLLOW) != 0 &&
	    errno != EEXIST)
		rc = err_system(err, errno, "%s/%s: cannot be given its name", file->dir, name);
	if (file->fd >= 0)
		close(file->fd);
	if (file->dir_fd >= 0)
		close(file->dir_fd);
	return rc;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -1;
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd);
}

/* The directory that a path names a file in; on the heap. */
static char *
folder_of(const char *path)
{
	char *folder = mem_strdup(path), *slash = strrchr(folder, '/');

	if (slash == NULL)
		strcpy(folder, path[0] == '\0' ? "" : ".");
	else
		slash[slash == folder] = '\0';
	return folder;
}

static int
sync_folder(const char *path, struct err *err)
{
	char *folder = folder_of(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	/* One that may be passed, but not read, cannot be synced. */
	if (fd >= 0 ? fsync(fd) != 0 : errno != EACCES)
		rc = err_system(err, errno, "%s: cannot be synced", folder);
	if (fd >= 0)
		close(fd);
	free(folder);
	return rc;
}

/* A file of that name beside it, then its name. */
static int
replace(const char *path, const void *bytes, size_t len, unsigned mode, struct err *err)
{
	struct buf name = {0};
	const char *part;
	int fd, rc = 0;

	buf_printf(&name, "%s.new", path);
	part = buf_text(&name);
	unlink(part); /* of one that was killed */
	fd = open(
	    part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode != 0 ? mode : 0666);
	if (fd < 0 || (mode != 0 && fchmod(fd, mode) != 0) || write_all(fd, bytes, len) != 0)
		rc = err_system(err, errno, "%s: cannot be written", part);
	if (fd >= 0)
		close(fd);
	if (rc == 0 && rename(part, path) != 0)
		rc = err_system(err, errno, "%s: cannot be put in its place", path);
	if (rc == 0)
		rc = sync_folder(path, err);
	else if (fd >= 0)
		unlink(part);
	buf_finish(&name);
	return rc;
}

static int
write_through(const char *path, const void *bytes, size_t len, struct err *err)
{
	FILE *f = fopen(path, "we");
	bool failed = f == NULL || fwrite(bytes, 1, len, f) != len;
	int errnum = errno;

	if (f != NULL && fclose(f) != 0 && !failed) {
		failed = true;
		errnum = errno;
	}
	return failed ? err_system(err, errnum, "%s: cannot be written", path) : 0;
}

int
place_replace(const char *path, const void *bytes, size_t len, unsigned mode, struct err *err)
{
	struct stat st;
	char *real;
	int rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return write_through(path, bytes, len, err);
	real = realpath(path, NULL);
	rc = replace(real != NULL ? real : path, bytes, len, mode, err);
	free(real);
	return rc;
}
