/*
 * optout: the file `blocklist` in a corpus's directory: names whose operators asked not to be
 * probed, one a line, "#" comments; a name stands for itself and all below it. mxcollect(1) keeps
 * to it. It is for people to edit too: lines that are there stay as they are.
 */
#ifndef MX509_OPTOUT_H
#define MX509_OPTOUT_H

#include "store/base/err.h"

/* Adds a name (host_valid()), synced, unless it stands there; 1: added, 0: was there, <0. */
int optout_add(const char *store_dir, const char *name, struct err *err);

#endif
