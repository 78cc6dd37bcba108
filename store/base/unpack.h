/*
 * unpack: what a step of a decompressor takes and gives, the same for gzip_stream.h and
 * zstd_frame.h. The caller owns both buffers; a step moves the pointers over what it used.
 */
#ifndef MX509_UNPACK_H
#define MX509_UNPACK_H

#include <stddef.h>
#include <stdint.h>

struct unpack {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

enum unpack_result {
	UNPACK_MORE, /* all of `in` was taken, or all of `out` was filled */
	UNPACK_END,  /* a member (gzip) or frame (zstd) is complete; the next step begins another */
	UNPACK_DAMAGED, /* no such data, a wrong checksum, or a window beyond the limit */
};

#endif
