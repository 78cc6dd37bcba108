/*
 * lines: a file or standard input, as it is or out of gzip or zstd (stream.h), line by line, with
 * a bound on the length of one. Threads: one.
 */
#ifndef MX509_LINES_H
#define MX509_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "stream.h"

struct lines {
	const char *name;     /* for messages; borrowed */
	struct stream stream; /* its octets: how far the file was read */
	bool ended;
	uint64_t number; /* of the line read last, from 1 */
	struct buf data;
	size_t at;
};

/* "-" is standard input. */
int lines_open(struct lines *l, const char *path, struct err *err);

/* 1: the next line without its LF (or CR LF), which may hold NULs, valid until the next call; 0: no
 * more; ERR_LIMIT: it is longer than `most` octets and was skipped, the next one may be read;
 * others as of stream_read(): the line that was begun is lost. */
int lines_next(struct lines *l, size_t most, const char **line, size_t *len, struct err *err);

void lines_close(struct lines *l);

/* All of a file, at most `most` octets: ERR_LIMIT; others as of stream_read(). */
int lines_slurp(struct buf *out, const char *path, size_t most, struct err *err);

#endif
