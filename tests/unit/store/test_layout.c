/* What the store's layout promises beyond what its API shows: caches, compression, turns. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixture.h"
#include "store/base/clock.h"
#include "store/base/reminder.h"
#include "store/base/zstd_frame.h"
#include "store/corpus/cache.h"
#include "store/corpus/day_write.h"
#include "store/corpus/store_view.h"
#include "store/corpus/timeline_back.h"

static void
test_cache(void **state)
{
	struct cache *cache = cache_create(1 << 20);
	uint32_t number;
	size_t kept = 0;
	char key[64];

	assert_false(cache_find(cache, "a", 1, &number));
	cache_add(cache, "a", 1, 7);
	cache_add(cache, "", 0, 8);
	assert_true(cache_find(cache, "a", 1, &number) && number == 7);
	assert_true(cache_find(cache, "", 0, &number) && number == 8);
	assert_false(cache_find(cache, "ab", 2, &number));
	cache_clear(cache);
	assert_false(cache_find(cache, "a", 1, &number));

	/* More than it holds: nothing is wrong, and what is asked for all the time stays. */
	for (uint32_t i = 0; i < 100000; i++) {
		int len = snprintf(key, sizeof(key), "series %u of a host", i);

		cache_add(cache, key, (size_t)len, i);
		if (i == 0)
			continue;
		assert_true(cache_find(cache, "series 0 of a host", 18, &number));
		assert_int_equal(number, 0);
	}
	for (uint32_t i = 0; i < 100000; i++) {
		int len = snprintf(key, sizeof(key), "series %u of a host", i);

		if (!cache_find(cache, key, (size_t)len, &number))
			continue;
		assert_int_equal(number, i);
		kept++;
	}
	assert_true(kept > 1000 && kept < 20000);
	cache_destroy(cache);
}

/* ---- certificates --------------------------------------------------------------------------- */

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
	for (unsigned i = 0; i < 4; i++, h = fixture_hash(n * 5 + i))
		buf_append(der, h.bytes, HASH_LEN);
}

static void
add_certificates(struct store *store, unsigned from, unsigned to)
{
	struct store_batch *batch;
	struct buf der = {0};
	struct err err = {0};

	assert_ok(store_batch_begin(store, &batch, &err), err);
	for (unsigned n = from; n < to; n++) {
		certificate(&der, n);
		assert_int_equal(store_batch_certificate(batch, der.data, der.len, NULL, &err), 1);
	}
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	buf_finish(&der);
}

static void
check_certificates(struct store *store, unsigned n)
{
	struct buf der = {0}, want = {0};
	struct store_view *view;
	struct hash name;
	struct err err = {0};

	assert_ok(store_view_open(store, &view, &err), err);
	while (n-- > 0) {
		certificate(&want, n);
		name = hash_sha256(want.data, want.len);
		assert_ok(store_certificate(view, &name, &der, &err), err);
		assert_int_equal(der.len, want.len);
		assert_memory_equal(der.data, want.data, der.len);
	}
	store_view_close(view);
	buf_finish(&der);
	buf_finish(&want);
}

static uint8_t
form_of(struct store *store, uint32_t number)
{
	struct store_view *view;
	struct db_bytes value;
	struct err err = {0};
	struct key key;
	uint8_t form;

	assert_ok(store_view_open(store, &view, &err), err);
	key_number(&key, number);
	assert_int_equal(db_get(view->txn, DB_CERT, &key, &value, &err), 1);
	form = value.p[0];
	store_view_close(view);
	return form;
}

static uint64_t
records(struct store *store, enum db_table table)
{
	struct store_view *view;
	uint64_t n, octets;
	struct err err = {0};

	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(db_table_size(view->txn, table, &n, &octets, &err), err);
	store_view_close(view);
	return n;
}

/* A dictionary is trained when there is something to train it on, and again at ten times that; what
 * was stored before is read as before, also by who opens the corpus anew. */
static void
test_dictionary(void **state)
{
	struct store *store = fixture_open(*state, STORE_WRITE);

	add_certificates(store, 0, CERTIFICATE_TRAIN_AT - 1);
	assert_int_equal(records(store, DB_DICTIONARY), 0);
	assert_int_equal(form_of(store, 0), CERTIFICATE_ZSTD);
	add_certificates(store, CERTIFICATE_TRAIN_AT - 1, CERTIFICATE_TRAIN_AT);
	assert_int_equal(records(store, DB_DICTIONARY), 2); /* with its copy */
	add_certificates(store, CERTIFICATE_TRAIN_AT, 10 * CERTIFICATE_TRAIN_AT + 10);
	assert_int_equal(form_of(store, CERTIFICATE_TRAIN_AT), CERTIFICATE_ZSTD_DICTIONARY);
	assert_int_equal(records(store, DB_DICTIONARY), 4);
	add_certificates(store, 10 * CERTIFICATE_TRAIN_AT + 10, 10 * CERTIFICATE_TRAIN_AT + 20);
	assert_int_equal(records(store, DB_DICTIONARY), 4);
	check_certificates(store, 10 * CERTIFICATE_TRAIN_AT + 20);
	store_close(store);
	store = fixture_open(*state, STORE_READ);
	check_certificates(store, 10 * CERTIFICATE_TRAIN_AT + 20);
	store_close(store);
}

