#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/limits.h"
#include "collector/run/source.h"

static void
expect(
    const char *line, enum target_kind kind, const char *name, const char *address, unsigned port)
{
	struct target t;
	struct err err = {0};
	char text[IP_TEXT_MAX] = "";

	if (target_parse(&t, line, strlen(line), &err) != 1)
		fail_msg("%s: %s", line, err.text);
	assert_int_equal(t.kind, kind);
	assert_string_equal(t.name, name);
	if (t.kind == TARGET_ADDRESS)
		ip_format(&t.address, text);
	assert_string_equal(text, address);
	assert_int_equal(t.port, port);
}

static void
test_forms(void **state)
{
	expect("example.org", TARGET_DOMAIN, "example.org", "", 0);
	expect("Example.ORG.\r\n", TARGET_DOMAIN, "example.org", "", 0);
	expect("  b\xc3\xbc"
	       "cher.example \t# books",
	    TARGET_DOMAIN, "xn--bcher-kva.example", "", 0);
	expect("\xef\xbb\xbf"
	       "example.org",
	    TARGET_DOMAIN, "example.org", "", 0);
	expect("mx:mx1.example.org", TARGET_MX, "mx1.example.org", "", 0);
	expect("MX:mx1.example.org", TARGET_MX, "mx1.example.org", "", 0);
	expect("mx1.example.org@192.0.2.1", TARGET_ADDRESS, "mx1.example.org", "192.0.2.1", 0);
	expect(
	    "mx1.example.org@192.0.2.1:2525", TARGET_ADDRESS, "mx1.example.org", "192.0.2.1", 2525);
	expect(
	    "mx1.example.org@[2001:db8::1]", TARGET_ADDRESS, "mx1.example.org", "2001:db8::1", 0);
	expect("mx1.example.org@[2001:DB8::1]:65535", TARGET_ADDRESS, "mx1.example.org",
	    "2001:db8::1", 65535);
}

static void
test_zgrab2_csv(void **state)
{
	expect("192.0.2.1, mx1.example.org, tag, 25", TARGET_ADDRESS, "mx1.example.org",
	    "192.0.2.1", 25);
	expect("192.0.2.1,mx1.example.org", TARGET_ADDRESS, "mx1.example.org", "192.0.2.1", 0);
	expect(
	    "2001:db8::1, mx1.example.org,", TARGET_ADDRESS, "mx1.example.org", "2001:db8::1", 0);
	expect("\"192.0.2.1\",\"mx1.example.org\",\"a b\",\"26\"", TARGET_ADDRESS,
	    "mx1.example.org", "192.0.2.1", 26);
	expect("192.0.2.1,mx1.example.org,\"a, \"\"b\"\" #1\",26 # why", TARGET_ADDRESS,
	    "mx1.example.org", "192.0.2.1", 26);
	expect("\"192.0.2.1\" , \" mx1.example.org \"\r\n", TARGET_ADDRESS, "mx1.example.org",
	    "192.0.2.1", 0);
	expect(",mx1.example.org", TARGET_MX, "mx1.example.org", "", 0);
	expect(", mx1.example.org, , 587", TARGET_MX, "mx1.example.org", "", 587);
}

static void
test_nothing(void **state)
{
	static const char *const lines[] = {"", "\n", "   \t\r\n", "# all of it", "  # x@y"};
	struct target t;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(target_parse(&t, lines[i], strlen(lines[i]), NULL), 0);
}

static void
test_bad_lines(void **state)
{
	static const char *const lines[] = {"192.0.2.1", "2001:db8::1", "exa mple.org", "a..b",
	    "-x.example", "user@example.org", "mx@2001:db8::1", "mx@[2001:db8::1", "mx@[192.0.2.1]",
	    "mx@192.0.2.1:", "mx@192.0.2.1:0", "mx@192.0.2.1:65536", "mx@192.0.2.1:25x",
	    "mx@192.0.2.1.5", "@192.0.2.1", "mx:", "mx:192.0.2.1", "mx:a@b", "mx@[::1]x",
	    "192.0.2.1,", "192.0.2.1,,tag", "192.0.2.0/24, a.example", "a.example, b.example",
	    "192.0.2.1, a.example, t, 99999", "192.0.2.1,a.example,t,25,more", ",",
	    "mx:a.example:25"};
	struct target t;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err err = {0};

		if (target_parse(&t, lines[i], strlen(lines[i]), &err) != ERR_INPUT)
			fail_msg("taken for a target: %s", lines[i]);
		assert_true(err.text[0] != '\0');
	}
	assert_int_equal(target_parse(&t, "a\0b", 3, NULL), ERR_INPUT);
}

static void
test_line_limit(void **state)
{
	char line[LIMIT_TARGET_LINE + 1];
	struct err err = {0};
	struct target t;

	memset(line, ' ', sizeof(line));
	memcpy(line, "a.example,", 10);
	memset(line + 10, 'b', sizeof(line) - 10);
	assert_int_equal(target_parse(&t, line, LIMIT_TARGET_LINE, &err), ERR_INPUT);
	assert_null(strstr(err.text, "longer than"));
	err = (struct err){0};
	assert_int_equal(target_parse(&t, line, LIMIT_TARGET_LINE + 1, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "longer than"));
}

