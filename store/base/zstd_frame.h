/*
 * zstd_frame: zstd behind one wall (the only user of zstd.h and zdict.h): single frames, bare (no
 * magic number, content size, checksum or dictionary number: who keeps them knows all that), with
 * or without a dictionary; and the training of dictionaries.
 *
 * Ownership: a dictionary is the caller's. Threads: each uses contexts of its own; a dictionary is
 * used by one thread at a time.
 *
 * And zstd's files (RFC 8878), read piece by piece: zstd_stream. Their frames may come from
 * strangers: at most a window of 2^ZSTD_STREAM_WINDOW_BITS octets is kept, whatever they say; one
 * that was made with a larger window (zstd --long=28 and above) counts as damaged. Skippable frames
 * are passed over.
 */
#ifndef MX509_ZSTD_FRAME_H
#define MX509_ZSTD_FRAME_H

#include <stdbool.h>

#include "buf.h"
#include "unpack.h"

struct zstd_dictionary;

/* A copy is made. NULL if it is no dictionary of zstd. */
struct zstd_dictionary *zstd_dictionary_create(const void *p, size_t len);
void zstd_dictionary_destroy(struct zstd_dictionary *dictionary); /* accepts NULL */

/* Appends a dictionary of at most `most` octets to *out: n samples, one behind the other. False
 * where they are too few or too much alike. */
bool zstd_dictionary_train(
    struct buf *out, size_t most, const void *samples, const size_t *lengths, unsigned n);

/* Levels 3 and 6: the other one takes some twice as long. */
enum zstd_effort { ZSTD_QUICK, ZSTD_THOROUGH, ZSTD_EFFORT_N };

/* Appends the frame. A NULL dictionary: none. */
void zstd_frame_compress(struct buf *out, const void *p, size_t len,
    struct zstd_dictionary *dictionary, enum zstd_effort effort);

/* Appends raw_len octets; false, and nothing done, where the frame does not hold exactly that.
 * Never takes more memory than raw_len asks for: bound it before. */
bool zstd_frame_decompress(struct buf *out, size_t raw_len, const void *frame, size_t len,
    struct zstd_dictionary *dictionary);

#define ZSTD_STREAM_WINDOW_BITS 27 /* 128 MiB: what zstd(1) takes without being asked */

struct zstd_stream;

struct zstd_stream *zstd_stream_create(void);
void zstd_stream_destroy(struct zstd_stream *z); /* accepts NULL */
enum unpack_result zstd_stream_step(struct zstd_stream *z, struct unpack *io);

#endif
