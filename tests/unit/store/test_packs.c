/* Certificates in packs: how a corpus that was compacted reads, grows, loses and mends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "store/base/limits.h"
#include "store/base/zstd_frame.h"
#include "store/corpus/certificate_pack.h"
#include "store/corpus/numbers.h"
#include "store/corpus/store_view.h"
#include "store/maintain/maintain.h"

#define N 300	  /* certificates that are brought; */
#define NAMED 150 /* before this one comes one that is known by name only */
#define LARGE 200 /* this one fits no pack */

static void
say(void *ctx, const char *line)
{
	if (ctx != NULL)
		print_message("# %s\n", line);
}

static const struct maintain_hooks hooks = {.say = say};

/* Alike, and each with something of its own that does not compress. */
static void
certificate(struct buf *der, unsigned n)
{
	struct hash h = fixture_hash(n);

	buf_clear(der);
	buf_printf(der,
	    "Certificate: version 3, issuer C=XX, O=An authority of some name, CN=Issuing "
	    "CA %u, validity from 2026-01-01 to 2026-04-01, subject CN=mx%u.example.org, "
	    "extensions keyUsage digitalSignature, extendedKeyUsage serverAuth, ",
	    n % 3, n);
	for (unsigned i = 0; i < (n == LARGE ? 1000 : 8); i++, h = fixture_hash(n * 5000 + i))
		buf_append(der, h.bytes, HASH_LEN);
}

static struct hash
name_of(unsigned n)
{
	struct buf der = {0};
	struct hash name;

	certificate(&der, n);
	name = hash_sha256(der.data, der.len);
	buf_finish(&der);
	return name;
}

static int
bring(struct store *store, unsigned n)
{
	struct store_batch *batch;
	struct buf der = {0};
	struct err err = {0};
	int rc;

	certificate(&der, n);
	assert_ok(store_batch_begin(store, &batch, &err), err);
	rc = store_batch_certificate(batch, der.data, der.len, NULL, &err);
	assert_ok(rc, err);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	buf_finish(&der);
	return rc;
}

static struct store *
compacted(struct store *store)
{
	char *dir = strdup(store_dir(store));
	struct maintain_copied copied = {0};
	struct err err = {0};

	assert_ok(maintain_compact(&store, &hooks, &copied, &err), err);
	store = fixture_open(dir, STORE_WRITE);
	free(dir);
	return store;
}

/* The one before NAMED is the chain's of the only observation, with one that nobody brings. */
static struct store *
fill(const char *dir)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct hash chain[2] = {name_of(NAMED - 1), name_of(N)};
	struct observation o = fixture_observation(TIME_0, chain, 2);
	struct store *store = fixture_open(dir, STORE_WRITE);
	struct store_batch *batch;
	struct buf der = {0};
	struct err err = {0};

	assert_ok(store_batch_begin(store, &batch, &err), err);
	for (unsigned n = 0; n < N; n++) {
		if (n == NAMED)
			assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
		certificate(&der, n);
		assert_int_equal(store_batch_certificate(batch, der.data, der.len, NULL, &err), 1);
	}
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	buf_finish(&der);
	return store;
}

static void
assert_holds(struct store *store, unsigned n)
{
	struct buf der = {0}, want = {0};
	struct store_view *view;
	struct err err = {0};

	assert_ok(store_view_open(store, &view, &err), err);
	while (n-- > 0) {
		struct hash name = name_of(n);

		certificate(&want, n);
		assert_ok(store_certificate(view, &name, &der, &err), err);
		assert_int_equal(der.len, want.len);
		assert_memory_equal(der.data, want.data, der.len);
	}
	store_view_close(view);
	buf_finish(&der);
	buf_finish(&want);
}

static int
findings(struct store *store, bool show)
{
	struct store_view *view;
	struct err err = {0};
	int n;

	assert_ok(store_view_open(store, &view, &err), err);
	n = store_check(view, say, show ? store : NULL, &err);
	assert_ok(n, err);
	store_view_close(view);
	return n;
}

/* Certificates that a walk from that number on passes; *packs: records that are packs. */
static unsigned
count_from(struct store *store, uint64_t from, unsigned *packs)
{
	struct certificate_walk *walk;
	struct store_view *view;
	struct db_cursor *cursor;
	struct db_bytes key, value;
	struct buf der = {0};
	struct err err = {0};
	struct hash name;
	unsigned n = 0;
	bool known;

	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(certificate_walk_open(&walk, view, &err), err);
	certificate_walk_from(walk, from);
	for (; certificate_walk_next(walk, &name, &der, &known, &err) > 0; n++)
		if (from == 0 && n < NAMED) {
			struct hash want = name_of(n);

			assert_memory_equal(&name, &want, sizeof(name));
		}
	assert_int_equal(err.code, 0);
	certificate_walk_close(walk);
	*packs = 0;
	cursor = db_cursor_open(view->txn, DB_CERT, &err);
	while (db_cursor_move(cursor, DB_NEXT, &key, &value, &err) > 0)
		*packs += value.p[0] == CERTIFICATE_PACK;
	db_cursor_close(cursor);
	store_view_close(view);
	buf_finish(&der);
	return n;
}

