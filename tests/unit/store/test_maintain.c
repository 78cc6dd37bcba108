/* maintain.h on small stores: what the programs cannot do by hand. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "store/corpus/keep.h"
#include "store/corpus/numbers.h"
#include "store/corpus/store_view.h"
#include "store/exchange/export.h"
#include "store/maintain/maintain.h"
#include "store/maintain/stage.h"

static unsigned said;

static void
say(void *ctx, const char *line)
{
	assert_true(strlen(line) > 8);
	said++;
}

static bool
stop(void *ctx, uint64_t done, uint64_t all)
{
	return true;
}

static const struct maintain_hooks hooks = {.say = say};
static const struct maintain_hooks impatient = {.say = say, .tick = stop};

static bool
yes(void *ctx, const struct maintain_dropped *dropped)
{
	return true;
}

/* Three hosts, a chain of which one certificate is known by name, DNS. */
static void
fill(struct store *store)
{
	static const char *const records[] = {"10 a.example.org"};
	struct series s[] = {fixture_series("a.example.org", "192.0.2.1", SNI_NONE),
	    fixture_series("b.example.org", "2001:db8::1", SNI_NEXTHOP),
	    fixture_series("c.example.net", "192.0.2.1", SNI_HOSTNAME)};
	struct series d = fixture_dns_series("example.org", 15);
	struct dns_answer answer = {.time_ms = TIME_0,
	    .status = DNS_SECURE,
	    .rcode = "NOERROR",
	    .records = records,
	    .records_n = 1};
	struct hash chain[2] = {hash_sha256("leaf", 4), fixture_hash(7)};
	struct store_batch *batch;
	struct err err = {0};

	for (int k = 0; k < 3; k++) {
		assert_ok(store_batch_begin(store, &batch, &err), err);
		assert_ok(store_batch_certificate(batch, "leaf", 4, NULL, &err), err);
		for (int i = 0; i < 90; i++) {
			struct observation o = fixture_observation(
			    TIME_0 + (k * 90 + i) * INT64_C(3600000), chain, 1 + (i > 60));

			assert_ok(store_batch_observation(batch, &s[i % 3], &o, NULL, &err), err);
		}
		answer.time_ms += 60000;
		assert_ok(store_batch_dns(batch, &d, &answer, &err), err);
		assert_ok(store_batch_commit(&batch, NULL, &err), err);
	}
}

static void
export_all(struct store *store, struct buf *out, const char *path)
{
	const struct export_filter all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	FILE *file = fopen(path, "w");
	struct export_counts counts;
	struct store_view *view;
	struct err err = {0};

	assert_non_null(file);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(export_jsonl(view, &all, file, NULL, &counts, &err), err);
	store_view_close(view);
	assert_int_equal(fclose(file), 0);
	fixture_read(out, path);
}

static void
say_finding(void *ctx, const char *line)
{
	if (ctx != NULL)
		print_message("# %s\n", line);
}

static int
findings(struct store *store, bool show)
{
	struct store_view *view;
	struct err err = {0};
	int n;

	assert_ok(store_view_open(store, &view, &err), err);
	n = store_check(view, say_finding, show ? store : NULL, &err);
	assert_ok(n, err);
	store_view_close(view);
	return n;
}

/* The key of the nth record of a table. */
static void
key_at(struct db_txn *txn, enum db_table table, unsigned n, struct key *key)
{
	struct err err = {0};
	struct db_cursor *cursor = db_cursor_open(txn, table, &err);
	struct db_bytes found, value;

	for (unsigned i = 0; i <= n; i++)
		assert_int_equal(
		    db_cursor_move(cursor, i == 0 ? DB_FIRST : DB_NEXT, &found, &value, &err), 1);
	key->len = found.len;
	memcpy(key->bytes, found.p, found.len);
	db_cursor_close(cursor);
}

enum harm { HARM_GONE, HARM_OTHER, HARM_STRAY };

/* Takes a record away, gives it a value that is not its own, or adds one under a key of nothing. */
static void
harm(struct store *store, enum db_table table, enum harm how)
{
	struct db_txn *txn;
	struct err err = {0};
	struct key key;

	assert_ok(db_begin(store->db, true, &txn, &err), err);
	key_at(txn, table, 0, &key);
	switch (how) {
	case HARM_GONE:
		assert_ok(db_delete(txn, table, &key, &err), err);
		break;
	case HARM_OTHER:
		assert_ok(db_put(txn, table, &key, "\x63\0\0\0", 4, DB_PUT, &err), err);
		break;
	case HARM_STRAY:
		key.bytes[key.len - 1] ^= 0x55;
		assert_ok(db_put(txn, table, &key, "\x01\0\0\0", 4, DB_PUT, &err), err);
		break;
	}
	assert_ok(db_commit(&txn, &err), err);
}

