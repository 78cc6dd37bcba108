#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "store/base/clock.h"
#include "store/corpus/dns_at.h"
#include "store/corpus/store_view.h"

static void
test_round_trip(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE), found;
	struct hash chain[2], name;
	struct observation o;
	struct store *store = fixture_open(fixture_path(*state, "new/store"), STORE_WRITE);
	struct store_batch *batch;
	struct store_view *view;
	struct timeline t;
	struct sighting sighting;
	struct evidence e;
	struct err err = {0};
	struct buf der = {0};
	struct store_commit commit;
	size_t unknown = 0;

	chain[0] = hash_sha256("leaf", 4);
	chain[1] = hash_sha256("issuer", 6);
	o = fixture_observation(TIME_0, chain, 2);
	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_int_equal(store_batch_certificate(batch, "leaf", 4, &name, &err), 1);
	assert_int_equal(store_batch_certificate(batch, "leaf", 4, &name, &err), 0);
	assert_int_equal(hash_compare(&name, &chain[0]), 0);
	assert_int_equal(store_batch_has_certificate(batch, &name, &err), 1);
	assert_int_equal(store_batch_has_certificate(batch, &chain[1], &err), 0);
	assert_ok(store_batch_observation(batch, &s, &o, &unknown, &err), err);
	assert_int_equal(unknown, 1);
	assert_int_equal(store_batch_has_certificate(batch, &chain[1], &err), 0);
	assert_ok(store_batch_observation(batch, &s, &o, &unknown, &err), err);
	assert_int_equal(unknown, 2);
	assert_int_equal(store_batch_len(batch), 2);
	assert_ok(store_batch_commit(&batch, &commit, &err), err);
	assert_null(batch);
	assert_true(commit.sequence == 1 && commit.observations == 1 && commit.repeated == 1);

	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(store_series(view, 0, &found, &err), err);
	assert_memory_equal(&found, &s, sizeof(s));
	assert_ok(timeline_init(&t, view, 0, SERIES_PROBE, INT64_MIN, INT64_MAX, &err), err);
	assert_int_equal(timeline_next(&t, &sighting, &err), 1);
	assert_int_equal(sighting.time_ms, TIME_0);
	assert_memory_equal(sighting.ms, o.ms, sizeof(o.ms));
	assert_ok(store_evidence(view, sighting.evidence, &e, &err), err);
	assert_string_equal(e.greeting, o.evidence.greeting);
	assert_int_equal(e.chain_n, 2);
	assert_int_equal(hash_compare(&e.chain[1], &chain[1]), 0);
	evidence_finish(&e);
	assert_int_equal(timeline_next(&t, &sighting, &err), 0);
	timeline_finish(&t);
	assert_ok(store_certificate(view, &chain[0], &der, &err), err);
	assert_int_equal(der.len, 4);
	assert_int_equal(store_certificate(view, &chain[1], &der, NULL), ERR_NOT_FOUND);
	store_view_close(view);

	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_int_equal(store_batch_certificate(batch, "issuer", 6, NULL, &err), 1);
	assert_ok(store_batch_commit(&batch, &commit, &err), err);
	assert_int_equal(commit.sequence, 1); /* no observation, no commit in the journal */
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(store_certificate(view, &chain[1], &der, &err), err);
	assert_int_equal(der.len, 6);
	store_view_close(view);
	buf_finish(&der);
	store_close(store);
}

static int
compare_sightings(const void *a, const void *b)
{
	return day_compare(a, b);
}

/* Observations of several days in an order of chance, with repetitions, against a sorted array;
 * enough of them that a day takes several chunks. */
