#define ZSTD_STATIC_LINKING_ONLY /* frames without a magic number */

#include "zstd_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <zdict.h>
#include <zstd.h>

#include "mem.h"
#include "thread_exit.h"

static const int levels[ZSTD_EFFORT_N] = {[ZSTD_QUICK] = 3, [ZSTD_THOROUGH] = 6};

struct zstd_dictionary {
	/* Made when they are first needed: they cost more than the other. */
	ZSTD_CDict *compress[ZSTD_EFFORT_N];
	ZSTD_DDict *decompress;
	struct buf bytes;
};

static _Thread_local ZSTD_CCtx *compressor;
static _Thread_local ZSTD_DCtx *decompressor;

static void
free_compressor(void *p)
{
	ZSTD_freeCCtx(p);
}

static void
free_decompressor(void *p)
{
	ZSTD_freeDCtx(p);
}

static void
need(const void *p)
{
	if (p == NULL) {
		fputs("mx509: out of memory\n", stderr);
		exit(2);
	}
}

struct zstd_dictionary *
zstd_dictionary_create(const void *p, size_t len)
{
	struct zstd_dictionary *d;
	unsigned number = ZDICT_getDictID(p, len);

	/* Anything else would be taken for raw contents. */
	if (number == 0)
		return NULL;
	d = mem_zero(1, sizeof(*d));
	buf_append(&d->bytes, p, len);
	d->decompress = ZSTD_createDDict(p, len);
	if (d->decompress == NULL) {
		zstd_dictionary_destroy(d);
		return NULL;
	}
	return d;
}

void
zstd_dictionary_destroy(struct zstd_dictionary *d)
{
	if (d == NULL)
		return;
	for (int i = 0; i < ZSTD_EFFORT_N; i++)
		ZSTD_freeCDict(d->compress[i]);
	ZSTD_freeDDict(d->decompress);
	buf_finish(&d->bytes);
	free(d);
}

bool
zstd_dictionary_train(
    struct buf *out, size_t most, const void *samples, const size_t *lengths, unsigned n)
{
	size_t len = ZDICT_trainFromBuffer(buf_reserve(out, most), most, samples, lengths, n);

	if (ZDICT_isError(len))
		return false;
	out->len += len;
	return true;
}

/* What is set on a context is heeded by ZSTD_compress2() alone. */
static void
prepare(struct zstd_dictionary *d, enum zstd_effort effort)
{
	if (compressor == NULL) {
		need(compressor = ZSTD_createCCtx());
		thread_exit_free(free_compressor, compressor);
		ZSTD_CCtx_setParameter(compressor, ZSTD_c_contentSizeFlag, 0);
		ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag, 0);
		ZSTD_CCtx_setParameter(compressor, ZSTD_c_dictIDFlag, 0);
		ZSTD_CCtx_setParameter(compressor, ZSTD_c_format, ZSTD_f_zstd1_magicless);
	}
	ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, levels[effort]);
	if (d != NULL && d->compress[effort] == NULL)
		need(d->compress[effort] =
			 ZSTD_createCDict(d->bytes.data, d->bytes.len, levels[effort]));
	ZSTD_CCtx_refCDict(compressor, d != NULL ? d->compress[effort] : NULL);
}

void
zstd_frame_compress(
    struct buf *out, const void *p, size_t len, struct zstd_dictionary *d, enum zstd_effort effort)
{
	size_t room = ZSTD_compressBound(len), n;

	prepare(d, effort);
	n = ZSTD_compress2(compressor, buf_reserve(out, room), room, p, len);
	ZSTD_CCtx_refCDict(compressor, NULL);
	if (ZSTD_isError(n)) { /* only memory can be missing */
		fprintf(stderr, "mx509: zstd: %s\n", ZSTD_getErrorName(n));
		exit(2);
	}
	out->len += n;
}

bool
zstd_frame_decompress(
    struct buf *out, size_t raw_len, const void *frame, size_t len, struct zstd_dictionary *d)
{
	size_t n;

	if (decompressor == NULL) {
		need(decompressor = ZSTD_createDCtx());
		thread_exit_free(free_decompressor, decompressor);
		ZSTD_DCtx_setParameter(decompressor, ZSTD_d_format, ZSTD_f_zstd1_magicless);
	}
	ZSTD_DCtx_refDDict(decompressor, d != NULL ? d->decompress : NULL);
	n = ZSTD_decompressDCtx(decompressor, buf_reserve(out, raw_len + 1), raw_len, frame, len);
	ZSTD_DCtx_refDDict(decompressor, NULL);
	if (ZSTD_isError(n) || n != raw_len)
		return false;
	out->len += n;
	return true;
}

/* ---- files ---------------------------------------------------------------------------------- */

struct zstd_stream {
	ZSTD_DCtx *context;
};

struct zstd_stream *
zstd_stream_create(void)
{
	struct zstd_stream *z = mem_zero(1, sizeof(*z));

	z->context = ZSTD_createDCtx();
	if (z->context == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(
				      z->context, ZSTD_d_windowLogMax, ZSTD_STREAM_WINDOW_BITS))) {
		fputs("mx509: no memory left for zstd\n", stderr);
		exit(2);
	}
	return z;
}

void
zstd_stream_destroy(struct zstd_stream *z)
{
	if (z == NULL)
		return;
	ZSTD_freeDCtx(z->context);
	free(z);
}

enum unpack_result
zstd_stream_step(struct zstd_stream *z, struct unpack *io)
{
	ZSTD_inBuffer in = {io->in, io->in_len, 0};
	ZSTD_outBuffer out = {io->out, io->out_len, 0};
	size_t rc = ZSTD_decompressStream(z->context, &out, &in);

	if (ZSTD_isError(rc))
		return UNPACK_DAMAGED;
	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	return rc == 0 ? UNPACK_END : UNPACK_MORE;
}
