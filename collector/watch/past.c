#include "past.h"

#include "store/corpus/timeline_back.h"
#include "store/record/shown.h"

#define SIGHTINGS_MOST 32 /* that are looked at, be they observed states or not */

static void
take(struct store_view *view, uint32_t number, struct place_series *out, struct err *err)
{
	struct evidence evidence;
	struct hash shown;

	if (store_evidence(view, number, &evidence, err) != 0)
		return;
	if (evidence_is_observed(&evidence)) {
		shown = shown_by_probe(&evidence);
		places_remember(out, places_state(&shown));
	}
	evidence_finish(&evidence);
}

static void
walk(struct store_view *view, uint32_t series, int64_t before_ms, struct place_series *out)
{
	struct timeline_back back;
	struct sighting sighting;
	struct err err = {0};
	uint32_t last = UINT32_MAX;

	if (timeline_back_init(&back, view, series, SERIES_PROBE, INT64_MIN, before_ms, &err) == 0)
		for (int i = 0; i < SIGHTINGS_MOST && out->states[PLACES_STATES - 1] == 0 &&
				timeline_back_next(&back, &sighting, &err) > 0;
		     i++) {
			if (sighting.evidence != last)
				take(view, sighting.evidence, out, &err);
			last = sighting.evidence;
		}
	timeline_back_finish(&back);
}

void
past_states(
    struct store *store, const struct series *series, int64_t before_ms, struct place_series *out)
{
	struct store_view *view = NULL;
	struct err err = {0};
	uint32_t number;

	if (store_view_open(store, &view, &err) == 0 &&
	    store_series_number(view, series, &number, &err) > 0)
		walk(view, number, before_ms, out);
	store_view_close(view);
}