static void
test_late_arrivals(void **state)
{
	enum { N = 4000 };
	struct series s = fixture_series("mx.example.org", "2001:db8::1", SNI_HOSTNAME);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct sighting *model = calloc(N, sizeof(*model)), got;
	struct store_batch *batch;
	struct store_commit commit;
	struct store_view *view;
	struct timeline t;
	struct err err = {0};
	size_t n = 0, added = 0, i = 0;
	unsigned random = 1;

	assert_ok(store_batch_begin(store, &batch, &err), err);
	for (int k = 0; k < N; k++) {
		struct observation o = fixture_observation(0, NULL, 0);

		if (k % 100 == 99) {
			assert_ok(store_batch_commit(&batch, &commit, &err), err);
			added += commit.observations;
			assert_ok(store_batch_begin(store, &batch, &err), err);
		}
		random = random * 1103515245 + 12345;
		o.time_ms = TIME_0 + (random >> 8) % 200000 * 1000;
		o.ms[MS_CONNECT] = (int32_t)(random >> 28);
		assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
		model[n] = (struct sighting){.time_ms = o.time_ms};
		memcpy(model[n++].ms, o.ms, sizeof(o.ms));
	}
	assert_ok(store_batch_commit(&batch, &commit, &err), err);
	added += commit.observations;
	qsort(model, n, sizeof(*model), compare_sightings);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(timeline_init(&t, view, 0, SERIES_PROBE, INT64_MIN, INT64_MAX, &err), err);
	for (size_t k = 0; timeline_next(&t, &got, &err) > 0; k++) {
		while (i > 0 && i < n && day_compare(&model[i - 1], &model[i]) == 0)
			i++;
		assert_true(i < n);
		assert_int_equal(day_compare(&model[i++], &got), 0);
		added--;
	}
	assert_int_equal(err.code, 0);
	assert_int_equal(added, 0);
	timeline_finish(&t);

	/* A span: what a walk from the model would give. */
	assert_ok(timeline_init(&t, view, 0, SERIES_PROBE, TIME_0 + CLOCK_DAY_MS,
		      TIME_0 + CLOCK_DAY_MS + 3600000, &err),
	    err);
	for (i = 0; i < n && model[i].time_ms < TIME_0 + CLOCK_DAY_MS; i++)
		;
	while (timeline_next(&t, &got, &err) > 0) {
		assert_int_equal(day_compare(&model[i], &got), 0);
		while (i < n && day_compare(&model[i], &got) == 0)
			i++;
	}
	assert_true(i < n && model[i].time_ms >= TIME_0 + CLOCK_DAY_MS + 3600000);
	timeline_finish(&t);
	assert_int_equal(timeline_last(view, 0, SERIES_PROBE, INT64_MAX, &got, &err), 1);
	assert_int_equal(day_compare(&model[n - 1], &got), 0);
	assert_int_equal(timeline_last(view, 0, SERIES_PROBE, model[500].time_ms, &got, &err), 1);
	assert_true(got.time_ms < model[500].time_ms);
	assert_int_equal(timeline_last(view, 0, SERIES_PROBE, model[0].time_ms, &got, &err), 0);
	assert_int_equal(timeline_last(view, 1, SERIES_PROBE, INT64_MAX, &got, &err), 0);
	store_view_close(view);
	store_close(store);
	free(model);
}

/* In order, a sighting each second: several chunks, appended to. */
static void
test_many_in_a_day(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct store_batch *batch;
	struct store_view *view;
	struct store_figures figures;
	struct timeline t;
	struct sighting got;
	struct err err = {0};
	size_t n = 0;

	assert_ok(store_batch_begin(store, &batch, &err), err);
	for (int i = 0; i < 9000; i++) {
		struct observation o = fixture_observation(TIME_0 + i * 1000, NULL, 0);

		assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
	}
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(timeline_init(&t, view, 0, SERIES_PROBE, INT64_MIN, INT64_MAX, &err), err);
	while (timeline_next(&t, &got, &err) > 0)
		assert_int_equal(got.time_ms, TIME_0 + (int64_t)n++ * 1000);
	assert_int_equal(n, 9000);
	timeline_finish(&t);
	assert_ok(store_figures(view, &figures, &err), err);
	assert_int_equal(figures.observations, 9000);
	assert_int_equal(figures.evidence, 1);
	assert_true(figures.first_ms == TIME_0 && figures.last_ms == TIME_0 + 8999000);
	store_view_close(view);
	store_close(store);
}

