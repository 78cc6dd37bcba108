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

/* The moment's sightings in the order of their states' ids; a handful at most. */
static void
take_moment(struct history *h)
{
	for (size_t i = 1; i < h->moment_n; i++) {
		struct lifetime_sighting s = h->moment[i];
		const struct hash *id = &states_get(h->states, s.state)->id;
		size_t j = i;

		for (; j > 0 &&
		       hash_compare(&states_get(h->states, h->moment[j - 1].state)->id, id) > 0;
		     j--)
			h->moment[j] = h->moment[j - 1];
		h->moment[j] = s;
	}
	for (size_t i = 0; i < h->moment_n; i++)
		take(h, &h->moment[i]);
	h->moment_n = 0;
}

static void
push(struct history *h, const struct lifetime_sighting *s)
{
	if (h->moment_n > 0 && h->moment[0].time_ms != s->time_ms)
		take_moment(h);
	if (h->moment_n == h->moment_cap) {
		h->moment_cap = h->moment_cap > 0 ? 2 * h->moment_cap : 4;
		h->moment = mem_grow(h->moment, h->moment_cap, sizeof(*h->moment));
	}
	h->moment[h->moment_n++] = *s;
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
		push(h, &s);
	}
	timeline_finish(&timeline);
	if (rc < 0)
		return rc;
	take_moment(h);
	*events = lifetimes_events(&h->lifetimes, n);
	return 0;
}

int
history_last_observed(struct history *h, uint32_t series, int64_t before_ms,
    struct lifetime_sighting *sighting, struct err *err)
{
	struct sighting s;
	int rc;

	while ((rc = timeline_last(h->view, series, SERIES_PROBE, before_ms, &s, err)) > 0) {
		*sighting =
		    (struct lifetime_sighting){.time_ms = s.time_ms, .evidence = s.evidence};
		if ((rc = states_of_evidence(h->states, s.evidence, &sighting->state, err)) < 0)
			return rc;
		if (states_get(h->states, sighting->state)->observed)
			return 1;
		before_ms = s.time_ms;
	}
	return rc;
}
