/*
 * The parsers behind import zgrab2 and import sonar, case by case; from SHA-1 to SHA-256; the names
 * that opted out; certificates that are named before they come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "store/base/clock.h"
#include "store/exchange/fingerprints.h"
#include "store/exchange/import.h"
#include "store/exchange/sonar.h"
#include "store/exchange/zgrab2.h"
#include "store/record/optout.h"

/* "leaf", "root" in base64, as certificates. */
#define LEAF "bGVhZg=="
#define ROOT "cm9vdA=="

/* ---- zgrab2 --------------------------------------------------------------------------------- */

#define STAMP "\"timestamp\":\"2026-03-19T09:10:00+03:00\""
#define GRAB(target, response) \
	"{" target ",\"data\":{\"smtp\":{\"protocol\":\"smtp\"," STAMP "," response "}}}"
#define AT "\"ip\":\"192.0.2.7\",\"domain\":\"MX.example.org\""
#define REPLIES(more) "\"status\":\"success\",\"port\":25,\"result\":{" more "}"
#define SAID(status, error) \
	"\"status\":\"" status "\",\"port\":25,\"error\":\"" error "\",\"result\":{}"
#define SHOWN(more)                                                                              \
	REPLIES("\"starttls\":\"220 go\",\"tls\":{\"handshake_log\":{" more                      \
		"\"server_certificates\":{\"certificate\":{\"raw\":\"" LEAF "\"},\"chain\":[{\"" \
		"raw\":\"" ROOT "\"}]}}}")

static int
open_grab(struct zgrab2 *z, const char *line)
{
	struct err err = {0};
	int rc = zgrab2_open(z, line, strlen(line), "here", &err);

	assert_true(rc == 0 || err.text[0] != '\0');
	return rc;
}

static void
test_zgrab2_a_chain(void **state)
{
	struct err err = {0};
	struct zgrab2 z;

	assert_int_equal(open_grab(&z, GRAB(AT, SHOWN(""))), 0);
	assert_int_equal(zgrab2_next(&z, &err), 1);
	assert_string_equal(z.series.host, "mx.example.org");
	assert_int_equal(z.series.sni, SNI_HOSTNAME);
	assert_string_equal(z.observation.evidence.sni_sent, "mx.example.org");
	assert_int_equal(z.series.port, 25);
	assert_string_equal(z.series.vantage, "here");
	assert_int_equal(z.observation.time_ms, TIME_0 + 600000);
	assert_int_equal(z.observation.evidence.outcome, OUTCOME_SUCCESS);
	assert_int_equal(z.chain_n, 2);
	assert_int_equal(z.ends[1], 8);
	assert_memory_equal(z.ders.data, "leafroot", 8);
	assert_int_equal(zgrab2_next(&z, &err), 0);
	zgrab2_close(&z);
}