/* Records that a stranger could have made: each is refused, in little memory. */
static void
test_hostile_certificates(void **state)
{
	static const struct {
		const char *value;
		size_t len;
		int code;
	} rows[] = {
	    {"", 0, ERR_DAMAGED},
	    {"\x01", 1, ERR_DAMAGED},
	    {"\x01\x05", 2, ERR_DAMAGED},			  /* no frame */
	    {"\x01\xff\xff\xff\xff\x7f\x00\x00", 8, ERR_DAMAGED}, /* 32 GiB */
	    {"\x02\x00\x05\x00", 4, ERR_DAMAGED},		  /* no such dictionary */
	    {"\x02\xff\xff\xff\xff\x0f\x05", 7, ERR_DAMAGED},	  /* number 2^32 - 1 */
	    {"\xff\x00", 2, ERR_DAMAGED},			  /* half a name */
	    {"\x07 later", 7, ERR_FORMAT},
	};
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct buf der = {0}, value = {0};
	struct store_view *view;
	struct err err = {0};

	assert_ok(store_view_open(store, &view, &err), err);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct db_bytes bytes = {(const uint8_t *)rows[i].value, rows[i].len};

		assert_int_equal(certificate_decode(store->codec, view->txn, &bytes, 0, &der, NULL),
		    rows[i].code);
		assert_true(der.cap < 1 << 20);
	}
	/* A frame that holds more, or less, than was said. */
	for (int said = 999; said <= 1001; said++) {
		uint8_t zeros[1000] = {0};
		struct db_bytes bytes;

		buf_clear(&value);
		buf_append_byte(&value, CERTIFICATE_ZSTD);
		buf_append_varint(&value, (uint64_t)said);
		zstd_frame_compress(&value, zeros, sizeof(zeros), NULL, ZSTD_QUICK);
		bytes = (struct db_bytes){value.data, value.len};
		assert_int_equal(certificate_decode(store->codec, view->txn, &bytes, 0, &der, NULL),
		    said == 1000 ? 1 : ERR_DAMAGED);
	}
	store_view_close(view);
	store_close(store);
	buf_finish(&der);
	buf_finish(&value);
}

/* ---- what outlives a batch ------------------------------------------------------------------ */

static void
test_known(void **state)
{
	struct store *a = fixture_open(*state, STORE_WRITE), *b = fixture_open(*state, STORE_WRITE);
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE), t;
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store_batch *batch;
	struct store_view *view;
	struct series found;
	struct err err = {0};

	fixture_add(a, &s, &o);
	assert_true(a->known.as_of != 0);
	fixture_add(a, &s, &o); /* nothing new: nothing is written, and what is known stays */
	assert_true(a->known.as_of != 0);

	/* A batch that is given up takes what it knew along: series 1 is another one then. */
	t = fixture_series("given.up.example.org", "192.0.2.2", SNI_NONE);
	assert_ok(store_batch_begin(a, &batch, &err), err);
	assert_ok(store_batch_observation(batch, &t, &o, NULL, &err), err);
	store_batch_abort(&batch);
	assert_true(a->known.as_of == 0);
	t = fixture_series("b.example.org", "192.0.2.3", SNI_NONE);
	fixture_add(b, &t, &o);
	o.time_ms += 1000;
	t = fixture_series("given.up.example.org", "192.0.2.2", SNI_NONE);
	fixture_add(a, &t, &o);

	/* And so does another's commit. */
	o.evidence.greeting = "220 another";
	fixture_add(b, &s, &o);
	assert_ok(store_batch_begin(a, &batch, &err), err);
	assert_ok(store_batch_observation(batch, &t, &o, NULL, &err), err);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);

	assert_ok(store_view_open(a, &view, &err), err);
	assert_ok(store_series(view, 1, &found, &err), err);
	assert_string_equal(found.host, "b.example.org");
	assert_ok(store_series(view, 2, &found, &err), err);
	assert_string_equal(found.host, "given.up.example.org");
	assert_int_equal(store_series(view, 3, &found, NULL), ERR_NOT_FOUND);
	store_view_close(view);
	assert_int_equal(records(a, DB_EVIDENCE), 2);
	store_close(a);
	store_close(b);
}

/* ---- walks against each other --------------------------------------------------------------- */

