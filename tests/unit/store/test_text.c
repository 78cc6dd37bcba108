#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "store/base/base64.h"
#include "store/base/ip.h"
#include "store/base/lines.h"
#include "store/base/text.h"
#include "store/record/host.h"

static void
test_place_of_an_address(void **state)
{
	static const struct {
		const char *text, *address; /* NULL: refused */
		uint16_t port;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", 0},
	    {"192.0.2.1:25", "192.0.2.1", 25},
	    {"2001:db8::1", "2001:db8::1", 0},
	    {"[2001:db8::1]", "2001:db8::1", 0},
	    {"[2001:db8::1]:65535", "2001:db8::1", 65535},
	    {"", NULL, 0},
	    {"192.0.2.1:", NULL, 0},
	    {"192.0.2.1:0", NULL, 0},
	    {"192.0.2.1:65536", NULL, 0},
	    {"192.0.2.1:25x", NULL, 0},
	    {"[192.0.2.1]", NULL, 0},
	    {"[2001:db8::1", NULL, 0},
	    {"[2001:db8::1]25", NULL, 0},
	    {"[]", NULL, 0},
	    {"[", NULL, 0},
	    {":25", NULL, 0},
	    {"mx.example.org:25", NULL, 0},
	    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[IP_TEXT_MAX];
		uint16_t port = 1;
		struct ip ip;

		assert_int_equal(ip_parse_place(&ip, &port, rows[i].text), rows[i].address != NULL);
		if (rows[i].address == NULL) {
			assert_int_equal(ip.family, 0);
			continue;
		}
		ip_format(&ip, text);
		assert_string_equal(text, rows[i].address);
		assert_int_equal(port, rows[i].port);
	}
}

static void
test_buf(void **state)
{
	static const uint64_t numbers[] = {0, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
	struct buf b = {0};
	struct reader r;

	for (size_t i = 0; i < 7; i++)
		buf_append_varint(&b, numbers[i]);
	r = reader_of(b.data, b.len);
	for (size_t i = 0; i < 7; i++)
		assert_true(reader_varint(&r) == numbers[i]);
	assert_false(r.failed);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_byte(&r), 0);
	assert_true(r.failed);

	/* An eleventh octet is too many; a cut one does not fit. */
	r = reader_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
	reader_varint(&r);
	assert_true(r.failed);
	r = reader_of("\x80", 1);
	assert_true(reader_varint(&r) == 0 && r.failed);
	r = reader_of("\x01\x02\x03", 3);
	assert_int_equal(reader_u16be(&r), 0x0102);
	assert_int_equal(reader_u32be(&r), 0);
	assert_true(r.failed);
	assert_null(reader_take(&r, 1)); /* though one is left */

	buf_clear(&b);
	buf_append_u32be(&b, 0x01020304);
	buf_append_u32le(&b, 0x01020304);
	buf_append_u64le(&b, 1);
	assert_memory_equal(b.data, "\1\2\3\4\4\3\2\1\1\0\0\0\0\0\0\0", 16);
	r = reader_of(b.data, b.len);
	assert_int_equal(reader_u32be(&r), 0x01020304);
	assert_int_equal(reader_u32le(&r), 0x01020304);
	assert_true(reader_u64le(&r) == 1);
	for (int64_t v = -3; v <= 3; v++)
		assert_true(unzigzag(zigzag(v)) == v);
	assert_true(unzigzag(zigzag(INT64_MIN)) == INT64_MIN);
	buf_finish(&b);
}

/* A long path must not push what is wrong with it out of the line. */
static void
test_long_error(void **state)
{
	struct err err = {0};
	char path[2000];

	memset(path, 'd', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(err_system(&err, EACCES, "%s: cannot be opened", path), ERR_SYSTEM);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, path, 100);
	assert_non_null(strstr(err.text, "d[...]d"));
	assert_non_null(strstr(err.text, "d: cannot be opened: Permission denied"));
	err = (struct err){0};
	path[sizeof(err.text) - 1] = '\0';
	assert_int_equal(err_set(&err, ERR_INPUT, "%s", path), ERR_INPUT);
	assert_string_equal(err.text, path);
}

