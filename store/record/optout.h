/*
 * optout: the file `blocklist` in a corpus's directory: names whose operators asked not to be
 * probed, one a line, "#" comments; a name stands for itself and all below it. mxcollect(1) keeps
 * to it. It is for people to edit too: lines that are there stay as they are.
 */
#ifndef MX509_OPTOUT_H
#define MX509_OPTOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"
#include "store/base/limits.h"

/* Adds a name (host_valid()), synced, unless it stands there; 1: added, 0: was there, <0. */
int optout_add(const char *store_dir, const char *name, struct err *err);

/* The names that stand there, for who brings observations in from elsewhere. */
struct optout_names {
	char (*names)[LIMIT_NAME + 1]; /* sorted */
	size_t n, cap;
};

/* Zero-initialise; a corpus without the file has none. Lines that are no name are passed over. */
int optout_names_read(struct optout_names *names, const char *store_dir, struct err *err);
void optout_names_finish(struct optout_names *names);
/* Whether one of the names is `host` (NULL: none) or above it. Costs a search for each label of it.
 */
bool optout_names_has(const struct optout_names *names, const char *host);

#endif
