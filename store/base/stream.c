#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gzip_stream.h"
#include "mem.h"
#include "zstd_frame.h"

#define BLOCK 65536

int
stream_open(struct stream *s, const char *path, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;

	*s = (struct stream){.name = is_stdin ? "standard input" : path};
	s->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return err_system(err, errno, "%s: cannot be opened", path);
	s->in = mem_alloc(BLOCK);
	return 0;
}

void
stream_close(struct stream *s)
{
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	gzip_stream_destroy(s->gzip);
	zstd_stream_destroy(s->zstd);
	free(s->in);
	*s = (struct stream){.fd = -1};
}

/* Octets of the file: how many, 0 at its end, <0. */
static int64_t
read_file(struct stream *s, void *p, size_t len, struct err *err)
{
	ssize_t n = s->ended ? 0 : read(s->fd, p, len);

	if (n < 0)
		return err_system(err, errno, "%s: cannot be read", s->name);
	s->octets += (uint64_t)n;
	s->ended = n == 0;
	return n;
}

/* More of the file behind what waits: 1, 0 at its end, <0. */
static int
fill(struct stream *s, struct err *err)
{
	int64_t n;

	if (s->in_at > 0) {
		memmove(s->in, s->in + s->in_at, s->in_len);
		s->in_at = 0;
	}
	if ((n = read_file(s, s->in + s->in_len, BLOCK - s->in_len, err)) <= 0)
		return (int)n;
	s->in_len += (size_t)n;
	return 1;
}

/* RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2 (the low four bits of a skippable
 * frame's first octet are free). STREAM_UNKNOWN: more octets are needed to tell. */
static enum stream_coding
coding_of(const uint8_t *p, size_t len)
{
	static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd},
			     skippable[] = {0x50, 0x2a, 0x4d, 0x18};
	uint8_t start[4] = {0};
	size_t n = len < sizeof(start) ? len : sizeof(start);

	memcpy(start, p, n);
	if (n >= 2 && memcmp(start, gzip, 2) == 0)
		return STREAM_GZIP;
	if (n == 4 && memcmp(start, zstd, 4) == 0)
		return STREAM_ZSTD;
	if (n < 2 && memcmp(start, gzip, n) == 0)
		return STREAM_UNKNOWN;
	if (n < 4 && memcmp(start, zstd, n) == 0)
		return STREAM_UNKNOWN;
	start[0] &= 0xf0;
	if (n > 0 && memcmp(start, skippable, n) == 0)
		return n == 4 ? STREAM_ZSTD : STREAM_UNKNOWN;
	return STREAM_PLAIN;
}

static int
find_coding(struct stream *s, struct err *err)
{
	int rc = 1;

	while (rc > 0 && (s->coding = coding_of(s->in, s->in_len)) == STREAM_UNKNOWN)
		rc = fill(s, err);
	if (rc < 0)
		return rc;
	if (s->coding == STREAM_UNKNOWN)
		s->coding = STREAM_PLAIN;
	if (s->coding == STREAM_GZIP)
		s->gzip = gzip_stream_create();
	if (s->coding == STREAM_ZSTD)
		s->zstd = zstd_stream_create();
	return 0;
}

static int64_t
read_plain(struct stream *s, void *p, size_t len, struct err *err)
{
	size_t n = len < s->in_len ? len : s->in_len;

	if (n == 0)
		return read_file(s, p, len, err);
	memcpy(p, s->in + s->in_at, n);
	s->in_at += n;
	s->in_len -= n;
	return (int64_t)n;
}

static int
bad(struct stream *s, const char *what, struct err *err)
{
	return err_set(err, ERR_INPUT, "%s: %s data %s octet %llu", s->name,
	    s->coding == STREAM_GZIP ? "gzip" : "zstd", what,
	    (unsigned long long)(s->octets - s->in_len));
}

/* Between two members. 1: another one begins; 0: that was all. */
static int
begin_member(struct stream *s, struct err *err)
{
	int rc;

	if (s->begun)
		for (;;) {
			while (s->in_len > 0 && s->in[s->in_at] == 0) {
				s->in_at++;
				s->in_len--;
			}
			if (s->in_len > 0)
				break;
			if ((rc = fill(s, err)) <= 0)
				return rc;
		}
	while (coding_of(s->in + s->in_at, s->in_len) == STREAM_UNKNOWN) {
		if ((rc = fill(s, err)) < 0)
			return rc;
		if (rc == 0)
			return bad(s, "end too soon, at", err);
	}
	if (coding_of(s->in + s->in_at, s->in_len) != s->coding)
		return bad(s, "are followed by something else at", err);
	s->within = s->begun = true;
	return 1;
}

static enum unpack_result
step(struct stream *s, struct unpack *io)
{
	return s->coding == STREAM_GZIP ? gzip_stream_step(s->gzip, io)
					: zstd_stream_step(s->zstd, io);
}

static int64_t
read_packed(struct stream *s, uint8_t *p, size_t len, struct err *err)
{
	bool first = !s->begun;
	int rc;

	for (;;) {
		struct unpack io = {.out = p, .out_len = len};
		enum unpack_result result;

		if (!s->within && (rc = begin_member(s, err)) <= 0)
			return rc;
		if (s->in_len == 0 && (rc = fill(s, err)) < 0)
			return rc;
		io.in = s->in + s->in_at;
		io.in_len = s->in_len;
		result = step(s, &io);
		s->in_at += s->in_len - io.in_len;
		s->in_len = io.in_len;
		if (result == UNPACK_DAMAGED)
			return bad(s, "are damaged before", err);
		s->within = result != UNPACK_END;
		if (first && coding_of(p, len - io.out_len) > STREAM_PLAIN)
			return err_set(
			    err, ERR_INPUT, "%s: compressed twice; unpack it once before", s->name);
		if (io.out_len < len)
			return (int64_t)(len - io.out_len);
		if (s->within && s->in_len == 0 && s->ended)
			return bad(s, "end too soon, at", err);
	}
}

int64_t
stream_read(struct stream *s, void *p, size_t len, struct err *err)
{
	int rc;

	if (s->coding == STREAM_UNKNOWN && (rc = find_coding(s, err)) != 0)
		return rc;
	return s->coding == STREAM_PLAIN ? read_plain(s, p, len, err) : read_packed(s, p, len, err);
}
