#include <stdlib.h>

#include "drop.h"
#include "store/corpus/keep.h"
#include "store/record/shown.h"

/* What a record of evidence shows, in one series. */
struct shown {
	struct hash state;
	uint32_t evidence, number; /* number: of the state, from 0 in the order of the hashes */
	bool observed;
};

struct prune {
	struct drop drop;
	int64_t before_ms;
	const struct keep_rules *rules;
	struct buf shown, list; /* of one series: struct shown, struct keep_sighting */
	struct buf places;	/* where in its sightings each of `list` stands: size_t */
};

static int
by_evidence(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	return (x->evidence > y->evidence) - (x->evidence < y->evidence);
}

static int
by_state(const void *a, const void *b)
{
	return hash_compare(&((const struct shown *)a)->state, &((const struct shown *)b)->state);
}

static int
read_shown(struct prune *p, enum series_kind kind, struct shown *shown, struct err *err)
{
	struct store_view *view = &p->drop.view;
	struct db_bytes bytes = {0};
	struct dns_answer answer;
	struct evidence e;
	int rc;

	if (kind == SERIES_PROBE) {
		if ((rc = store_evidence(view, shown->evidence, &e, err)) != 0)
			return rc;
		shown->state = shown_by_probe(&e);
		shown->observed = evidence_is_observed(&e);
		evidence_finish(&e);
		return 0;
	}
	if ((rc = store_dns_answer(view, shown->evidence, &answer, err)) != 0)
		return rc;
	rc = store_evidence_bytes(view, shown->evidence, &bytes, err);
	shown->state = hash_sha256(bytes.p, bytes.len);
	shown->observed = answer.status != DNS_FAILED;
	dns_answer_finish(&answer);
	return rc < 0 ? rc : 0;
}

/* Every record that the first n sightings show, once, by its number. */
static int
read_all_shown(
    struct prune *p, enum series_kind kind, const struct sighting *s, size_t n, struct err *err)
{
	struct shown *list;
	size_t kept = 0;
	int rc = 0;

	buf_clear(&p->shown);
	for (size_t i = 0; i < n; i++) {
		struct shown shown = {.evidence = s[i].evidence};

		if (i == 0 || s[i].evidence != s[i - 1].evidence)
			buf_append(&p->shown, &shown, sizeof(shown));
	}
	list = (void *)p->shown.data;
	n = p->shown.len / sizeof(*list);
	qsort(list, n, sizeof(*list), by_evidence);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || list[kept - 1].evidence != list[i].evidence)
			list[kept++] = list[i];
	p->shown.len = kept * sizeof(*list);
	for (size_t i = 0; rc == 0 && i < kept; i++)
		rc = read_shown(p, kind, &list[i], err);
	if (rc != 0)
		return rc;
	qsort(list, kept, sizeof(*list), by_state);
	for (size_t i = 1; i < kept; i++)
		list[i].number =
		    list[i - 1].number + (hash_compare(&list[i - 1].state, &list[i].state) != 0);
	qsort(list, kept, sizeof(*list), by_evidence);
	return 0;
}

struct placed {
	struct keep_sighting sighting;
	size_t place;
};

/* Within one moment in the order of the states' hashes, as lifetimes take them. */
static int
by_time(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->sighting.time_ms != y->sighting.time_ms)
		return x->sighting.time_ms < y->sighting.time_ms ? -1 : 1;
	if (x->sighting.state != y->sighting.state)
		return x->sighting.state < y->sighting.state ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static void
list_sightings(struct prune *p, const struct sighting *s, size_t n)
{
	struct placed *list;

	buf_clear(&p->places);
	for (size_t i = 0; i < n; i++) {
		struct shown key = {.evidence = s[i].evidence};
		const struct shown *shown = bsearch(
		    &key, p->shown.data, p->shown.len / sizeof(key), sizeof(key), by_evidence);
		struct placed one = {
		    {.time_ms = s[i].time_ms, .state = shown->number, .observed = shown->observed},
		    i};

		buf_append(&p->places, &one, sizeof(one));
	}
	list = (void *)p->places.data;
	qsort(list, n, sizeof(*list), by_time);
	buf_clear(&p->list);
	for (size_t i = 0; i < n; i++)
		buf_append(&p->list, &list[i].sighting, sizeof(list[i].sighting));
}

static int
choose(void *ctx, uint32_t number, const struct series *series, const struct sighting *s, size_t n,
    bool *going, struct err *err)
{
	struct prune *p = ctx;
	struct keep_sighting *list;
	const struct placed *places;
	size_t before = 0;
	int rc;

	while (before < n && s[before].time_ms < p->before_ms)
		before++;
	if (before == 0)
		return 0;
	if ((rc = read_all_shown(p, series->kind, s, before, err)) != 0)
		return rc;
	list_sightings(p, s, before);
	list = (void *)p->list.data;
	places = (const void *)p->places.data;
	keep_choose(list, before, p->rules);
	for (size_t i = 0; i < before; i++)
		going[places[i].place] = !list[i].kept;
	return 0;
}

int
maintain_prune(struct store *store, int64_t before_ms, const struct keep_rules *rules,
    const struct maintain_hooks *hooks, maintain_confirm *confirm, void *ctx,
    struct maintain_dropped *dropped, struct err *err)
{
	struct prune p = {.before_ms = before_ms, .rules = rules};
	int rc = drop_begin(&p.drop, store, hooks, dropped, err);

	if (rc == 0)
		rc = drop_sightings(&p.drop, choose, &p, err);
	if (rc == 0)
		rc = drop_sweep(&p.drop, err);
	if (rc == 0)
		rc = drop_journal_before(&p.drop, before_ms, err);
	if (rc == 0 && confirm(ctx, dropped))
		rc = drop_commit(&p.drop, err);
	drop_finish(&p.drop);
	buf_finish(&p.shown);
	buf_finish(&p.list);
	buf_finish(&p.places);
	return rc;
}
