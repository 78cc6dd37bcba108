/*
 * The store against a plain model in memory (model.h). Sequences of chance of all that is done to a
 * corpus: batches, opening anew, merging another corpus, prune, delete, compact, a backup that
 * takes its place, increments, and a corpus that is made of them again. Time and again the walks in
 * every order are compared with what the model says. TORTURE_SEED repeats a run; without it the
 * seed is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "store/base/clock.h"
#include "store/corpus/keep.h"
#include "store/exchange/export.h"
#include "store/exchange/import.h"
#include "store/maintain/maintain.h"
#include "store/record/shown.h"

#define STEPS 160
#define COMMITS_MAX 300
#define BACKUPS_MAX 12

/* What is done, and beside it a backup and the increments that followed it. */
struct sequence {
	struct model m, other;
	const char *folder;
	unsigned names; /* directories that were made */
	char backups[BACKUPS_MAX][512];
	unsigned backups_n;
	struct maintain_cursor cursor; /* of the last one */
	struct buf a, b;
	unsigned merged, dropped, restored;
};

static void
say(void *ctx, const char *line)
{
	fail_msg("%s", line);
}

static const struct maintain_hooks hooks = {.say = say};

static void
name_new(struct sequence *q, char path[512])
{
	snprintf(path, 512, "%s/%u", q->folder, q->names++);
}

/* ---- exports -------------------------------------------------------------------------------- */

static void
export_to(struct store *store, struct buf *out, const char *path)
{
	struct export_filter all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	struct export_counts counts;
	struct store_view *view;
	FILE *file = fopen(path, "w");
	struct err err = {0};

	assert_non_null(file);
	assert_ok(store_view_open(store, &view, &err), err);
	assert_ok(export_jsonl(view, &all, file, NULL, &counts, &err), err);
	assert_int_equal(fclose(file), 0);
	store_view_close(view);
	fixture_read(out, path);
}

static int
findings(struct store *store)
{
	struct store_view *view;
	struct err err = {0};
	int n;

	assert_ok(store_view_open(store, &view, &err), err);
	n = store_check(view, say, NULL, &err);
	assert_ok(n, err);
	store_view_close(view);
	return n;
}

/* Of the same records, whatever way they came. */
static void
same(struct sequence *q, struct store *other)
{
	export_to(q->m.store, &q->a, fixture_path(q->folder, "a.jsonl"));
	export_to(other, &q->b, fixture_path(q->folder, "b.jsonl"));
	assert_int_equal(q->a.len, q->b.len);
	assert_memory_equal(q->a.data, q->b.data, q->a.len);
	assert_int_equal(findings(other), 0);
}

/* The same records in another order of arrival. */
static void
import_again(struct sequence *q)
{
	const struct import_hooks importing = {.complain = say};
	struct import_counts counts = {0};
	const char *lines = fixture_path(q->folder, "lines.jsonl");
	struct store *store;
	struct err err = {0};
	char dir[512];

	export_to(q->m.store, &q->a, lines);
	name_new(q, dir);
	store = fixture_open(dir, STORE_WRITE);
	assert_ok(import_jsonl(store, lines, &importing, &counts, &err), err);
	assert_int_equal(counts.observations + counts.dns_answers, q->m.n);
	same(q, store);
	store_close(store);
}

/* ---- merge ---------------------------------------------------------------------------------- */

/* A corpus that has some of the same in it, brought in twice. */
static void
merge(struct sequence *q)
{
	struct model *m = &q->m, *other = &q->other;
	struct maintain_merged sum = {0}, again = {0};
	struct err err = {0};
	char dir[512];
	size_t new = 0;

	name_new(q, dir);
	model_init(other, dir, m->random);
	other->now_ms = m->now_ms;
	for (unsigned i = 1 + model_chance(m, 3); i > 0; i--)
		model_batch(other, m);
	assert_ok(maintain_merge(m->store, other->store, &hooks, &sum, &err), err);
	for (size_t i = 0; i < other->n; i++)
		new += model_take(m, &other->items[i]);
	for (unsigned c = 0; c < SHOWN_N; c++)
		m->given[c] |= other->given[c];
	m->commits += new > 0;
	m->now_ms = other->now_ms;
	q->merged += (unsigned)new;
	assert_int_equal(sum.observations + sum.dns_answers, new);
	assert_int_equal(sum.repeated, other->n - new);
	assert_ok(maintain_merge(m->store, other->store, &hooks, &again, &err), err);
	assert_int_equal(again.observations + again.dns_answers + again.certificates, 0);
	assert_int_equal(again.repeated, other->n);
	assert_int_equal(findings(other->store), 0);
	model_finish(other);
}

/* ---- prune and delete ----------------------------------------------------------------------- */

static bool
names_certificate(const struct model *m, const struct item *item, unsigned c)
{
	unsigned n = m->series[item->series].kind == SERIES_PROBE ? item->shown % 3 : 0;

	return (n > 0 && item->shown == c) || (n > 1 && item->shown / 2 == c);
}

