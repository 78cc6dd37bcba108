/*
 * model: changes, windows and states as trees of values (value.h), in the members and the order
 * that CONTRACT gives their JSON. Renderers turn the trees into lines; nothing is formatted here
 * but times and hashes.
 */
#ifndef MX509_MODEL_H
#define MX509_MODEL_H

#include "change.h"
#include "fallback.h"
#include "rollout.h"

/* The names of the classes, as a list. */
struct value *model_classes(struct arena *arena, unsigned classes);
/* {"after","before"}, times with milliseconds as texts. */
struct value *model_bracket(struct arena *arena, int64_t after_ms, int64_t before_ms);

/* NULL on error. type: "change", or "altered" of one that was told before; a literal. `revises`:
 * the id of the change that this one takes the place of, or NULL. */
struct value *model_change(struct arena *arena, struct changes *changes, const char *type,
    const struct change *change, const struct series *series, const char *revises, struct err *err);
/* news: what a feed adds; NULL: none. */
struct model_news {
	bool update; /* the reader has one of this id already */
	const char *revises;
};
/* All but its series: that member, MODEL_WINDOW_SERIES, is an empty list. They may be many
 * thousands, and are made one at a time. */
#define MODEL_WINDOW_SERIES "series"
struct value *model_window(struct arena *arena, struct changes *changes, struct store_view *view,
    const struct rollout *window, const struct model_news *news, struct err *err);
struct value *model_window_member(struct arena *arena, struct changes *changes,
    struct store_view *view, const struct rollout_member *member, struct err *err);

/* The names of levels, as a list. */
struct value *model_levels(struct arena *arena, unsigned levels);

/* What a series shows: `last` is its last observation (or its last probe, if it was never
 * observed), `since` the bracket of the lifetime's begin; after_ms INT64_MIN: from its first one.
 * fallback, judged: NULL where there is none. */
struct value *model_state(struct arena *arena, struct changes *changes, const struct series *series,
    const struct lifetime_sighting *last, int64_t after_ms, int64_t first_ms,
    const struct fallback *fallback, const struct judge_state *judged, struct err *err);

#endif
