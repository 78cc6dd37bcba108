/*
 * The store against a plain model in memory: an array of what was submitted. Sequences of chance
 * of batches (in time, late, twice, given up), of opening anew; after each the walks in every
 * order are compared with what the array says. TORTURE_SEED repeats a run; without it the seed is
 * printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/store/fixture.h"
#include "store/base/clock.h"
#include "store/exchange/export.h"
#include "store/exchange/import.h"

#define SERIES_N 48
#define ITEMS_MAX 6000
#define COMMITS_MAX 200
#define SHOWN_N 9 /* kinds of evidence */
#define DAYS 12

struct item {
	unsigned series, shown;
	int64_t time_ms;
	int32_t ms;
	unsigned commit;
};

struct model {
	struct series series[SERIES_N];
	struct item items[ITEMS_MAX];
	size_t n;
	unsigned commits;
	int64_t now_ms;
	uint64_t random;
	struct store *store;
	struct store_view *view;
	const char *dir;
};

static unsigned
chance(struct model *m, unsigned n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned)(m->random >> 16) % n;
}

/* ---- the model ------------------------------------------------------------------------------ */

static struct series
series_of(unsigned i)
{
	static const char *const hosts[] = {"example.org", "mx.example.org", "a.mx.example.org",
	    "mxa.example.org", "example.com", "mx-1.example.com"};
	static const char *const addresses[] = {"192.0.2.1", "2001:db8::1", "192.0.2.77"};
	struct series s;

	if (i % 8 == 7) {
		s = fixture_dns_series(hosts[i / 8 % 6], i < SERIES_N / 2 ? 15 : 52);
	} else {
		s = fixture_series(hosts[i % 6], addresses[i / 6 % 3], (enum sni)(i % SNI_N));
		s.offer = (enum offer)(i / 18 % 3);
	}
	strcpy(s.vantage, i % 5 == 0 ? "there" : "here");
	return s;
}

static int
compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	if (x->shown != y->shown)
		return x->shown < y->shown ? -1 : 1;
	return (x->ms > y->ms) - (x->ms < y->ms);
}

static bool
is_known(const struct model *m, const struct item *item, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (compare_items(&m->items[i], item) == 0)
			return true;
	return false;
}

