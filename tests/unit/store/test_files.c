#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "store/base/base64.h"
#include "store/base/clock.h"
#include "store/base/options.h"
#include "store/corpus/db.h"
#include "store/corpus/heads.h"
#include "store/exchange/export.h"
#include "store/exchange/import.h"
#include "store/record/json.h"

/* ---- what the tests import ------------------------------------------------------------------ */

/* Three hosts, several variants, a state without a chain, a gap, DNS, two sightings of one moment,
 * and one certificate that nobody brings. Lines of JSON, certificates first. */
struct corpus {
	struct buf lines[64];
	size_t n;
	struct hash certificates[4];
};

static struct buf *
next_line(struct corpus *c)
{
	assert_true(c->n < 64);
	return &c->lines[c->n++];
}

static void
add(struct corpus *c, const struct series *s, int64_t time_ms, const struct hash *chain, size_t n)
{
	struct observation o = fixture_observation(time_ms, chain, n);

	if (n == 0) {
		o.evidence.outcome = OUTCOME_IO_TIMEOUT;
		o.evidence.tls_version = NULL;
	}
	json_observation(next_line(c), s, &o);
}

static void
corpus_fill(struct corpus *c)
{
	static const char *const records[] = {"10 a.example.org", "20 b.example.org"};
	struct series a = fixture_series("a.example.org", "192.0.2.1", SNI_NONE);
	struct series b = fixture_series("b.example.org", "2001:db8::1", SNI_NEXTHOP);
	struct series d = fixture_dns_series("example.org", 15);
	struct dns_answer answer = {.time_ms = TIME_0,
	    .ttl_s = 60,
	    .status = DNS_SECURE,
	    .rcode = "NOERROR",
	    .records = records,
	    .records_n = 2};
	struct observation o;
	char der[] = "certificate 0";
	struct hash *x = c->certificates;

	for (int i = 0; i < 4; i++) {
		der[12] = (char)('0' + i);
		x[i] = hash_sha256(der, 13);
		if (i < 3)
			json_certificate(next_line(c), &x[i], der, 13);
	}
	/* a: x0, x0, gap, x0, then x1 x2 at one moment. */
	add(c, &a, TIME_0, x, 1);
	add(c, &a, TIME_0 + 1000, x, 1);
	add(c, &a, TIME_0 + 2000, NULL, 0);
	add(c, &a, TIME_0 + 3000, x, 1);
	add(c, &a, TIME_0 + 9000, x + 1, 1);
	add(c, &a, TIME_0 + 9000, x + 2, 1);
	add(c, &b, TIME_0 + 500, x, 2);
	/* hostname: a chain with a certificate that is not there; then nothing is offered. */
	a.sni = SNI_HOSTNAME;
	add(c, &a, TIME_0, x + 2, 2);
	a.sni = SNI_UNKNOWN;
	add(c, &a, TIME_0, x, 1);
	o = fixture_observation(TIME_0 + 1000, NULL, 0);
	o.evidence.outcome = OUTCOME_STARTTLS_NOT_OFFERED;
	json_observation(next_line(c), &a, &o);
	json_dns(next_line(c), &d, &answer);
}

static void
corpus_finish(struct corpus *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_finish(&c->lines[i]);
}

struct complaints {
	struct buf text;
	size_t n;
};

static void
complain(void *ctx, const char *line)
{
	struct complaints *c = ctx;

	buf_append_text(&c->text, line);
	buf_append_byte(&c->text, '\n');
	c->n++;
}

/* Lines 0 … n-1 in the order of step (prime to n) into a new store. */
static struct store *
import(const char *dir, const char *file, const struct corpus *c, size_t step,
    struct import_counts *counts)
{
	struct store *store = fixture_open(dir, STORE_WRITE);
	struct complaints complaints = {0};
	struct import_hooks hooks = {complain, NULL, &complaints};
	struct buf all = {0};
	struct err err = {0};

