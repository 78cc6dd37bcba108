#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/mem.h"
#include "store/base/place.h"
#include "store/corpus/store_view.h"

static const char part_name[] = "unfinished", *const file_names[] = {"data.mdb", "lock.mdb"};
#define FILE_N (sizeof(file_names) / sizeof(file_names[0]))

static char *
join(const char *dir, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, name);
	buf_text(&path);
	return (char *)path.data;
}

int
stage_clear(const char *dir, struct err *err)
{
	char *part = join(dir, part_name), *file;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < FILE_N; i++) {
		file = join(part, file_names[i]);
		if (unlink(file) != 0 && errno != ENOENT)
			rc = err_system(err, errno, "%s: cannot be removed", file);
		free(file);
	}
	if (rc == 0 && rmdir(part) != 0 && errno != ENOENT)
		rc = err_system(err, errno, "%s: cannot be removed", part);
	free(part);
	return rc;
}

static int
is_free(const char *dir, struct err *err)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int rc = 0;

	if (d == NULL)
		return err_system(err, errno, "%s: cannot be read", dir);
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, part_name) != 0)
			rc = err_set(err, ERR_INPUT,
			    "%s: holds something already (%s); choose a new or empty directory",
			    dir, entry->d_name);
	closedir(d);
	return rc;
}

int
stage_open_within(struct stage *s, const char *dir, struct err *err)
{
	int rc = stage_clear(dir, err);

	s->dir = mem_strdup(dir);
	s->part = join(dir, part_name);
	if (rc == 0)
		rc = store_open(&s->store, s->part, STORE_WRITE, err);
	if (rc != 0)
		stage_abandon(s);
	return rc;
}

int
stage_open(struct stage *s, const char *dir, struct err *err)
{
	int rc;

	*s = (struct stage){.made_dir = mkdir(dir, 0777) == 0};
	if (!s->made_dir && errno != EEXIST)
		return err_system(err, errno, "%s: cannot be made", dir);
	if ((rc = is_free(dir, err)) != 0)
		return rc;
	return stage_open_within(s, dir, err);
}

/* What the commits wrote is synced; the names are not yet. */
static char *
close_part(struct stage *s, struct err *err)
{
	char *data = join(s->part, file_names[0]);

	store_close(s->store);
	s->store = NULL;
	if (place_sync(s->part, err) != 0) {
		free(data);
		return NULL;
	}
	return data;
}

int
stage_finish(struct stage *s, struct err *err)
{
	char *data = close_part(s, err), *place = join(s->dir, file_names[0]);
	int rc = data == NULL ? err->code : 0;

	if (rc == 0 && rename(data, place) != 0)
		rc = err_system(err, errno, "%s: cannot be moved to its place", data);
	if (rc == 0)
		rc = place_sync(s->dir, err);
	s->made_dir = s->made_dir && rc != 0;
	stage_abandon(s);
	free(data);
	free(place);
	return rc;
}

int
stage_replace(struct stage *s, struct store **old, struct err *err)
{
	char *data = close_part(s, err);
	int rc = data == NULL ? err->code : db_replace(&(*old)->db, data, err);

	store_close(*old);
	*old = NULL;
	stage_abandon(s);
	free(data);
	return rc;
}

void
stage_abandon(struct stage *s)
{
	if (s->dir != NULL) {
		store_close(s->store);
		stage_clear(s->dir, NULL);
		if (s->made_dir)
			rmdir(s->dir);
	}
	free(s->dir);
	free(s->part);
	*s = (struct stage){0};
}
