/*
 * gzip_stream: the members of a gzip file (RFC 1952), piece by piece: the only user of zlib.h in
 * the store. A constant 45 kB of memory, whatever the data say. Checksum and length of each member
 * are checked at its end; what was given before that was not checked.
 */
#ifndef MX509_GZIP_STREAM_H
#define MX509_GZIP_STREAM_H

#include "unpack.h"

struct gzip_stream;

struct gzip_stream *gzip_stream_create(void);
void gzip_stream_destroy(struct gzip_stream *g); /* accepts NULL */
enum unpack_result gzip_stream_step(struct gzip_stream *g, struct unpack *io);

#endif
