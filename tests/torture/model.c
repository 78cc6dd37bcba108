#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"

#define DAYS 12

unsigned
model_chance(struct model *m, unsigned n)
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

	if (m->n > 0 && model_chance(m, 5) == 0)
		return m->items[model_chance(m, (unsigned)m->n)];
	item = (struct item){.series = model_chance(m, SERIES_N),
	    .shown = model_chance(m, SHOWN_N),
	    .time_ms = m->now_ms += model_chance(m, 90000)};
	if (model_chance(m, 3) == 0) /* late */
		item.time_ms -= (int64_t)model_chance(m, DAYS * 86400) * 1000;
	if (model_chance(m, 4) == 0) /* at the edges of a day */
		item.time_ms -= item.time_ms % CLOCK_DAY_MS + (int64_t)model_chance(m, 2);
	item.ms =
	    m->series[item.series].kind == SERIES_PROBE ? (int32_t)model_chance(m, 3) * 300 : 0;
	return item;
}

/* ---- beginning ------------------------------------------------------------------------------ */

void
model_init(struct model *m, const char *dir, uint64_t seed)
{
	*m = (struct model){.random = seed * 2 + 1, .now_ms = TIME_0, .dir = dir};
	for (unsigned i = 0; i < SERIES_N; i++)
		m->series[i] = series_of(i);
	m->store = fixture_open(m->dir, STORE_WRITE);
}

void
model_open_anew(struct model *m)
{
	store_close(m->store);
	m->store = fixture_open(m->dir, STORE_WRITE);
}

void
model_finish(struct model *m)
{
	store_close(m->store);
	m->store = NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct hash
model_certificate(unsigned n, struct buf *der)
{
	struct buf own = {0}, *out = der != NULL ? der : &own;
	struct hash name;

	buf_clear(out);
	buf_printf(out, "what certificate %u looks like", n);
	name = hash_sha256(out->data, out->len);
	buf_finish(&own);
	return name;
}

void
model_evidence(unsigned shown, struct model_shown *out)
{
	struct observation o = fixture_observation(0, out->chain, shown % 3);

	snprintf(out->text, sizeof(out->text), "%u mx", shown);
	out->chain[0] = model_certificate(shown, NULL);
	out->chain[1] = model_certificate(shown / 2, NULL);
	out->evidence = o.evidence;
	out->evidence.greeting = out->text;
	if (shown == SHOWN_IN_VAIN)
		out->evidence.outcome = OUTCOME_IO_TIMEOUT;
	out->records[0] = out->text;
	out->answer = (struct dns_answer){.ttl_s = 300,
	    .status = DNS_INSECURE,
	    .rcode = "NOERROR",
	    .records = out->records,
	    .records_n = 1};
}

static void
submit(struct model *m, struct store_batch *batch, const struct item *item)
{
	const struct series *s = &m->series[item->series];
	struct observation o;
	struct model_shown shown;
	struct err err = {0};

	model_evidence(item->shown, &shown);
	if (s->kind == SERIES_DNS) {
		shown.answer.time_ms = item->time_ms;
		assert_ok(store_batch_dns(batch, s, &shown.answer, &err), err);
		return;
	}
	o = fixture_observation(item->time_ms, NULL, 0);
	o.evidence = shown.evidence;
	o.ms[MS_CONNECT] = item->ms - 1;
	assert_ok(store_batch_observation(batch, s, &o, NULL, &err), err);
}

bool
model_take(struct model *m, const struct item *item)
{
	if (m->n == ITEMS_MAX || is_known(m, item, m->n))
		return false;
	m->items[m->n] = *item;
	m->items[m->n++].commit = m->commits + 1;
	return true;
}

static void
give_certificates(struct model *m, struct store_batch *batch)
{
	struct buf der = {0};
	struct err err = {0};

	while (model_chance(m, 4) == 0) {
		unsigned c = model_chance(m, SHOWN_N);

		model_certificate(c, &der);
		assert_ok(store_batch_certificate(batch, der.data, der.len, NULL, &err), err);
		m->given[c] = true;
	}
	buf_finish(&der);
}

void
model_batch(struct model *m, const struct model *of)
{
	unsigned n = 1 + model_chance(m, model_chance(m, 4) == 0 ? 300 : 20);
	bool give_up = model_chance(m, 6) == 0, given[SHOWN_N];
	size_t before = m->n;
	struct store_batch *batch;
	struct store_commit commit;
	struct err err = {0};

	memcpy(given, m->given, sizeof(given));
	assert_ok(store_batch_begin(m->store, &batch, &err), err);
	give_certificates(m, batch);
	for (unsigned i = 0; i < n && m->n < ITEMS_MAX; i++) {
		struct item item = item_of_chance(m);

		if (of != NULL && of->n > 0 && model_chance(m, 3) == 0)
			item = of->items[model_chance(m, (unsigned)of->n)];
		submit(m, batch, &item);
		model_take(m, &item);
	}
	give_certificates(m, batch);
	if (give_up) {
		store_batch_abort(&batch);
		m->n = before;
		memcpy(m->given, given, sizeof(given));
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
	int64_t before = m->now_ms - (int64_t)model_chance(m, DAYS * 86400) * 1000;
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
		int64_t from = m->now_ms - (int64_t)model_chance(m, DAYS * 86400) * 1000;

		assert_true(passes(filter, &s));
		assert_true(n == 0 || series_compare(&last, &s) < 0);
		if (!deep)
			continue;
		compare_timeline(m, number, series, INT64_MIN, INT64_MAX);
		compare_timeline(
		    m, number, series, from, from + (int64_t)model_chance(m, 3 * 86400) * 1000);
		compare_backwards(m, number, series);
	}
	assert_ok(rc, err);
	series_walk_close(walk);
	assert_int_equal(n, wanted);
}

static void
compare_dates(struct model *m)
{
	int64_t day = clock_day_of_ms(m->now_ms) - (int64_t)model_chance(m, DAYS);
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
	unsigned commit = m->forgotten + model_chance(m, m->commits - m->forgotten + 1);
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

/* A cursor from before what prune left is refused. */
static void
compare_forgotten(struct model *m)
{
	struct journal_walk *walk = NULL;
	struct err err = {0};

	if (m->forgotten == 0)
		return;
	assert_int_equal(
	    journal_walk_open(&walk, m->view, model_chance(m, m->forgotten), &err), ERR_NOT_FOUND);
	assert_null(walk);
}

static void
compare_certificates(struct model *m)
{
	struct buf der = {0};
	struct err err = {0};

	for (unsigned c = 0; c < SHOWN_N; c++) {
		struct hash name = model_certificate(c, NULL);

		assert_int_equal(
		    store_certificate(m->view, &name, &der, &err), m->given[c] ? 0 : ERR_NOT_FOUND);
	}
	buf_finish(&der);
}

static void
print_finding(void *ctx, const char *line)
{
	print_error("check: %s\n", line);
}

void
model_compare(struct model *m, bool deep)
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
	compare_forgotten(m);
	compare_certificates(m);
	if (deep) {
		rc = store_check(m->view, print_finding, NULL, &err);
		assert_ok(rc, err);
		assert_int_equal(rc, 0);
	}
	store_view_close(m->view);
}
