/*
 * list: the targets of a watch, held in memory as they stand in their file, so that a file that is
 * being written, or is gone, costs no pass. It is read at the start and when told to.
 *
 * One thread. Reading blocks: at the start for as long as a pipe takes, later for as long as a
 * file on a disk does.
 */
#ifndef MX509_LIST_H
#define MX509_LIST_H

#include "store/base/buf.h"
#include "store/base/err.h"

/* path: "-" is standard input, to its end. Any file. */
int list_read(struct buf *text, const char *path, struct err *err);

/* The same again, of a regular file only; on error what was read before stays. */
int list_read_again(struct buf *text, const char *path, struct err *err);

#endif
