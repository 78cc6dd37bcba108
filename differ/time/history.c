#include "history.h"

#include <stdlib.h>

#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/corpus/timeline.h"

void
history_init(struct history *h, struct store_view *view, const struct lifetime_rules *rules)
{
	*h = (struct history){.view = view, .states = states_create(view), .kind = SERIES_PROBE};
	lifetimes_init(&h->lifetimes, rules);
}

void
history_finish(struct history *h)
{
	if (h == NULL || h->states == NULL)
		return;
	states_destroy(h->states);
	lifetimes_finish(&h->lifetimes);
	free(h->moment);
	h->states = NULL;
	h->moment = NULL;
}

static void
take(struct history *h, const struct lifetime_sighting *s)
{
	if (states_get(h->states, s->state)->observed)
		lifetimes_observe(&h->lifetimes, *s);
	else
		lifetimes_gap(&h->lifetimes, *s);
}

static int
evidence_id(struct history *h, uint32_t evidence, struct hash *id, struct err *err)
{
	struct dns_answer a;
	struct evidence e;
	struct buf bytes = {0};
	int rc;

	if (h->kind == SERIES_DNS) {
		if ((rc = store_dns_answer(h->view, evidence, &a, err)) < 0)
			return rc;
		dns_answer_encode(&bytes, &a);
		dns_answer_finish(&a);
	} else {
		if ((rc = store_evidence(h->view, evidence, &e, err)) < 0)
			return rc;
		evidence_encode(&bytes, &e);
		evidence_finish(&e);
	}
	*id = hash_sha256(bytes.data, bytes.len);
	buf_finish(&bytes);
	return 0;
}

static int
by_id(const void *a, const void *b)
{
	const struct history_moment *x = a, *y = b;
	int order = hash_compare(&x->state, &y->state);

	return order != 0 ? order : hash_compare(&x->evidence, &y->evidence);
}

static int
order_moment(struct history *h, struct err *err)
{
	int rc;

	for (size_t i = 0; h->moment_n > 1 && i < h->moment_n; i++) {
		struct history_moment *m = &h->moment[i];

		m->state = states_get(h->states, m->sighting.state)->id;
		if ((rc = evidence_id(h, m->sighting.evidence, &m->evidence, err)) < 0)
			return rc;
	}
	if (h->moment_n > 1)
		qsort(h->moment, h->moment_n, sizeof(*h->moment), by_id);
	return 0;
}

static int
take_moment(struct history *h, struct err *err)
{
	int rc = order_moment(h, err);

	for (size_t i = 0; rc == 0 && i < h->moment_n; i++)
		take(h, &h->moment[i].sighting);
	h->moment_n = 0;
	return rc;
}

static void
push(struct history *h, const struct lifetime_sighting *s)
{
	if (h->moment_n == h->moment_cap) {
		h->moment_cap = h->moment_cap > 0 ? 2 * h->moment_cap : 4;
		h->moment = mem_grow(h->moment, h->moment_cap, sizeof(*h->moment));
	}
	h->moment[h->moment_n++].sighting = *s;
}

/* The state of an evidence: nearly always that of the one before. */
static inline int
find_state(struct history *h, struct lifetime_sighting *s, struct err *err)
{
	int rc;

	if (!h->has_evidence || s->evidence != h->evidence) {
		if ((rc = states_of_evidence(h->states, h->kind, s->evidence, &h->state, err)) < 0)
			return rc;
		h->evidence = s->evidence;
		h->has_evidence = true;
	}
	s->state = h->state;
	return 0;
}

/* The next sighting of the walk, after those of earlier moments were taken. */
static inline int
take_next(struct history *h, const struct sighting *sighting, struct err *err)
{
	struct lifetime_sighting s = {.time_ms = sighting->time_ms, .evidence = sighting->evidence};
	int rc;

	if ((rc = find_state(h, &s, err)) < 0)
		return rc;
	if (h->moment_n > 0 && h->moment[0].sighting.time_ms != s.time_ms) {
		if (h->moment_n == 1) {
			take(h, &h->moment[0].sighting);
			h->moment[0].sighting = s;
			return 0;
		}
		if ((rc = take_moment(h, err)) < 0)
			return rc;
	}
	push(h, &s);
	return 0;
}

/* Whether a time is among those to leave out; `at` moves along with the walk. */
static bool
left_out(const struct history_without *without, size_t *at, int64_t time_ms)
{
	if (without == NULL)
		return false;
	while (*at < without->n && without->times_ms[*at] < time_ms)
		(*at)++;
	return *at < without->n && without->times_ms[*at] == time_ms;
}

int
history_read(struct history *h, uint32_t series, int64_t until_ms,
    const struct history_without *without, const struct lifetime_event **events, size_t *n,
    struct err *err)
{
	struct timeline timeline;
	struct sighting sighting;
	size_t at = 0;
	int rc;

