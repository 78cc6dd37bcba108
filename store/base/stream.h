/*
 * stream: the octets of a file or of standard input, as they are or out of gzip or zstd. What it
 * is shows in its first octets, not in its name. Several members or frames, one behind the other,
 * are one stream; zeros behind the last one are padding (tapes).
 *
 * Constant memory, whatever the file says of itself. One layer only: what is compressed twice is
 * refused by name.
 *
 * Ownership: `name` is borrowed. Threads: one.
 */
#ifndef MX509_STREAM_H
#define MX509_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum stream_coding { STREAM_UNKNOWN, STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD };

struct gzip_stream;
struct zstd_stream;

struct stream {
	const char *name; /* for messages */
	int fd;
	enum stream_coding coding;
	struct gzip_stream *gzip;
	struct zstd_stream *zstd;
	uint8_t *in; /* what was read and not used yet */
	size_t in_at, in_len;
	uint64_t octets; /* of the file, read so far */
	bool ended;	 /* the file */
	bool within;	 /* a member or frame that is not complete */
	bool begun;	 /* something was given */
};

/* "-" is standard input. ERR_SYSTEM: it cannot be opened. */
int stream_open(struct stream *s, const char *path, struct err *err);

/* Up to len octets (len > 0): how many, 0 at the end. ERR_INPUT: compressed data are damaged or end
 * too soon, with the octet of the file where that is; what was given before stands. ERR_SYSTEM: it
 * cannot be read, also because a signal came while it was waited for: one may try again. */
int64_t stream_read(struct stream *s, void *p, size_t len, struct err *err);

void stream_close(struct stream *s);

#endif
