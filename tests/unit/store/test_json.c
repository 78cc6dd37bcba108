#include <string.h>

#include "fixture.h"
#include "store/record/json.h"

#define HASH_A "0000000000000000000000000000000000000000000000000000000000000001"
#define HASH_B "00000000000000000000000000000000000000000000000000000000000000ff"

/* Every member set, and every member null; each variant of SNI. */
static const char *const observations[] = {
    "{\"type\":\"observation\",\"time\":\"2026-03-19T06:10:00.123Z\",\"vantage\":\"ams-1\","
    "\"domain\":null,\"host\":\"mx.example.org\",\"address\":\"192.0.2.1\",\"port\":25,"
    "\"sni\":\"none\",\"sni_name\":null,\"offer\":\"default\",\"sni_acknowledged\":null,"
    "\"outcome\":\"success\",\"smtp_code\":220,\"tls_alert\":null,\"errno\":null,"
    "\"greeting\":\"220 mx.example.org ESMTP *\",\"ehlo\":[\"STARTTLS\",\"SIZE *\"],"
    "\"starttls_offered\":true,\"tls_version\":\"TLSv1.3\","
    "\"cipher\":\"TLS_AES_256_GCM_SHA384\",\"group\":\"X25519\","
    "\"server_signature\":\"ECDSA\",\"chain\":[\"" HASH_A "\",\"" HASH_B "\"],"
    "\"reported\":null,\"flags\":[\"chain-unparsed\",\"clock-stepped\"],"
    "\"ms\":{\"dns\":null,\"connect\":0,\"greeting\":12,\"starttls\":3,\"handshake\":4}}\n",

    "{\"type\":\"observation\",\"time\":\"1999-12-31T23:59:59.999Z\",\"vantage\":\"a\","
    "\"domain\":\"example.org\",\"host\":\"mx.example.org\",\"address\":\"2001:db8::1\","
    "\"port\":10025,\"sni\":\"nexthop\",\"sni_name\":\"example.org\",\"offer\":\"tls1.2\","
    "\"sni_acknowledged\":false,\"outcome\":\"tls-alert\",\"smtp_code\":null,\"tls_alert\":0,"
    "\"errno\":\"ECONNRESET\",\"greeting\":\"\",\"ehlo\":[],\"starttls_offered\":false,"
    "\"tls_version\":null,\"cipher\":null,\"group\":null,\"server_signature\":null,"
    "\"chain\":[],\"reported\":{\"by\":\"postfix\",\"status\":\"Untrusted\",\"reason\":null},"
    "\"flags\":[],\"ms\":{\"dns\":1,\"connect\":null,\"greeting\":null,\"starttls\":null,"
    "\"handshake\":null}}\n",

    "{\"type\":\"observation\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":null,\"host\":\"mx.example.org\",\"address\":\"192.0.2.1\",\"port\":25,"
    "\"sni\":\"nexthop\",\"sni_name\":\"example.org\",\"offer\":\"rsa\","
    "\"sni_acknowledged\":true,\"outcome\":\"unreachable\",\"smtp_code\":null,"
    "\"tls_alert\":null,\"errno\":null,\"greeting\":\"\\\"\\\\\\u001b\\u009bé😀\",\"ehlo\":[],"
    "\"starttls_offered\":null,\"tls_version\":null,\"cipher\":null,\"group\":null,"
    "\"server_signature\":null,\"chain\":[],\"reported\":{\"by\":\"postfix\","
    "\"status\":\"Untrusted\",\"reason\":\"self-signed certificate\"},\"flags\":[],"
    "\"ms\":{\"dns\":null,\"connect\":null,\"greeting\":null,\"starttls\":null,"
    "\"handshake\":2147483647}}\n",

    "{\"type\":\"observation\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":\"other.example\",\"host\":\"mx.example.org\",\"address\":\"192.0.2.1\","
    "\"port\":25,\"sni\":\"hostname\",\"sni_name\":\"mx.example.org\",\"offer\":\"default\","
    "\"sni_acknowledged\":null,\"outcome\":\"unreachable\",\"smtp_code\":null,"
    "\"tls_alert\":null,\"errno\":null,\"greeting\":null,\"ehlo\":[],"
    "\"starttls_offered\":null,\"tls_version\":null,\"cipher\":null,\"group\":null,"
    "\"server_signature\":null,\"chain\":[],\"reported\":null,\"flags\":[],"
    "\"ms\":{\"dns\":null,\"connect\":null,\"greeting\":null,\"starttls\":null,"
    "\"handshake\":null}}\n",

    "{\"type\":\"observation\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"domain\":null,\"host\":\"mx.example.org\",\"address\":\"192.0.2.1\",\"port\":25,"
    "\"sni\":\"unknown\",\"sni_name\":null,\"offer\":\"default\",\"sni_acknowledged\":null,"
    "\"outcome\":\"unreachable\",\"smtp_code\":null,\"tls_alert\":null,\"errno\":null,"
    "\"greeting\":null,\"ehlo\":[],\"starttls_offered\":null,\"tls_version\":null,"
    "\"cipher\":null,\"group\":null,\"server_signature\":null,\"chain\":[],"
    "\"reported\":null,\"flags\":[],\"ms\":{\"dns\":null,\"connect\":null,\"greeting\":null,"
    "\"starttls\":null,\"handshake\":null}}\n",
};