static uint32_t
format(struct store *store)
{
	struct key key = {6, "format"};
	struct store_view *view;
	struct db_bytes value;
	struct err err = {0};
	uint32_t version;

	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(db_get(view->txn, DB_META, &key, &value, &err), 1);
	version = value.p[0];
	store_view_close(view);
	return version;
}

/* The same is read from packs, by name, in order and from a number in the midst of one. */
static void
test_reading(void **state)
{
	struct store *store = fill(fixture_path(*state, "s"));
	struct store_figures figures;
	struct store_view *view;
	struct err err = {0};
	struct stat st;
	off_t before;
	unsigned packs;

	assert_int_equal(format(store), DB_FORMAT_NEW);
	assert_int_equal(count_from(store, 0, &packs), N + 1);
	assert_int_equal(packs, 0);
	assert_int_equal(stat(fixture_path(*state, "s/data.mdb"), &st), 0);
	before = st.st_size;
	for (int times = 0; times < 2; times++) {
		store = compacted(store);
		assert_int_equal(format(store), DB_FORMAT_3);
		assert_int_equal(stat(fixture_path(*state, "s/data.mdb"), &st), 0);
		assert_true(st.st_size < before);
		assert_holds(store, N);
		assert_int_equal(findings(store, true), 0);
		assert_int_equal(count_from(store, 0, &packs), N + 1);
		assert_true(packs > 2 && packs < N / 5);
		for (unsigned from = 1; from < N + 3; from += 7)
			assert_int_equal(
			    count_from(store, from, &packs), from < N + 1 ? N + 1 - from : 0);
	}
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(store_figures(view, &figures, &err), err);
	assert_int_equal(figures.certificates, N);
	assert_int_equal(figures.certificates_unknown, 1);
	store_view_close(view);
	store_close(store);
}

/* What is in a pack is known, what comes gets numbers of its own, and what was known by name only
 * leaves its place between two packs. */
static void
test_growing(void **state)
{
	struct store *store = compacted(fill(fixture_path(*state, "s"))), *other;
	struct maintain_merged merged = {0};
	struct numbers numbers;
	struct store_view *view;
	struct err err = {0};
	unsigned packs;

	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(numbers_read(view->txn, &numbers, &err), err);
	assert_int_equal(numbers.certificates, N + 1);
	store_view_close(view);
	assert_int_equal(bring(store, 0), 0);
	assert_int_equal(bring(store, N - 1), 0);
	assert_int_equal(bring(store, N + 1), 1);
	assert_int_equal(bring(store, N), 1);
	assert_holds(store, N + 2);
	assert_int_equal(findings(store, true), 0);
	assert_int_equal(count_from(store, N + 1, &packs), 2);
	other = fixture_open(fixture_path(*state, "other"), STORE_WRITE);
	assert_ok(maintain_merge(other, store, &hooks, &merged, &err), err);
	assert_int_equal(merged.certificates, N + 2);
	assert_int_equal(format(other), DB_FORMAT_NEW);
	assert_holds(other, N + 2);
	store_close(other);
	store = compacted(store);
	assert_holds(store, N + 2);
	assert_int_equal(findings(store, true), 0);
	store_close(store);
}

static void
test_losing(void **state)
{
	struct store *store = compacted(fill(fixture_path(*state, "s")));
	struct certificate_record record;
	struct store_view *view;
	struct db_txn *txn;
	struct err err = {0};
	unsigned packs, before;
	struct hash name;
	struct key key;

	count_from(store, 0, &before);
	assert_ok(db_begin(store->db, true, &txn, &err), err);
	for (uint32_t n = 5; n < 8; n++) {
		assert_ok(certificate_remove(store->codec, txn, n, &err), err);
		assert_int_equal(certificate_find(txn, n, &record, &err), 0);
		name = name_of(n);
		key_hash(&key, &name);
		assert_ok(db_delete(txn, DB_CERT_ID, &key, &err), err);
	}
	assert_ok(db_commit(&txn, &err), err);
	assert_int_equal(findings(store, true), 0);
	assert_int_equal(count_from(store, 5, &packs), N + 1 - 8);
	assert_int_equal(packs, before - 1);
	assert_ok(store_view_open(store, &view, &err), err);
	for (uint32_t n = 0; n < N; n++) {
		struct buf der = {0};

		name = name_of(n);
		assert_int_equal(store_certificate(view, &name, &der, NULL),
		    n < 5 || n >= 8 ? 0 : ERR_NOT_FOUND);
		buf_finish(&der);
	}
	store_view_close(view);
	store = compacted(store); /* a pack with a gap */
	assert_int_equal(findings(store, true), 0);
	assert_int_equal(count_from(store, 5, &packs), N + 1 - 8);
	store_close(store);
}

