#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