static const char dns[] =
    "{\"type\":\"dns\",\"time\":\"2026-03-19T06:10:00.000Z\",\"vantage\":\"a\","
    "\"name\":\"_25._tcp.mx.example.org\",\"rrtype\":\"TLSA\",\"status\":\"secure\","
    "\"rcode\":\"NOERROR\",\"ttl\":3600,\"records\":[\"3 1 1 ab\",\"3 1 1 cd\"]}\n";

/* Through the parser, the canonical bytes, and back. */
static void
round_trip(const char *line)
{
	struct json_record record;
	struct err err = {0};
	struct buf out = {0}, bytes = {0};
	struct observation o;
	struct hash chain[4], id;
	bool has_chain;

	assert_ok(json_parse(&record, line, strlen(line), &err), err);
	assert_int_equal(record.type, JSON_RECORD_OBSERVATION);
	o = record.observation;
	assert_true(o.evidence.chain_n <= 4);
	memcpy(chain, o.evidence.chain, o.evidence.chain_n * sizeof(*chain));
	evidence_encode(&bytes, &o.evidence);
	assert_ok(evidence_decode(&o.evidence, &has_chain, &id, bytes.data, bytes.len, &err), err);
	evidence_set_chain(&o.evidence, chain, record.observation.evidence.chain_n);
	json_observation(&out, &record.series, &o);
	assert_string_equal(buf_text(&out), line);
	evidence_finish(&o.evidence);
	json_record_finish(&record);
	buf_finish(&out);
	buf_finish(&bytes);
}

static void
test_round_trip(void **state)
{
	struct json_record record;
	struct buf out = {0};
	struct err err = {0};

	for (size_t i = 0; i < sizeof(observations) / sizeof(observations[0]); i++)
		round_trip(observations[i]);
	assert_ok(json_parse(&record, dns, strlen(dns), &err), err);
	json_dns(&out, &record.series, &record.answer);
	assert_string_equal(buf_text(&out), dns);
	json_record_finish(&record);
	buf_finish(&out);
}

static void
test_certificate(void **state)
{
	struct hash name = hash_sha256("abc", 3);
	struct json_record record;
	struct buf line = {0};
	struct err err = {0};
	char *p;

	json_certificate(&line, &name, "abc", 3);
	assert_string_equal(buf_text(&line),
	    "{\"type\":\"certificate\",\"sha256\":\"ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad\",\"der\":\"YWJj\"}\n");
	assert_ok(json_parse(&record, (char *)line.data, line.len, &err), err);
	assert_int_equal(record.type, JSON_RECORD_CERTIFICATE);
	assert_int_equal(record.der.len, 3);
	json_record_finish(&record);
	p = strstr((char *)line.data, "YWJj");
	p[3] = 'k';
	assert_int_equal(json_parse(&record, (char *)line.data, line.len, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "sha256"));
	buf_finish(&line);
}

/* The first observation with `from` replaced. */
static int
parse_with(const char *from, const char *to, struct err *err)
{
	const char *line = observations[0], *p = strstr(line, from);
	struct json_record record;
	struct buf altered = {0};
	int rc;

	assert_non_null(p);
	buf_append(&altered, line, (size_t)(p - line));
	buf_append_text(&altered, to);
	buf_append_text(&altered, p + strlen(from));
	*err = (struct err){0};
	rc = json_parse(&record, (char *)altered.data, altered.len, err);
	if (rc == 0)
		json_record_finish(&record);
	buf_finish(&altered);
	return rc;
}

