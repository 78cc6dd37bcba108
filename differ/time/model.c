#include "model.h"

#include <stdlib.h>

#include "store/base/clock.h"

static struct value *
text(struct arena *a, const char *s)
{
	return value_text(a, s);
}

static struct value *
time_value(struct arena *a, int64_t time_ms)
{
	char out[CLOCK_TEXT_MAX];

	clock_format_ms(time_ms, out);
	return value_text(a, out);
}

static const struct value *
hash_value(struct arena *a, bool has, const struct hash *hash)
{
	return has ? value_hex(a, hash->bytes, HASH_LEN) : value_null();
}

struct value *
model_bracket(struct arena *a, int64_t after_ms, int64_t before_ms)
{
	struct value_builder b = {.arena = a};

	value_add_member(&b, "after", time_value(a, after_ms));
	value_add_member(&b, "before", time_value(a, before_ms));
	return value_object(&b);
}

struct value *
model_classes(struct arena *a, unsigned classes)
{
	struct value_builder b = {.arena = a};

	for (unsigned i = 0; i < CLASS_N; i++)
		if ((classes & 1u << i) != 0)
			value_add(&b, value_text_static(a, class_table[i].name));
	return value_list(&b);
}

/* ---- series ------------------------------------------------------------------------------ */

/* A name has no place; "rrtype" tells what was asked of it. */
static void
add_name(struct value_builder *b, const struct series *s)
{
	static const char *const none[] = {"address", "port", "sni", "sni_name", "offer"};
	char rrtype[16];

	value_add_member(b, "host", text(b->arena, s->host));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		value_add_member(b, none[i], value_null());
	value_add_member(b, "vantage", text(b->arena, s->vantage));
	value_add_member(b, "rrtype",
	    text(b->arena, s->rrtype == RRTYPE_STS ? "MTA-STS" : rrtype_name(s->rrtype, rrtype)));
}

static void
add_place(struct value_builder *b, const struct series *s)
{
	char address[IP_TEXT_MAX];

	ip_format(&s->address, address);
	value_add_member(b, "host", text(b->arena, s->host));
	value_add_member(b, "address", text(b->arena, address));
	value_add_member(b, "port", value_number(b->arena, s->port));
}

static void
add_series(struct value_builder *b, const struct series *s)
{
	if (s->kind == SERIES_DNS) {
		add_name(b, s);
		return;
	}
	add_place(b, s);
	value_add_member(b, "sni", text(b->arena, sni_name(s->sni)));
	value_add_member(
	    b, "sni_name", text(b->arena, s->sni_name[0] != '\0' ? s->sni_name : NULL));
	value_add_member(b, "offer", text(b->arena, offer_name(s->offer)));
	value_add_member(b, "vantage", text(b->arena, s->vantage));
}

static struct value *
fallback_value(struct arena *a, const struct fallback *f)
{
	struct value_builder b = {.arena = a};

	value_add_member(&b, "does", value_text_static(a, fallback_name(f->kind)));
	value_add_member(&b, "after", f->has_after ? time_value(a, f->after_ms) : value_null());
	value_add_member(&b, "before", time_value(a, f->before_ms));
	return value_object(&b);
}

/* ---- verdicts ---------------------------------------------------------------------------- */

struct value *
model_levels(struct arena *a, unsigned levels)
{
	struct value_builder b = {.arena = a};

	for (unsigned i = 0; i < LEVEL_N; i++)
		if ((levels & 1u << i) != 0)
			value_add(&b, value_text_static(a, level_name((enum level)i)));
	return value_list(&b);
}

/* NULL on error. */
static const struct value *
verdict(struct arena *a, struct changes *changes, const struct verdict *v, struct err *err)
{
	struct judge *judge = changes_judge_of(changes);

	return v != NULL ? verdict_value(a, judge_engine(judge), v, err) : value_null();
}

/* {"old","new","lost","gained"}, or null where there is no verdict at all. NULL on error. */
static const struct value *
verdicts(struct arena *a, struct changes *changes, const struct change *change, unsigned lost,
    unsigned gained, const struct series *series, struct err *err)
{
	struct value_builder b = {.arena = a};
	struct change_verdicts v;
	const struct value *old, *new;

	if (changes_verdicts(changes, series, change, &v, err) < 0)
		return NULL;
	if (!v.has_old && !v.has_new)
		return value_null();
	if ((old = verdict(a, changes, v.has_old ? &v.old : NULL, err)) == NULL ||
	    (new = verdict(a, changes, v.has_new ? &v.new : NULL, err)) == NULL)
		return NULL;
	value_add_member(&b, "old", old);
	value_add_member(&b, "new", new);
	value_add_member(&b, "lost", model_levels(a, lost));
	value_add_member(&b, "gained", model_levels(a, gained));
	return value_object(&b);
}

