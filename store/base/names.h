/*
 * names: an enum's words, as they stand in records and on the command line, from one array.
 */
#ifndef MX509_NAMES_H
#define MX509_NAMES_H

#include <stdbool.h>
#include <string.h>

/* "?" for a value that has no name. */
static inline const char *
names_get(const char *const *names, unsigned n, unsigned v)
{
	return v < n ? names[v] : "?";
}

static inline bool
names_find(const char *const *names, unsigned n, const char *text, unsigned *v)
{
	for (*v = 0; *v < n; (*v)++)
		if (strcmp(names[*v], text) == 0)
			return true;
	return false;
}

#endif