static void
test_zgrab2_outcomes(void **state)
{
	static const struct {
		const char *response;
		enum outcome outcome;
		int smtp_code, tls_alert;
		const char *errno_name;
	} cases[] = {
	    {SAID("connection-refused", ""), OUTCOME_CONNECTION_REFUSED, 0, -1, NULL},
	    {SAID("connection-timeout", ""), OUTCOME_CONNECTION_TIMEOUT, 0, -1, NULL},
	    {SAID("connection-closed", ""), OUTCOME_CONNECTION_CLOSED, 0, -1, NULL},
	    {SAID("io-timeout", ""), OUTCOME_IO_TIMEOUT, 0, -1, NULL},
	    {SAID("protocol-error", ""), OUTCOME_PROTOCOL_ERROR, 0, -1, NULL},
	    {SAID("unknown-error", "dial: connection refused"), OUTCOME_CONNECTION_REFUSED, 0, -1,
		"ECONNREFUSED"},
	    {SAID("unknown-error", "connect: no route to host"), OUTCOME_UNREACHABLE, 0, -1,
		"EHOSTUNREACH"},
	    {SAID("unknown-error", "connect: network is unreachable"), OUTCOME_UNREACHABLE, 0, -1,
		"ENETUNREACH"},
	    {SAID("unknown-error", "read: connection reset by peer"), OUTCOME_CONNECTION_CLOSED, 0,
		-1, "ECONNRESET"},
	    {SAID("handshake-error", "remote error: tls: handshake failure"), OUTCOME_TLS_ALERT, 0,
		40, NULL},
	    {SAID("handshake-error", "remote error: tls: unrecognized name"), OUTCOME_TLS_ALERT, 0,
		112, NULL},
	    {SAID("handshake-error", "remote error: tls: something new"), OUTCOME_HANDSHAKE_ERROR,
		0, -1, NULL},
	    {REPLIES("\"banner\":\"421 busy\""), OUTCOME_RATE_LIMITED, 421, -1, NULL},
	    {REPLIES("\"banner\":\"220 a\",\"ehlo\":\"450 later\""), OUTCOME_TEMPORARY_REJECT, 450,
		-1, NULL},
	    {REPLIES("\"banner\":\"554 no\""), OUTCOME_PERMANENT_REJECT, 554, -1, NULL},
	    {REPLIES("\"starttls\":\"454 no\""), OUTCOME_STARTTLS_REJECTED, 454, -1, NULL},
	    {REPLIES("\"starttls\":\"421 no\""), OUTCOME_RATE_LIMITED, 421, -1, NULL},
	    {REPLIES("\"ehlo\":\"250-a\\r\\n250 SIZE\\r\\n\""), OUTCOME_STARTTLS_NOT_OFFERED, 250,
		-1, NULL},
	    {REPLIES("\"tls\":{\"handshake_log\":{}}"), OUTCOME_HANDSHAKE_ERROR, 0, -1, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct evidence *e;
		struct buf line = {0};
		struct err err = {0};
		struct zgrab2 z;

		buf_printf(&line,
		    "{" AT ",\"data\":{\"smtp\":{\"protocol\":\"smtp\"," STAMP ",%s}}}",
		    cases[i].response);
		print_message("# %s\n", cases[i].response);
		assert_int_equal(open_grab(&z, buf_text(&line)), 0);
		assert_int_equal(zgrab2_next(&z, &err), 1);
		e = &z.observation.evidence;
		assert_int_equal(e->outcome, cases[i].outcome);
		assert_int_equal(e->smtp_code, cases[i].smtp_code);
		assert_int_equal(e->tls_alert, cases[i].tls_alert);
		assert_true((e->errno_name == NULL) == (cases[i].errno_name == NULL));
		if (e->errno_name != NULL)
			assert_string_equal(e->errno_name, cases[i].errno_name);
		assert_int_equal(z.chain_n, 0);
		zgrab2_close(&z);
		buf_finish(&line);
	}
}

/* What says nothing of the server is no observation, and no fault either. */
static void
test_zgrab2_nothing(void **state)
{
	static const char *const lines[] = {
	    "{" AT "}",
	    "{\"domain\":\"example.org\"}",
	    "{" AT ",\"data\":{}}",
	    "{" AT ",\"data\":{\"http\":{\"protocol\":\"http\",\"status\":\"success\"}}}",
	    GRAB(AT, SAID("invalid-inputs", "")),
	    GRAB(AT, SAID("blocklisted-target", "")),
	    GRAB(AT, REPLIES("\"banner\":\"220 a\"")),
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err err = {0};
		struct zgrab2 z;

		print_message("# %s\n", lines[i]);
		assert_int_equal(open_grab(&z, lines[i]), 0);
		assert_int_equal(zgrab2_next(&z, &err), 0);
		zgrab2_close(&z);
	}
}

static void
test_zgrab2_refused(void **state)
{
	static const char *const not_opened[] = {"", "x", "[]", "{}", "{\"ip\":7}",
	    "{\"ip\":\"192.0.2\"}", "{\"ip\":\"192.0.2.7\",\"domain\":\"a b\"}",
	    "{\"domain\":\"a.test\",\"data\":{}}"};
	static const char *const refused[] = {
	    "{" AT ",\"data\":{\"smtp\":{\"status\":\"success\",\"port\":25}}}",
	    "{" AT ",\"data\":{\"smtp\":{" STAMP ",\"port\":65536}}}",
	    "{" AT ",\"data\":{\"smtp\":{\"timestamp\":\"yesterday\"}}}",
	    GRAB(AT, REPLIES("\"tls\":{\"handshake_log\":{\"server_certificates\":{"
			     "\"certificate\":{\"raw\":\"?\"}}}}")),
	    GRAB(AT, REPLIES("\"tls\":{\"handshake_log\":{\"server_certificates\":{"
			     "\"chain\":[{}]}}}")),
	    GRAB(AT, SHOWN("\"client_hello\":{\"server_name\":\"a b\"},")),
	};
	struct zgrab2 z;

	for (size_t i = 0; i < sizeof(not_opened) / sizeof(not_opened[0]); i++)
		assert_int_equal(open_grab(&z, not_opened[i]), ERR_INPUT);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct err err = {0};

		print_message("# %s\n", refused[i]);
		assert_int_equal(open_grab(&z, refused[i]), 0);
		assert_int_equal(zgrab2_next(&z, &err), ERR_INPUT);
		assert_true(err.text[0] != '\0');
		zgrab2_close(&z);
	}
}