static void
count_certificates(const struct model *m, unsigned uses[SHOWN_N])
{
	memset(uses, 0, SHOWN_N * sizeof(*uses));
	for (size_t i = 0; i < m->n; i++)
		for (unsigned c = 0; c < SHOWN_N; c++)
			uses[c] += names_certificate(m, &m->items[i], c);
}

/* Takes out the items that go, and with them what nothing else names; how many. */
static size_t
take_out(struct model *m, const bool *going)
{
	unsigned before[SHOWN_N], after[SHOWN_N];
	size_t kept = 0, n = m->n;

	count_certificates(m, before);
	for (size_t i = 0; i < m->n; i++)
		if (!going[i])
			m->items[kept++] = m->items[i];
	m->n = kept;
	count_certificates(m, after);
	for (unsigned c = 0; c < SHOWN_N; c++)
		m->given[c] &= before[c] == 0 || after[c] > 0;
	return n - kept;
}

static bool
confirm(void *ctx, const struct maintain_dropped *dropped)
{
	return *(const bool *)ctx;
}

/* Once told and left, then done; older backups hold more from then on. */
static void
after_dropping(struct sequence *q, const struct maintain_dropped *dropped, size_t gone)
{
	assert_int_equal(dropped->observations + dropped->dns_answers, gone);
	q->dropped += (unsigned)gone;
	q->backups_n = 0;
}

static void
drop_name(struct sequence *q)
{
	static const char *const names[] = {
	    "a.mx.example.org", "mxa.example.org", "mx-1.example.com", "mx.example.org"};
	static bool going[ITEMS_MAX];
	struct model *m = &q->m;
	const char *name = names[model_chance(m, 4)];
	struct maintain_dropped dropped;
	struct err err = {0};
	bool sure = false;

	for (size_t i = 0; i < m->n; i++) {
		const struct series *s = &m->series[m->items[i].series];

		going[i] = host_is_under(s->host, name) ||
			   (s->kind == SERIES_PROBE && host_is_under(s->sni_name, name));
	}
	assert_ok(maintain_delete(m->store, &name, 1, &hooks, confirm, &sure, &dropped, &err), err);
	model_compare(m, false);
	sure = true;
	assert_ok(maintain_delete(m->store, &name, 1, &hooks, confirm, &sure, &dropped, &err), err);
	after_dropping(q, &dropped, take_out(m, going));
}

/* An item that prune may drop, and what it is called as lifetimes take them. */
struct old_item {
	size_t item;
	struct hash state;
	int64_t time_ms;
	bool observed;
};

static int
by_time_and_state(const void *a, const void *b)
{
	const struct old_item *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return hash_compare(&x->state, &y->state);
}

static struct old_item
old_item(const struct model *m, size_t i)
{
	struct old_item one = {.item = i, .time_ms = m->items[i].time_ms, .observed = true};
	struct model_shown shown;
	struct buf bytes = {0};

	model_evidence(m->items[i].shown, &shown);
	if (m->series[m->items[i].series].kind == SERIES_PROBE) {
		one.observed = evidence_is_observed(&shown.evidence);
		one.state = shown_by_probe(&shown.evidence);
	} else {
		dns_answer_encode(&bytes, &shown.answer);
		one.state = hash_sha256(bytes.data, bytes.len);
		buf_finish(&bytes);
	}
	return one;
}

/* A number for each state, in the order of their hashes. */
static uint32_t
rank(const struct old_item *list, size_t n, const struct hash *state)
{
	uint32_t lower = 0;

	for (size_t i = 0; i < n; i++)
		lower += hash_compare(&list[i].state, state) < 0;
	return lower;
}

/* What keep.h, which is tested by itself, says of one series; true: something goes. */
static bool
choose(const struct model *m, unsigned series, int64_t before_ms, const struct keep_rules *rules,
    bool *going)
{
	static struct old_item list[ITEMS_MAX];
	static struct keep_sighting sightings[ITEMS_MAX];
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].series == series && m->items[i].time_ms < before_ms)
			list[n++] = old_item(m, i);
	qsort(list, n, sizeof(*list), by_time_and_state);
	for (size_t i = 0; i < n; i++)
		sightings[i] = (struct keep_sighting){.time_ms = list[i].time_ms,
		    .state = rank(list, n, &list[i].state),
		    .observed = list[i].observed};
	keep_choose(sightings, n, rules);
	for (size_t i = 0; i < n; i++) {
		going[list[i].item] = !sightings[i].kept;
		any |= !sightings[i].kept;
	}
	return any;
}

/* All commits up to the last one that names something old of a series of which something goes. */
static unsigned
last_forgotten(const struct model *m, const bool *touched, int64_t before_ms)
{
	unsigned last = m->forgotten;

	for (size_t i = 0; i < m->n; i++)
		if (touched[m->items[i].series] && m->items[i].time_ms < before_ms &&
		    m->items[i].commit > last)
			last = m->items[i].commit;
	return last;
}

