#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
folder(void)
{
	const char *dir = getenv("TMPDIR");

	return dir != NULL && dir[0] != '\0' ? dir : "/tmp";
}

/* Some file systems have no files without a name. */
static int
open_nameless(const char *dir)
{
	struct buf path = {0};
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	buf_printf(&path, "%s/mxdiff-XXXXXX", dir);
	buf_text(&path);
	fd = mkostemp((char *)path.data, O_CLOEXEC);
	if (fd >= 0)
		unlink((char *)path.data);
	buf_finish(&path);
	return fd;
}

static int
write_file(struct spool *s, const uint8_t *p, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = pwrite(s->fd, p, len, (off_t)s->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_system(
			    err, errno, "%s: events cannot be kept there meanwhile", folder());
		p += n;
		len -= (size_t)n;
		s->len += (uint64_t)n;
	}
	return 0;
}

static int
become_file(struct spool *s, struct err *err)
{
	int rc;

	if ((s->fd = open_nameless(folder())) < 0)
		return err_system(err, errno,
		    "%s: events cannot be kept there meanwhile; TMPDIR "
		    "names another place",
		    folder());
	s->is_file = true;
	s->len = 0;
	rc = write_file(s, s->memory.data, s->memory.len, err);
	buf_finish(&s->memory);
	return rc;
}

int
spool_append(struct spool *s, const void *p, size_t len, struct err *err)
{
	int rc;

	if (!s->is_file && s->memory.len + len > SPOOL_MEMORY && (rc = become_file(s, err)) < 0)
		return rc;
	if (s->is_file)
		return write_file(s, p, len, err);
	buf_append(&s->memory, p, len);
	s->len += len;
	return 0;
}

int
spool_read(const struct spool *s, uint64_t at, void *p, size_t len, struct err *err)
{
	uint8_t *out = p;

	if (!s->is_file) {
		memcpy(out, s->memory.data + at, len);
		return 0;
	}
	while (len > 0) {
		ssize_t n = pread(s->fd, out, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_system(err, n < 0 ? errno : EIO,
			    "%s: events that were kept there cannot be read", folder());
		out += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

void
spool_clear(struct spool *s)
{
	if (s->is_file)
		close(s->fd);
	s->is_file = false;
	s->len = 0;
	buf_clear(&s->memory);
}

void
spool_finish(struct spool *s)
{
	spool_clear(s);
	buf_finish(&s->memory);
}
