#include <string.h>

#include "fixture.h"
#include "store/corpus/journal.h"
#include "store/record/day.h"
#include "store/record/key.h"

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

/* Series in the order of exports. */
static void
test_order(void **state)
{
	struct series s[16];
	struct key a, b;
	size_t n = 0;

	s[n++] = fixture_series("com", "192.0.2.1", SNI_NONE);
	s[n++] = fixture_series("google.com", "9.9.9.9", SNI_NONE);
	s[n++] = fixture_series("google.com", "192.0.2.1", SNI_NONE);
	s[n] = s[n - 1];
	s[n++].port = 465;
	s[n++] = fixture_series("google.com", "192.0.2.10", SNI_NONE);
	s[n++] = fixture_series("google.com", "::1", SNI_NONE);
	s[n++] = fixture_series("google.com", "::1", SNI_HOSTNAME);
	s[n++] = fixture_series("google.com", "::1", SNI_NEXTHOP);
	s[n] = s[n - 1];
	strcpy(s[n++].sni_name, "example.org.uk");
	s[n] = s[n - 1];
	s[n++].offer = OFFER_RSA;
	s[n] = s[n - 1];
	strcpy(s[n++].vantage, "here-too");
	s[n++] = fixture_dns_series("google.com", 1);
	s[n++] = fixture_dns_series("google.com", 257);
	s[n++] = fixture_series("mx.google.com", "192.0.2.1", SNI_NONE);
	s[n++] = fixture_series("google-a.com", "192.0.2.1", SNI_NONE);
	s[n++] = fixture_series("googlea.com", "192.0.2.1", SNI_NONE);
	/* "google" < "google-a" < "googlea": a label ends before it goes on. */
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			key_series(&a, &s[i]);
			key_series(&b, &s[k]);
			assert_int_equal(sign(series_compare(&s[i], &s[k])), (i > k) - (i < k));
			assert_int_equal(sign(key_compare(&a, &b)), (i > k) - (i < k));
		}
	}
	key_host(&a, "google.com");
	assert_memory_equal(a.bytes, "com\0google\0", 12);
	assert_int_equal(a.len, 12);
	key_under(&b, "google.com");
	for (size_t i = 0; i < n; i++) {
		struct key key;

		key_series(&key, &s[i]);
		assert_true(key_has_prefix(key.bytes, key.len, &a) ==
			    (strcmp(s[i].host, "google.com") == 0));
		assert_true(key_has_prefix(key.bytes, key.len, &b) ==
			    host_is_under(s[i].host, "google.com"));
	}
}

static void
long_name(char out[LIMIT_NAME + 1], char last)
{
	memset(out, 0, LIMIT_NAME + 1);
	for (int i = 0; i < LIMIT_NAME; i++)
		out[i] = i % 60 == 59 ? '.' : 'x';
	out[LIMIT_NAME - 1] = last;
	assert_true(host_valid(out));
}

/* What is too long for a key is cut, and unique all the same. */
static void
test_limit(void **state)
{
	struct series s = fixture_series("a", "2001:db8::1", SNI_LITERAL), t, read;
	struct buf bytes = {0};
	struct key a, b, c;

	long_name(s.host, 'x');
	long_name(s.sni_name, 'x');
	memset(s.vantage, 'v', LIMIT_VANTAGE);
	t = s;
	long_name(t.sni_name, 'y');
	assert_int_equal(series_valid(&s, NULL), 0);
	key_series(&a, &s);
	key_series(&b, &t);
	assert_int_equal(a.len, KEY_MAX);
	assert_int_not_equal(key_compare(&a, &b), 0);
	assert_int_equal(sign(series_compare(&s, &t)), sign(key_compare(&a, &b)));
	t.offer = OFFER_RSA;
	key_series(&c, &t);
	assert_true(key_compare(&b, &c) < 0);

	/* The longest name that fits stands whole. */
	t = s;
	t.sni_name[200] = '\0';
	key_series(&b, &t);
	assert_int_equal(b.len, KEY_MAX);
	t.sni_name[199] = '\0';
	key_series(&b, &t);
	assert_int_equal(b.len, KEY_MAX - 1);

	series_encode(&bytes, &s);
	assert_int_equal(series_decode(&read, bytes.data, bytes.len, NULL), 0);
	assert_int_equal(series_compare(&read, &s), 0);
	assert_string_equal(read.sni_name, s.sni_name);
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(series_decode(&read, bytes.data, len, NULL), ERR_DAMAGED);
	buf_finish(&bytes);
}