/* The index is rebuilt; a record that stands in a pack too is found. */
static void
test_mending(void **state)
{
	struct store *store = compacted(fill(fixture_path(*state, "s")));
	struct db_txn *txn;
	struct err err = {0};
	struct hash name;
	struct key key;

	assert_ok(db_begin(store->db, true, &txn, &err), err);
	for (uint32_t n = 0; n < N; n += 3) {
		name = name_of(n);
		key_hash(&key, &name);
		assert_ok(n % 2 == 0 ? db_delete(txn, DB_CERT_ID, &key, &err)
				     : db_put(txn, DB_CERT_ID, &key, "\1\0\0\0", 4, DB_PUT, &err),
		    err);
	}
	assert_ok(db_commit(&txn, &err), err);
	assert_true(findings(store, false) >= N / 3 - 1);
	assert_true(maintain_repair(store, &hooks, &err) >= N / 3 - 1);
	assert_int_equal(findings(store, true), 0);
	assert_holds(store, N);

	assert_ok(db_begin(store->db, true, &txn, &err), err);
	key_number(&key, 1);
	assert_ok(db_put(txn, DB_CERT, &key, "\0again", 6, DB_PUT, &err), err);
	assert_ok(db_commit(&txn, &err), err);
	assert_true(findings(store, false) > 0);
	store_close(store);
}

/* Where dictionaries of zstd begin in a file (their magic number, RFC 8878 section 5): up to n. */
static size_t
find_dictionaries(const struct buf *file, size_t *at, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i + 4 <= file->len && found < n; i++)
		if (memcmp(file->data + i, "\x37\xa4\x30\xec", 4) == 0)
			at[found++] = i;
	return found;
}

/* Whichever of the two is damaged, nothing is lost, and a repair mends it; but not both. */
static void
test_two_dictionaries(void **state)
{
	const char *path = fixture_path(*state, "s/data.mdb");
	struct store *store = compacted(fill(fixture_path(*state, "s")));
	struct store_view *view;
	struct buf whole = {0}, der = {0};
	struct err err = {0};
	struct hash name;
	size_t at[3];

	store_close(store);
	fixture_read(&whole, path);
	assert_int_equal(find_dictionaries(&whole, at, 3), 2);
	for (int which = 0; which < 2; which++) {
		whole.data[at[which] + 500] ^= 1;
		fixture_write(path, whole.data, whole.len);
		whole.data[at[which] + 500] ^= 1;
		store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
		assert_int_equal(findings(store, false), 1);
		assert_holds(store, N);
		assert_int_equal(bring(store, N), 1);
		assert_int_equal(maintain_repair(store, &hooks, &err), 1);
		assert_int_equal(findings(store, true), 0);
		assert_holds(store, N + 1);
		store_close(store);
	}
	whole.data[at[0] + 500] ^= 1;
	whole.data[at[1] + 500] ^= 1;
	fixture_write(path, whole.data, whole.len);
	store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	assert_ok(store_view_open(store, &view, &err), err);
	name = name_of(1);
	assert_int_equal(store_certificate(view, &name, &der, NULL), ERR_DAMAGED);
	store_view_close(view);
	assert_true(findings(store, false) > 2);
	store_close(store);
	buf_finish(&whole);
	buf_finish(&der);
}

/* ---- values --------------------------------------------------------------------------------- */