/* A view that stays open is told, by how many commits came after it and since when. */
static void
test_oldest_reader(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct store *writer = fixture_open(*state, STORE_WRITE), *reader = NULL;
	struct store_view *old = NULL, *view;
	struct store_figures figures;
	int64_t before_ms = 0, first_ms = 0;
	struct err err = {0};

	for (int i = 0; i < 5; i++) {
		struct observation o = fixture_observation(TIME_0 + i, NULL, 0);

		if (i == 2) {
			reader = fixture_open(*state, STORE_READ);
			assert_ok(store_view_open(reader, &old, &err), err);
			before_ms = clock_now_ms();
		}
		fixture_add(writer, &s, &o);
		if (i == 2)
			first_ms = clock_now_ms();
	}
	assert_ok(store_view_open(writer, &view, &err), err);
	assert_ok(store_figures(view, &figures, &err), err);
	assert_int_equal(figures.oldest_reader_lag, 3);
	assert_true(figures.oldest_reader_ms >= before_ms && figures.oldest_reader_ms <= first_ms);
	store_view_close(old);
	store_close(reader);
	assert_ok(store_figures(view, &figures, &err), err);
	assert_int_equal(figures.oldest_reader_lag, 0);
	assert_int_equal(figures.oldest_reader_ms, 0);
	store_view_close(view);
	store_close(writer);
}

static void
test_dns(void **state)
{
	static const char *const records[] = {"10 a.example.org", "20 b.example.org"};
	struct series s = fixture_dns_series("example.org", 15);
	struct dns_answer a = {.time_ms = TIME_0,
			      .ttl_s = 3600,
			      .status = DNS_SECURE,
			      .rcode = "NOERROR",
			      .records = records,
			      .records_n = 2},
			  found;
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct store_batch *batch;
	struct store_commit commit;
	struct store_view *view;
	struct sighting got;
	struct evidence e;
	struct err err = {0};

	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_ok(store_batch_dns(batch, &s, &a, &err), err);
	assert_ok(store_batch_dns(batch, &s, &a, &err), err);
	assert_ok(store_batch_commit(&batch, &commit, &err), err);
	assert_true(commit.dns_answers == 1 && commit.repeated == 1);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(timeline_last(view, 0, SERIES_DNS, INT64_MAX, &got, &err), 1);
	assert_int_equal(got.ttl_s, 3600);
	assert_ok(store_dns_answer(view, got.evidence, &found, &err), err);
	assert_int_equal(found.records_n, 2);
	assert_string_equal(found.records[1], records[1]);
	dns_answer_finish(&found);
	assert_int_equal(store_evidence(view, got.evidence, &e, NULL), ERR_DAMAGED);
	store_view_close(view);
	store_close(store);
}

static void
test_journal(void **state)
{
	struct series a = fixture_series("a.example.org", "192.0.2.1", SNI_NONE);
	struct series b = fixture_series("b.example.org", "192.0.2.2", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(*state, STORE_WRITE);
	const struct journal_entry *entries;
	struct journal_walk *walk;
	struct store_batch *batch;
	struct store_view *view;
	struct err err = {0};
	struct store_commit commit;
	int64_t committed_ms;
	uint64_t sequence;
	size_t n;

	fixture_add(store, &a, &o);
	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_ok(store_batch_observation(batch, &a, &o, NULL, &err), err);
	o.time_ms = TIME_0 - 5000;
	assert_ok(store_batch_observation(batch, &b, &o, NULL, &err), err);
	o.time_ms = TIME_0 - 90000000;
	assert_ok(store_batch_observation(batch, &a, &o, NULL, &err), err);
	assert_ok(store_batch_commit(&batch, &commit, &err), err);
	assert_true(commit.sequence == 2 && commit.observations == 2 && commit.repeated == 1);
	fixture_add(store, &a, &o); /* nothing new: no commit */

	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(journal_last(view, &sequence, &err), err);
	assert_int_equal(sequence, 2);
	assert_ok(journal_walk_open(&walk, view, 1, &err), err);
	assert_int_equal(journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &err), 1);
	assert_int_equal(sequence, 2);
	assert_true(llabs(committed_ms - clock_now_ms()) < 60000);
	assert_int_equal(n, 2);
	assert_true(entries[0].series == 1 && entries[0].time_ms == TIME_0 - 5000);
	assert_true(entries[1].series == 0 && entries[1].time_ms == TIME_0 - 90000000);
	assert_int_equal(journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &err), 0);
	journal_walk_close(walk);
	assert_ok(journal_walk_open(&walk, view, 2, &err), err);
	assert_int_equal(journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &err), 0);
	journal_walk_close(walk);
	assert_int_equal(journal_walk_open(&walk, view, 3, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "beyond the end"));
	assert_null(walk);
	store_view_close(view);
	store_close(store);
}