static void
test_hostile(void **state)
{
	static const struct {
		const char *in, *out, *json;
	} rows[] = {
	    {"a\x1b[2Jb", "a\\x1B[2Jb", "\"a\\u001b[2Jb\""},
	    {"a\r\n\tb", "a\\x0D\\x0A\\x09b", "\"a\\u000d\\u000a\\u0009b\""},
	    {"\x7f", "\\x7F", "\"\\u007f\""},
	    {"\xc2\x9b", "\\u{009B}", "\"\\u009b\""},
	    {"\xe2\x80\xae", "\\u{202E}", "\"\\u202e\""},
	    {"\xe2\x81\xa6", "\\u{2066}", "\"\\u2066\""},
	    {"\xd8\x9c", "\\u{061C}", "\"\\u061c\""},
	    {"\xff", "\\xFF", "\"\\\\xFF\""},
	    {"\xc0\x80", "\\xC0\\x80", "\"\\\\xC0\\\\x80\""},		      /* overlong */
	    {"\xed\xa0\x80", "\\xED\\xA0\\x80", "\"\\\\xED\\\\xA0\\\\x80\""}, /* surrogate */
	    {"\\x41", "\\\\x41", "\"\\\\x41\""},
	    {"say \"hi\"", "say \"hi\"", "\"say \\\"hi\\\"\""},
	};
	struct buf b = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		text_escape(&b, rows[i].in, strlen(rows[i].in));
		assert_string_equal(buf_text(&b), rows[i].out);
		assert_int_equal(text_width(rows[i].in, strlen(rows[i].in)), strlen(rows[i].out));
		buf_clear(&b);
		text_json(&b, rows[i].in, strlen(rows[i].in));
		assert_string_equal(buf_text(&b), rows[i].json);
	}
	buf_finish(&b);
}

static void
test_csv(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"plain", "plain"},
	    {"=1+1", "'=1+1"},
	    {"+1", "'+1"},
	    {"-1", "'-1"},
	    {"@x", "'@x"},
	    {"a,b", "\"a,b\""},
	    {"a\"b", "\"a\"\"b\""},
	    {"", ""},
	};
	struct buf b = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		text_csv(&b, rows[i].in, strlen(rows[i].in));
		assert_string_equal(buf_text(&b), rows[i].out);
	}
	buf_finish(&b);
}

static void
test_hex(void **state)
{
	uint8_t out[2];

	assert_true(text_parse_hex("aBcD", out, 2));
	assert_memory_equal(out, "\xab\xcd", 2);
	assert_false(text_parse_hex("abc", out, 2));
	assert_false(text_parse_hex("abcde", out, 2));
	assert_false(text_parse_hex("abcg", out, 2));
}

