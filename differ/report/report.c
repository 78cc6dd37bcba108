#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "differ/out/out_state.h"
#include "differ/time/shown.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/text.h"

/* A change that a roll-out tells of. */
struct report_member {
	uint32_t series;
	int64_t before_ms;
};

static int
by_member(const void *a, const void *b)
{
	const struct report_member *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->before_ms < y->before_ms ? -1 : x->before_ms > y->before_ms;
}

/* ---- roll-outs --------------------------------------------------------------------------- */

static void
reverse(struct rollout_list *list)
{
	for (size_t i = 0; i < list->n / 2; i++) {
		struct rollout swap = list->items[i];

		list->items[i] = list->items[list->n - 1 - i];
		list->items[list->n - 1 - i] = swap;
	}
}

static int
read_windows(struct report *r, bool *missing, struct err *err)
{
	size_t members = 0;
	int rc = windows_find(r->query, &r->windows, missing, err);

	if (rc < 0)
		return rc;
	reverse(&r->windows);
	r->windows_n = r->windows.n < r->limit ? r->windows.n : r->limit;
	for (size_t i = 0; i < r->windows.n; i++) {
		r->open_n += !r->windows.items[i].has_end;
		members += r->windows.items[i].changed_n;
	}
	r->members = mem_zero(members > 0 ? members : 1, sizeof(*r->members));
	for (size_t i = 0; i < r->windows.n; i++)
		for (size_t j = 0; j < r->windows.items[i].changed_n; j++) {
			const struct rollout_member *m = &r->windows.items[i].members[j];

			r->members[r->members_n++] =
			    (struct report_member){m->series, m->before_ms};
		}
	qsort(r->members, r->members_n, sizeof(*r->members), by_member);
	return 0;
}

/* ---- changes ----------------------------------------------------------------------------- */

/* Newest first; what happened in one moment in the order of the ids. */
static int
by_time(const void *a, const void *b)
{
	const struct report_change *x = a, *y = b;

	if (x->change.before_ms != y->change.before_ms)
		return x->change.before_ms > y->change.before_ms ? -1 : 1;
	return strcmp(x->change.id, y->change.id);
}

static void
keep_newest(struct report *r)
{
	if (r->changes_n > 0)
		qsort(r->changes, r->changes_n, sizeof(*r->changes), by_time);
	r->changes_n = r->changes_n < r->limit ? r->changes_n : r->limit;
}

static void
add_change(struct report *r, const struct series *series, const struct change *change)
{
	const struct report_member key = {change->series, change->before_ms};

	if (r->ticks_n == r->ticks_cap) {
		r->ticks_cap = r->ticks_cap > 0 ? 2 * r->ticks_cap : 256;
		r->ticks = mem_grow(r->ticks, r->ticks_cap, sizeof(*r->ticks));
	}
	r->ticks[r->ticks_n++] = (struct curve_tick){change->before_ms, change->severity};
	r->all_changes_n++;
	if (r->members_n > 0 &&
	    bsearch(&key, r->members, r->members_n, sizeof(key), by_member) != NULL)
		return;
	r->other_changes_n++;
	if (r->changes_n == 2 * r->limit)
		keep_newest(r);
	if (r->changes_n == r->changes_cap) {
		r->changes_cap = r->changes_cap > 0 ? 2 * r->changes_cap : 64;
		r->changes = mem_grow(r->changes, r->changes_cap, sizeof(*r->changes));
	}
	r->changes[r->changes_n++] = (struct report_change){*series, *change};
}

static int
take_changes(struct report *r, uint32_t number, const struct series *series, int64_t until_ms,
    struct err *err)
{
	const struct change *list;
	size_t n;
	int rc = changes_read(r->query->changes, number, series, until_ms, NULL, &list, &n, err);

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct change change = list[i];

		if ((rc = query_takes_judged(r->query, series, &change, err)) > 0)
			add_change(r, series, &change);
	}
	return rc < 0 ? rc : 0;
}

/* ---- the present -------------------------------------------------------------------------- */

static void
state_finish(struct report_state *s)
{
	free(s->host);
	free(s->sni);
	free(s->shows);
	free(s->key);
	free(s->issuer);
	free(s->verdict);
}

/* What needs a look first, and then by what ends first. */
static int
by_need(const void *a, const void *b)
{
	const struct report_state *x = a, *y = b;
	int order;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->not_after_ms != y->not_after_ms)
		return x->not_after_ms < y->not_after_ms ? -1 : 1;
	if ((order = strcmp(x->host, y->host)) != 0 || (order = strcmp(x->sni, y->sni)) != 0)
		return order;
	return x->state < y->state ? -1 : x->state > y->state;
}

static void
keep_neediest(struct report *r)
{
	if (r->states_n > 0)
		qsort(r->states, r->states_n, sizeof(*r->states), by_need);
	while (r->states_n > r->limit)
		state_finish(&r->states[--r->states_n]);
}

static char *
text_of(struct buf *text)
{
	char *copy = mem_strdup(buf_text(text));

	buf_clear(text);
	return copy;
}