static void
test_walks(void **state)
{
	static const char *const hosts[] = {"google.com", "mx.google.com", "mx-a.google.com",
	    "googlea.com", "a.b.google.com", "com", "example.org"};
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct series_filter filter = {0};
	struct series_walk *walk;
	struct series s, last;
	struct store_view *view;
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct err err = {0};
	struct buf numbers = {0};
	uint32_t number;
	size_t n = 0;

	for (size_t i = 0; i < 7; i++) {
		s = fixture_series(hosts[i], i % 2 ? "192.0.2.9" : "2001:db8::9", SNI_NONE);
		o.time_ms = TIME_0 + (int64_t)i % 2 * CLOCK_DAY_MS;
		fixture_add(store, &s, &o);
		s.sni = SNI_UNKNOWN;
		fixture_add(store, &s, &o);
	}
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(series_walk_open(&walk, view, &filter, &err), err);
	for (; series_walk_next(walk, &number, &s, &err) > 0; last = s)
		assert_true(n++ == 0 || series_compare(&last, &s) < 0);
	assert_int_equal(n, 14);
	series_walk_close(walk);

	filter.under = "google.com";
	assert_ok(series_walk_open(&walk, view, &filter, &err), err);
	for (n = 0; series_walk_next(walk, &number, &s, &err) > 0; n++)
		assert_true(host_is_under(s.host, "google.com"));
	assert_int_equal(n, 8);
	series_walk_close(walk);

	filter = (struct series_filter){.host = "google.com", .sni = 1u << SNI_UNKNOWN};
	assert_ok(series_walk_open(&walk, view, &filter, &err), err);
	assert_int_equal(series_walk_next(walk, &number, &s, &err), 1);
	assert_int_equal(number, 1);
	assert_int_equal(series_walk_next(walk, &number, &s, &err), 0);
	series_walk_close(walk);
	assert_ok(store_series(view, 3, &s, &err), err);
	assert_int_equal(store_series_number(view, &s, &number, &err), 1);
	assert_int_equal(number, 3);
	s.port++;
	assert_int_equal(store_series_number(view, &s, &number, &err), 0);

	filter = (struct series_filter){0};
	ip_parse(&filter.address, "192.0.2.9");
	assert_ok(series_walk_open(&walk, view, &filter, &err), err);
	for (n = 0; series_walk_next(walk, &number, &s, &err) > 0; last = s, n++)
		assert_true(s.address.family == 4 && (n == 0 || series_compare(&last, &s) < 0));
	assert_int_equal(n, 6);
	series_walk_close(walk);

	assert_ok(store_series_on(view, clock_day_of_ms(TIME_0), &numbers, &err), err);
	assert_int_equal(numbers.len / 4, 8);
	buf_clear(&numbers);
	assert_ok(store_series_on(view, clock_day_of_ms(TIME_0) + 2, &numbers, &err), err);
	assert_int_equal(numbers.len, 0);
	assert_ok(store_series_since(view, clock_day_of_ms(TIME_0), &numbers, &err), err);
	assert_int_equal(numbers.len, 2);
	assert_true(numbers.data[0] == 0xff && numbers.data[1] == 0x3f);
	assert_ok(store_series_since(view, clock_day_of_ms(TIME_0) + 2, &numbers, &err), err);
	assert_int_equal(numbers.len, 0);
	buf_finish(&numbers);
	store_view_close(view);
	store_close(store);
}