/* ---- lines from a file, and from a pipe that is slow ---------------------------------------- */

static char path[] = "/tmp/mx509-targets-XXXXXX";

static struct source *
open_text(struct loop *loop, const char *text, size_t len)
{
	static char first[] = "first.example", second[] = "no name";
	static char *const arguments[] = {first, second};
	struct source *source;
	int fd;

	strcpy(path, "/tmp/mx509-targets-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	assert_int_equal(source_open(&source, loop, arguments, 2, path, NULL), 0);
	unlink(path);
	return source;
}

static void
test_source_names_bad_lines(void **state)
{
	static const char text[] = "a.example\n# c\n\nbad one\nb.example";
	struct err err = {0};
	struct source *source;
	struct loop *loop;
	struct target t;

	assert_int_equal(loop_create(&loop, NULL), 0);
	source = open_text(loop, text, sizeof(text) - 1);
	assert_int_equal(source_next(source, &t, &err), SOURCE_TARGET);
	assert_string_equal(t.name, "first.example");
	assert_int_equal(source_next(source, &t, &err), SOURCE_BAD);
	assert_non_null(strstr(err.text, "argument 2"));
	err = (struct err){0};
	assert_int_equal(source_next(source, &t, &err), SOURCE_TARGET);
	assert_string_equal(t.name, "a.example");
	assert_int_equal(source_next(source, &t, &err), SOURCE_BAD);
	assert_non_null(strstr(err.text, "line 4: \"bad one\""));
	assert_int_equal(source_next(source, &t, &err), SOURCE_TARGET);
	assert_string_equal(t.name, "b.example");
	assert_int_equal(source_next(source, &t, &err), SOURCE_END);
	assert_int_equal(source_next(source, &t, &err), SOURCE_END);
	source_close(source);
	loop_destroy(loop);
}

/* A line of a megabyte is one bad line, and what comes after it is read. */
static void
test_source_survives_a_long_line(void **state)
{
	size_t len = 1u << 20;
	char *text = malloc(len + 20);
	struct err err = {0};
	struct source *source;
	struct loop *loop;
	struct target t;

	memset(text, 'a', len);
	strcpy(text + len, "\nb.example\n");
	assert_int_equal(loop_create(&loop, NULL), 0);
	source = open_text(loop, text, strlen(text));
	source_next(source, &t, NULL);
	source_next(source, &t, NULL);
	assert_int_equal(source_next(source, &t, &err), SOURCE_BAD);
	assert_non_null(strstr(err.text, "line 1"));
	assert_int_equal(source_next(source, &t, &err), SOURCE_TARGET);
	assert_string_equal(t.name, "b.example");
	assert_int_equal(source_next(source, &t, &err), SOURCE_END);
	source_close(source);
	loop_destroy(loop);
	free(text);
}

static void
on_ready(void *ctx)
{
	++*(int *)ctx;
}

static void
test_source_waits_for_a_pipe(void **state)
{
	struct source *source;
	struct loop *loop;
	struct target t;
	int pipes[2], ready = 0;
	char name[32];

	assert_int_equal(pipe(pipes), 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", pipes[0]);
	assert_int_equal(loop_create(&loop, NULL), 0);
	assert_int_equal(source_open(&source, loop, NULL, 0, name, NULL), 0);
	source_on_ready(source, on_ready, &ready);
	assert_int_equal(source_next(source, &t, NULL), SOURCE_WAIT);
	assert_int_equal(write(pipes[1], "a.exam", 6), 6);
	loop_run(loop);
	assert_int_equal(ready, 1);
	assert_int_equal(source_next(source, &t, NULL), SOURCE_WAIT);
	assert_int_equal(write(pipes[1], "ple\nb.example", 13), 13);
	close(pipes[1]);
	loop_run(loop);
	assert_int_equal(ready, 2);
	assert_int_equal(source_next(source, &t, NULL), SOURCE_TARGET);
	assert_string_equal(t.name, "a.example");
	assert_int_equal(source_next(source, &t, NULL), SOURCE_TARGET);
	assert_string_equal(t.name, "b.example");
	assert_int_equal(source_next(source, &t, NULL), SOURCE_END);
	source_close(source);
	loop_destroy(loop);
	close(pipes[0]);
}

static void
test_source_that_is_none(void **state)
{
	struct err err = {0};
	struct source *source;
	struct loop *loop;

	assert_int_equal(loop_create(&loop, NULL), 0);
	assert_int_equal(
	    source_open(&source, loop, NULL, 0, "/nonexistent/list", &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "/nonexistent/list"));
	err = (struct err){0};
	assert_int_equal(source_open(&source, loop, NULL, 0, "/", &err), ERR_INPUT);
	loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_zgrab2_csv),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_bad_lines),
	    cmocka_unit_test(test_line_limit),
	    cmocka_unit_test(test_source_names_bad_lines),
	    cmocka_unit_test(test_source_survives_a_long_line),
	    cmocka_unit_test(test_source_waits_for_a_pipe),
	    cmocka_unit_test(test_source_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