static void
test_back(void **state)
{
	enum { N = 3000 };
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct sighting *all = calloc(N, sizeof(*all)), got;
	int64_t from_ms = TIME_0 + CLOCK_DAY_MS, to_ms = TIME_0 + 3 * CLOCK_DAY_MS;
	struct store_batch *batch;
	struct timeline_back back;
	struct store_view *view;
	struct timeline t;
	struct err err = {0};
	size_t n = 0, in_span = 0, k;

	assert_ok(store_batch_begin(store, &batch, &err), err);
	for (int i = 0; i < N; i++) {
		struct observation o =
		    fixture_observation(TIME_0 + (int64_t)i / 2 * 240000, NULL, 0);

		o.ms[MS_CONNECT] = i % 2;
		assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
	}
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(timeline_init(&t, view, 0, SERIES_PROBE, INT64_MIN, INT64_MAX, &err), err);
	while (timeline_next(&t, &all[n], &err) > 0)
		n++;
	assert_int_equal(n, N);
	timeline_finish(&t);
	for (k = 0; k < n; k++)
		in_span += all[k].time_ms >= from_ms && all[k].time_ms < to_ms;

	assert_ok(
	    timeline_back_init(&back, view, 0, SERIES_PROBE, INT64_MIN, INT64_MAX, &err), err);
	for (k = n; timeline_back_next(&back, &got, &err) > 0; k--)
		assert_int_equal(day_compare(&got, &all[k - 1]), 0);
	assert_int_equal(k, 0);
	assert_int_equal(timeline_back_next(&back, &got, &err), 0);
	timeline_back_finish(&back);

	assert_ok(timeline_back_init(&back, view, 0, SERIES_PROBE, from_ms, to_ms, &err), err);
	for (k = 0; timeline_back_next(&back, &got, &err) > 0; k++)
		assert_true(got.time_ms >= from_ms && got.time_ms < to_ms);
	assert_int_equal(k, in_span);
	timeline_back_finish(&back);
	assert_ok(timeline_back_init(&back, view, 1, SERIES_PROBE, from_ms, to_ms, &err), err);
	assert_int_equal(timeline_back_next(&back, &got, &err), 0);
	timeline_back_finish(&back);
	store_view_close(view);
	store_close(store);
	free(all);
}

static void
test_snapshot(void **state)
{
	struct series s = fixture_series("a.example.org", "192.0.2.1", SNI_NONE);
	struct series late = fixture_series("b.example.org", "192.0.2.2", SNI_NONE), found;
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct snapshot_walk *walk;
	struct store_view *view;
	struct sighting got;
	struct err err = {0};
	uint32_t number;

	fixture_add(store, &s, &o);
	o.time_ms = TIME_0 + 5 * CLOCK_DAY_MS;
	fixture_add(store, &s, &o);
	fixture_add(store, &late, &o);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(snapshot_walk_open(&walk, view, NULL, TIME_0 + CLOCK_DAY_MS, &err), err);
	assert_int_equal(snapshot_walk_next(walk, &number, &found, &got, &err), 1);
	assert_string_equal(found.host, "a.example.org");
	assert_int_equal(got.time_ms, TIME_0);
	assert_int_equal(snapshot_walk_next(walk, &number, &found, &got, &err), 0);
	snapshot_walk_close(walk);
	assert_ok(snapshot_walk_open(&walk, view, NULL, o.time_ms, &err), err);
	assert_int_equal(snapshot_walk_next(walk, &number, &found, &got, &err), 1);
	assert_int_equal(got.time_ms, o.time_ms);
	assert_int_equal(snapshot_walk_next(walk, &number, &found, &got, &err), 1);
	assert_string_equal(found.host, "b.example.org");
	assert_int_equal(snapshot_walk_next(walk, &number, &found, &got, &err), 0);
	snapshot_walk_close(walk);
	store_view_close(view);
	store_close(store);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void
count_call(void *ctx)
{
	atomic_fetch_add((atomic_int *)ctx, 1);
}

static void
test_reminder(void **state)
{
	atomic_int calls = 0;
	struct reminder *r = reminder_start(60000, count_call, &calls);

	reminder_stop(r);
	assert_int_equal(calls, 0);
	r = reminder_start(0, count_call, &calls);
	for (int i = 0; i < 10000 && calls == 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	reminder_stop(r);
	assert_int_equal(calls, 1);
	reminder_stop(NULL);
}

static void
count_wait(void *ctx, const char *dir)
{
	assert_non_null(dir);
	count_call(ctx);
}

static void *
write_one(void *dir)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(dir, STORE_WRITE);
	atomic_int waits = 0;

	store_on_wait(store, count_wait, &waits);
	fixture_add(store, &s, &o);
	assert_int_equal(waits, 1);
	o.time_ms++;
	fixture_add(store, &s, &o);
	assert_int_equal(waits, 1);
	store_close(store);
	return NULL;
}

static void
test_wait(void **state)
{
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct store_batch *batch;
	struct err err = {0};
	pthread_t thread;

	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_int_equal(pthread_create(&thread, NULL, write_one, *state), 0);
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	pthread_join(thread, NULL);
	store_close(store);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cache),
	    TEST(test_dictionary),
	    TEST(test_hostile_certificates),
	    TEST(test_known),
	    TEST(test_back),
	    TEST(test_snapshot),
	    cmocka_unit_test(test_reminder),
	    TEST(test_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