static void
test_zgrab2_names(void **state)
{
	static const struct {
		const char *line, *host;
		enum sni sni;
		const char *literal;
	} cases[] = {
	    {GRAB("\"ip\":\"192.0.2.7\"", SHOWN("")), "7.2.0.192.in-addr.arpa", SNI_NONE, ""},
	    {GRAB("\"ip\":\"192.0.2.7\",\"domain\":\"\"", SHOWN("")), "7.2.0.192.in-addr.arpa",
		SNI_NONE, ""},
	    {GRAB(AT, SHOWN("\"client_hello\":{},")), "mx.example.org", SNI_NONE, ""},
	    {GRAB(AT, SHOWN("\"client_hello\":{\"server_name\":\"Mx.Example.Org\"},")),
		"mx.example.org", SNI_HOSTNAME, ""},
	    {GRAB(AT, SHOWN("\"client_hello\":{\"server_name\":\"other.test\"},")),
		"mx.example.org", SNI_LITERAL, "other.test"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {0};
		struct zgrab2 z;

		assert_int_equal(open_grab(&z, cases[i].line), 0);
		assert_int_equal(zgrab2_next(&z, &err), 1);
		assert_string_equal(z.series.host, cases[i].host);
		assert_int_equal(z.series.sni, cases[i].sni);
		assert_string_equal(z.series.sni_name, cases[i].literal);
		zgrab2_close(&z);
	}
}

/* Two modules of one line; one that is bad costs the other nothing. */
static void
test_zgrab2_modules(void **state)
{
	struct err err = {0};
	struct zgrab2 z;

	assert_int_equal(
	    open_grab(&z,
		"{" AT ",\"data\":{\"a\":{\"protocol\":\"smtp\",\"port\":2525," STAMP
		",\"status\":\"io-timeout\"},\"b\":{\"protocol\":\"smtp\"},"
		"\"c\":{\"protocol\":\"smtp\",\"port\":587," STAMP ",\"status\":\"io-timeout\"}}}"),
	    0);
	assert_int_equal(zgrab2_next(&z, &err), 1);
	assert_int_equal(z.series.port, 2525);
	assert_int_equal(zgrab2_next(&z, &err), ERR_INPUT);
	assert_int_equal(zgrab2_next(&z, &err), 1);
	assert_int_equal(z.series.port, 587);
	assert_int_equal(zgrab2_next(&z, &err), 0);
	zgrab2_close(&z);
}

/* ---- Sonar ---------------------------------------------------------------------------------- */

static void
test_sonar_files(void **state)
{
	static const struct {
		const char *path;
		enum sonar_kind kind;
		const char *time;
		unsigned port;
	} cases[] = {
	    {"20131030_certs.gz", SONAR_CERTS, "2013-10-30T00:00:00Z", 0},
	    {"/a/b_c.d/20131030_hosts.gz", SONAR_HOSTS, "2013-10-30T00:00:00Z", 0},
	    {"20131030_names", SONAR_NAMES, "2013-10-30T00:00:00Z", 0},
	    {"20170101_smtp_starttls_25_endpoints.gz", SONAR_ENDPOINTS, "2017-01-01T00:00:00Z", 25},
	    {"2020-06-01-1590969600-smtp_starttls_25_endpoints.gz", SONAR_ENDPOINTS,
		"2020-06-01T00:00:00Z", 25},
	    /* on the next day; a number that is of another day */
	    {"2020-06-01-1591056000-smtps_465_certs.gz", SONAR_CERTS, "2020-06-02T00:00:00Z", 465},
	    {"2020-06-01-1000000000-smtps_465_certs.gz", SONAR_CERTS, "2020-06-01T00:00:00Z", 465},
	    {"2020-06-01_70000_endpoints.gz", SONAR_ENDPOINTS, "2020-06-01T00:00:00Z", 0},
	    {"20131330_hosts.gz", SONAR_HOSTS, NULL, 0},
	    {"2013103_hosts.gz", SONAR_HOSTS, NULL, 0},
	    {"hosts.gz", SONAR_OTHER, NULL, 0},
	    {"-", SONAR_OTHER, NULL, 0},
	    {"", SONAR_OTHER, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonar_file file;
		int64_t time_ms = INT64_MIN;

		print_message("# %s\n", cases[i].path);
		if (cases[i].time != NULL)
			assert_true(clock_parse_iso(cases[i].time, &time_ms));
		sonar_file_of(&file, cases[i].path);
		assert_int_equal(file.kind, cases[i].kind);
		assert_int_equal(file.time_ms, time_ms);
		assert_int_equal(file.port, cases[i].port);
	}
}

/* "SHA1" in a line stands for that of "leaf". */
static void
fill_in(char out[256], const char *line)
{
	const char *at = strstr(line, "SHA1");
	char hex[2 * HASH_SHA1_LEN + 1];
	uint8_t sha1[HASH_SHA1_LEN];

	hash_sha1("leaf", 4, sha1);
	for (size_t i = 0; i < HASH_SHA1_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", sha1[i]);
	if (at == NULL)
		snprintf(out, 256, "%s", line);
	else
		snprintf(out, 256, "%.*s%s%s", (int)(at - line), line, hex, at + 4);
}

static void
test_sonar_lines(void **state)
{
	static const struct {
		const char *line;
		int rc;
		const char *address; /* NULL: a certificate */
		unsigned port;
	} cases[] = {
	    {"SHA1," LEAF, 0, NULL, 0},
	    {"\"SHA1\", \"" LEAF "\"", 0, NULL, 0},
	    {"SHA1," ROOT, ERR_INPUT, NULL, 0},
	    {"SHA1,?", ERR_INPUT, NULL, 0},
	    {"SHA1,", ERR_INPUT, NULL, 0},
	    {"SHA1", ERR_INPUT, NULL, 0},
	    {"192.0.2.1,SHA1", 0, "192.0.2.1", 0},
	    {"2001:db8::1,25,SHA1", 0, "2001:db8::1", 25},
	    {"192.0.2.1,65535,SHA1", 0, "192.0.2.1", 65535},
	    {"192.0.2.1,65536,SHA1", ERR_INPUT, NULL, 0},
	    {"192.0.2.1,0,SHA1", ERR_INPUT, NULL, 0},
	    {"192.0.2.1,,SHA1", ERR_INPUT, NULL, 0},
	    {"192.0.2.1,-1,SHA1", ERR_INPUT, NULL, 0},
	    {"192.0.2.1,25,SHA1,x", ERR_INPUT, NULL, 0},
	    {"192.0.2.1,0123", ERR_INPUT, NULL, 0},
	    {"192.0.2,SHA1", ERR_INPUT, NULL, 0},
	    {",SHA1", ERR_INPUT, NULL, 0},
	    {"", ERR_INPUT, NULL, 0},
	    {",,", ERR_INPUT, NULL, 0},
	};
	struct buf der = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[256], address[IP_TEXT_MAX];
		struct sonar_line parsed;
		struct err err = {0};

		fill_in(line, cases[i].line);
		print_message("# %s\n", line);
		assert_int_equal(sonar_parse(&parsed, &der, line, strlen(line), &err), cases[i].rc);
		assert_true((cases[i].rc != 0) == (err.text[0] != '\0'));
		if (cases[i].rc != 0)
			continue;
		assert_int_equal(parsed.is_certificate, cases[i].address == NULL);
		if (parsed.is_certificate) {
			assert_int_equal(der.len, 4);
			assert_memory_equal(der.data, "leaf", 4);
			continue;
		}
		ip_format(&parsed.address, address);
		assert_string_equal(address, cases[i].address);
		assert_int_equal(parsed.port, cases[i].port);
	}
	buf_finish(&der);
}

/* ---- fingerprints --------------------------------------------------------------------------- */

static void
test_fingerprints(void **state)
{
	enum { N = 5000 }; /* it grows several times */
	struct fingerprints *f = fingerprints_create();
	uint8_t sha1[HASH_SHA1_LEN];
	struct hash other = fixture_hash(N);

	for (unsigned i = 0; i < N; i++) {
		struct hash name = fixture_hash(i);

		hash_sha1(&i, sizeof(i), sha1);
		assert_null(fingerprints_find(f, sha1));
		fingerprints_add(f, sha1, &name);
		fingerprints_add(f, sha1, &other); /* the first one stays */
	}
	for (unsigned i = 0; i < N; i++) {
		struct hash name = fixture_hash(i);
		const struct hash *found;

		hash_sha1(&i, sizeof(i), sha1);
		found = fingerprints_find(f, sha1);
		assert_non_null(found);
		assert_int_equal(hash_compare(found, &name), 0);
	}
	memset(sha1, 0, sizeof(sha1));
	assert_null(fingerprints_find(f, sha1));
	fingerprints_add(f, sha1, &other);
	assert_non_null(fingerprints_find(f, sha1));
	fingerprints_destroy(f);
	fingerprints_destroy(NULL);
}

/* ---- names that opted out ------------------------------------------------------------------- */

static void
test_optout(void **state)
{
	static const char list[] = "# by hand\n"
				   "Zeta.example  # asked us\n"
				   "\n"
				   "not a name\n"
				   "192.0.2.0/24\n"
				   "mx.alpha.example\n"
				   "beta.example";
	static const struct {
		const char *host;
		bool there;
	} cases[] = {{"zeta.example", true}, {"a.b.zeta.example", true}, {"beta.example", true},
	    {"x.beta.example", true}, {"mx.alpha.example", true}, {"alpha.example", false},
	    {"xmx.alpha.example", false}, {"azeta.example", false}, {"example", false},
	    {"not", false}, {"", false}, {NULL, false}};
	struct optout_names names = {0};
	struct err err = {0};

	assert_int_equal(optout_names_read(&names, *state, &err), 0);
	assert_false(optout_names_has(&names, "zeta.example"));
	optout_names_finish(&names);
	fixture_write(fixture_path(*state, "blocklist"), list, strlen(list));
	assert_int_equal(optout_names_read(&names, *state, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(optout_names_has(&names, cases[i].host), cases[i].there);
	optout_names_finish(&names);
}

/* ---- certificates that are named ------------------------------------------------------------ */

struct named {
	struct hash list[8];
	size_t n;
};

static void
note(void *ctx, const struct hash *name)
{
	struct named *named = ctx;

	assert_true(named->n < 8);
	named->list[named->n++] = *name;
}

static void
fail_line(void *ctx, const char *line)
{
	fail_msg("%s", line);
}

static void
import_text(struct store *store, const char *path, const char *text, struct named *named,
    struct import_counts *counts)
{
	const struct import_hooks hooks = {fail_line, NULL, named, note};
	struct err err = {0};

	*named = (struct named){0};
	*counts = (struct import_counts){0};
	fixture_write(path, text, strlen(text));
	assert_ok(import_jsonl(store, path, &hooks, counts, &err), err);
}

static void
test_named_certificates(void **state)
{
	struct hash leaf = hash_sha256("leaf", 4), root = hash_sha256("root", 4);
	const char *path = fixture_path(*state, "lines.jsonl");
	struct store *store = fixture_open(fixture_path(*state, "store"), STORE_WRITE);
	char leaf_hex[2 * HASH_LEN + 1], root_hex[2 * HASH_LEN + 1];
	struct buf seen = {0}, given = {0};
	struct import_counts counts;
	struct named named;

	hash_hex(&leaf, leaf_hex);
	hash_hex(&root, root_hex);
	buf_printf(&seen,
	    "{\"type\":\"observation\",\"time\":\"2026-03-19T06:00:00.000Z\",\"vantage\":\"here\","
	    "\"host\":\"mx.example.org\",\"address\":\"192.0.2.1\",\"port\":25,\"sni\":\"none\","
	    "\"offer\":\"default\",\"outcome\":\"success\",\"chain\":[\"%s\",\"%s\"]}\n",
	    leaf_hex, root_hex);
	buf_printf(&given, "{\"type\":\"certificate\",\"sha256\":\"%s\",\"der\":\"" LEAF "\"}\n",
	    leaf_hex);
	import_text(store, path, buf_text(&seen), &named, &counts);
	assert_int_equal(counts.incomplete, 1);
	assert_int_equal(named.n, 2);
	import_text(store, path, buf_text(&given), &named, &counts);
	assert_int_equal(counts.certificates, 1);
	assert_int_equal(named.n, 0);
	/* Again: what is still not there is told again. */
	import_text(store, path, buf_text(&seen), &named, &counts);
	assert_int_equal(counts.repeated, 1);
	assert_int_equal(named.n, 1);
	assert_int_equal(hash_compare(&named.list[0], &root), 0);
	store_close(store);
	buf_finish(&seen);
	buf_finish(&given);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zgrab2_a_chain),
	    cmocka_unit_test(test_zgrab2_outcomes),
	    cmocka_unit_test(test_zgrab2_nothing),
	    cmocka_unit_test(test_zgrab2_refused),
	    cmocka_unit_test(test_zgrab2_names),
	    cmocka_unit_test(test_zgrab2_modules),
	    cmocka_unit_test(test_sonar_files),
	    cmocka_unit_test(test_sonar_lines),
	    cmocka_unit_test(test_fingerprints),
	    cmocka_unit_test_setup_teardown(test_optout, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		test_named_certificates, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
