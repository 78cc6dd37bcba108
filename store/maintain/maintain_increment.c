#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maintain.h"
#include "stage.h"
#include "store/base/bits.h"
#include "store/base/mem.h"
#include "store/corpus/numbers.h"
#include "store/corpus/store_view.h"
#include "store/corpus/timeline.h"
#include "transfer.h"

bool
maintain_cursor_parse(const char *text, struct maintain_cursor *cursor)
{
	const char *at = text;
	char *end;

	for (uint64_t *v = &cursor->commit;; v = &cursor->certificates, at = end + 1) {
		if (*at < '0' || *at > '9')
			return false;
		errno = 0;
		*v = strtoull(at, &end, 10);
		if (errno != 0)
			return false;
		if (v == &cursor->certificates)
			return *end == '\0';
		if (*end != '.')
			return false;
	}
}

void
maintain_cursor_format(const struct maintain_cursor *cursor, char out[MAINTAIN_CURSOR_MAX])
{
	snprintf(out, MAINTAIN_CURSOR_MAX, "%llu.%llu", (unsigned long long)cursor->commit,
	    (unsigned long long)cursor->certificates);
}

int
maintain_cursor_of(struct store_view *view, struct maintain_cursor *cursor, struct err *err)
{
	struct numbers numbers;
	int rc = journal_last(view, &cursor->commit, err);

	if (rc == 0)
		rc = numbers_read(view->txn, &numbers, err);
	if (rc == 0)
		cursor->certificates = numbers.certificates;
	return rc;
}

struct increment {
	struct transfer transfer;
	struct bits evidence;	       /* whose certificates are there */
	struct journal_entry *entries; /* of one commit, sorted */
	size_t cap;
};

static int
compare_entries(const void *a, const void *b)
{
	const struct journal_entry *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* Damage ends it: an increment that lacks something must not be taken for one. */
static int
certificate(struct increment *x, const struct hash *name, struct err *err)
{
	struct buf der = {0};
	struct err why = {0};
	int rc = store_certificate(x->transfer.from, name, &der, &why);

	if (rc == 0)
		rc = transfer_certificate(&x->transfer, &der, err);
	else
		rc = rc == ERR_NOT_FOUND ? 0 : err_set(err, rc, "%s", why.text);
	buf_finish(&der);
	return rc;
}

static int
sighting(
    struct increment *x, const struct series *series, const struct sighting *s, struct err *err)
{
	struct transfer *t = &x->transfer;
	bool fresh;
	int rc = transfer_sighting(t, series, s, &fresh, err);

	if (rc == 0 && fresh && bits_add(&x->evidence, s->evidence))
		for (size_t i = 0; rc == 0 && i < t->evidence.chain_n; i++)
			rc = certificate(x, &t->evidence.chain[i], err);
	return rc == 0 ? transfer_tick(t, err) : rc;
}

/* Entries of one series, in order of time. */
static int
series_entries(struct increment *x, const struct journal_entry *entries, size_t n, struct err *err)
{
	struct series series;
	struct timeline t;
	struct sighting s;
	size_t at = 0;
	int rc = store_series(x->transfer.from, entries[0].series, &series, err);

	if (rc == 0)
		rc = timeline_init(&t, x->transfer.from, entries[0].series, series.kind,
		    entries[0].time_ms, entries[n - 1].time_ms + 1, err);
	if (rc != 0)
		return rc;
	while (rc == 0 && (rc = timeline_next(&t, &s, err)) > 0) {
		while (at < n && entries[at].time_ms < s.time_ms)
			at++;
		rc = at < n && entries[at].time_ms == s.time_ms ? sighting(x, &series, &s, err) : 0;
	}
	timeline_finish(&t);
	return rc;
}

static int
one_commit(struct increment *x, const struct journal_entry *entries, size_t n, struct err *err)
{
	int rc = 0;

	if (n == 0)
		return 0;
	if (n > x->cap) {
		x->entries = mem_grow(x->entries, n, sizeof(*entries));
		x->cap = n;
	}
	memcpy(x->entries, entries, n * sizeof(*entries));
	qsort(x->entries, n, sizeof(*entries), compare_entries);
	for (size_t begin = 0, i = 1; rc == 0 && i <= n; i++) {
		if (i < n && x->entries[i].series == x->entries[begin].series)
			continue;
		rc = series_entries(x, x->entries + begin, i - begin, err);
		begin = i;
	}
	return rc;
}

static int
commits(struct increment *x, uint64_t since, struct err *err)
{
	const struct journal_entry *entries;
	struct journal_walk *walk;
	int64_t committed_ms;
	uint64_t sequence;
	size_t n;
	int rc = journal_walk_open(&walk, x->transfer.from, since, err);

	if (rc != 0)
		return rc;
	while (rc == 0 &&
	       (rc = journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, err)) > 0)
		rc = one_commit(x, entries, n, err);
	journal_walk_close(walk);
	return rc;
}

/* What was brought without an observation. */
static int
certificates(struct increment *x, uint64_t since, struct err *err)
{
	struct transfer *t = &x->transfer;
	struct certificate_walk *walk;
	struct buf der = {0};
	struct hash name;
	bool known;
	int rc = certificate_walk_open(&walk, t->from, err);

	if (rc == 0)
		certificate_walk_from(walk, since);
	while (rc == 0 && (rc = certificate_walk_next(walk, &name, &der, &known, err)) > 0) {
		rc = known ? transfer_certificate(t, &der, err) : 0;
		if (rc == 0)
			rc = transfer_tick(t, err);
	}
	certificate_walk_close(walk);
	buf_finish(&der);
	return rc;
}

static int
fill(struct store *from, struct store *into, const struct maintain_cursor *since,
    const struct maintain_hooks *hooks, struct maintain_cursor *cursor, struct maintain_merged *sum,
    struct err *err)
{
	struct increment x = {0};
	int rc = transfer_init(&x.transfer, into, from, hooks, sum, err);

	if (rc == 0)
		rc = maintain_cursor_of(x.transfer.from, cursor, err);
	if (rc == 0)
		rc = commits(&x, since->commit, err);
	if (rc == 0)
		rc = certificates(&x, since->certificates, err);
	rc = transfer_finish(&x.transfer, rc, err);
	if (rc == 0 && sum->damaged > 0)
		rc = err_set(err, ERR_DAMAGED,
		    "%s: damaged: the increment would lack what could not be read; run `mxstore "
		    "check --store %s`",
		    store_dir(from), store_dir(from));
	bits_finish(&x.evidence);
	free(x.entries);
	return rc;
}

int
maintain_increment(struct store *from, const struct maintain_cursor *since, const char *dir,
    const struct maintain_hooks *hooks, struct maintain_cursor *cursor,
    struct maintain_copied *copied, struct err *err)
{
	struct maintain_merged sum = {0};
	struct stage stage;
	int rc = stage_open(&stage, dir, err);

	if (rc != 0)
		return rc;
	rc = fill(from, stage.store, since, hooks, cursor, &sum, err);
	if (rc == 0)
		rc = stage_finish(&stage, err);
	stage_abandon(&stage);
	copied->observations = sum.observations;
	copied->dns_answers = sum.dns_answers;
	copied->certificates = sum.certificates;
	copied->records = sum.observations + sum.dns_answers + sum.certificates;
	return rc;
}
