#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536

int
lines_open(struct lines *l, const char *path, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;

	*l = (struct lines){.name = is_stdin ? "standard input" : path};
	l->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	return l->fd >= 0 ? 0 : err_system(err, errno, "%s: cannot be opened", path);
}

/* More of the file behind what is there: 1, 0 at its end, <0. */
static int
fill(struct lines *l, struct err *err)
{
	ssize_t n;

	if (l->ended)
		return 0;
	if (l->at > 0) {
		memmove(l->data.data, l->data.data + l->at, l->data.len - l->at);
		l->data.len -= l->at;
		l->at = 0;
	}
	n = read(l->fd, buf_reserve(&l->data, BLOCK), BLOCK);
	if (n < 0)
		return err_system(err, errno, "%s: cannot be read", l->name);
	l->data.len += (size_t)n;
	l->octets += (uint64_t)n;
	l->ended = n == 0;
	return n > 0;
}

int
lines_next(struct lines *l, size_t most, const char **line, size_t *len, struct err *err)
{
	size_t searched = 0;
	bool too_long = false;
	const char *lf = NULL;
	int rc;

	for (;;) {
		size_t left = l->data.len - l->at;

		if (left > searched)
			lf = memchr(l->data.data + l->at + searched, '\n', left - searched);
		if (lf != NULL)
			break;
		searched = left;
		if (left > most) {
			too_long = true;
			l->at = l->data.len;
			searched = 0;
		}
		if ((rc = fill(l, err)) < 0)
			return rc;
		if (rc == 0)
			break;
	}
	*line = (const char *)l->data.data + l->at;
	*len = lf != NULL ? (size_t)(lf - *line) : l->data.len - l->at;
	if (lf == NULL && *len == 0 && !too_long)
		return 0;
	l->at += *len + (lf != NULL);
	l->number++;
	if (too_long || *len > most)
		return err_set(err, ERR_LIMIT, "longer than %zu octets", most);
	if (*len > 0 && (*line)[*len - 1] == '\r')
		--*len;
	return 1;
}

void
lines_close(struct lines *l)
{
	if (l->fd > STDIN_FILENO)
		close(l->fd);
	buf_finish(&l->data);
	*l = (struct lines){.fd = -1};
}

int
lines_slurp(struct buf *out, const char *path, size_t most, struct err *err)
{
	struct lines l;
	int rc = lines_open(&l, path, err);

	if (rc != 0)
		return rc;
	while (l.data.len <= most && (rc = fill(&l, err)) > 0)
		;
	if (rc > 0)
		rc = err_set(err, ERR_LIMIT, "%s: longer than %zu octets", l.name, most);
	buf_append(out, l.data.data, l.data.len);
	lines_close(&l);
	return rc;
}