/* What it shows, in words, of one that is new. */
static int
describe(struct report *r, struct report_state *s, const struct series *series,
    const struct lifetime_sighting *last, const struct judge_state *judged, struct err *err)
{
	struct query *q = r->query;
	const struct state *state = states_get(changes_history(q->changes)->states, last->state);
	const struct facts *facts = changes_facts(q->changes, last->evidence, err);
	const struct value *end;
	struct buf text = {0};

	if (facts == NULL)
		return err->code;
	out_history_sni(&text, series);
	s->sni = text_of(&text);
	s->host = mem_strdup(series->host);
	s->not_after_ms = INT64_MAX;
	if (state->has_chain) {
		out_state_subject(&text, facts_get(facts, FIELD_SUBJECT));
		s->shows = text_of(&text);
		out_state_key(&text, facts);
		s->key = text_of(&text);
		out_state_subject(&text, facts_get(facts, FIELD_ISSUER));
		s->issuer = text_of(&text);
		end = facts_get(facts, FIELD_NOT_AFTER);
		if (end != NULL && end->kind == VALUE_TIME)
			s->not_after_ms = end->number;
		s->severity = classify_is_sentinel(facts) ? SEVERITY_CRITICAL : SEVERITY_INFO;
	} else {
		text_escape(&text, state->words, strlen(state->words));
		s->shows = text_of(&text);
		s->severity = SEVERITY_WARNING;
	}
	out_state_verdict(&text, judged, facts);
	s->verdict = text_of(&text);
	buf_finish(&text);
	return 0;
}

/* That of the host which shows the same under the same SNI and offer, or a new one. */
static int
state_of(struct report *r, const struct series *series, const struct lifetime_sighting *last,
    const struct judge_state *judged, struct report_state **out, struct err *err)
{
	struct report_state *s = NULL;
	struct buf sni = {0};
	int rc = 0;

	if (r->states_n == r->host_begin ||
	    strcmp(r->states[r->states_n - 1].host, series->host) != 0) {
		r->hosts_n++;
		if (r->states_n >= 2 * r->limit)
			keep_neediest(r);
		r->host_begin = r->states_n;
	}
	out_history_sni(&sni, series);
	for (size_t i = r->host_begin; i < r->states_n && s == NULL; i++)
		if (r->states[i].state == last->state &&
		    strcmp(r->states[i].sni, buf_text(&sni)) == 0)
			s = &r->states[i];
	buf_finish(&sni);
	if (s == NULL) {
		if (r->states_n == r->states_cap) {
			r->states_cap = r->states_cap > 0 ? 2 * r->states_cap : 64;
			r->states = mem_grow(r->states, r->states_cap, sizeof(*r->states));
		}
		s = &r->states[r->states_n++];
		*s = (struct report_state){
		    .state = last->state, .after_ms = INT64_MIN, .before_ms = INT64_MIN};
		s->last_ms = INT64_MIN;
		r->all_states_n++;
		rc = describe(r, s, series, last, judged, err);
	}
	*out = s;
	return rc;
}

static void
add_verdict(struct report_state *s, const struct verdict *v)
{
	for (unsigned i = 0; i < LEVEL_N; i++) {
		if (!v->levels[i].known || !v->levels[i].defined)
			continue;
		s->known |= 1u << i;
		if (!v->levels[i].delivers)
			s->fails |= 1u << i;
	}
}

static int
take_present(struct report *r, uint32_t number, const struct series *series, int64_t until_ms,
    struct err *err)
{
	struct query *q = r->query;
	struct judge_state judged;
	struct report_state *s;
	struct shown shown;
	int rc = shown_find(q, number, series, until_ms, &shown, err), has_verdict = 0;

	if (rc <= 0)
		return rc;
	if (q->judge != NULL && (has_verdict = judge_state(q->judge, series, shown.last.evidence,
				     shown.first_ms, shown.last.time_ms, &judged, err)) < 0)
		return has_verdict;
	if ((rc = state_of(r, series, &shown.last, has_verdict > 0 ? &judged : NULL, &s, err)) < 0)
		return rc;
	s->series++;
	r->series_n++;
	if (has_verdict > 0)
		add_verdict(s, &judged.verdict);
	if (shown.after_ms > s->after_ms) {
		s->after_ms = shown.after_ms;
		s->before_ms = shown.first_ms;
	}
	s->last_ms = shown.last.time_ms > s->last_ms ? shown.last.time_ms : s->last_ms;
	r->last_ms = shown.last.time_ms > r->last_ms ? shown.last.time_ms : r->last_ms;
	return 0;
}

/* Once it is known when "now" is. */
static void
weigh(struct report *r)
{
	for (size_t i = 0; i < r->states_n; i++) {
		struct report_state *s = &r->states[i];
		enum severity severity = SEVERITY_INFO;

		if (s->not_after_ms < r->last_ms)
			severity = SEVERITY_CRITICAL;
		else if (s->fails != 0 || s->not_after_ms - r->last_ms < REPORT_SOON_MS)
			severity = SEVERITY_WARNING;
		s->severity = severity > s->severity ? severity : s->severity;
	}
}

static int
take_series(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct report *r = ctx;
	int64_t until_ms = r->query->until_ms;
	int rc = take_changes(r, number, series, until_ms, err);

	if (rc < 0 || series->kind != SERIES_PROBE)
		return rc;
	return take_present(r, number, series, until_ms, err);
}

int
report_read(struct report *r, bool *missing, struct err *err)
{
	bool again = false; /* the same names are missing in the second walk */
	int rc;

	r->last_ms = INT64_MIN;
	if ((rc = read_windows(r, &again, err)) < 0 ||
	    (rc = query_walk(r->query, take_series, r, missing, err)) < 0)
		return rc;
	keep_newest(r);
	weigh(r);
	keep_neediest(r);
	return 0;
}

void
report_finish(struct report *r)
{
	for (size_t i = 0; i < r->states_n; i++)
		state_finish(&r->states[i]);
	rollout_list_finish(&r->windows);
	free(r->states);
	free(r->changes);
	free(r->members);
	free(r->ticks);
}