	lifetimes_clear(&h->lifetimes);
	h->moment_n = 0;
	if ((rc = timeline_init(&timeline, h->view, series, h->kind, INT64_MIN, until_ms, err)) < 0)
		return rc;
	while ((rc = timeline_next(&timeline, &sighting, err)) > 0) {
		if (left_out(without, &at, sighting.time_ms))
			continue;
		if ((rc = take_next(h, &sighting, err)) < 0)
			break;
	}
	timeline_finish(&timeline);
	if (rc < 0 || (rc = take_moment(h, err)) < 0)
		return rc;
	*events = lifetimes_events(&h->lifetimes, n);
	return 0;
}

/* Of the sightings of one moment that which history_read() takes last: 1, or 0: none observed. */
static int
last_of_moment(struct history *h, uint32_t series, int64_t time_ms,
    struct lifetime_sighting *sighting, struct err *err)
{
	struct timeline timeline;
	struct sighting s;
	int rc;

	h->moment_n = 0;
	if ((rc = timeline_init(&timeline, h->view, series, h->kind, time_ms, time_ms + 1, err)) <
	    0)
		return rc;
	while ((rc = timeline_next(&timeline, &s, err)) > 0) {
		struct lifetime_sighting one = {.time_ms = s.time_ms, .evidence = s.evidence};

		if ((rc = find_state(h, &one, err)) < 0)
			break;
		if (states_get(h->states, one.state)->observed)
			push(h, &one);
	}
	timeline_finish(&timeline);
	if (rc < 0 || h->moment_n == 0 || (rc = order_moment(h, err)) < 0)
		return rc;
	*sighting = h->moment[h->moment_n - 1].sighting;
	h->moment_n = 0;
	return 1;
}

int
history_last_observed(struct history *h, uint32_t series, int64_t before_ms,
    struct lifetime_sighting *sighting, struct err *err)
{
	struct sighting s;
	int rc;

	while ((rc = timeline_last(h->view, series, h->kind, before_ms, &s, err)) > 0) {
		if ((rc = last_of_moment(h, series, s.time_ms, sighting, err)) != 0)
			return rc;
		before_ms = s.time_ms;
	}
	return rc;
}

/* ---- a span ------------------------------------------------------------------------------ */

#define NOT_YET 2 /* what it showed before the span is to be read first */

/* Takes sightings until it is no longer steady (0), or observed at or after until_ms, or read to
 * the end (1). NOT_YET where nothing was observed before since_ms. */
static int
walk_steady(struct history *h, struct timeline *timeline, int64_t since_ms, int64_t until_ms,
    struct err *err)
{
	const struct lifetimes *l = &h->lifetimes;
	struct sighting sighting;
	bool inside = since_ms == INT64_MIN; /* nothing is before that */
	int rc;

	while ((rc = timeline_next(timeline, &sighting, err)) > 0) {
		if (!inside && sighting.time_ms >= since_ms) {
			if ((rc = take_moment(h, err)) < 0)
				return rc;
			if (l->n == 0)
				return NOT_YET;
			inside = true;
		}
		if ((rc = take_next(h, &sighting, err)) < 0)
			return rc;
		if (l->n > 1 || l->events_n > 0)
			return 0;
		if (l->n > 0 && l->list[0].last.time_ms >= until_ms)
			return 1;
	}
	if (rc < 0 || (rc = take_moment(h, err)) < 0)
		return rc;
	return l->n <= 1 && l->events_n == 0;
}

static int
steady_from(struct history *h, uint32_t series, int64_t from_ms, int64_t since_ms, int64_t until_ms,
    struct err *err)
{
	struct timeline timeline;
	int rc;

	lifetimes_clear(&h->lifetimes);
	h->moment_n = 0;
	if ((rc = timeline_init(&timeline, h->view, series, h->kind, from_ms, INT64_MAX, err)) < 0)
		return rc;
	rc = walk_steady(h, &timeline, since_ms, until_ms, err);
	timeline_finish(&timeline);
	return rc;
}

int
history_is_steady(
    struct history *h, uint32_t series, int64_t since_ms, int64_t until_ms, struct err *err)
{
	struct lifetime_sighting last;
	int rc = steady_from(
	    h, series, clock_day_of_ms(since_ms) * CLOCK_DAY_MS, since_ms, until_ms, err);

	if (rc != NOT_YET)
		return rc;
	if ((rc = history_last_observed(h, series, since_ms, &last, err)) < 0)
		return rc;
	return rc > 0 ? steady_from(h, series, last.time_ms, since_ms, until_ms, err)
		      : steady_from(h, series, since_ms, INT64_MIN, until_ms, err);
}