static void
test_series_valid(void **state)
{
	struct series good = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE), s;
	struct err err = {0};

	assert_int_equal(series_valid(&good, NULL), 0);
	s = good;
	strcpy(s.host, "MX.example.org");
	assert_int_equal(series_valid(&s, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "host"));
	s = good;
	s.port = 0;
	assert_int_equal(series_valid(&s, NULL), ERR_INPUT);
	s = good;
	strcpy(s.sni_name, "x.example");
	assert_int_equal(series_valid(&s, NULL), ERR_INPUT);
	s.sni = SNI_LITERAL;
	assert_int_equal(series_valid(&s, NULL), 0);
	s.sni_name[0] = '\0';
	assert_int_equal(series_valid(&s, NULL), ERR_INPUT);
	s = good;
	strcpy(s.vantage, "Here");
	assert_int_equal(series_valid(&s, NULL), ERR_INPUT);
	s = good;
	s.address.family = 0;
	assert_int_equal(series_valid(&s, NULL), ERR_INPUT);
	s = fixture_dns_series("example.org", 0);
	assert_int_equal(series_valid(&s, NULL), ERR_INPUT);
}

static void
test_names(void **state)
{
	enum outcome outcome;
	uint16_t rrtype;
	char text[16];
	unsigned flag;
	enum offer offer;
	enum sni sni;

	for (int i = 0; i < OUTCOME_N; i++) {
		assert_true(outcome_parse(outcome_name(i), &outcome));
		assert_int_equal(outcome, i);
	}
	for (int i = 0; i < SNI_N; i++)
		assert_true(sni_parse(sni_name(i), &sni) && (int)sni == i);
	for (int i = 0; i < OFFER_N; i++)
		assert_true(offer_parse(offer_name(i), &offer) && (int)offer == i);
	for (unsigned bit = 1; bit <= FLAG_ALL; bit <<= 1)
		assert_true(flag_parse(flag_name(bit), &flag) && flag == bit);
	assert_false(outcome_parse("Success", &outcome));
	assert_string_equal(outcome_name(OUTCOME_N), "?");
	for (unsigned i = 1; i < 70000; i += 13) {
		assert_true(
		    rrtype_parse(rrtype_name((uint16_t)i, text), &rrtype) || (uint16_t)i == 0);
		assert_true((uint16_t)i == 0 || rrtype == (uint16_t)i);
	}
	assert_string_equal(rrtype_name(52, text), "TLSA");
	assert_string_equal(rrtype_name(257, text), "TYPE257");
	assert_false(rrtype_parse("TYPE65536", &rrtype));
	assert_false(rrtype_parse("TYPE", &rrtype));
	assert_false(rrtype_parse("mx", &rrtype));
}

static void
assert_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void
test_evidence(void **state)
{
	static const char *const ehlo[] = {"PIPELINING", "SIZE *", ""};
	struct hash chain[2] = {fixture_hash(1), fixture_hash(2)}, id, found;
	struct evidence e = {.outcome = OUTCOME_TLS_ALERT,
			    .flags = FLAG_INJECTION | FLAG_CLOCK_STEPPED,
			    .smtp_code = 220,
			    .tls_alert = 0,
			    .sni_acknowledged = TRI_FALSE,
			    .starttls_offered = TRI_TRUE,
			    .errno_name = "ECONNRESET",
			    .greeting = "",
			    .ehlo = ehlo,
			    .ehlo_n = 3,
			    .tls_version = "TLSv1.2",
			    .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
			    .group = "X25519",
			    .server_signature = "RSA-PSS",
			    .reported_by = "postfix",
			    .reported_status = "Untrusted",
			    .reported_reason = "self-signed certificate",
			    .sni_sent = "mx.example.org",
			    .domain = "example.org",
			    .chain = chain,
			    .chain_n = 2},
			got;
	struct buf bytes = {0}, again = {0};
	bool has_chain;

	assert_int_equal(evidence_valid(&e, NULL), 0);
	evidence_encode(&bytes, &e);
	assert_int_equal(evidence_decode(&got, &has_chain, &found, bytes.data, bytes.len, NULL), 0);
	id = hash_chain(chain, 2);
	assert_true(has_chain);
	assert_int_equal(hash_compare(&id, &found), 0);
	assert_true(got.outcome == e.outcome && got.flags == e.flags &&
		    got.smtp_code == e.smtp_code && got.tls_alert == 0 &&
		    got.sni_acknowledged == TRI_FALSE && got.starttls_offered == TRI_TRUE);
	assert_text(got.errno_name, e.errno_name);
	assert_text(got.greeting, e.greeting);
	assert_int_equal(got.ehlo_n, 3);
	assert_text(got.ehlo[1], "SIZE *");
	assert_text(got.ehlo[2], "");
	assert_text(got.tls_version, e.tls_version);
	assert_text(got.cipher, e.cipher);
	assert_text(got.group, e.group);
	assert_text(got.server_signature, e.server_signature);
	assert_text(got.reported_by, e.reported_by);
	assert_text(got.reported_status, e.reported_status);
	assert_text(got.reported_reason, e.reported_reason);
	assert_text(got.sni_sent, e.sni_sent);
	assert_text(got.domain, e.domain);
	assert_int_equal(got.chain_n, 0);
	evidence_set_chain(&got, chain, 2);
	evidence_encode(&again, &got);
	assert_int_equal(bytes.len, again.len);
	assert_memory_equal(bytes.data, again.data, bytes.len);
	evidence_finish(&got);

	/* Cut or altered anywhere it is refused, or still a record; never more. */
	for (size_t len = 0; len < bytes.len; len++)
		if (evidence_decode(&got, &has_chain, &found, bytes.data, len, NULL) == 0)
			evidence_finish(&got);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= 0x81;
		if (evidence_decode(&got, &has_chain, &found, bytes.data, bytes.len, NULL) == 0)
			evidence_finish(&got);
		bytes.data[i] ^= 0x81;
	}
	assert_int_equal(evidence_decode(&got, &has_chain, &found, bytes.data, bytes.len - 1, NULL),
	    ERR_DAMAGED);
	buf_finish(&bytes);
	buf_finish(&again);
}

