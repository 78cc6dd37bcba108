/*
 * place: where a corpus stands on the file system: directories that are made, files that appear as
 * a whole, and names that survive a power cut. A file is durable when it is synced; its name only
 * when its directory is (fsync(2)), and that directory's name when its parent is.
 */
#ifndef MX509_PLACE_H
#define MX509_PLACE_H

#include <stddef.h>

#include "err.h"

/* The directory and its parents (mode 0777 & ~umask), where there are none; what is made is synced
 * with its name. */
int place_make(const char *dir, struct err *err);

/* Syncs what the directory names, and its own name. */
int place_sync(const char *dir, struct err *err);

/* A file that has no name until it is whole: a crash before leaves nothing. */
struct place_new {
	const char *dir; /* borrowed */
	int dir_fd, fd;
	char path[64]; /* by which it can be opened meanwhile */
};

/* An errno, without a message, where the file system or the machine has no such files
 * (O_TMPFILE, /proc). */
int place_new_open(struct place_new *file, const char *dir);

/* Gives it its name in that directory, unless somebody was faster: that is no error. With NULL it
 * vanishes. Returns rc if that is not 0, so that it can end whatever came before. */
int place_new_close(struct place_new *file, const char *name, int rc, struct err *err);

/* Puts a file in the place of what `path` names, as a whole: written beside it (path.new), synced,
 * renamed, and the name synced. Who is killed meanwhile leaves the old one. mode: exactly this;
 * 0: 0666 & ~umask. Of a symbolic link, the file that it leads to; a pipe or a device stays, and is written
 * to. */
int place_replace(const char *path, const void *bytes, size_t len, unsigned mode, struct err *err);

#endif
