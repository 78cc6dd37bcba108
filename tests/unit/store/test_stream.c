/*
 * The octets of a file, plain or compressed: the same ones whatever the coding, the number of
 * members and the length of the reads; and a name for each way in which they can be damaged.
 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "store/base/lines.h"
#include "store/base/mem.h"
#include "store/base/stream.h"

/* 200,000 octets that compress, but not to nothing. */
static void
make_text(struct buf *out)
{
	uint32_t x = 1;

	while (out->len < 200000) {
		x = x * 1664525 + 1013904223;
		buf_printf(out, "line %u of %zu\n", x >> 20, out->len);
	}
}

static void
add_gzip(struct buf *out, const void *p, size_t len)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)p;
	z.avail_in = (uInt)len;
	z.avail_out = (uInt)deflateBound(&z, len);
	z.next_out = buf_reserve(out, z.avail_out);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static void
add_zstd(struct buf *out, const void *p, size_t len)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t most = ZSTD_compressBound(len), n;

	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(context, buf_reserve(out, most), most, p, len);
	assert_false(ZSTD_isError(n));
	out->len += n;
	ZSTD_freeCCtx(context);
}

typedef void add(struct buf *out, const void *p, size_t len);

/* All of the file, in reads of `piece` octets; the last result, 0 at a good end. */
static int
read_all(struct buf *out, const char *path, size_t piece, struct err *err)
{
	struct stream s;
	int64_t n;

	assert_int_equal(stream_open(&s, path, err), 0);
	while ((n = stream_read(&s, buf_reserve(out, piece), piece, err)) > 0) {
		assert_true((size_t)n <= piece);
		out->len += (size_t)n;
	}
	stream_close(&s);
	return (int)n;
}

static void
assert_reads(const char *dir, const struct buf *file, const void *p, size_t len)
{
	static const size_t pieces[] = {1, 7, 4096, 1 << 20};
	const char *path = fixture_path(dir, "file");

	fixture_write(path, file->len > 0 ? (const void *)file->data : "", file->len);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buf got = {0};
		struct err err = {0};

		assert_ok(read_all(&got, path, pieces[i], &err), err);
		assert_int_equal(got.len, len);
		assert_true(len == 0 || memcmp(got.data, p, len) == 0);
		buf_finish(&got);
	}
}

static void
test_plain(void **state)
{
	/* Also what begins as a magic number does, but is none. */
	static const struct {
		const char *p;
		size_t len;
	} files[] = {{"", 0}, {"a", 1}, {"\x1f", 1}, {"\x1fx", 2}, {"\x28\xb5\x2f", 3},
	    {"\x51*M", 3}, {"P*", 2}, {"\0\0\0", 3}, {"{}\n", 3}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct buf file = {0};

		buf_append(&file, files[i].p, files[i].len);
		assert_reads(*state, &file, files[i].p, files[i].len);
		buf_finish(&file);
	}
}

