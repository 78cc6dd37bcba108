#include "lines.h"

#include <string.h>

#define BLOCK 65536

int
lines_open(struct lines *l, const char *path, struct err *err)
{
	int rc;

	*l = (struct lines){0};
	if ((rc = stream_open(&l->stream, path, err)) == 0)
		l->name = l->stream.name;
	return rc;
}

/* More of the file behind what is there: 1, 0 at its end, <0. */
static int
fill(struct lines *l, struct err *err)
{
	int64_t n;

	if (l->ended)
		return 0;
	if (l->at > 0) {
		memmove(l->data.data, l->data.data + l->at, l->data.len - l->at);
		l->data.len -= l->at;
		l->at = 0;
	}
	n = stream_read(&l->stream, buf_reserve(&l->data, BLOCK), BLOCK, err);
	if (n < 0)
		return (int)n;
	l->data.len += (size_t)n;
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
	stream_close(&l->stream);
	buf_finish(&l->data);
	*l = (struct lines){.stream.fd = -1};
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