/* The worked example of mx509-store(5). */
static void
test_example(void **state)
{
	static const uint8_t value[] = {
	    3, 0, 2, 0, 3, 2, 2, 0, 0, 0x29, 0, 0, 'a', 'b', 'c', 'd', 'e'};
	const struct db_bytes key = {(const uint8_t *)"\0\0\0\7", 4},
			      bytes = {value, sizeof(value)};
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	struct certificate_items items;
	struct store_view *view;
	struct buf der = {0};
	struct err err = {0};

	assert_ok(store_view_open(store, &view, &err), err);
	assert_true(certificate_items_init(&items, &key, &bytes));
	assert_true(certificate_items_next(&items));
	assert_true(items.number == 7 && items.index == 0);
	assert_int_equal(certificate_decode(store->codec, view->txn, &bytes, 0, &der, &err), 1);
	assert_true(der.len == 3 && memcmp(der.data, "abc", 3) == 0);
	assert_true(certificate_items_next(&items));
	assert_true(items.number == 9 && items.index == 1);
	assert_int_equal(certificate_decode(store->codec, view->txn, &bytes, 1, &der, &err), 1);
	assert_true(der.len == 2 && memcmp(der.data, "de", 2) == 0);
	assert_false(certificate_items_next(&items));
	assert_int_equal(
	    certificate_decode(store->codec, view->txn, &bytes, 2, &der, NULL), ERR_DAMAGED);
	store_view_close(view);
	store_close(store);
	buf_finish(&der);
}

/* Values that a stranger could have made: each is refused, in little memory. */
static void
test_hostile(void **state)
{
	static const struct {
		const char *value;
		size_t len;
		bool has_items;
	} rows[] = {
	    {"\3", 1, false}, {"\3\0", 2, false}, {"\3\0\0", 3, false}, /* of none */
	    {"\3\0\1\0", 4, false},					/* cut short */
	    {"\3\0\1\1\5", 5, false},			     /* not of the key's number */
	    {"\3\0\2\0\5\0\5", 7, false},		     /* the same number twice */
	    {"\3\0\1\0\xff\xff\xff\x7f", 8, false},	     /* 256 MiB */
	    {"\3\0\2\0\1\xff\xff\xff\xff\x1f\1", 11, false}, /* number 2^33 and more */
	    {"\3\xff\xff\xff\xff\x7f\1\0\1", 9, false},	     /* of dictionary 2^35 */
	    {"\3\0\x81\x80\x80\1", 6, false},		     /* of two million */
	    {"\3\1\1\0\5\0\0\x29\0\0"
	     "abcde",
		15, true},	     /* no such dictionary */
	    {"\3\0\1\0\5", 5, true}, /* no frame */
	    {"\3\0\1\0\4\0\0\x29\0\0"
	     "abcde",
		15, true}, /* it holds more */
	};
	const struct db_bytes key = {(const uint8_t *)"\0\0\0\7", 4}, half = {key.p, 3};
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	struct certificate_items items;
	struct store_view *view;
	struct buf der = {0};
	struct err err = {0};

	assert_ok(store_view_open(store, &view, &err), err);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct db_bytes bytes = {(const uint8_t *)rows[i].value, rows[i].len};

		assert_int_equal(certificate_items_init(&items, &key, &bytes), rows[i].has_items);
		assert_false(certificate_items_init(&items, &half, &bytes));
		assert_int_equal(certificate_decode(store->codec, view->txn, &bytes, 0, &der, NULL),
		    ERR_DAMAGED);
		assert_true(der.cap < 1 << 20);
	}
	store_view_close(view);
	store_close(store);
	buf_finish(&der);
}

/* Two packs of 64 octets of one XXH3-64: octets 16 to 23 are those that XXH3 compares them with, so
 * that it multiplies what follows by 0. The second claims more than the frame holds. */
static void
test_same_sum(void **state)
{
	static const uint8_t value[] = {3, 0, 10, 0, 0, 1, 0x80, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0xcb,
	    0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x80, 0x80, 0x01, 1, 0, 1, 0x80, 1,
	    /* 26,703 times an octet, and 23 as they are */
	    0, 0x29, 0x7a, 0x42, 0x03, 'x', 0xb9, 0, 0};
	uint8_t first[64] = {0}, second[64] = {0};
	const struct db_bytes one = {first, 64}, other = {second, 64};
	struct store *store = fixture_open(fixture_path(*state, "s"), STORE_WRITE);
	struct store_view *view;
	struct buf der = {0};
	struct err err = {0};

	memcpy(first, value, sizeof(value));
	memcpy(second, value, sizeof(value));
	second[26] = 0x20; /* 512 KiB instead of 16 */
	assert_true(hash_quick(first, 64) == hash_quick(second, 64));
	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(certificate_decode(store->codec, view->txn, &one, 9, &der, &err), 1);
	assert_int_equal(der.len, 128);
	assert_int_equal(
	    certificate_decode(store->codec, view->txn, &other, 9, &der, NULL), ERR_DAMAGED);
	store_view_close(view);
	store_close(store);
	buf_finish(&der);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_reading),
	    TEST(test_growing),
	    TEST(test_losing),
	    TEST(test_mending),
	    TEST(test_two_dictionaries),
	    TEST(test_example),
	    TEST(test_hostile),
	    TEST(test_same_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
