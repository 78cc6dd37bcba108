#include "resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/corpus/timeline.h"

struct resume {
	struct buf path;
	int64_t since_ms;
	struct store *store;
	/* What is done of the host and address that were asked for last. */
	struct series asked, *done;
	size_t done_n, room;
};

/* 0 where there is none, or it does not hold a time. */
static int64_t
read_time(const char *path)
{
	char text[CLOCK_TEXT_MAX] = "";
	FILE *file = fopen(path, "re");
	int64_t time_ms = 0;

	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		if (!clock_parse_iso(text, &time_ms))
			time_ms = 0;
	}
	fclose(file);
	return time_ms;
}

static int
write_time(const char *path, int64_t time_ms, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc = 0;
	char text[CLOCK_TEXT_MAX];

	if (fd < 0)
		return err_system(err, errno, "cannot write %s", path);
	clock_format_ms(time_ms, text);
	if (dprintf(fd, "%s\n", text) < 0 || fsync(fd) != 0)
		rc = err_system(err, errno, "cannot write %s", path);
	close(fd);
	return rc;
}

int
resume_begin(struct resume **out, const char *dir, const char *vantage, bool go_on, struct err *err)
{
	struct resume *resume = mem_zero(1, sizeof(*resume));
	int rc = 0;

	*out = NULL;
	buf_printf(&resume->path, "%s/unfinished-%s", dir, vantage);
	if (go_on)
		resume->since_ms = read_time(buf_text(&resume->path));
	if (resume->since_ms != 0)
		rc = store_open(&resume->store, dir, STORE_READ, err);
	else
		rc = write_time(buf_text(&resume->path), clock_now_ms(), err);
	if (rc != 0) {
		resume_end(resume, false);
		return rc;
	}
	*out = resume;
	return 0;
}

int64_t
resume_since_ms(const struct resume *resume)
{
	return resume->since_ms;
}

static void
add(struct resume *resume, const struct series *series)
{
	if (resume->done_n == resume->room) {
		resume->room = resume->room == 0 ? 16 : 2 * resume->room;
		resume->done = mem_grow(resume->done, resume->room, sizeof(*resume->done));
	}
	resume->done[resume->done_n++] = *series;
}

/* What is done of a host at an address. */
static void
load(struct resume *resume, const struct series *asked)
{
	struct series_filter filter = {.kind = SERIES_PROBE,
	    .host = asked->host,
	    .address = asked->address,
	    .vantage = asked->vantage};
	struct series_walk *walk = NULL;
	struct store_view *view = NULL;
	struct sighting last;
	struct series series;
	struct err err = {0};
	uint32_t number;

	resume->asked = *asked;
	resume->done_n = 0;
	if (store_view_open(resume->store, &view, &err) == 0 &&
	    series_walk_open(&walk, view, &filter, &err) == 0)
		while (series_walk_next(walk, &number, &series, &err) > 0)
			if (timeline_last(view, number, SERIES_PROBE, INT64_MAX, &last, &err) > 0 &&
			    last.time_ms >= resume->since_ms)
				add(resume, &series);
	series_walk_close(walk);
	store_view_close(view);
}

bool
resume_has(void *ctx, const struct series *series)
{
	struct resume *resume = ctx;

	if (resume->since_ms == 0)
		return false;
	if (strcmp(resume->asked.host, series->host) != 0 ||
	    strcmp(resume->asked.vantage, series->vantage) != 0 ||
	    ip_compare(&resume->asked.address, &series->address) != 0)
		load(resume, series);
	for (size_t i = 0; i < resume->done_n; i++)
		if (series_compare(&resume->done[i], series) == 0)
			return true;
	return false;
}

void
resume_end(struct resume *resume, bool complete)
{
	if (resume == NULL)
		return;
	if (complete)
		unlink(buf_text(&resume->path));
	store_close(resume->store);
	buf_finish(&resume->path);
	free(resume->done);
	free(resume);
}
