#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/limits.h"
#include "store/base/mem.h"

#define READ_OCTETS 16384

struct source {
	struct loop *loop;
	char *const *arguments;
	size_t arguments_n, next_argument;
	const char *path;   /* for messages */
	int fd;		    /* -1: none, or at its end */
	struct reader text; /* of a source without a file */
	bool open;	    /* lines may follow */
	bool is_pollable;   /* a read of it may have to wait */
	struct loop_watch *watch;
	loop_fn *on_ready;
	void *ctx;
	char data[READ_OCTETS];
	size_t at, len;
	struct buf line; /* what has come of an unfinished line */
	bool too_long;	 /* the rest of it is skipped */
	unsigned long line_number;
};

int
source_open(struct source **out, struct loop *loop, char *const *arguments, size_t arguments_n,
    const char *path, struct err *err)
{
	struct source *source = mem_zero(1, sizeof(*source));
	struct stat st;

	*out = NULL;
	source->loop = loop;
	source->arguments = arguments;
	source->arguments_n = arguments_n;
	source->fd = -1;
	if (path != NULL && strcmp(path, "-") == 0) {
		source->path = "standard input";
		source->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else if (path != NULL) {
		source->path = path;
		source->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (path != NULL && (source->fd < 0 || fstat(source->fd, &st) != 0)) {
		err_system(err, errno, "cannot open the list of targets %s", source->path);
		source_close(source);
		return err != NULL ? err->code : ERR_SYSTEM;
	}
	if (path != NULL && S_ISDIR(st.st_mode)) {
		source_close(source);
		return err_set(err, ERR_INPUT, "the list of targets %s is a directory", path);
	}
	source->open = path != NULL;
	source->is_pollable = path != NULL && !S_ISREG(st.st_mode);
	*out = source;
	return 0;
}

struct source *
source_of_text(struct loop *loop, char *const *arguments, size_t arguments_n, const char *path,
    const void *text, size_t len)
{
	struct source *source = mem_zero(1, sizeof(*source));

	source->loop = loop;
	source->arguments = arguments;
	source->arguments_n = arguments_n;
	source->path = path;
	source->fd = -1;
	source->open = path != NULL;
	source->text = reader_of(text, len);
	return source;
}

static void
close_file(struct source *source)
{
	loop_watch_destroy(source->watch);
	source->watch = NULL;
	if (source->fd >= 0)
		close(source->fd);
	source->fd = -1;
	source->open = false;
}

void
source_close(struct source *source)
{
	if (source == NULL)
		return;
	close_file(source);
	buf_finish(&source->line);
	free(source);
}

void
source_on_ready(struct source *source, loop_fn *fn, void *ctx)
{
	source->on_ready = fn;
	source->ctx = ctx;
}

void
source_stop(struct source *source)
{
	if (source->watch != NULL)
		loop_watch_set(source->watch, 0);
}

static void
on_readable(void *ctx, unsigned events)
{
	struct source *source = ctx;

	(void)events;
	loop_watch_set(source->watch, 0);
	if (source->on_ready != NULL)
		source->on_ready(source->ctx);
}

static enum source_result
from_argument(struct source *source, struct target *target, struct err *err)
{
	const char *text = source->arguments[source->next_argument++];
	struct err why = {0};
	int rc = target_parse(target, text, strlen(text), &why);

	if (rc > 0)
		return SOURCE_TARGET;
	err_set(
	    err, ERR_INPUT, "argument %zu: %s", source->next_argument, rc < 0 ? why.text : "empty");
	return SOURCE_BAD;
}

static int
fill_from_text(struct source *source)
{
	size_t n = reader_left(&source->text);

	n = n < sizeof(source->data) ? n : sizeof(source->data);
	if (n > 0)
		memcpy(source->data, reader_take(&source->text, n), n);
	source->at = 0;
	source->len = n;
	return n > 0;
}

/* Fills data: 1 something came, 0 the end, -1 must wait, -2 failed. */
static int
fill(struct source *source, struct err *err)
{
	struct pollfd pollfd = {.fd = source->fd, .events = POLLIN};
	ssize_t n;

	if (source->fd < 0)
		return fill_from_text(source);
	if (source->is_pollable && poll(&pollfd, 1, 0) == 0) {
		if (source->watch == NULL)
			source->watch =
			    loop_watch_create(source->loop, source->fd, on_readable, source, err);
		if (source->watch == NULL)
			return -2;
		loop_watch_set(source->watch, LOOP_READ);
		return -1;
	}
	while ((n = read(source->fd, source->data, sizeof(source->data))) < 0 && errno == EINTR)
		;
	if (n < 0) {
		err_system(err, errno, "cannot read the list of targets %s", source->path);
		return -2;
	}
	source->at = 0;
	source->len = (size_t)n;
	return n > 0;
}

/* One whole line is in source->line. */
static int
parse_line(struct source *source, struct target *target, struct err *err)
{
	struct err why = {0};
	int rc;

	source->line_number++;
	if (source->too_long)
		rc = err_set(&why, ERR_INPUT, "longer than %d octets", LIMIT_TARGET_LINE);
	else
		rc = target_parse(target, buf_text(&source->line), source->line.len, &why);
	source->too_long = false;
	buf_clear(&source->line);
	if (rc < 0)
		err_set(err, ERR_INPUT, "%s, line %lu: %s", source->path, source->line_number,
		    why.text);
	return rc;
}

/* Takes what data holds of the line; true if it is whole. */
static bool
take_line(struct source *source)
{
	const char *from = source->data + source->at;
	size_t left = source->len - source->at;
	const char *lf = memchr(from, '\n', left);
	size_t len = lf != NULL ? (size_t)(lf - from) : left;

	/* A comment may be longer than a target. */
	if (source->line.len + len > 16 * LIMIT_TARGET_LINE)
		source->too_long = true;
	else
		buf_append(&source->line, from, len);
	source->at += len + (lf != NULL);
	return lf != NULL;
}

enum source_result
source_next(struct source *source, struct target *target, struct err *err)
{
	int rc;

	if (source->next_argument < source->arguments_n)
		return from_argument(source, target, err);
	while (source->open) {
		if (source->at < source->len) {
			if (!take_line(source))
				continue;
		} else if ((rc = fill(source, err)) > 0) {
			continue;
		} else if (rc == -1) {
			return SOURCE_WAIT;
		} else {
			close_file(source);
			if (rc == -2)
				return SOURCE_FAILED;
			if (source->line.len == 0 && !source->too_long)
				break;
		}
		if ((rc = parse_line(source, target, err)) != 0)
			return rc > 0 ? SOURCE_TARGET : SOURCE_BAD;
	}
	return SOURCE_END;
}