static struct item
item_of_chance(struct model *m)
{
	struct item item;

	if (m->n > 0 && chance(m, 5) == 0)
		return m->items[chance(m, (unsigned)m->n)];
	item = (struct item){.series = chance(m, SERIES_N),
	    .shown = chance(m, SHOWN_N),
	    .time_ms = m->now_ms += chance(m, 90000)};
	if (chance(m, 3) == 0) /* late */
		item.time_ms -= (int64_t)chance(m, DAYS * 86400) * 1000;
	if (chance(m, 4) == 0) /* at the edges of a day */
		item.time_ms -= item.time_ms % CLOCK_DAY_MS + (int64_t)chance(m, 2);
	item.ms = m->series[item.series].kind == SERIES_PROBE ? (int32_t)chance(m, 3) * 300 : 0;
	return item;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void
submit(struct model *m, struct store_batch *batch, const struct item *item)
{
	const struct series *s = &m->series[item->series];
	char text[32];
	const char *const records[] = {text};
	struct hash chain[2] = {fixture_hash(item->shown), fixture_hash(item->shown / 2)};
	struct observation o = fixture_observation(item->time_ms, chain, item->shown % 3);
	struct err err = {0};

	snprintf(text, sizeof(text), "%u mx", item->shown);
	if (s->kind == SERIES_DNS) {
		struct dns_answer a = {.time_ms = item->time_ms,
		    .ttl_s = 300,
		    .status = DNS_INSECURE,
		    .rcode = "NOERROR",
		    .records = records,
		    .records_n = 1};

		assert_ok(store_batch_dns(batch, s, &a, &err), err);
		return;
	}
	o.evidence.greeting = text;
	o.ms[MS_CONNECT] = item->ms - 1;
	assert_ok(store_batch_observation(batch, s, &o, NULL, &err), err);
}

static void
write_batch(struct model *m)
{
	unsigned n = 1 + chance(m, chance(m, 4) == 0 ? 300 : 20);
	bool give_up = chance(m, 6) == 0;
	size_t before = m->n;
	struct store_batch *batch;
	struct store_commit commit;
	struct err err = {0};

	assert_ok(store_batch_begin(m->store, &batch, &err), err);
	for (unsigned i = 0; i < n && m->n < ITEMS_MAX; i++) {
		struct item item = item_of_chance(m);

		submit(m, batch, &item);
		item.commit = m->commits + 1;
		if (!is_known(m, &item, m->n))
			m->items[m->n++] = item;
	}
	if (give_up) {
		store_batch_abort(&batch);
		m->n = before;
		return;
	}
	assert_ok(store_batch_commit(&batch, &commit, &err), err);
	assert_int_equal(commit.observations + commit.dns_answers, m->n - before);
	m->commits += m->n > before;
	assert_int_equal(commit.sequence, m->commits);
}

/* ---- walks ---------------------------------------------------------------------------------- */

static unsigned
shown_of(struct model *m, const struct series *s, uint32_t evidence)
{
	struct dns_answer answer;
	struct evidence e;
	struct err err = {0};
	unsigned shown;

	if (s->kind == SERIES_DNS) {
		assert_ok(store_dns_answer(m->view, evidence, &answer, &err), err);
		shown = (unsigned)atoi(answer.records[0]);
		dns_answer_finish(&answer);
	} else {
		assert_ok(store_evidence(m->view, evidence, &e, &err), err);
		shown = (unsigned)atoi(e.greeting);
		assert_int_equal(e.chain_n, shown % 3);
		evidence_finish(&e);
	}
	return shown;
}

static unsigned
index_of(const struct model *m, const struct series *s)
{
	for (unsigned i = 0; i < SERIES_N; i++)
		if (series_compare(&m->series[i], s) == 0)
			return i;
	fail_msg("a series that nobody submitted: %s", s->host);
	return 0;
}

/* What the model has of a series in from <= time < to, sorted; how many. */
static size_t
select_items(const struct model *m, unsigned series, int64_t from, int64_t to, struct item *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].series == series && m->items[i].time_ms >= from &&
		    m->items[i].time_ms < to)
			out[n++] = m->items[i];
	qsort(out, n, sizeof(*out), compare_items);
	return n;
}

static void
compare_timeline(struct model *m, uint32_t number, unsigned series, int64_t from, int64_t to)
{
	static struct item wanted[ITEMS_MAX], got[ITEMS_MAX];
	const struct series *s = &m->series[series];
	size_t n = select_items(m, series, from, to, wanted), i = 0;
	struct timeline t;
	struct sighting seen;
	struct err err = {0};
	int64_t last_ms = INT64_MIN;
	int rc;

	assert_ok(timeline_init(&t, m->view, number, s->kind, from, to, &err), err);
	while ((rc = timeline_next(&t, &seen, &err)) > 0) {
		assert_true(i < n && seen.time_ms >= last_ms);
		last_ms = seen.time_ms;
		got[i++] = (struct item){.series = series,
		    .shown = shown_of(m, s, seen.evidence),
		    .time_ms = seen.time_ms,
		    .ms = s->kind == SERIES_PROBE ? seen.ms[MS_CONNECT] + 1 : 0};
	}
	assert_ok(rc, err);
	timeline_finish(&t);
	assert_int_equal(i, n);
	/* Of the same time the store has an order of its own. */
	qsort(got, n, sizeof(*got), compare_items);
	for (i = 0; i < n; i++)
		assert_int_equal(compare_items(&got[i], &wanted[i]), 0);
}

/* Newest first, from a moment of chance on; the first step is the snapshot at that moment. */
static void
compare_backwards(struct model *m, uint32_t number, unsigned series)
{
	static struct item all[ITEMS_MAX];
	size_t n = select_items(m, series, INT64_MIN, INT64_MAX, all);
	int64_t before = m->now_ms - (int64_t)chance(m, DAYS * 86400) * 1000;
	struct sighting seen;
	struct err err = {0};

	for (int step = 0; step < 20; step++) {
		int rc =
		    timeline_last(m->view, number, m->series[series].kind, before, &seen, &err);

		assert_ok(rc, err);
		while (n > 0 && all[n - 1].time_ms >= before)
			n--;
		assert_int_equal(rc, n > 0);
		if (n == 0)
			return;
		assert_int_equal(seen.time_ms, all[n - 1].time_ms);
		before = seen.time_ms;
	}
}