static void
test_repair(void **state)
{
	static const struct {
		enum db_table table;
		enum harm how;
	} cases[] = {
	    {DB_SERIES, HARM_GONE},
	    {DB_SERIES, HARM_OTHER},
	    {DB_SERIES_KEY, HARM_GONE},
	    {DB_SERIES_KEY, HARM_OTHER},
	    {DB_SERIES_KEY, HARM_STRAY},
	    {DB_BY_ADDRESS, HARM_GONE},
	    {DB_BY_ADDRESS, HARM_STRAY},
	    {DB_EVIDENCE_ID, HARM_GONE},
	    {DB_EVIDENCE_ID, HARM_OTHER},
	    {DB_EVIDENCE_ID, HARM_STRAY},
	    {DB_CERT_ID, HARM_GONE},
	    {DB_CERT_ID, HARM_OTHER},
	    {DB_CERT_ID, HARM_STRAY},
	    {DB_DATE, HARM_GONE},
	    {DB_DATE, HARM_STRAY},
	    {DB_JOURNAL, HARM_GONE},
	};
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	const char *path = fixture_path(*state, "out");
	struct buf before = {0}, after = {0};
	struct err err = {0};

	fill(store);
	export_all(store, &before, path);
	assert_int_equal(maintain_repair(store, &hooks, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		harm(store, cases[i].table, cases[i].how);
		assert_true(findings(store, false) > 0);
		said = 0;
		assert_true(maintain_repair(store, &hooks, &err) > 0);
		assert_ok(err.code, err);
		assert_true(said > 0);
		if (findings(store, true) != 0)
			fail_msg("case %zu is not mended", i);
		export_all(store, &after, path);
		assert_int_equal(after.len, before.len);
		assert_memory_equal(after.data, before.data, before.len);
		assert_int_equal(maintain_repair(store, &hooks, &err), 0);
	}
	/* Evidence that is not there cannot be mended, and is not hidden. */
	harm(store, DB_EVIDENCE, HARM_GONE);
	assert_true(maintain_repair(store, &hooks, &err) >= 0);
	assert_true(findings(store, false) > 0);
	store_close(store);
	buf_finish(&before);
	buf_finish(&after);
}

/* A certificate that the chain names and nobody knows any more is known by name again. */
static void
test_repair_certificate(void **state)
{
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	struct store_batch *batch;
	struct db_txn *txn;
	struct err err = {0};
	struct key key;

	fill(store);
	assert_ok(db_begin(store->db, true, &txn, &err), err);
	key_number(&key, 0);
	assert_ok(db_delete(txn, DB_CERT, &key, &err), err);
	assert_ok(db_commit(&txn, &err), err);
	assert_true(findings(store, false) > 0);
	assert_true(maintain_repair(store, &hooks, &err) > 0);
	assert_int_equal(findings(store, true), 0);
	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_int_equal(store_batch_certificate(batch, "leaf", 4, NULL, &err), 1);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	assert_int_equal(findings(store, true), 0);
	store_close(store);
}

/* What cannot be read is begun anew: who reads it is told so, and goes on from there. */
static void
test_repair_journal(void **state)
{
	struct series s = fixture_series("d.example.org", "192.0.2.4", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	const struct journal_entry *entries;
	struct journal_walk *walk;
	struct store_view *view;
	struct err err = {0}, old = {0};
	int64_t committed_ms;
	uint64_t sequence;
	size_t n;

	fill(store);
	harm(store, DB_JOURNAL, HARM_OTHER);
	assert_true(findings(store, false) > 0);
	assert_int_equal(maintain_repair(store, &hooks, &err), 1);
	assert_int_equal(findings(store, true), 0);
	fixture_add(store, &s, &o);
	assert_int_equal(findings(store, true), 0);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(journal_walk_open(&walk, view, 2, &old), ERR_NOT_FOUND);
	assert_non_null(strstr(old.text, "older than what is left"));
	assert_ok(journal_walk_open(&walk, view, 3, &err), err);
	assert_int_equal(journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &err), 1);
	assert_int_equal(sequence, 4);
	assert_int_equal(n, 1);
	assert_int_equal(journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &err), 0);
	journal_walk_close(walk);
	store_view_close(view);
	store_close(store);
}

