/*
 * cursor: where in the store's journal a reader of the feed stands: a number, kept in a file that
 * is replaced as a whole (store/base/place.h), so that who is killed finds the old one or the new.
 */
#ifndef MX509_CURSOR_H
#define MX509_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

bool cursor_parse(const char *text, uint64_t *cursor);

/* 0 where there is no file yet: from the beginning. ERR_INPUT for what holds no cursor. */
int cursor_read(const char *path, uint64_t *cursor, struct err *err);
int cursor_write(const char *path, uint64_t cursor, struct err *err);

#endif