static void
test_base64(void **state)
{
	static const struct {
		const char *plain, *coded;
	} rows[] = {/* RFC 4648 section 10 */
	    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {
	    "Zg=", "Zg", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zh==", "Zm9=", "Zm-v", "Z=g="};
	struct buf b = {0};

	for (size_t i = 0; i < 7; i++) {
		buf_clear(&b);
		base64_encode(&b, rows[i].plain, strlen(rows[i].plain), 0);
		assert_string_equal(buf_text(&b), rows[i].coded);
		buf_clear(&b);
		assert_true(base64_decode(&b, rows[i].coded, strlen(rows[i].coded)));
		assert_string_equal(buf_text(&b), rows[i].plain);
	}
	buf_clear(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(base64_decode(&b, bad[i], strlen(bad[i])));
		assert_int_equal(b.len, 0);
	}
	buf_finish(&b);
}

static void
test_pem(void **state)
{
	static const char file[] =
	    "subject=x\n"
	    "-----BEGIN CERTIFICATE-----\r\nZm9v\r\n-----END CERTIFICATE-----\n"
	    "-----BEGIN PRIVATE KEY-----\nZm9v\n-----END PRIVATE KEY-----\n"
	    "-----BEGIN X509 CERTIFICATE-----\n Zg==\n"
	    "-----END X509 CERTIFICATE-----";
	struct buf b = {0};
	size_t at = 0;

	assert_int_equal(base64_pem_next(&b, file, sizeof(file) - 1, &at), 1);
	assert_string_equal(buf_text(&b), "foo");
	assert_int_equal(base64_pem_next(&b, file, sizeof(file) - 1, &at), 1);
	assert_string_equal(buf_text(&b), "foof");
	assert_int_equal(base64_pem_next(&b, file, sizeof(file) - 1, &at), 0);
	at = 0;
	assert_int_equal(base64_pem_next(&b, file, 60, &at), -1); /* cut */
	assert_int_equal(b.len, 4);
	buf_clear(&b);
	base64_pem_certificate(&b, "foo", 3);
	assert_string_equal(
	    buf_text(&b), "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n");
	buf_finish(&b);
}

static void
test_host(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {{"MX.Example.ORG.", "mx.example.org"}, {"localhost", "localhost"},
	    {"_25._tcp.mx.example.org", "_25._tcp.mx.example.org"},
	    {"bücher.example", "xn--bcher-kva.example"}, {"straße.de", "xn--strae-oqa.de"},
	    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
	    {"1.0.0.127.in-addr.arpa", "1.0.0.127.in-addr.arpa"}};
	static const char *const bad[] = {"", ".", "a..b", ".a", "a b", "a/b", "-a.example",
	    "192.0.2.1", "2001:db8::1", "192.0.2.256", "127.1", "a.\xff", "a\nb", "[192.0.2.1]",
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.example"};
	char out[LIMIT_NAME + 1], longest[300] = "";
	struct err err;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(host_normalise(good[i].in, out, NULL), 0);
		assert_string_equal(out, good[i].out);
		assert_true(host_valid(out));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (struct err){0};
		assert_int_equal(host_normalise(bad[i], out, &err), ERR_INPUT);
		assert_string_equal(out, "");
		assert_non_null(strstr(err.text, "is no host name"));
		assert_null(strchr(err.text, '\n'));
	}
	for (int i = 0; i < 126; i++)
		strcat(longest, "a.");
	strcat(longest, "a");
	assert_int_equal(host_normalise(longest, out, NULL), 0);
	strcat(longest, "a");
	assert_int_equal(host_normalise(longest, out, NULL), ERR_INPUT);
	assert_false(host_valid("Mx.example.org"));
	assert_false(host_valid("mx.example.org."));
	assert_true(host_is_under("mx.example.org", "example.org"));
	assert_true(host_is_under("mx.example.org", "org"));
	assert_true(host_is_under("example.org", "example.org"));
	assert_false(host_is_under("badexample.org", "example.org"));
	assert_false(host_is_under("org", "example.org"));
}

static void
test_lines(void **state)
{
	static const char file[] = "one\r\n\nthis one is too long\ntw\0o\nend";
	const char *path = fixture_path(*state, "file");
	struct lines l;
	struct err err = {0};
	const char *line;
	size_t len;

	fixture_write(path, file, sizeof(file) - 1);
	assert_int_equal(lines_open(&l, path, &err), 0);
	assert_int_equal(lines_next(&l, 10, &line, &len, &err), 1);
	assert_true(len == 3 && memcmp(line, "one", 3) == 0);
	assert_int_equal(lines_next(&l, 10, &line, &len, &err), 1);
	assert_int_equal(len, 0);
	assert_int_equal(lines_next(&l, 10, &line, &len, &err), ERR_LIMIT);
	assert_int_equal(l.number, 3);
	err = (struct err){0};
	assert_int_equal(lines_next(&l, 10, &line, &len, &err), 1);
	assert_int_equal(len, 4);
	assert_int_equal(lines_next(&l, 10, &line, &len, &err), 1);
	assert_true(len == 3 && memcmp(line, "end", 3) == 0);
	assert_int_equal(l.number, 5);
	assert_int_equal(lines_next(&l, 10, &line, &len, &err), 0);
	lines_close(&l);
	assert_int_equal(lines_open(&l, fixture_path(*state, "none"), &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "No such file"));
}

/* A line that is longer than what is read at once, and than the bound. */
static void
test_long_lines(void **state)
{
	const char *path = fixture_path(*state, "file"), *line;
	struct buf file = {0};
	struct lines l;
	struct err err = {0};
	size_t len;

	for (int i = 0; i < 300000; i++)
		buf_append_byte(&file, 'x');
	buf_append_text(&file, "\nshort\n");
	fixture_write(path, file.data, file.len);
	assert_int_equal(lines_open(&l, path, &err), 0);
	assert_int_equal(lines_next(&l, 100, &line, &len, &err), ERR_LIMIT);
	assert_true(l.data.cap < 300000);
	assert_int_equal(lines_next(&l, 100, &line, &len, &err), 1);
	assert_true(len == 5 && memcmp(line, "short", 5) == 0);
	lines_close(&l);
	assert_int_equal(lines_open(&l, path, &err), 0);
	assert_int_equal(lines_next(&l, 300000, &line, &len, &err), 1);
	assert_int_equal(len, 300000);
	lines_close(&l);
	buf_finish(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_place_of_an_address),
	    cmocka_unit_test(test_buf),
	    cmocka_unit_test(test_long_error),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_csv),
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_base64),
	    cmocka_unit_test(test_pem),
	    cmocka_unit_test(test_host),
	    cmocka_unit_test_setup_teardown(test_lines, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_long_lines, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