static void
test_bad(void **state)
{
	static const struct {
		const char *from, *to, *named;
	} rows[] = {
	    {"\"time\":\"2026-03-19T06:10:00.123Z\",", "", "\"time\": missing"},
	    {"2026-03-19T06:10:00.123Z", "2026-02-30T06:10:00Z", "\"time\""},
	    {"2026-03-19T06:10:00.123Z", "yesterday", "\"time\""},
	    {"\"ams-1\"", "\"A\"", "\"vantage\""},
	    {"\"mx.example.org\",\"address\"", "\"a..b\",\"address\"", "\"host\""},
	    {"\"mx.example.org\",\"address\"", "7,\"address\"", "\"host\": not a text"},
	    {"192.0.2.1", "192.0.2.256", "\"address\""},
	    {"\"port\":25", "\"port\":0", "\"port\""},
	    {"\"port\":25", "\"port\":65536", "\"port\""},
	    {"\"port\":25", "\"port\":25.0", "\"port\""},
	    {"\"port\":25", "\"port\":null", "\"port\": missing"},
	    {"\"sni\":\"none\"", "\"sni\":\"None\"", "\"sni\""},
	    {"\"sni\":\"none\"", "\"sni\":\"literal\"", "\"sni_name\": missing"},
	    {"\"sni_name\":null", "\"sni_name\":\"a.example\"", "\"sni_name\""},
	    {"\"default\"", "\"ed25519\"", "\"offer\""},
	    {"\"success\"", "\"Success\"", "\"outcome\""},
	    {"\"smtp_code\":220", "\"smtp_code\":0", "\"smtp_code\""},
	    {"\"tls_alert\":null", "\"tls_alert\":256", "\"tls_alert\""},
	    {"\"starttls_offered\":true", "\"starttls_offered\":1", "\"starttls_offered\""},
	    {"[\"STARTTLS\",", "[1,", "\"ehlo\""},
	    {"[\"STARTTLS\",\"SIZE *\"]", "{}", "\"ehlo\""},
	    {HASH_A, "00", "\"chain\""},
	    {"chain-unparsed", "new-flag", "\"flags\""},
	    {"\"reported\":null", "\"reported\":{\"by\":\"x\"}", "\"status\": missing"},
	    {"\"connect\":0", "\"connect\":-1", "\"connect\""},
	    {"ESMTP *", "\\u0000", "no JSON"},
	    {"ESMTP *", "\xff", "no JSON"},
	    {"\"port\":25", "\"port\":25,\"port\":26", "no JSON"},
	    {"\"type\":\"observation\"", "\"type\":\"x\\u001b[2J\"", "\"type\""},
	    {"}\n", "", "no JSON"},
	};
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse_with(rows[i].from, rows[i].to, &err), ERR_INPUT);
		if (strstr(err.text, rows[i].named) == NULL)
			fail_msg("row %zu: %s", i, err.text);
		assert_null(strpbrk(err.text, "\n\x1b"));
	}
}

/* Values are counted before memory is spent on them; what stands in a text is none. */
static void
test_many_values(void **state)
{
	struct buf values = {0}, text = {0};
	struct err err;

	buf_append_text(&values, "\"new\":[{}");
	buf_append_text(&text, "\"new\":\"\\\"");
	for (int i = 0; i < LIMIT_JSON_VALUES; i++) {
		buf_append_text(&values, ",{}");
		buf_append_text(&text, ",{");
	}
	buf_append_text(&values, "],\"port\":25");
	buf_append_text(&text, "\",\"port\":25");
	assert_int_equal(parse_with("\"port\":25", buf_text(&values), &err), ERR_INPUT);
	assert_string_equal(err.text, "more than 65536 values");
	assert_int_equal(parse_with("\"port\":25", buf_text(&text), &err), 0);
	buf_finish(&values);
	buf_finish(&text);
}

static void
test_lenient(void **state)
{
	struct err err;

	assert_int_equal(parse_with("\"port\":25", "\"new\":[{}],\"port\":25", &err), 0);
	assert_int_equal(parse_with("\"sni_name\":null,", "", &err), 0);
	assert_int_equal(parse_with("\"smtp_code\":220,", "", &err), 0);
	assert_int_equal(
	    parse_with("\"mx.example.org\",\"address\"", "\"MX.Example.ORG.\",\"address\"", &err),
	    0);
	assert_int_equal(parse_with("[\"STARTTLS\",\"SIZE *\"]", "null", &err), 0);
	assert_int_equal(
	    parse_with("2026-03-19T06:10:00.123Z", "2026-03-19T08:10:00+02:00", &err), 0);
}

static void
test_dns_sorted(void **state)
{
	static const char line[] =
	    "{\"type\":\"dns\",\"time\":\"2026-03-19T06:10:00Z\",\"vantage\":\"a\",\"name\":\"a\","
	    "\"rrtype\":\"TYPE1\",\"status\":\"failed\",\"records\":[\"b\",\"a\"]}";
	struct json_record record;
	struct err err = {0};

	assert_ok(json_parse(&record, line, strlen(line), &err), err);
	assert_int_equal(record.series.rrtype, 1);
	assert_string_equal(record.answer.records[0], "a");
	assert_null(record.answer.rcode);
	json_record_finish(&record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_certificate),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_many_values),
	    cmocka_unit_test(test_lenient),
	    cmocka_unit_test(test_dns_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
