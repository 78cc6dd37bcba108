#include "optout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "store/base/clock.h"
#include "store/base/lines.h"
#include "store/base/mem.h"
#include "store/base/place.h"

#define LINE_MAX_OCTETS 65536

/* The name that stands before a comment, alone. */
static bool
read_name(const char *line, size_t len, char normal[LIMIT_NAME + 1])
{
	char text[LIMIT_NAME + 2];
	size_t from = 0, to = 0;

	while (from < len && (line[from] == ' ' || line[from] == '\t'))
		from++;
	for (to = from; to < len && strchr(" \t\r#", line[to]) == NULL;)
		to++;
	if (to - from >= sizeof(text))
		return false;
	memcpy(text, line + from, to - from);
	text[to - from] = '\0';
	while (to < len && strchr(" \t\r", line[to]) != NULL)
		to++;
	if (to < len && line[to] != '#')
		return false; /* two words are no name */
	return text[0] != '\0' && host_normalise(text, normal, NULL) == 0;
}

/* 1: it stands there. */
static int
find(const char *path, const char *name, struct err *err)
{
	struct lines lines;
	char normal[LIMIT_NAME + 1];
	const char *line;
	size_t len;
	int rc, found = 0;

	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	if ((rc = lines_open(&lines, path, err)) != 0)
		return rc;
	while ((rc = lines_next(&lines, LINE_MAX_OCTETS, &line, &len, NULL)) != 0) {
		if (rc > 0 && read_name(line, len, normal) && strcmp(normal, name) == 0)
			found = 1;
		if (rc < 0 && rc != ERR_LIMIT)
			break;
	}
	lines_close(&lines);
	if (rc < 0)
		return err_set(err, rc, "%s: cannot be read", path);
	return found;
}

/* In one write, at the end: whoever reads meanwhile sees it whole or not at all. */
static int
append(const char *path, const char *name, struct err *err)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666), rc = 0;
	char today[CLOCK_TEXT_MAX], last = '\n';
	struct buf line = {0};
	off_t size;

	if (fd < 0)
		return err_system(err, errno, "%s: cannot be written", path);
	size = lseek(fd, 0, SEEK_END);
	if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	clock_format_s(clock_now_ms(), today);
	buf_printf(&line, "%s%s # mxstore delete, %.10s\n", last == '\n' ? "" : "\n", name, today);
	if (write(fd, line.data, line.len) != (ssize_t)line.len || fsync(fd) != 0)
		rc = err_system(err, errno, "%s: cannot be written", path);
	close(fd);
	buf_finish(&line);
	return rc;
}

int
optout_add(const char *store_dir, const char *name, struct err *err)
{
	struct buf path = {0};
	int rc;

	buf_printf(&path, "%s/blocklist", store_dir);
	rc = find(buf_text(&path), name, err);
	if (rc == 0) {
		rc = append(buf_text(&path), name, err);
		if (rc == 0)
			rc = place_sync(store_dir, err);
		rc = rc == 0 ? 1 : rc;
	} else if (rc > 0) {
		rc = 0;
	}
	buf_finish(&path);
	return rc;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
optout_names_read(struct optout_names *names, const char *store_dir, struct err *err)
{
	struct buf path = {0};
	struct lines lines;
	const char *line;
	size_t len;
	int rc = 0;

	buf_printf(&path, "%s/blocklist", store_dir);
	if (access(buf_text(&path), F_OK) != 0 && errno == ENOENT)
		goto out;
	if ((rc = lines_open(&lines, buf_text(&path), err)) != 0)
		goto out;
	while (
	    (rc = lines_next(&lines, LINE_MAX_OCTETS, &line, &len, err)) > 0 || rc == ERR_LIMIT) {
		if (names->n == names->cap) {
			names->cap = names->cap == 0 ? 64 : 2 * names->cap;
			names->names = mem_grow(names->names, names->cap, sizeof(*names->names));
		}
		if (rc > 0 && read_name(line, len, names->names[names->n]))
			names->n++;
	}
	lines_close(&lines);
	if (names->n > 0)
		qsort(names->names, names->n, sizeof(*names->names), compare_names);
out:
	buf_finish(&path);
	return rc;
}

void
optout_names_finish(struct optout_names *names)
{
	free(names->names);
	*names = (struct optout_names){0};
}

bool
optout_names_has(const struct optout_names *names, const char *host)
{
	while (host != NULL && names->n > 0) {
		if (bsearch(host, names->names, names->n, sizeof(*names->names), compare_names) !=
		    NULL)
			return true;
		host = strchr(host, '.');
		if (host != NULL)
			host++;
	}
	return false;
}