	for (size_t i = 0; i < c->n; i++) {
		const struct buf *line = &c->lines[(i * step + (step > 1)) % c->n];

		buf_append(&all, line->data, line->len);
	}
	fixture_write(file, all.data, all.len);
	memset(counts, 0, sizeof(*counts));
	assert_ok(import_jsonl(store, file, &hooks, counts, &err), err);
	assert_int_equal(complaints.n, 0);
	buf_finish(&complaints.text);
	buf_finish(&all);
	return store;
}

static void
export_lines(struct store *store, const char *path, struct buf *out)
{
	struct export_filter all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	struct export_counts counts;
	struct store_view *view;
	struct err err = {0};
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(export_jsonl(view, &all, f, NULL, &counts, &err), err);
	store_view_close(view);
	fclose(f);
	fixture_read(out, path);
}

/* Two stores of the same lines in different order. */
struct pair {
	struct corpus corpus;
	struct store *a, *b;
};

static void
pair_open(struct pair *p, const char *dir)
{
	struct import_counts counts;

	memset(p, 0, sizeof(*p));
	corpus_fill(&p->corpus);
	p->a = import(fixture_path(dir, "a"), fixture_path(dir, "a.jsonl"), &p->corpus, 1, &counts);
	assert_int_equal(counts.observations, 10);
	assert_int_equal(counts.dns_answers, 1);
	assert_int_equal(counts.certificates, 3);
	assert_int_equal(counts.incomplete, 1);
	p->b = import(fixture_path(dir, "b"), fixture_path(dir, "b.jsonl"), &p->corpus,
	    p->corpus.n - 1, &counts);
	assert_int_equal(counts.observations, 10);
}

static void
pair_close(struct pair *p)
{
	store_close(p->a);
	store_close(p->b);
	corpus_finish(&p->corpus);
}

/* ---- JSON lines ----------------------------------------------------------------------------- */