/* Nothing but the outcome: what is missing stays missing. */
static void
test_empty_evidence(void **state)
{
	struct evidence e = {.outcome = OUTCOME_UNREACHABLE, .tls_alert = -1}, got;
	struct buf bytes = {0};
	struct hash id;
	bool has_chain;

	evidence_encode(&bytes, &e);
	assert_int_equal(bytes.len, 4);
	assert_memory_equal(bytes.data, "\1\1\1\15", 4);
	assert_int_equal(evidence_decode(&got, &has_chain, &id, bytes.data, bytes.len, NULL), 0);
	assert_false(has_chain);
	assert_true(got.tls_alert == -1 && got.greeting == NULL && got.ehlo_n == 0 &&
		    got.smtp_code == 0 && got.sni_acknowledged == TRI_NULL);
	assert_false(evidence_is_observed(&got));
	evidence_finish(&got);
	buf_finish(&bytes);
}

static void
test_observed(void **state)
{
	struct hash chain = fixture_hash(1);
	struct evidence e = {.outcome = OUTCOME_HANDSHAKE_ERROR, .tls_alert = -1};

	assert_false(evidence_is_observed(&e));
	e.chain = &chain;
	e.chain_n = 1;
	assert_true(evidence_is_observed(&e));
	e = (struct evidence){.outcome = OUTCOME_STARTTLS_REJECTED, .smtp_code = 454};
	assert_false(evidence_is_observed(&e));
	e.smtp_code = 502;
	assert_true(evidence_is_observed(&e));
	e = (struct evidence){.outcome = OUTCOME_PERMANENT_REJECT, .smtp_code = 554};
	assert_false(evidence_is_observed(&e));
	e = (struct evidence){.outcome = OUTCOME_STARTTLS_NOT_OFFERED};
	assert_true(evidence_is_observed(&e));
	e = (struct evidence){.outcome = OUTCOME_SUCCESS, .reported_status = "Trusted"};
	assert_true(evidence_is_observed(&e));
	/* TLS 1.3 without a signature: resumed. */
	e.reported_by = "postfix";
	assert_true(evidence_is_observed(&e));
	e.tls_version = "TLSv1.3";
	e.group = "X25519";
	assert_false(evidence_is_observed(&e));
	e.server_signature = "ECDSA";
	assert_true(evidence_is_observed(&e));
}

static void
test_dns_answer(void **state)
{
	static const char *const records[] = {"", "10 mx.example.org", "10 mx.example.org"};
	static const char *const unsorted[] = {"b", "a"};
	struct dns_answer a = {.status = DNS_BOGUS, .records = records, .records_n = 3}, got;
	struct buf bytes = {0};

	assert_int_equal(dns_answer_valid(&a, NULL), 0);
	dns_answer_encode(&bytes, &a);
	assert_int_equal(dns_answer_decode(&got, bytes.data, bytes.len, NULL), 0);
	assert_true(got.status == DNS_BOGUS && got.rcode == NULL && got.records_n == 3);
	assert_text(got.records[2], records[2]);
	dns_answer_finish(&got);
	for (size_t len = 1; len < bytes.len; len++)
		if (dns_answer_decode(&got, bytes.data, len, NULL) == 0)
			dns_answer_finish(&got);
	assert_int_equal(dns_answer_decode(&got, "\1\1\1\0", 4, NULL), ERR_DAMAGED);
	a = (struct dns_answer){.records = unsorted, .records_n = 2};
	assert_int_equal(dns_answer_valid(&a, NULL), ERR_INPUT);
	buf_finish(&bytes);
}

