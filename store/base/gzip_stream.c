#include "gzip_stream.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "mem.h"

#define GZIP_ONLY (15 + 16) /* windowBits of inflateInit2(): gzip's header and trailer */
#define PIECE (1u << 30)    /* octets that one call may take: zlib counts in unsigned int */

struct gzip_stream {
	z_stream z;
	bool ended; /* the last member: the next step begins another */
};

struct gzip_stream *
gzip_stream_create(void)
{
	struct gzip_stream *g = mem_zero(1, sizeof(*g));

	if (inflateInit2(&g->z, GZIP_ONLY) != Z_OK) {
		fputs("mx509: no memory left for zlib\n", stderr);
		exit(2);
	}
	return g;
}

void
gzip_stream_destroy(struct gzip_stream *g)
{
	if (g == NULL)
		return;
	inflateEnd(&g->z);
	free(g);
}

enum unpack_result
gzip_stream_step(struct gzip_stream *g, struct unpack *io)
{
	uInt in_len = io->in_len < PIECE ? (uInt)io->in_len : PIECE;
	uInt out_len = io->out_len < PIECE ? (uInt)io->out_len : PIECE;
	int rc;

	if (g->ended && inflateReset(&g->z) != Z_OK)
		return UNPACK_DAMAGED;
	g->z.next_in = (Bytef *)io->in;
	g->z.avail_in = in_len;
	g->z.next_out = io->out;
	g->z.avail_out = out_len;
	rc = inflate(&g->z, Z_NO_FLUSH);
	g->ended = rc == Z_STREAM_END;
	io->in += in_len - g->z.avail_in;
	io->in_len -= in_len - g->z.avail_in;
	io->out += out_len - g->z.avail_out;
	io->out_len -= out_len - g->z.avail_out;
	if (rc == Z_STREAM_END)
		return UNPACK_END;
	return rc == Z_OK || rc == Z_BUF_ERROR ? UNPACK_MORE : UNPACK_DAMAGED;
}
