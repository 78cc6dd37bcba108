#include "list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/limits.h"

#define READ_OCTETS 65536

static int
read_all(struct buf *text, int fd, const char *name, struct err *err)
{
	ssize_t n;

	do {
		n = read(fd, buf_reserve(text, READ_OCTETS), READ_OCTETS);
		if (n > 0)
			text->len += (size_t)n;
		if (text->len > LIMIT_WATCH_LIST)
			return err_set(err, ERR_LIMIT,
			    "the list of targets %s is larger than 4 GiB: divide it", name);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_system(err, errno, "cannot read the list of targets %s", name);
	return 0;
}

static int
read_file(struct buf *text, const char *path, bool regular, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *name = is_stdin ? "standard input" : path;
	int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			  : open(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0));
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) != 0)
		rc = err_system(err, errno, "cannot open the list of targets %s", name);
	else if (regular && !S_ISREG(st.st_mode))
		rc = err_set(err, ERR_INPUT,
		    "the list of targets %s is no file that can be read again", name);
	else
		rc = read_all(text, fd, name, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

int
list_read(struct buf *text, const char *path, struct err *err)
{
	buf_clear(text);
	return read_file(text, path, false, err);
}

int
list_read_again(struct buf *text, const char *path, struct err *err)
{
	struct buf fresh = {0};
	int rc = strcmp(path, "-") == 0
		     ? err_set(err, ERR_INPUT, "targets from standard input are read once")
		     : read_file(&fresh, path, true, err);

	if (rc == 0) {
		buf_finish(text);
		*text = fresh;
	} else {
		buf_finish(&fresh);
	}
	return rc;
}