/* The same of a state, with "lapsed". */
static const struct value *
state_verdict(
    struct arena *a, struct changes *changes, const struct judge_state *judged, struct err *err)
{
	struct value_builder b = {.arena = a};
	const struct value *v;

	if (judged == NULL)
		return value_null();
	if ((v = verdict(a, changes, &judged->verdict, err)) == NULL)
		return NULL;
	for (size_t i = 0; i < v->n; i++)
		value_add_member(&b, v->items[i].name, &v->items[i]);
	value_add_member(&b, "lapsed", model_levels(a, judged->lapsed));
	return value_object(&b);
}

/* ---- changes ----------------------------------------------------------------------------- */

static struct value *
difference(struct arena *a, const struct difference *d)
{
	struct value_builder b = {.arena = a};

	value_add_member(&b, "field", value_text_static(a, field_table[d->field].name));
	value_add_member(&b, "old", value_copy(a, d->old));
	value_add_member(&b, "new", value_copy(a, d->new));
	value_add_member(&b, "severity", value_text_static(a, severity_name(d->severity)));
	return value_object(&b);
}

/* The outcome is the observation's own: a chain may come with several. NULL on error. */
static struct value *
moment(
    struct arena *a, struct changes *changes, const struct lifetime_sighting *seen, struct err *err)
{
	const struct state *s = states_get(changes_history(changes)->states, seen->state);
	const struct facts *facts = changes_facts(changes, seen->evidence, err);
	struct value_builder b = {.arena = a};

	if (facts == NULL)
		return NULL;
	value_add_member(&b, "chain", hash_value(a, s->has_chain, &s->id));
	value_add_member(&b, "leaf", hash_value(a, s->has_chain, &s->leaf));
	value_add_member(&b, "outcome", value_copy(a, facts_get(facts, FIELD_OUTCOME)));
	return value_object(&b);
}

static const struct value *
old_gone(struct arena *a, const struct lifetime_event *e)
{
	return e->has_old_gone ? model_bracket(a, e->old_gone_after_ms, e->old_gone_before_ms)
			       : value_null();
}

struct value *
model_change(struct arena *a, struct changes *changes, const char *type,
    const struct change *change, const struct series *series, const char *revises, struct err *err)
{
	struct value_builder b = {.arena = a}, fields = {.arena = a};
	const struct value *old, *new, *judged;
	const struct difference *d;
	int n = changes_differences(changes, change, &d, err);

	if (n < 0)
		return NULL;
	for (int i = 0; i < n; i++)
		value_add(&fields, difference(a, &d[i]));
	if ((old = moment(a, changes, &change->event.old, err)) == NULL ||
	    (new = moment(a, changes, &change->event.new, err)) == NULL ||
	    (judged = verdicts(a, changes, change, change->lost, change->gained, series, err)) ==
		NULL)
		return NULL;
	value_add_member(&b, "type", value_text_static(a, type));
	value_add_member(&b, "id", text(a, change->id));
	value_add_member(&b, "revises", text(a, revises));
	add_series(&b, series);
	value_add_member(&b, "after", time_value(a, change->after_ms));
	value_add_member(&b, "before", time_value(a, change->before_ms));
	value_add_member(&b, "class", model_classes(a, change->classes));
	value_add_member(&b, "severity", value_text_static(a, severity_name(change->severity)));
	value_add_member(&b, "fields", value_list(&fields));
	value_add_member(&b, "old", old);
	value_add_member(&b, "new", new);
	value_add_member(&b, "old_gone", old_gone(a, &change->event));
	value_add_member(&b, "verdict", judged);
	value_add_member(
	    &b, "state", value_text_static(a, change->event.mixed ? "mixed" : "replaced"));
	value_add_member(&b, "clock_stepped", value_bool(a, change->clock_stepped));
	return value_object(&b);
}

/* ---- windows ----------------------------------------------------------------------------- */

struct value *
model_window_member(struct arena *a, struct changes *changes, struct store_view *view,
    const struct rollout_member *m, struct err *err)
{
	struct value_builder b = {.arena = a};
	struct fallback f;
	struct series series;
	bool changed = m->state != ROLLOUT_OLD;
	int rc;

	if ((rc = store_series(view, m->series, &series, err)) < 0 ||
	    (rc = fallback_find(changes, view, m->series, &series, INT64_MAX, &f, err)) < 0)
		return NULL;
	add_place(&b, &series);
	value_add_member(
	    &b, "sni_name", text(a, series.sni_name[0] != '\0' ? series.sni_name : NULL));
	value_add_member(&b, "vantage", text(a, series.vantage));
	value_add_member(&b, "after", changed ? time_value(a, m->after_ms) : value_null());
	value_add_member(&b, "before", changed ? time_value(a, m->before_ms) : value_null());
	value_add_member(&b, "state", value_text_static(a, rollout_state_name(m->state)));
	value_add_member(&b, "rolled_back", value_bool(a, m->undone));
	value_add_member(&b, "left", value_bool(a, m->left));
	value_add_member(&b, "fallback", rc > 0 ? fallback_value(a, &f) : value_null());
	return value_object(&b);
}