/* Whether the kernel reads nothing of data.mdb but what is asked for: the flag "rr" of its map. */
static bool
reads_no_more_than_asked(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool of_data = false, found = false, random = false;
	char line[4096];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, "/data.mdb\n") != NULL)
			of_data = true;
		if (!of_data || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		random = strstr(line, " rr ") != NULL;
		found = true;
		of_data = false;
	}
	fclose(f);
	assert_true(found);
	return random;
}

static void
walk_series(struct store *store, const char *host, size_t n)
{
	struct series_filter filter = {.host = host};
	struct series_walk *walk;
	struct store_view *view;
	struct err err = {0};
	struct series s;
	uint32_t number;

	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(series_walk_open(&walk, view, &filter, &err), err);
	for (; n > 0; n--)
		assert_int_equal(series_walk_next(walk, &number, &s, &err), 1);
	assert_int_equal(series_walk_next(walk, &number, &s, &err), 0);
	series_walk_close(walk);
	store_view_close(view);
}

/* A question about one host costs its pages, a walk is read ahead of; so is one who writes. */
static void
test_read_ahead(void **state)
{
	struct store *store = fixture_open(*state, STORE_WRITE), *writer;
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store_batch *batch;
	struct err err = {0};
	char host[32];

	assert_false(reads_no_more_than_asked());
	assert_ok(store_batch_begin(store, &batch, &err), err);
	for (int i = 0; i < 400; i++) {
		struct series s;

		snprintf(host, sizeof(host), "mx%d.example.org", i);
		s = fixture_series(host, "192.0.2.1", SNI_NONE);
		assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
	}
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	store_close(store);

	store = fixture_open(*state, STORE_READ);
	walk_series(store, "mx7.example.org", 1);
	assert_true(reads_no_more_than_asked());
	walk_series(store, NULL, 400);
	assert_false(reads_no_more_than_asked());
	store_close(store);

	store = fixture_open(*state, STORE_READ);
	assert_true(reads_no_more_than_asked());
	writer = fixture_open(*state, STORE_WRITE);
	assert_false(reads_no_more_than_asked());
	store_close(writer);
	store_close(store);
}

static void
test_refused(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct store_batch *batch;
	struct err err = {0};

	assert_ok(store_batch_begin(store, &batch, &err), err);
	o.evidence.greeting = "\xff";
	assert_int_equal(store_batch_observation(batch, &s, &o, NULL, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "greeting"));
	o.evidence.greeting = NULL;
	err = (struct err){0};
	assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
	store_close(store);
	store = fixture_open(*state, STORE_READ);
	assert_int_equal(store_batch_begin(store, &batch, &err), ERR_INPUT);
	assert_null(batch);
	store_close(store);
}

static void
test_no_store(void **state)
{
	static const char photograph[8192] = "\xff\xd8\xff\xe0 JFIF";
	struct store *store;
	struct err err = {0};

	assert_int_equal(
	    store_open(&store, fixture_path(*state, "none"), STORE_READ, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "no corpus here"));
	assert_null(store);
	assert_int_equal(access(fixture_path(*state, "none"), F_OK), -1);

	err = (struct err){0};
	mkdir(fixture_path(*state, "photo"), 0700);
	fixture_write(fixture_path(*state, "photo/data.mdb"), photograph, sizeof(photograph));
	assert_int_equal(
	    store_open(&store, fixture_path(*state, "photo"), STORE_READ, &err), ERR_FORMAT);
	err = (struct err){0};
	assert_int_equal(
	    store_open(&store, fixture_path(*state, "photo"), STORE_WRITE, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "no corpus of mx509"));

	err = (struct err){0};
	assert_int_equal(
	    store_open(&store, fixture_path(*state, "photo/data.mdb/x"), STORE_WRITE, &err),
	    ERR_SYSTEM);
	assert_non_null(strstr(err.text, "data.mdb"));
	err = (struct err){0};
	assert_int_equal(
	    store_open(&store, fixture_path(*state, "photo/data.mdb"), STORE_WRITE, &err),
	    ERR_INPUT);
	assert_non_null(strstr(err.text, "not a directory"));
}