static void
test_numbers_are_given_once(void **state)
{
	static const char *const names[] = {"c.example.net", "b.example.org"};
	struct series s = fixture_series("d.example.org", "192.0.2.4", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	struct maintain_dropped dropped;
	struct numbers before, after;
	struct store_view *view;
	struct err err = {0};
	uint32_t number;
	struct key key;

	fill(store);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(numbers_read(view->txn, &before, &err), err);
	store_view_close(view);
	assert_ok(maintain_delete(store, names, 2, &hooks, yes, NULL, &dropped, &err), err);
	assert_int_equal(dropped.series, 2);
	assert_int_equal(dropped.observations, 180);
	assert_int_equal(findings(store, true), 0);
	fixture_add(store, &s, &o);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(numbers_read(view->txn, &after, &err), err);
	key_series(&key, &s);
	assert_int_equal(store_number(view->txn, DB_SERIES_KEY, &key, &number, &err), 1);
	assert_int_equal(number, before.series);
	assert_int_equal(after.series, before.series + 1);
	store_view_close(view);
	assert_int_equal(findings(store, true), 0);
	store_close(store);
}

static void
test_interrupted(void **state)
{
	static const char *const names[] = {"a.example.org"};
	const struct keep_rules rules = {KEEP_SETTLE, KEEP_GONE_AFTER_MS};
	const char *dir = fixture_path(*state, "s"), *copy = fixture_path(*state, "copy"),
		   *path = fixture_path(*state, "out");
	struct store *store = fixture_open(dir, STORE_WRITE), *other;
	struct maintain_dropped dropped;
	struct maintain_copied copied = {0};
	struct maintain_merged merged = {0};
	struct maintain_cursor cursor;
	struct buf before = {0}, after = {0};
	struct err err[5] = {0};

	fill(store);
	export_all(store, &before, path);
	assert_int_equal(
	    maintain_delete(store, names, 1, &impatient, yes, NULL, &dropped, &err[0]), ERR_INPUT);
	assert_int_equal(maintain_prune(store, TIME_0 + INT64_C(900000000), &rules, &impatient, yes,
			     NULL, &dropped, &err[1]),
	    ERR_INPUT);
	assert_int_equal(maintain_repair(store, &impatient, &err[2]), ERR_INPUT);
	other = fixture_open(fixture_path(*state, "other"), STORE_WRITE);
	assert_int_equal(maintain_merge(other, store, &impatient, &merged, &err[3]), ERR_INPUT);
	for (int i = 0; i < 4; i++)
		assert_non_null(strstr(err[i].text, "interrupted"));
	assert_int_equal(findings(other, true), 0);
	export_all(store, &after, path);
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, before.len);
	/* The rest of the merge, and a copy. */
	assert_ok(maintain_merge(other, store, &hooks, &merged, &err[4]), err[4]);
	export_all(other, &after, path);
	assert_memory_equal(after.data, before.data, before.len);
	store_close(other);
	assert_ok(maintain_copy(store, copy, &hooks, &cursor, &copied, &err[4]), err[4]);
	assert_int_equal(cursor.commit, 3);
	store_close(store);
	other = fixture_open(copy, STORE_READ);
	assert_int_equal(findings(other, true), 0);
	store_close(other);
	buf_finish(&before);
	buf_finish(&after);
}

static void
test_compact_claims(void **state)
{
	const char *dir = fixture_path(*state, "s"), *part = fixture_path(*state, "s/unfinished"),
		   *left = fixture_path(*state, "s/unfinished/data.mdb");
	struct store *store = fixture_open(dir, STORE_WRITE),
		     *second = fixture_open(dir, STORE_READ);
	struct maintain_copied copied = {0};
	struct buf before = {0}, after = {0};
	struct err err = {0};

	fill(store);
	export_all(store, &before, fixture_path(*state, "out"));
	assert_int_equal(maintain_compact(&store, &hooks, &copied, &err), ERR_INPUT);
	assert_null(store);
	store_close(second);
	/* What a compaction that was killed leaves is cleared by the next one. */
	assert_int_equal(mkdir(part, 0777), 0);
	fixture_write(left, "half", 4);
	store = fixture_open(dir, STORE_WRITE);
	err = (struct err){0};
	assert_ok(maintain_compact(&store, &hooks, &copied, &err), err);
	assert_int_equal(access(part, F_OK), -1);
	store = fixture_open(dir, STORE_WRITE);
	assert_int_equal(findings(store, true), 0);
	export_all(store, &after, fixture_path(*state, "out"));
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, before.len);
	store_close(store);
	buf_finish(&before);
	buf_finish(&after);
}

static void
test_cursor_text(void **state)
{
	static const char *const bad[] = {
	    "", "1", "1.", ".1", "1.2.3", "-1.2", "1.2 ", " 1.2", "99999999999999999999.1", "x.y"};
	struct maintain_cursor cursor = {12, UINT64_MAX};
	char text[MAINTAIN_CURSOR_MAX];

	maintain_cursor_format(&cursor, text);
	assert_string_equal(text, "12.18446744073709551615");
	assert_true(maintain_cursor_parse(text, &cursor));
	assert_true(cursor.commit == 12 && cursor.certificates == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(maintain_cursor_parse(bad[i], &cursor));
}

static void
test_key_of_series(void **state)
{
	struct series s[] = {fixture_series("a.example.org", "192.0.2.1", SNI_NONE),
	    fixture_series("org", "2001:db8::1", SNI_NEXTHOP),
	    fixture_dns_series("_25._tcp.mx.example.org", 52)};
	struct series found;
	struct key key;

	for (size_t i = 0; i < 3; i++) {
		key_series(&key, &s[i]);
		assert_true(key_parse_series(&key, &found));
		assert_memory_equal(&found, &s[i], sizeof(found));
		for (key.len--; key.len > 0; key.len--)
			assert_false(key_parse_series(&key, &found));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_repair, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		test_repair_certificate, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_repair_journal, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		test_numbers_are_given_once, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_interrupted, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(test_compact_claims, fixture_setup, fixture_teardown),
	    cmocka_unit_test(test_cursor_text),
	    cmocka_unit_test(test_key_of_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