struct value *
model_window(struct arena *a, struct changes *changes, struct store_view *view,
    const struct rollout *w, const struct model_news *news, struct err *err)
{
	struct value_builder b = {.arena = a}, fields = {.arena = a}, none = {.arena = a};
	int64_t interval_ms = rollout_interval_ms(w);
	const struct value *judged;
	const struct difference *d;
	struct series first;
	int n = changes_differences(changes, &w->first, &d, err);

	if (n < 0 || store_series(view, w->first.series, &first, err) < 0 ||
	    (judged = verdicts(a, changes, &w->first, w->lost, w->gained, &first, err)) == NULL)
		return NULL;
	for (int i = 0; i < n; i++)
		if (rollout_has_common(w, &d[i]))
			value_add(&fields, difference(a, &d[i]));
	value_add_member(&b, "type", value_text_static(a, "window"));
	value_add_member(&b, "id", text(a, w->id));
	value_add_member(&b, "host_group", text(a, w->group));
	value_add_member(&b, "sni", text(a, sni_name(w->sni)));
	value_add_member(&b, "offer", text(a, offer_name(w->offer)));
	value_add_member(&b, "class", model_classes(a, w->classes));
	value_add_member(&b, "severity", value_text_static(a, severity_name(w->severity)));
	value_add_member(&b, "fields", value_list(&fields));
	value_add_member(&b, "start", model_bracket(a, w->start.after_ms, w->start.before_ms));
	value_add_member(&b, "end",
	    w->has_end ? model_bracket(a, w->end.after_ms, w->end.before_ms) : value_null());
	value_add_member(&b, "single_instant",
	    w->has_instant ? model_bracket(a, w->instant.after_ms, w->instant.before_ms)
			   : value_null());
	value_add_member(&b, "converted", value_number(a, (int64_t)w->converted));
	value_add_member(&b, "mixed", value_number(a, (int64_t)w->mixed));
	value_add_member(&b, "total", value_number(a, (int64_t)w->total));
	value_add_member(&b, MODEL_WINDOW_SERIES, value_list(&none));
	value_add_member(&b, "rolled_back", value_number(a, (int64_t)w->undone));
	value_add_member(
	    &b, "interval_ms", interval_ms >= 0 ? value_number(a, interval_ms) : value_null());
	value_add_member(&b, "verdict", judged);
	value_add_member(&b, "unlisted", value_number(a, (int64_t)w->unlisted));
	if (news != NULL) {
		value_add_member(&b, "update", value_bool(a, news->update));
		value_add_member(&b, "revises", text(a, news->revises));
	}
	return value_object(&b);
}

/* ---- states ------------------------------------------------------------------------------ */

struct value *
model_state(struct arena *a, struct changes *changes, const struct series *series,
    const struct lifetime_sighting *last, int64_t after_ms, int64_t first_ms,
    const struct fallback *f, const struct judge_state *judged, struct err *err)
{
	static const enum field shown[] = {FIELD_SUBJECT, FIELD_ISSUER, FIELD_NOT_BEFORE,
	    FIELD_NOT_AFTER, FIELD_KEY_ALGORITHM, FIELD_KEY_BITS, FIELD_KEY_CURVE,
	    FIELD_SELF_SIGNED, FIELD_TLS_VERSION, FIELD_CIPHER, FIELD_GROUP, FIELD_SERVER_SIGNATURE,
	    FIELD_SNI_ACKNOWLEDGED};
	const struct state *s = states_get(changes_history(changes)->states, last->state);
	const struct facts *facts = changes_facts(changes, last->evidence, err);
	const struct value *v = state_verdict(a, changes, judged, err);
	struct value_builder b = {.arena = a};

	if (facts == NULL || v == NULL)
		return NULL;
	value_add_member(&b, "type", value_text_static(a, "state"));
	add_series(&b, series);
	value_add_member(
	    &b, "after", after_ms == INT64_MIN ? value_null() : time_value(a, after_ms));
	value_add_member(&b, "first", time_value(a, first_ms));
	value_add_member(&b, "last", time_value(a, last->time_ms));
	value_add_member(&b, "outcome", value_copy(a, facts_get(facts, FIELD_OUTCOME)));
	value_add_member(&b, "chain", hash_value(a, s->has_chain, &s->id));
	value_add_member(&b, "leaf", hash_value(a, s->has_chain, &s->leaf));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		value_add_member(
		    &b, field_table[shown[i]].name, value_copy(a, facts_get(facts, shown[i])));
	value_add_member(&b, "fallback", f != NULL ? fallback_value(a, f) : value_null());
	value_add_member(&b, "verdict", v);
	return value_object(&b);
}