static bool
passes(const struct series_filter *f, const struct series *s)
{
	return (f->kind == 0 || f->kind == s->kind) &&
	       (f->under == NULL || host_is_under(s->host, f->under)) &&
	       (f->host == NULL || strcmp(f->host, s->host) == 0) &&
	       (f->address.family == 0 ||
		   (s->kind == SERIES_PROBE && ip_compare(&f->address, &s->address) == 0)) &&
	       (f->sni == 0 || (s->kind == SERIES_PROBE && (f->sni >> s->sni & 1) != 0)) &&
	       (f->vantage == NULL || strcmp(f->vantage, s->vantage) == 0);
}

static bool
has_items(const struct model *m, unsigned series)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].series == series)
			return true;
	return false;
}

static void
compare_walk(struct model *m, const struct series_filter *filter, bool deep)
{
	struct series_walk *walk;
	struct series s, last;
	struct err err = {0};
	size_t wanted = 0, n = 0;
	uint32_t number;
	int rc;

	for (unsigned i = 0; i < SERIES_N; i++)
		wanted += passes(filter, &m->series[i]) && has_items(m, i);
	assert_ok(series_walk_open(&walk, m->view, filter, &err), err);
	for (; (rc = series_walk_next(walk, &number, &s, &err)) > 0; last = s, n++) {
		unsigned series = index_of(m, &s);
		int64_t from = m->now_ms - (int64_t)chance(m, DAYS * 86400) * 1000;

		assert_true(passes(filter, &s));
		assert_true(n == 0 || series_compare(&last, &s) < 0);
		if (!deep)
			continue;
		compare_timeline(m, number, series, INT64_MIN, INT64_MAX);
		compare_timeline(
		    m, number, series, from, from + (int64_t)chance(m, 3 * 86400) * 1000);
		compare_backwards(m, number, series);
	}
	assert_ok(rc, err);
	series_walk_close(walk);
	assert_int_equal(n, wanted);
}

static void
compare_dates(struct model *m)
{
	int64_t day = clock_day_of_ms(m->now_ms) - (int64_t)chance(m, DAYS);
	struct buf numbers = {0};
	struct err err = {0};
	struct series s;
	bool wanted[SERIES_N] = {false};

	for (size_t i = 0; i < m->n; i++)
		if (clock_day_of_ms(m->items[i].time_ms) == day)
			wanted[m->items[i].series] = true;
	assert_ok(store_series_on(m->view, day, &numbers, &err), err);
	for (size_t i = 0; i < numbers.len / 4; i++) {
		assert_ok(
		    store_series(m->view, ((uint32_t *)(void *)numbers.data)[i], &s, &err), err);
		assert_true(wanted[index_of(m, &s)]);
		wanted[index_of(m, &s)] = false;
	}
	for (unsigned i = 0; i < SERIES_N; i++)
		assert_false(wanted[i]);
	buf_finish(&numbers);
}

/* Every commit after a cursor of chance, and what it added. */
static void
compare_journal(struct model *m)
{
	unsigned commit = chance(m, m->commits + 1);
	const struct journal_entry *entries;
	struct journal_walk *walk;
	struct err err = {0};
	int64_t committed_ms;
	uint64_t sequence;
	size_t n;
	int rc;

	assert_ok(journal_walk_open(&walk, m->view, commit, &err), err);
	while ((rc = journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &err)) > 0) {
		size_t wanted = 0;

		assert_int_equal(sequence, ++commit);
		for (size_t i = 0; i < m->n; i++)
			wanted += m->items[i].commit == commit;
		assert_int_equal(n, wanted);
		for (size_t i = 0; i < n; i++) {
			struct series s;
			bool found = false;

			assert_ok(store_series(m->view, entries[i].series, &s, &err), err);
			for (size_t k = 0; k < m->n && !found; k++)
				found = m->items[k].commit == commit &&
					m->items[k].time_ms == entries[i].time_ms &&
					m->items[k].series == index_of(m, &s);
			assert_true(found);
		}
	}
	assert_ok(rc, err);
	journal_walk_close(walk);
	assert_int_equal(commit, m->commits);
}

