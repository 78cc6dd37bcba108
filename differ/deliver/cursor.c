#include "cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/place.h"

bool
cursor_parse(const char *text, uint64_t *cursor)
{
	char *end;

	errno = 0;
	*cursor = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

int
cursor_read(const char *path, uint64_t *cursor, struct err *err)
{
	FILE *f = fopen(path, "re");
	char line[32] = "";
	int errnum = 0;

	*cursor = 0;
	if (f == NULL)
		return errno == ENOENT ? 0 : err_system(err, errno, "%s", path);
	if (fgets(line, sizeof(line), f) == NULL) {
		errnum = ferror(f) ? errno : 0;
		line[0] = '\0';
	}
	fclose(f);
	if (errnum != 0)
		return err_system(err, errnum, "%s", path);
	line[strcspn(line, "\n")] = '\0';
	if (!cursor_parse(line, cursor))
		return err_set(err, ERR_INPUT,
		    "%s: no cursor in it; remove it to begin with the first commit", path);
	return 0;
}

int
cursor_write(const char *path, uint64_t cursor, struct err *err)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%" PRIu64 "\n", cursor);

	return place_replace(path, line, (size_t)n, 0, err);
}