static void
test_packed(void **state)
{
	static add *const kinds[] = {add_gzip, add_zstd};
	static const uint8_t skippable[] = {0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
	struct buf text = {0};

	make_text(&text);
	for (size_t k = 0; k < 2; k++) {
		struct buf file = {0};
		size_t half = text.len / 2;

		kinds[k](&file, text.data, text.len);
		assert_reads(*state, &file, text.data, text.len);
		buf_clear(&file);
		kinds[k](&file, text.data, 0);
		assert_reads(*state, &file, "", 0);
		kinds[k](&file, text.data, half);
		kinds[k](&file, text.data, 0);
		if (kinds[k] == add_zstd)
			buf_append(&file, skippable, sizeof(skippable));
		kinds[k](&file, text.data + half, text.len - half);
		assert_reads(*state, &file, text.data, text.len);
		memset(buf_reserve(&file, 1000), 0, 1000);
		file.len += 1000;
		assert_reads(*state, &file, text.data, text.len);
		buf_finish(&file);
	}
	buf_finish(&text);
}

/* Wherever a file is cut, what comes out is the beginning of what went in, and the cut is told. */
static void
test_cut(void **state)
{
	static add *const kinds[] = {add_gzip, add_zstd};
	const char *path = fixture_path(*state, "cut");
	struct buf text = {0};

	make_text(&text);
	text.len = 3000;
	for (size_t k = 0; k < 2; k++) {
		struct buf file = {0};
		size_t boundary;

		kinds[k](&file, text.data, 1000);
		boundary = file.len;
		kinds[k](&file, text.data + 1000, 2000);
		for (size_t cut = 5; cut < file.len; cut++) {
			struct buf got = {0};
			struct err err = {0};
			int rc;

			fixture_write(path, file.data, cut);
			rc = read_all(&got, path, 512, &err);
			assert_int_equal(rc, cut == boundary ? 0 : ERR_INPUT);
			assert_true(got.len <= text.len);
			assert_memory_equal(got.data, text.data, got.len);
			if (cut >= boundary)
				assert_true(got.len >= 1000);
			if (rc != 0)
				assert_non_null(strstr(err.text, "end too soon, at octet "));
			buf_finish(&got);
		}
		buf_finish(&file);
	}
	buf_finish(&text);
}

static void
assert_refused(const char *path, const struct buf *file, const char *why)
{
	struct buf got = {0};
	struct err err = {0};

	fixture_write(path, file->data, file->len);
	assert_int_equal(read_all(&got, path, 4096, &err), ERR_INPUT);
	if (strstr(err.text, why) == NULL || strstr(err.text, path) == NULL)
		fail_msg("%s: lacks \"%s\" or the name", err.text, why);
	buf_finish(&got);
}

static void
test_damaged(void **state)
{
	static add *const kinds[] = {add_gzip, add_zstd};
	const char *path = fixture_path(*state, "damaged");
	struct buf text = {0}, file = {0}, twice = {0};

	make_text(&text);
	for (size_t k = 0; k < 2; k++) {
		buf_clear(&file);
		kinds[k](&file, text.data, text.len);
		file.data[file.len - 6] ^= 1;
		assert_refused(path, &file, "are damaged before octet ");
		file.data[file.len - 6] ^= 1;
		buf_append_text(&file, "garbage");
		assert_refused(path, &file, "are followed by something else at octet ");
		for (size_t i = 0; i < 2; i++) {
			buf_clear(&file);
			kinds[k](&file, text.data, text.len);
			buf_clear(&twice);
			kinds[i](&twice, file.data, file.len);
			assert_refused(path, &twice, "compressed twice");
		}
	}
	buf_finish(&text);
	buf_finish(&file);
	buf_finish(&twice);
}

/* What was made for more memory than we give is refused, not given it. */
static void
test_zstd_window(void **state)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	ZSTD_inBuffer in = {"x", 1, 0};
	ZSTD_outBuffer out = {0};
	struct buf file = {0};

	ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 28);
	out.dst = buf_reserve(&file, 1000);
	out.size = 1000;
	/* The window is told only where the length of the contents is not. */
	assert_false(ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush)));
	assert_int_equal(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
	file.len = out.pos;
	assert_refused(fixture_path(*state, "window"), &file, "are damaged before octet ");
	ZSTD_freeCCtx(context);
	buf_finish(&file);
}

/* The lines before a cut are whole ones. */
static void
test_lines_of_a_cut_file(void **state)
{
	const char *path = fixture_path(*state, "lines"), *line;
	struct buf text = {0}, file = {0};
	const char *rest;
	struct lines l;
	struct err err = {0};
	size_t len;
	int rc;

	make_text(&text);
	rest = buf_text(&text);
	add_gzip(&file, text.data, text.len);
	fixture_write(path, file.data, file.len / 2);
	assert_int_equal(lines_open(&l, path, &err), 0);
	while ((rc = lines_next(&l, 1000, &line, &len, &err)) > 0) {
		assert_memory_equal(line, rest, len);
		assert_int_equal(rest[len], '\n');
		rest += len + 1;
	}
	assert_int_equal(rc, ERR_INPUT);
	assert_in_range(l.number, 2000, 12000);
	lines_close(&l);
	buf_clear(&file);
	assert_int_equal(lines_slurp(&file, path, 1 << 20, &err), ERR_INPUT);
	buf_finish(&text);
	buf_finish(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_plain, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_packed, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_cut, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_damaged, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_zstd_window, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		test_lines_of_a_cut_file, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