/* A record whose bytes are not those that were written, as a flipped bit would leave it. */
static void
test_damage(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct hash chain = hash_sha256("leaf", 4);
	struct observation o = fixture_observation(TIME_0, &chain, 1);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct store_view *view;
	struct sighting got;
	struct buf file = {0};
	struct err err = {0};
	uint8_t *p;
	int found = 0;

	fixture_add(store, &s, &o);
	store_close(store);
	fixture_read(&file, fixture_path(*state, "data.mdb"));
	while ((p = memmem(file.data, file.len, "mx.example.org ESMTP", 20)) != NULL) {
		p[0] ^= 1;
		found++;
	}
	assert_true(found > 0);
	fixture_write(fixture_path(*state, "data.mdb"), file.data, file.len);
	buf_finish(&file);

	store = fixture_open(*state, STORE_READ);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(timeline_last(view, 0, SERIES_PROBE, INT64_MAX, &got, &err), 1);
	assert_int_equal(store_evidence(view, got.evidence, &o.evidence, &err), ERR_DAMAGED);
	assert_non_null(strstr(err.text, "sub-database evidence, key 00000000"));
	store_view_close(view);
	store_close(store);
}

/* A full disk, as a limit on the size of files shows it. */
static void
test_full(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *store = fixture_open(*state, STORE_WRITE);
	struct rlimit old, limit;
	struct store_batch *batch;
	struct store_view *view;
	struct sighting got;
	struct err err = {0};
	uint8_t *der = malloc(1 << 20); /* that nothing compresses */
	uint32_t random = 1;
	uint64_t sequence;

	for (size_t i = 0; i < 1 << 20; i++)
		der[i] = (uint8_t)((random = random * 1103515245 + 12345) >> 24);
	fixture_add(store, &s, &o);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){256 << 10, old.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_int_equal(store_batch_certificate(batch, der, 1 << 20, NULL, &err), 1);
	o.time_ms += 1000;
	assert_ok(store_batch_observation(batch, &s, &o, NULL, &err), err);
	assert_int_equal(store_batch_commit(&batch, NULL, &err), ERR_FULL);
	assert_null(batch);
	assert_non_null(strstr(err.text, "the batch (1 observations) is not stored"));
	setrlimit(RLIMIT_FSIZE, &old);

	err = (struct err){0};
	assert_ok(store_view_open(store, &view, &err), err);
	assert_int_equal(timeline_last(view, 0, SERIES_PROBE, INT64_MAX, &got, &err), 1);
	assert_int_equal(got.time_ms, TIME_0);
	assert_ok(journal_last(view, &sequence, &err), err);
	assert_int_equal(sequence, 1);
	store_view_close(view);
	fixture_add(store, &s, &o); /* and it can be gone on with */
	store_close(store);
	free(der);
}

static void
test_find_dir(void **state)
{
	struct buf dir = {0};
	struct err err = {0};

	setenv("MX509_STORE", "/env", 1);
	assert_int_equal(store_find_dir("/option", &dir, &err), 0);
	assert_string_equal(buf_text(&dir), "/option");
	assert_int_equal(store_find_dir(NULL, &dir, &err), 0);
	assert_string_equal(buf_text(&dir), "/env");
	unsetenv("MX509_STORE");
	setenv("XDG_DATA_HOME", "/data", 1);
	assert_int_equal(store_find_dir(NULL, &dir, &err), 0);
	assert_string_equal(buf_text(&dir), "/data/mx509");
	unsetenv("XDG_DATA_HOME");
	setenv("HOME", "/home/u", 1);
	assert_int_equal(store_find_dir(NULL, &dir, &err), 0);
	assert_string_equal(buf_text(&dir), "/home/u/.local/share/mx509");
	unsetenv("HOME");
	assert_int_equal(store_find_dir(NULL, &dir, &err), ERR_INPUT);
	buf_finish(&dir);
}