static void
test_day_codec(void **state)
{
	int64_t day = -3, start = day * INT64_C(86400000);
	struct sighting s[3] = {{start, UINT32_MAX, {-1, 0, INT32_MAX, 5, -1}, 0},
	    {start, UINT32_MAX, {0, 0, 0, 0, 0}, 0},
	    {start + 86399999, 0, {-1, -1, -1, -1, -1}, 0}},
			got;
	struct buf chunk = {0};
	struct day_reader r;
	size_t n = 0;

	for (int i = 0; i < 3; i++)
		assert_true(day_append(&chunk, SERIES_PROBE, day, &s[i]));
	assert_true(day_reader_init(&r, SERIES_PROBE, day, chunk.data, chunk.len));
	while (day_next(&r, &got) > 0)
		assert_int_equal(day_compare(&got, &s[n++]), 0);
	assert_int_equal(n, 3);
	for (size_t len = 0; len < chunk.len; len++) {
		int rc = -1;

		if (day_reader_init(&r, SERIES_PROBE, day, chunk.data, len))
			while ((rc = day_next(&r, &got)) > 0)
				;
		assert_int_equal(rc, -1);
	}
	buf_clear(&chunk);
	s[0].time_ms = start;
	for (n = 0; day_append(&chunk, SERIES_DNS, day, &s[0]); n++)
		s[0].time_ms += 1000;
	assert_true(chunk.len <= DAY_CHUNK_MAX && chunk.len > DAY_CHUNK_MAX - 16);
	buf_finish(&chunk);
}

static void
test_journal_codec(void **state)
{
	static const struct journal_entry entries[] = {
	    {7, TIME_0}, {UINT32_MAX, TIME_0 - 1}, {0, INT64_C(-62135596800000)}, {0, TIME_0}};
	struct buf bytes = {0}, got = {0};
	int64_t committed_ms;

	journal_encode(&bytes, TIME_0 + 5, entries, 4);
	assert_true(journal_decode(bytes.data, bytes.len, &committed_ms, &got));
	assert_true(committed_ms == TIME_0 + 5);
	assert_int_equal(got.len, sizeof(entries));
	for (size_t i = 0; i < 4; i++) {
		const struct journal_entry *e = (const struct journal_entry *)(void *)got.data + i;

		assert_true(e->series == entries[i].series && e->time_ms == entries[i].time_ms);
	}
	for (size_t len = 0; len < bytes.len; len++) {
		buf_clear(&got);
		assert_false(journal_decode(bytes.data, len, &committed_ms, &got));
	}
	buf_finish(&bytes);
	buf_finish(&got);
}

/* The worked examples of mx509-store(5). */
static void
test_manual(void **state)
{
	static const uint8_t key_bytes[] = "org\0example\0mx\0\0\1\4\xc0\0\2\1\0\x19\0\0\0here";
	static const uint8_t last_bytes[] = {0x33, 0x50, 0x00, 0x80, 0x00, 0x00, 0x01, 0x01, 0x00,
	    0x00, 0x97, 0x49, 0x01, 0x00, 0x00, 0x00, 0x00, 0x43, 0x15, 0x00, 0x97, 0x49, 0x01,
	    0x03, 0x00, 0x07, 0x15};
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct sighting sighting = {TIME_0, 0, {-1, 3, 0, 7, 21}, 0};
	struct buf chunk = {0}, last = {0};
	struct key key;

	key_series(&key, &s);
	assert_int_equal(key.len, sizeof(key_bytes));
	assert_memory_equal(key.bytes, key_bytes, sizeof(key_bytes));
	assert_true(day_append(&chunk, SERIES_PROBE, TIME_0 / 86400000, &sighting));
	day_last_encode(&last, TIME_0 / 86400000, 0, chunk.data, chunk.len);
	assert_int_equal(last.len, sizeof(last_bytes));
	assert_memory_equal(last.data, last_bytes, sizeof(last_bytes));
	buf_finish(&chunk);
	buf_finish(&last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_series_valid),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_evidence),
	    cmocka_unit_test(test_empty_evidence),
	    cmocka_unit_test(test_observed),
	    cmocka_unit_test(test_dns_answer),
	    cmocka_unit_test(test_day_codec),
	    cmocka_unit_test(test_journal_codec),
	    cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