static void
print_finding(void *ctx, const char *line)
{
	print_error("check: %s\n", line);
}

static void
compare_all(struct model *m, bool deep)
{
	struct series_filter some = {.under = "mx.example.org"};
	struct err err = {0};
	int rc;

	assert_ok(store_view_open(m->store, &m->view, &err), err);
	compare_walk(m, &(struct series_filter){0}, deep);
	compare_walk(m, &some, false);
	compare_walk(m, &(struct series_filter){.host = "example.com"}, false);
	compare_walk(m, &(struct series_filter){.under = "example.org", .vantage = "there"}, false);
	compare_walk(
	    m, &(struct series_filter){.kind = SERIES_PROBE, .sni = 1u << SNI_NEXTHOP}, false);
	some = (struct series_filter){0};
	ip_parse(&some.address, "192.0.2.1");
	compare_walk(m, &some, false);
	some.under = "com";
	compare_walk(m, &some, false);
	compare_dates(m);
	compare_journal(m);
	if (deep) {
		rc = store_check(m->view, print_finding, NULL, &err);
		assert_ok(rc, err);
		assert_int_equal(rc, 0);
	}
	store_view_close(m->view);
}

/* ---- the test ------------------------------------------------------------------------------- */

static void
export_to(const char *dir, const char *path)
{
	struct export_filter all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	struct store *store = fixture_open(dir, STORE_READ);
	struct export_counts counts;
	struct store_view *view;
	FILE *out = fopen(path, "w");
	struct err err = {0};

	assert_non_null(out);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(export_jsonl(view, &all, out, NULL, &counts, &err), err);
	assert_int_equal(fclose(out), 0);
	store_view_close(view);
	store_close(store);
}

static void
complain(void *ctx, const char *line)
{
	fail_msg("%s", line);
}

/* The same records in another order of arrival: the same export. */
static void
compare_round_trip(struct model *m, const char *folder)
{
	const struct import_hooks hooks = {.complain = complain};
	const char *out = fixture_path(folder, "out.jsonl"),
		   *again = fixture_path(folder, "again.jsonl"),
		   *other = fixture_path(folder, "other");
	struct import_counts counts = {0};
	struct store *store;
	struct buf a = {0}, b = {0};
	struct err err = {0};

	export_to(m->dir, out);
	store = fixture_open(other, STORE_WRITE);
	assert_ok(import_jsonl(store, out, &hooks, &counts, &err), err);
	store_close(store);
	assert_int_equal(counts.observations + counts.dns_answers, m->n);
	export_to(other, again);
	fixture_read(&a, out);
	fixture_read(&b, again);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	buf_finish(&a);
	buf_finish(&b);
}

static void
test_model(void **state)
{
	const char *given = getenv("TORTURE_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)clock_now_ms();
	struct model *m = calloc(1, sizeof(*m));

	print_message("# TORTURE_SEED=%llu\n", (unsigned long long)seed);
	m->random = seed * 2 + 1;
	m->now_ms = TIME_0;
	m->dir = fixture_path(*state, "store");
	for (unsigned i = 0; i < SERIES_N; i++)
		m->series[i] = series_of(i);
	m->store = fixture_open(m->dir, STORE_WRITE);
	for (unsigned step = 1; m->n < ITEMS_MAX / 2 && m->commits < COMMITS_MAX; step++) {
		write_batch(m);
		if (chance(m, 8) == 0) {
			store_close(m->store);
			m->store = fixture_open(m->dir, STORE_WRITE);
		}
		if (step % 4 == 0)
			compare_all(m, step % 20 == 0);
	}
	compare_all(m, true);
	store_close(m->store);
	compare_round_trip(m, *state);
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_model, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
