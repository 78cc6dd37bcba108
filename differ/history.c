#include "history.h"

#include <stdlib.h>

#include "../store/mem.h"
#include "../store/timeline.h"

void
history_init(struct history *h, struct store_view *view, const struct lifetime_rules *rules)
{
	*h = (struct history){.view = view, .states = states_create(view)};
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
	struct evidence e;
	struct buf bytes = {0};
	int rc;

	if ((rc = store_evidence(h->view, evidence, &e, err)) < 0)
		return rc;
	evidence_encode(&bytes, &e);
	*id = hash_sha256(bytes.data, bytes.len);
	buf_finish(&bytes);
	evidence_finish(&e);
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

static int
push(struct history *h, const struct lifetime_sighting *s, struct err *err)
{
	int rc;

	if (h->moment_n > 0 && h->moment[0].sighting.time_ms != s->time_ms &&
	    (rc = take_moment(h, err)) < 0)
		return rc;
	if (h->moment_n == h->moment_cap) {
		h->moment_cap = h->moment_cap > 0 ? 2 * h->moment_cap : 4;
		h->moment = mem_grow(h->moment, h->moment_cap, sizeof(*h->moment));
	}
	h->moment[h->moment_n++].sighting = *s;
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
	if ((rc = timeline_init(
		 &timeline, h->view, series, SERIES_PROBE, INT64_MIN, until_ms, err)) < 0)
		return rc;
	while ((rc = timeline_next(&timeline, &sighting, err)) > 0) {
		struct lifetime_sighting s = {
		    .time_ms = sighting.time_ms, .evidence = sighting.evidence};

		if (left_out(without, &at, s.time_ms))
			continue;
		if ((rc = states_of_evidence(h->states, s.evidence, &s.state, err)) < 0)
			break;
		if ((rc = push(h, &s, err)) < 0)
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
	if ((rc = timeline_init(
		 &timeline, h->view, series, SERIES_PROBE, time_ms, time_ms + 1, err)) < 0)
		return rc;
	while ((rc = timeline_next(&timeline, &s, err)) > 0) {
		struct lifetime_sighting one = {.time_ms = s.time_ms, .evidence = s.evidence};

		if ((rc = states_of_evidence(h->states, one.evidence, &one.state, err)) < 0)
			break;
		if (states_get(h->states, one.state)->observed && (rc = push(h, &one, err)) < 0)
			break;
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

	while ((rc = timeline_last(h->view, series, SERIES_PROBE, before_ms, &s, err)) > 0) {
		if ((rc = last_of_moment(h, series, s.time_ms, sighting, err)) != 0)
			return rc;
		before_ms = s.time_ms;
	}
	return rc;
}