static void
test_jsonl(void **state)
{
	struct buf a = {0}, b = {0};
	struct import_counts counts = {0};
	struct complaints complaints = {0};
	struct import_hooks hooks = {complain, NULL, &complaints};
	struct store *again;
	struct err err = {0};
	const char *p;
	struct pair pair;

	pair_open(&pair, *state);
	export_lines(pair.a, fixture_path(*state, "x"), &a);
	export_lines(pair.b, fixture_path(*state, "y"), &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	/* Every line that went in comes out, once. */
	for (size_t i = 0; i < pair.corpus.n; i++) {
		const struct buf *line = &pair.corpus.lines[i];

		p = memmem(a.data, a.len, line->data, line->len);
		assert_non_null(p);
		assert_null(
		    memmem(p + 1, a.len - (size_t)(p + 1 - (char *)a.data), line->data, line->len));
	}
	/* example.org (DNS), a.example.org none, hostname, unknown, b.example.org. */
	p = buf_text(&a);
	assert_ptr_equal(strstr(p, "{\"type\":\"dns\""), p);
	assert_true(strstr(p, "\"sni\":\"none\"") < strstr(p, "\"sni\":\"hostname\""));
	assert_true(strstr(p, "\"sni\":\"hostname\"") < strstr(p, "\"sni\":\"unknown\""));
	assert_true(strstr(p, "\"sni\":\"unknown\"") < strstr(p, "\"sni\":\"nexthop\""));

	/* Through a third store: nothing changes; a repetition adds nothing. */
	again = fixture_open(fixture_path(*state, "c"), STORE_WRITE);
	for (int i = 0; i < 2; i++)
		assert_ok(
		    import_jsonl(again, fixture_path(*state, "x"), &hooks, &counts, &err), err);
	assert_int_equal(counts.observations, 10);
	assert_int_equal(counts.repeated, 14);
	export_lines(again, fixture_path(*state, "z"), &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	store_close(again);
	pair_close(&pair);
	buf_finish(&a);
	buf_finish(&b);
}

/* A certificate whose observation is in another corpus must not get lost between the two. */
static void
test_merge(void **state)
{
	struct import_counts counts = {0};
	struct complaints complaints = {0};
	struct import_hooks hooks = {complain, NULL, &complaints};
	struct buf whole = {0}, half = {0}, merged = {0};
	struct corpus part = {0};
	struct store *store, *target;
	struct err err = {0};
	struct pair pair;

	pair_open(&pair, *state);
	export_lines(pair.a, fixture_path(*state, "x"), &whole);
	target = fixture_open(fixture_path(*state, "c"), STORE_WRITE);
	for (size_t from = 0; from < 2; from++) {
		/* The certificates in one, all that names them in the other. */
		size_t end = from == 0 ? 3 : pair.corpus.n;

		part.n = 0;
		for (size_t i = from == 0 ? 0 : 3; i < end; i++)
			part.lines[part.n++] = pair.corpus.lines[i];
		store = import(fixture_path(*state, from == 0 ? "d" : "e"),
		    fixture_path(*state, "part"), &part, 1, &counts);
		export_lines(store, fixture_path(*state, "half"), &half);
		store_close(store);
		assert_ok(
		    import_jsonl(target, fixture_path(*state, "half"), &hooks, &counts, &err), err);
	}
	export_lines(target, fixture_path(*state, "z"), &merged);
	assert_int_equal(merged.len, whole.len);
	assert_memory_equal(merged.data, whole.data, whole.len);
	store_close(target);
	pair_close(&pair);
	buf_finish(&whole);
	buf_finish(&half);
	buf_finish(&merged);
}

static void
test_filter(void **state)
{
	struct export_filter filter = {.from_ms = TIME_0 + 1000, .to_ms = TIME_0 + 3000};
	struct export_counts counts;
	struct store_view *view;
	struct err err = {0};
	FILE *f = fopen("/dev/null", "w"), *full = fopen("/dev/full", "w");
	struct pair pair;

	pair_open(&pair, *state);
	assert_ok(store_view_open(pair.a, &view, &err), err);
	assert_ok(export_jsonl(view, &filter, f, NULL, &counts, &err), err);
	assert_int_equal(counts.observations, 3);
	filter.series.sni = 1u << SNI_NONE;
	assert_ok(export_jsonl(view, &filter, f, NULL, &counts, &err), err);
	assert_int_equal(counts.observations, 2);
	filter.series.under = "b.example.org";
	assert_ok(export_jsonl(view, &filter, f, NULL, &counts, &err), err);
	assert_int_equal(counts.observations, 0);
	filter = (struct export_filter){.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	assert_int_equal(export_jsonl(view, &filter, full, NULL, &counts, &err), ERR_FULL);
	store_view_close(view);
	pair_close(&pair);
	fclose(f);
	fclose(full);
}

static void
test_bad_lines(void **state)
{
	static const char text[] =
	    "{\"type\":\"observation\"}\n"
	    "\n"
	    "nonsense\n"
	    "{\"type\":\"dns\",\"time\":\"2026-03-19T06:10:00Z\",\"vantage\":\"a\","
	    "\"name\":\"a\",\"rrtype\":\"A\",\"status\":\"failed\"}\n"
	    "[]";
	const char *path = fixture_path(*state, "in");
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	struct import_counts counts = {0};
	struct complaints complaints = {0};
	struct import_hooks hooks = {complain, NULL, &complaints};
	struct err err = {0};

	fixture_write(path, text, sizeof(text) - 1);
	assert_ok(import_jsonl(store, path, &hooks, &counts, &err), err);
	assert_int_equal(counts.lines, 5);
	assert_int_equal(counts.bad, 3);
	assert_int_equal(counts.dns_answers, 1);
	assert_non_null(strstr(buf_text(&complaints.text), "/in:1: member \"time\": missing\n"));
	assert_non_null(strstr(buf_text(&complaints.text), "/in:3: no JSON"));
	assert_non_null(strstr(buf_text(&complaints.text), "/in:5: not a JSON object\n"));
	buf_finish(&complaints.text);
	store_close(store);
}

static bool
stop_after_two(void *ctx, const struct import_counts *counts)
{
	return counts->lines == 5;
}

static void
test_interrupted(void **state)
{
	struct corpus corpus = {0};
	struct import_counts counts = {0};
	struct complaints complaints = {0};
	struct import_hooks hooks = {complain, stop_after_two, &complaints};
	struct store *store;
	struct err err = {0};

	corpus_fill(&corpus);
	store_close(import(
	    fixture_path(*state, "a"), fixture_path(*state, "a.jsonl"), &corpus, 1, &counts));
	memset(&counts, 0, sizeof(counts));
	store = fixture_open(fixture_path(*state, "b"), STORE_WRITE);
	assert_int_equal(
	    import_jsonl(store, fixture_path(*state, "a.jsonl"), &hooks, &counts, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "up to line 5"));
	assert_int_equal(counts.observations, 2);
	store_close(store);
	corpus_finish(&corpus);
}

/* ---- PEM ------------------------------------------------------------------------------------ */

static size_t
read_tree(const char *dir, struct buf *out)
{
	struct dirent **names;
	struct buf file = {0};
	char path[1024];
	int n = scandir(dir, &names, NULL, alphasort);

	assert_true(n >= 2);
	buf_clear(out);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			buf_printf(out, "== %s\n", names[i]->d_name);
			snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
			fixture_read(&file, path);
			buf_append(out, file.data, file.len);
		}
		free(names[i]);
	}
	free(names);
	buf_finish(&file);
	return (size_t)n - 2;
}

static int
snapshot(struct store *store, int64_t at_ms, const char *dir, struct err *err)
{
	struct series_filter all = {0};
	struct export_counts counts;
	struct store_view *view;
	int rc;

	assert_ok(store_view_open(store, &view, err), *err);
	rc = export_pem(view, &all, at_ms, dir, NULL, NULL, &counts, err);
	store_view_close(view);
	return rc;
}

static void
check_row(const char *manifest, const char *begin, const char *end)
{
	const char *p = strstr(manifest, begin), *lf;

	assert_non_null(p);
	lf = strchr(p, '\n');
	assert_true((size_t)(lf - p) >= strlen(end));
	if (strncmp(lf - strlen(end), end, strlen(end)) != 0)
		fail_msg("%.*s does not end in %s", (int)(lf - p), p, end);
}

static void
test_pem(void **state)
{
	struct buf a = {0}, b = {0}, manifest = {0}, end = {0};
	struct err err = {0};
	struct pair pair;
	char command[512];
	struct hash id;
	const char *text;

	pair_open(&pair, *state);
	assert_ok(snapshot(pair.a, TIME_0 + 9000, fixture_path(*state, "pa"), &err), err);
	assert_ok(snapshot(pair.b, TIME_0 + 9000, fixture_path(*state, "pb"), &err), err);
	/* none: one of x1, x2; nexthop: x0+x1; hostname's chain is not whole; manifest, sums */
	assert_int_equal(read_tree(fixture_path(*state, "pa"), &a), 4);
	read_tree(fixture_path(*state, "pb"), &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	snprintf(command, sizeof(command), "cd %s && sha256sum --quiet -c SHA256SUMS",
	    fixture_path(*state, "pa"));
	assert_int_equal(system(command), 0);

	fixture_read(&manifest, fixture_path(*state, "pa/manifest.tsv"));
	text = buf_text(&manifest);
	check_row(text, "host\taddress\tport\tsni\tsni_name\toffer\tvantage\t",
	    "first\tlast\tchain\tfile\tsha256");
	check_row(text, "a.example.org\t192.0.2.1\t25\tunknown\t-\tdefault\there\t",
	    "\t2026-03-19T06:00:01.000Z\t2026-03-19T06:00:01.000Z\t-\t-\t-");
	id = hash_chain(pair.corpus.certificates + 2, 2);
	buf_append_byte(&end, '\t');
	buf_append_hex(&end, id.bytes, HASH_LEN);
	buf_append_text(&end, "\t-\t");
	buf_append_hex(&end, pair.corpus.certificates[2].bytes, HASH_LEN);
	check_row(text, "a.example.org\t192.0.2.1\t25\thostname\t-\t", buf_text(&end));
	id = hash_chain(pair.corpus.certificates, 2);
	buf_clear(&end);
	buf_append_hex(&end, id.bytes, HASH_LEN);
	buf_append_text(&end, ".txt\t"); /* its octets are no certificate */
	buf_append_hex(&end, pair.corpus.certificates[0].bytes, HASH_LEN);
	check_row(text, "b.example.org\t2001:db8::1\t25\tnexthop\texample.org\tdefault\there\t",
	    buf_text(&end));

	/* An earlier moment into the same directory: what was there is replaced. The run of x0 goes
	 * over the gap. */
	assert_ok(snapshot(pair.a, TIME_0 + 8999, fixture_path(*state, "pa"), &err), err);
	assert_int_equal(read_tree(fixture_path(*state, "pa"), &a), 4);
	assert_int_equal(system(command), 0);
	fixture_read(&manifest, fixture_path(*state, "pa/manifest.tsv"));
	assert_non_null(
	    strstr(buf_text(&manifest), "a.example.org\t192.0.2.1\t25\tnone\t-\tdefault\there\t"
					"2026-03-19T06:00:00.000Z\t2026-03-19T06:00:03.000Z\t"));
	/* Before anything was seen: an empty manifest. */
	assert_ok(snapshot(pair.a, TIME_0 - 1, fixture_path(*state, "pa"), &err), err);
	assert_int_equal(read_tree(fixture_path(*state, "pa"), &a), 2);
	assert_int_equal(system(command), 0);
	pair_close(&pair);
	buf_finish(&a);
	buf_finish(&b);
	buf_finish(&manifest);
	buf_finish(&end);
}

/* What a log reported is one state as long as status and kind of signature are the same. */
static void
test_pem_reported(void **state)
{
	struct series s = fixture_series("a.example.org", "192.0.2.1", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(fixture_path(*state, "a"), STORE_WRITE);
	const char *const signatures[] = {"RSA-PSS", "ECDSA", "ECDSA"};
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
	struct series_filter filter = {0};
	struct buf manifest = {0}, expected = {0};
	struct export_counts counts;
	struct store_view *view;
	struct err err = {0};

	o.evidence.reported_by = "postfix";
	o.evidence.reported_status = "Trusted";
	for (int i = 0; i < 3; i++) {
		o.evidence.server_signature = signatures[i];
		o.evidence.outcome = i < 2 ? OUTCOME_SUCCESS : OUTCOME_CONNECTION_CLOSED;
		o.time_ms = TIME_0 + i * 1000;
		fixture_add(store, &s, &o);
	}
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(export_pem(view, &filter, o.time_ms, fixture_path(*state, "pem"), NULL, NULL,
		      &counts, &err),
	    err);
	store_view_close(view);
	store_close(store);
	fixture_read(&manifest, fixture_path(*state, "pem/manifest.tsv"));
	clock_format_ms(TIME_0 + 1000, first);
	clock_format_ms(TIME_0 + 2000, last);
	buf_printf(&expected, "\t%s\t%s\t-\t-\t-\n", first, last);
	assert_non_null(strstr(buf_text(&manifest), buf_text(&expected)));
	buf_finish(&manifest);
	buf_finish(&expected);
}

static void
test_pem_dir(void **state)
{
	const char *dir = fixture_path(*state, "d");
	struct err err = {0};
	struct buf file = {0};
	struct pair pair;

	pair_open(&pair, *state);
	mkdir(dir, 0700);
	fixture_write(fixture_path(dir, "letter.txt"), "dear", 4);
	assert_int_equal(snapshot(pair.a, TIME_0, dir, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "letter.txt"));
	fixture_read(&file, fixture_path(dir, "letter.txt"));
	assert_int_equal(file.len, 4);
	err = (struct err){0};
	assert_int_equal(
	    snapshot(pair.a, TIME_0, fixture_path(dir, "letter.txt"), &err), ERR_SYSTEM);
	buf_finish(&file);
	pair_close(&pair);
}

static void
test_import_pem(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_HOSTNAME);
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	const char *path = fixture_path(*state, "chain.pem");
	struct import_counts counts = {0};
	struct complaints complaints = {0};
	struct import_hooks hooks = {complain, NULL, &complaints};
	struct hash chain[2] = {hash_sha256("leaf", 4), hash_sha256("issuer", 6)};
	struct store_view *view;
	struct sighting got;
	struct evidence e;
	struct buf pem = {0};
	struct err err = {0};

	base64_pem_certificate(&pem, "leaf", 4);
	base64_pem_certificate(&pem, "issuer", 6);
	fixture_write(path, pem.data, pem.len);
	for (int i = 0; i < 2; i++)
		assert_ok(import_pem(store, path, &s, s.host, TIME_0, &hooks, &counts, &err), err);
	assert_true(counts.observations == 1 && counts.certificates == 2 && counts.repeated == 1);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(timeline_last(view, 0, SERIES_PROBE, INT64_MAX, &got, &err), 1);
	assert_ok(store_evidence(view, got.evidence, &e, &err), err);
	assert_int_equal(e.chain_n, 2);
	assert_memory_equal(e.chain, chain, sizeof(chain));
	assert_string_equal(e.sni_sent, "mx.example.org");
	evidence_finish(&e);
	store_view_close(view);

	fixture_write(path, "no certificate", 14);
	assert_ok(import_pem(store, path, &s, NULL, TIME_0, &hooks, &counts, &err), err);
	assert_int_equal(counts.bad, 1);
	assert_non_null(strstr(buf_text(&complaints.text), "no certificate in it"));
	buf_finish(&complaints.text);
	buf_finish(&pem);
	store_close(store);
}

/* ---- check ---------------------------------------------------------------------------------- */

static void
check_store(const char *dir, struct complaints *found)
{
	struct store *store = fixture_open(dir, STORE_READ);
	struct store_view *view;
	struct err err = {0};
	int rc;

	buf_clear(&found->text);
	found->n = 0;
	assert_ok(store_view_open(store, &view, &err), err);
	rc = store_check(view, complain, found, &err);
	assert_ok(rc, err);
	assert_int_equal(rc, found->n);
	store_view_close(view);
	store_close(store);
}

/* One record put, or deleted (value NULL), behind the store's back. */
static void
tamper(const char *dir, enum db_table table, const struct key *key, const void *value, size_t len)
{
	struct db_txn *txn;
	struct db *db;
	struct err err = {0};

	assert_ok(db_open(&db, dir, true, &err), err);
	assert_ok(db_begin(db, true, &txn, &err), err);
	if (value != NULL)
		assert_ok(db_put(txn, table, key, value, len, DB_PUT, &err), err);
	else
		assert_ok(db_delete(txn, table, key, &err), err);
	assert_ok(db_commit(&txn, &err), err);
	db_close(db);
}

static void
test_check(void **state)
{
	static const struct {
		enum db_table table;
		const char *finding;
	} rows[] = {
	    {DB_SERIES, "series"},
	    {DB_EVIDENCE, "evidence"},
	    {DB_CERT, "cert"},
	    {DB_JOURNAL, "journal"},
	};
	const char *dir = fixture_path(*state, "a");
	struct complaints found = {0};
	struct pair pair;
	struct key key;
	struct hash hash;

	pair_open(&pair, *state);
	pair_close(&pair);
	check_store(dir, &found);
	assert_int_equal(found.n, 0);

	/* Each of these leaves every checksum right. */
	key_date(&key, INT64_C(20531), 0);
	tamper(dir, DB_DATE, &key, NULL, 0);
	check_store(dir, &found);
	assert_non_null(strstr(buf_text(&found.text), "index of dates"));
	tamper(dir, DB_DATE, &key, "", 0);
	check_store(dir, &found);
	assert_int_equal(found.n, 0);

	key_date(&key, INT64_C(20000), 0);
	tamper(dir, DB_DATE, &key, "", 0);
	check_store(dir, &found);
	assert_int_equal(found.n, 1);
	tamper(dir, DB_DATE, &key, NULL, 0);

	key_day(&key, 0, INT64_C(20531), 2);
	tamper(dir, DB_DAY, &key, "x", 1);
	check_store(dir, &found);
	assert_non_null(strstr(buf_text(&found.text), "behind its last one"));
	assert_non_null(strstr(buf_text(&found.text), "a part of a day's record is missing"));
	assert_non_null(strstr(buf_text(&found.text), "a day's record cannot be read"));
	tamper(dir, DB_DAY, &key, NULL, 0);

	hash = fixture_hash(99);
	key_hash(&key, &hash);
	tamper(dir, DB_CHAIN, &key, hash.bytes, HASH_LEN);
	check_store(dir, &found);
	assert_int_equal(found.n, 1);
	tamper(dir, DB_CHAIN, &key, NULL, 0);
	check_store(dir, &found);
	assert_int_equal(found.n, 0);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].table == DB_JOURNAL)
			key_sequence(&key, 1);
		else
			key_number(&key, 1);
		tamper(dir, rows[i].table, &key, "\xff", 1);
		check_store(dir, &found);
		assert_true(found.n > 0);
		assert_non_null(strstr(buf_text(&found.text), rows[i].finding));
	}
	buf_finish(&found.text);
}

