#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/probe/address.h"
#include "collector/run/blocklist.h"

static struct ip
ip(const char *text)
{
	struct ip v;

	assert_true(ip_parse(&v, text));
	return v;
}

static void
test_refused(void **state)
{
	static const char *const refused[] = {"0.0.0.0", "10.1.2.3", "100.64.0.1",
	    "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
	    "172.31.255.255", "192.168.1.1", "192.0.2.1", "198.18.0.1", "198.19.255.255",
	    "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "::1", "::ffff:8.8.8.8",
	    "::ffff:127.0.0.1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:808:808::1", "2001::1",
	    "2001:db8::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "ff02::1", "::8.8.8.8"};
	static const char *const fine[] = {"8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
	    "100.128.0.0", "126.255.255.255", "128.0.0.1", "172.15.255.255", "172.32.0.0",
	    "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
	    "2607:f8b0:4023:1c03::1a", "2001:4860:4860::8888", "2003::1", "64:ff9c::1", "2a00::1"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct ip v = ip(refused[i]);

		if (address_refusal(&v) == NULL)
			fail_msg("not refused: %s", refused[i]);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct ip v = ip(fine[i]);

		if (address_refusal(&v) != NULL)
			fail_msg("refused: %s: %s", fine[i], address_refusal(&v));
	}
}

static void
add(struct blocklist *list, const char *line)
{
	struct err err = {0};

	if (blocklist_add(list, "list", 1, line, &err) != 0)
		fail_msg("%s", err.text);
}

static bool
blocked(struct blocklist *list, const char *address)
{
	struct ip v = ip(address);

	return blocklist_has_address(list, &v);
}

static void
test_blocklist(void **state)
{
	struct blocklist *list = blocklist_create();

	add(list, "# ZMap's format\n");
	add(list, "\n");
	add(list, "192.0.2.0/24   # a network\n");
	add(list, "192.0.2.128/25\n");
	add(list, "198.51.100.7\r\n");
	add(list, "203.0.113.9/30\n");
	add(list, "2001:db8::/32\n");
	add(list, "::ffff:192.88.99.0/120\n");
	add(list, "Example.ORG.\n");
	add(list, "mx.other.example # asked us not to");
	assert_true(blocked(list, "192.0.2.0"));
	assert_true(blocked(list, "192.0.2.255"));
	assert_false(blocked(list, "192.0.1.255"));
	assert_false(blocked(list, "192.0.3.0"));
	assert_true(blocked(list, "198.51.100.7"));
	assert_false(blocked(list, "198.51.100.8"));
	assert_true(blocked(list, "203.0.113.8"));
	assert_true(blocked(list, "203.0.113.11"));
	assert_false(blocked(list, "203.0.113.12"));
	assert_true(blocked(list, "2001:db8:ffff::1"));
	assert_false(blocked(list, "2001:db9::"));
	/* It would reach the same server. */
	assert_true(blocked(list, "::ffff:192.0.2.1"));
	assert_true(blocked(list, "::ffff:c000:201"));
	assert_false(blocked(list, "::ffff:192.0.3.1"));
	assert_false(blocked(list, "::192.0.2.1"));
	assert_true(blocked(list, "192.88.99.1"));
	assert_false(blocked(list, "192.88.100.1"));
	assert_true(blocklist_has_name(list, "example.org"));
	assert_true(blocklist_has_name(list, "mx1.example.org"));
	assert_false(blocklist_has_name(list, "notexample.org"));
	assert_true(blocklist_has_name(list, "mx.other.example"));
	assert_false(blocklist_has_name(list, "other.example"));
	blocklist_destroy(list);
	assert_false(blocklist_has_name(NULL, "example.org"));
}

static void
test_blocklist_covers_everything(void **state)
{
	struct blocklist *list = blocklist_create();

	add(list, "0.0.0.0/0");
	assert_true(blocked(list, "0.0.0.0"));
	assert_true(blocked(list, "255.255.255.255"));
	assert_false(blocked(list, "::1"));
	blocklist_destroy(list);
}

static void
test_bad_blocklist(void **state)
{
	static const char *const lines[] = {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1",
	    "192.0.2.0/2x", "192.0.2", "a b", "2001:db8::/129", "a..b", "192.0.2.1 192.0.2.2"};
	struct blocklist *list = blocklist_create();

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err err = {0};

		if (blocklist_add(list, "the-list", 7, lines[i], &err) != ERR_INPUT)
			fail_msg("taken: %s", lines[i]);
		assert_non_null(strstr(err.text, "the-list, line 7"));
	}
	blocklist_destroy(list);
}

static void
test_blocklist_file(void **state)
{
	char path[] = "/tmp/mx509-blocklist-XXXXXX";
	struct blocklist *list = blocklist_create();
	struct err err = {0};
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "192.0.2.1\nnonsense here\n", 24), 24);
	close(fd);
	assert_int_equal(blocklist_load(list, path, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "line 2"));
	unlink(path);
	err = (struct err){0};
	assert_int_equal(blocklist_load(list, path, &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, path));
	blocklist_destroy(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_blocklist),
	    cmocka_unit_test(test_blocklist_covers_everything),
	    cmocka_unit_test(test_bad_blocklist),
	    cmocka_unit_test(test_blocklist_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