/* Two handles of one process on one store, opened and closed across each other. */
static void
test_shared(void **state)
{
	struct series s = fixture_series("mx.example.org", "192.0.2.1", SNI_NONE);
	struct observation o = fixture_observation(TIME_0, NULL, 0);
	struct store *writer = fixture_open(*state, STORE_WRITE), *reader;
	struct store_view *before, *after;
	struct sighting got;
	struct err err = {0};

	reader = fixture_open(*state, STORE_READ);
	assert_ok(store_view_open(reader, &before, &err), err);
	fixture_add(writer, &s, &o);
	assert_ok(store_view_open(reader, &after, &err), err);
	assert_int_equal(timeline_last(before, 0, SERIES_PROBE, INT64_MAX, &got, &err), 0);
	assert_int_equal(timeline_last(after, 0, SERIES_PROBE, INT64_MAX, &got, &err), 1);
	store_close(writer);
	assert_int_equal(timeline_last(after, 0, SERIES_PROBE, INT64_MAX, &got, &err), 1);
	store_view_close(before);
	store_view_close(after);
	store_close(reader);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

static void
put_answer(struct store *store, const char *name, int64_t time_ms, enum dns_status status,
    const char *record)
{
	struct dns_answer a = {
	    .time_ms = time_ms, .ttl_s = 60, .status = status, .records = &record};
	struct series s = fixture_dns_series(name, 1);
	struct store_batch *batch;
	struct err err = {0};

	a.records_n = record != NULL;
	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_ok(store_batch_dns(batch, &s, &a, &err), err);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
}

/* The record that was known at a moment; "-" for an answer without, NULL for none. */
static const char *
known_at(struct store *store, const struct dns_question *question, int64_t at_ms)
{
	static char text[64];
	struct store_view *view;
	struct dns_answer a;
	struct err err = {0};
	int rc;

	assert_ok(store_view_open(store, &view, &err), err);
	rc = dns_at(view, question, at_ms, &a, &err);
	assert_ok(rc, err);
	if (rc > 0) {
		assert_true(a.time_ms <= at_ms && a.ttl_s == 60);
		snprintf(text, sizeof(text), "%s", a.records_n > 0 ? a.records[0] : "-");
		dns_answer_finish(&a);
	}
	store_view_close(view);
	return rc > 0 ? text : NULL;
}

static void
test_dns_at(void **state)
{
	struct store *store = fixture_open(fixture_path(*state, "dns"), STORE_WRITE);
	struct dns_question q = {.name = "a.test", .rrtype = 1, .vantage = "here"};

	put_answer(store, "a.test", TIME_0, DNS_SECURE, "192.0.2.1");
	put_answer(store, "a.test", TIME_0 + 1000, DNS_FAILED, NULL);
	put_answer(store, "a.test", TIME_0 + 5 * 86400000, DNS_BOGUS, NULL);
	assert_null(known_at(store, &q, TIME_0 - 1));
	assert_string_equal(known_at(store, &q, TIME_0), "192.0.2.1");
	assert_string_equal(known_at(store, &q, TIME_0 + 86400000), "192.0.2.1");
	assert_string_equal(known_at(store, &q, INT64_MAX), "-");
	q.vantage = "there";
	assert_null(known_at(store, &q, INT64_MAX));
	q.vantage = "here";
	q.name = "b.test";
	assert_null(known_at(store, &q, INT64_MAX));
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_round_trip),
	    TEST(test_late_arrivals),
	    TEST(test_many_in_a_day),
	    TEST(test_oldest_reader),
	    TEST(test_dns),
	    TEST(test_dns_at),
	    TEST(test_journal),
	    TEST(test_walks),
	    TEST(test_read_ahead),
	    TEST(test_refused),
	    TEST(test_no_store),
	    TEST(test_damage),
	    TEST(test_full),
	    TEST(test_find_dir),
	    TEST(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