/* A head page whose transaction's number is damaged brings back what stood before the last commit;
 * that is in perfect order, but for the number. */
static void
test_heads(void **state)
{
	static const uint64_t good[][2] = {{0, 0}, {0, 1}, {2, 1}, {2, 3}},
			      bad[][2] = {{1, 0}, {2, 5}, {4, 1}, {3, 2}, {0, 3}, {5, 5}};
	const char *dir = fixture_path(*state, "a"), *data = fixture_path(*state, "a/data.mdb");
	struct complaints found = {0};
	struct buf file = {0};
	uint64_t numbers[2];
	struct pair pair;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(heads_plausible(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(heads_plausible(bad[i]));

	pair_open(&pair, *state);
	pair_close(&pair);
	fixture_read(&file, data);
	if (!heads_read(dir, 4096, numbers) || !heads_plausible(numbers))
		skip(); /* pages of another size than most machines have */
	for (size_t i = 0; i < 2; i++) {
		uint8_t *number = file.data + i * 4096 + 144;

		number[2] ^= 0x10;
		fixture_write(data, file.data, file.len);
		number[2] ^= 0x10;
		check_store(dir, &found);
		assert_non_null(strstr(buf_text(&found.text), "head pages"));
	}
	buf_finish(&found.text);
	buf_finish(&file);
}

/* A corpus that was cut short is not opened: looking behind its end would end the process. */
static void
test_cut(void **state)
{
	const char *dir = fixture_path(*state, "a");
	struct err reading = {0}, writing = {0};
	struct buf file = {0};
	struct store *store;
	struct pair pair;

	pair_open(&pair, *state);
	pair_close(&pair);
	fixture_read(&file, fixture_path(*state, "a/data.mdb"));
	fixture_write(fixture_path(*state, "a/data.mdb"), file.data, file.len / 16 * 4);
	buf_finish(&file);
	assert_int_equal(store_open(&store, dir, STORE_READ, &reading), ERR_DAMAGED);
	assert_non_null(strstr(reading.text, "cut short"));
	assert_int_equal(store_open(&store, dir, STORE_WRITE, &writing), ERR_DAMAGED);
	assert_non_null(strstr(writing.text, "mxstore merge"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_jsonl),
	    TEST(test_merge),
	    TEST(test_filter),
	    TEST(test_bad_lines),
	    TEST(test_interrupted),
	    TEST(test_pem),
	    TEST(test_pem_reported),
	    TEST(test_pem_dir),
	    TEST(test_import_pem),
	    TEST(test_check),
	    TEST(test_heads),
	    TEST(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