static void
prune(struct sequence *q)
{
	static bool going[ITEMS_MAX];
	struct model *m = &q->m;
	const struct keep_rules rules = {1 + model_chance(m, 2), INT64_C(86400000)};
	int64_t before_ms = m->now_ms - (int64_t)model_chance(m, 4 * 86400) * 1000;
	struct maintain_dropped dropped;
	bool touched[SERIES_N], sure = false;
	struct err err = {0};

	memset(going, 0, sizeof(going));
	for (unsigned i = 0; i < SERIES_N; i++)
		touched[i] = choose(m, i, before_ms, &rules, going);
	assert_ok(
	    maintain_prune(m->store, before_ms, &rules, &hooks, confirm, &sure, &dropped, &err),
	    err);
	model_compare(m, false);
	sure = true;
	assert_ok(
	    maintain_prune(m->store, before_ms, &rules, &hooks, confirm, &sure, &dropped, &err),
	    err);
	m->forgotten = last_forgotten(m, touched, before_ms);
	after_dropping(q, &dropped, take_out(m, going));
}

/* ---- copies --------------------------------------------------------------------------------- */

static void
compact(struct sequence *q)
{
	struct maintain_copied copied;
	struct err err = {0};

	assert_ok(maintain_compact(&q->m.store, &hooks, &copied, &err), err);
	q->m.store = fixture_open(q->m.dir, STORE_WRITE);
}

static void
back_up(struct sequence *q)
{
	const struct maintain_cursor since = q->cursor;
	struct maintain_copied copied = {0};
	struct err err = {0};
	int rc;

	if (q->backups_n == BACKUPS_MAX)
		q->backups_n = 0;
	name_new(q, q->backups[q->backups_n]);
	if (q->backups_n == 0)
		rc = maintain_copy(q->m.store, q->backups[0], &hooks, &q->cursor, &copied, &err);
	else
		rc = maintain_increment(q->m.store, &since, q->backups[q->backups_n], &hooks,
		    &q->cursor, &copied, &err);
	assert_ok(rc, err);
	q->backups_n++;
}

/* The backup and what followed it, in an order of chance, make the corpus. */
static void
restore(struct sequence *q)
{
	struct maintain_merged sum = {0};
	struct store *store, *from;
	struct err err = {0};
	char dir[512];

	back_up(q);
	name_new(q, dir);
	store = fixture_open(dir, STORE_WRITE);
	for (unsigned n = q->backups_n; n > 0; n--) {
		char *one = q->backups[model_chance(&q->m, n)];

		from = fixture_open(one, STORE_READ);
		assert_int_equal(findings(from), 0);
		assert_ok(maintain_merge(store, from, &hooks, &sum, &err), err);
		store_close(from);
		memmove(one, q->backups[n - 1], sizeof(q->backups[0]));
	}
	same(q, store);
	store_close(store);
	q->restored += q->backups_n;
	q->backups_n = 0; /* the first one is not the first any more */
}

/* A copy takes the place of the corpus: its journal and its numbers go on. */
static void
go_on_in_a_copy(struct sequence *q)
{
	static char dir[512];
	struct maintain_cursor cursor;
	struct maintain_copied copied = {0};
	struct err err = {0};

	name_new(q, dir);
	assert_ok(maintain_copy(q->m.store, dir, &hooks, &cursor, &copied, &err), err);
	model_finish(&q->m);
	q->m.dir = dir;
	q->m.store = fixture_open(dir, STORE_WRITE);
}

/* ---- the test ------------------------------------------------------------------------------- */

static void
step(struct sequence *q)
{
	model_batch(&q->m, NULL);
	switch (model_chance(&q->m, 24)) {
	case 0:
	case 1:
	case 2:
		model_open_anew(&q->m);
		break;
	case 3:
	case 4:
		merge(q);
		break;
	case 5:
		prune(q);
		break;
	case 6:
		drop_name(q);
		break;
	case 7:
		compact(q);
		break;
	case 8:
		go_on_in_a_copy(q);
		break;
	case 9:
		restore(q);
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		back_up(q);
		break;
	default:
		return;
	}
	model_compare(&q->m, true);
}

static void
test_model(void **state)
{
	const char *given = getenv("TORTURE_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)clock_now_ms();
	struct sequence *q = calloc(1, sizeof(*q));

	assert_non_null(q);
	print_message("# TORTURE_SEED=%llu\n", (unsigned long long)seed);
	q->folder = *state;
	model_init(&q->m, fixture_path(*state, "store"), seed);
	for (unsigned i = 1; i <= STEPS && q->m.n < ITEMS_MAX / 2 && q->m.commits < COMMITS_MAX;
	     i++) {
		step(q);
		if (i % 4 == 0)
			model_compare(&q->m, i % 20 == 0);
	}
	model_compare(&q->m, true);
	restore(q);
	import_again(q);
	print_message("# %zu records at the end, %u merged, %u dropped, %u commits, of which %u "
		      "are forgotten; %u backups merged again\n",
	    q->m.n, q->merged, q->dropped, q->m.commits, q->m.forgotten, q->restored);
	model_finish(&q->m);
	buf_finish(&q->a);
	buf_finish(&q->b);
	free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_model, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
