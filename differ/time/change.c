#include "change.h"

#include <stdlib.h>
#include <string.h>

#include "rotation.h"
#include "store/base/mem.h"

/* Facts are kept in the slot of their evidence number; two that are needed at once never share. */
#define CACHE_SLOTS 512

struct cached {
	struct facts *facts;
	uint32_t evidence;
};

struct changes {
	struct store_view *view;
	struct change_rules rules;
	struct history history;
	struct judge *judge; /* borrowed; NULL: nothing is judged */
	struct cached cache[CACHE_SLOTS];
	uint32_t used_last; /* the slot that the last caller still looks at */
	struct change *list;
	size_t n, cap;
	struct difference differences[FIELD_N];
	struct arena arena; /* what was built for them */
	size_t ignored_n;   /* that were left out of them by --ignore */
	struct buf der, scratch;
};

struct changes *
changes_create(struct store_view *view, const struct change_rules *rules)
{
	struct changes *c = mem_zero(1, sizeof(*c));

	c->view = view;
	c->rules = *rules;
	c->used_last = CACHE_SLOTS;
	history_init(&c->history, view, &rules->lifetimes);
	return c;
}

void
changes_destroy(struct changes *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		facts_destroy(c->cache[i].facts);
	history_finish(&c->history);
	arena_finish(&c->arena);
	buf_finish(&c->der);
	buf_finish(&c->scratch);
	free(c->list);
	free(c);
}

void
changes_set_judge(struct changes *c, struct judge *judge)
{
	c->judge = judge;
}

struct judge *
changes_judge_of(struct changes *c)
{
	return c->judge;
}

struct history *
changes_history(struct changes *c)
{
	return &c->history;
}

/* One behind the other in c->der; those that the store lacks stay empty. */
static int
read_certificates(
    struct changes *c, const struct evidence *e, struct span *certificates, struct err *err)
{
	struct buf der = {0};
	size_t at = 0;
	int rc = 0;

	buf_clear(&c->der);
	for (size_t i = 0; i < e->chain_n && rc >= 0; i++) {
		struct err missing = {0};

		if (store_certificate(c->view, &e->chain[i], &der, &missing) >= 0) {
			buf_append(&c->der, der.data, der.len);
			certificates[i].len = der.len;
		} else if (missing.code != ERR_NOT_FOUND) {
			rc = err_set(err, missing.code, "%s", missing.text);
		}
	}
	for (size_t i = 0; i < e->chain_n && c->der.len > 0; i++) {
		certificates[i].p = c->der.data + at;
		at += certificates[i].len;
	}
	buf_finish(&der);
	return rc;
}

static struct facts *
read_answer(struct changes *c, uint32_t evidence, struct err *err)
{
	struct dns_answer answer;
	struct facts *facts;

	if (store_dns_answer(c->view, evidence, &answer, err) < 0)
		return NULL;
	facts = facts_of_answer(&answer);
	dns_answer_finish(&answer);
	return facts;
}

static struct facts *
read_facts(struct changes *c, uint32_t evidence, struct err *err)
{
	struct evidence e;
	struct facts *facts = NULL;
	struct span *certificates;

	if (c->history.kind == SERIES_DNS)
		return read_answer(c, evidence, err);
	if (store_evidence(c->view, evidence, &e, err) < 0)
		return NULL;
	certificates = mem_zero(e.chain_n, sizeof(*certificates));
	if (read_certificates(c, &e, certificates, err) >= 0)
		facts = facts_of_evidence(&e, certificates);
	free(certificates);
	evidence_finish(&e);
	return facts;
}

const struct facts *
changes_facts(struct changes *c, uint32_t evidence, struct err *err)
{
	uint32_t slot = evidence % CACHE_SLOTS;
	struct cached *cached = &c->cache[slot];

	if (slot == c->used_last && cached->facts != NULL && cached->evidence != evidence) {
		slot = (slot + 1) % CACHE_SLOTS;
		cached = &c->cache[slot];
	}
	if (cached->facts == NULL || cached->evidence != evidence) {
		facts_destroy(cached->facts);
		cached->facts = read_facts(c, evidence, err);
		cached->evidence = evidence;
	}
	c->used_last = slot;
	return cached->facts;
}

/* Between a certificate and none, the certificate's own fields say nothing that the outcome does
 * not. */
static size_t
leave_out(struct changes *c, size_t n, bool both_chains)
{
	size_t kept = 0;

	c->ignored_n = 0;
	for (size_t i = 0; i < n; i++) {
		enum field field = c->differences[i].field;
		enum field_source source = field_table[field].source;

		if (!both_chains && (source == SOURCE_CERTIFICATE || source == SOURCE_CHAIN))
			continue;
		if (c->rules.ignored[field]) {
			c->ignored_n++;
			continue;
		}
		c->differences[kept++] = c->differences[i];
	}
	return kept;
}

static int
compare(
    struct changes *c, const struct lifetime_event *event, struct transition *t, struct err *err)
{
	const struct states *states = c->history.states;
	size_t n;

	*t = (struct transition){.event = event};
	t->old_state = states_get(states, event->old.state);
	t->new_state = states_get(states, event->new.state);
	if ((t->old = changes_facts(c, event->old.evidence, err)) == NULL ||
	    (t->new = changes_facts(c, event->new.evidence, err)) == NULL)
		return err != NULL ? err->code : ERR_DAMAGED;
	arena_clear(&c->arena);
	n = diff_facts(t->old, t->new, &c->arena, c->differences);
	t->differences = c->differences;
	t->differences_n = leave_out(c, n, t->old_state->has_chain && t->new_state->has_chain);
	return 0;
}

/* ---- identity ---------------------------------------------------------------------------- */

void
change_id(char id[CHANGE_ID_LEN + 1], const void *bytes, size_t len)
{
	struct hash hash = hash_sha256(bytes, len);
	char hex[2 * HASH_LEN + 1];

	hash_hex(&hash, hex);
	memcpy(id, hex, CHANGE_ID_LEN);
	id[CHANGE_ID_LEN] = '\0';
}

static void
append_value(struct buf *out, const struct value *v)
{
	buf_append_byte(out, (uint8_t)v->kind);
	switch (v->kind) {
	case VALUE_NULL:
		break;
	case VALUE_BOOL:
		buf_append_byte(out, v->truth);
		break;
	case VALUE_NUMBER:
	case VALUE_TIME:
		buf_append_varint(out, zigzag(v->number));
		break;
	case VALUE_MALFORMED:
	case VALUE_TEXT:
		buf_append_varint(out, v->len);
		buf_append(out, v->text, v->len);
		break;
	case VALUE_LIST:
	case VALUE_OBJECT:
		buf_append_varint(out, v->n);
		for (size_t i = 0; i < v->n; i++)
			append_value(out, &v->items[i]);
		break;
	}
}

struct hash
change_difference_hash(const struct difference *d)
{
	struct buf bytes = {0};
	struct hash hash;

	buf_append_text(&bytes, field_table[d->field].name);
	append_value(&bytes, d->old);
	append_value(&bytes, d->new);
	hash = hash_sha256(bytes.data, bytes.len);
	buf_finish(&bytes);
	return hash;
}

static struct hash
hash_fields(struct changes *c, const struct transition *t)
{
	buf_clear(&c->scratch);
	for (size_t i = 0; i < t->differences_n; i++) {
		const struct difference *d = &t->differences[i];

		/* What a handshake happens to negotiate does not tell one change from another. */
		if (field_table[d->field].source == SOURCE_TLS ||
		    field_table[d->field].source == SOURCE_SMTP)
			continue;
		buf_append_text(&c->scratch, field_table[d->field].name);
		append_value(&c->scratch, d->old);
		append_value(&c->scratch, d->new);
	}
	/* Without a certificate the state says it all. */
	if (facts_certificate(t->old) == NULL)
		buf_append(&c->scratch, t->old_state->id.bytes, HASH_LEN);
	if (facts_certificate(t->new) == NULL)
		buf_append(&c->scratch, t->new_state->id.bytes, HASH_LEN);
	return hash_sha256(c->scratch.data, c->scratch.len);
}

static void
append_moments(struct buf *b, const struct change *change, const struct transition *t)
{
	buf_append(b, t->old_state->id.bytes, HASH_LEN);
	buf_append(b, t->new_state->id.bytes, HASH_LEN);
	buf_printf(b, "\n%lld\n%lld\n", (long long)change->after_ms, (long long)change->before_ms);
}

static void
identify(struct changes *c, struct change *change, const struct series *series,
    const struct transition *t)
{
	struct buf *b = &c->scratch;
	char address[IP_TEXT_MAX];

	buf_clear(b);
	if (series->kind == SERIES_DNS) {
		buf_printf(b, "%s\n%u\n%s\n", series->host, series->rrtype, series->vantage);
		append_moments(b, change, t);
		change_id(change->id, b->data, b->len);
		return;
	}
	ip_format(&series->address, address);
	buf_printf(b, "%s\n%s\n%u\n%s\n%s\n%s\n%s\n", series->host, address, series->port,
	    sni_name(series->sni), series->sni_name, offer_name(series->offer), series->vantage);
	append_moments(b, change, t);
	change_id(change->id, b->data, b->len);
}

/* ---- verdicts ---------------------------------------------------------------------------- */

int
changes_verdicts(struct changes *c, const struct series *series, const struct change *change,
    struct change_verdicts *v, struct err *err)
{
	const struct lifetime_event *e = &change->event;
	int rc;

	v->has_old = v->has_new = false;
	if (c->judge == NULL || series->kind != SERIES_PROBE)
		return 0;
	if ((rc = judge_sighting(c->judge, series, e->old.evidence, e->old.time_ms, &v->old, err)) <
	    0)
		return rc;
	v->has_old = rc > 0;
	if ((rc = judge_sighting(c->judge, series, e->new.evidence, e->new.time_ms, &v->new, err)) <
	    0)
		return rc;
	v->has_new = rc > 0;
	return 0;
}

int
changes_judge(
    struct changes *c, const struct series *series, struct change *change, struct err *err)
{
	struct change_verdicts v;
	int rc;

	if (change->judged || c->judge == NULL)
		return 0;
	if ((rc = changes_verdicts(c, series, change, &v, err)) < 0)
		return rc;
	change->judged = true;
	for (unsigned i = 0; v.has_old && v.has_new && i < LEVEL_N; i++) {
		change->lost |= (unsigned)verdict_lost(&v.old, &v.new, (enum level)i) << i;
		change->gained |= (unsigned)verdict_lost(&v.new, &v.old, (enum level)i) << i;
	}
	classify_turned(
	    &change->classes, &change->severity, change->lost != 0, change->gained != 0);
	return 0;
}

/* ---- a series ---------------------------------------------------------------------------- */

static struct change *
add(struct changes *c)
{
	if (c->n == c->cap) {
		c->cap = c->cap > 0 ? 2 * c->cap : 16;
		c->list = mem_grow(c->list, c->cap, sizeof(*c->list));
	}
	c->list[c->n] = (struct change){0};
	return &c->list[c->n++];
}

/* By the clock error, within the years that can be written. */
static int64_t
widen(int64_t time_ms, int64_t by_ms)
{
	int64_t wide_ms = time_ms + by_ms;

	return observation_time_valid(wide_ms) ? wide_ms : time_ms;
}

void
changes_widen(const struct changes *c, int64_t *after_ms, int64_t *before_ms)
{
	*after_ms = widen(*after_ms, -c->rules.clock_error_ms);
	*before_ms = widen(*before_ms, c->rules.clock_error_ms);
}

/* Whether all that differs between two chains, or in what a name held, is to be ignored. */
static bool
is_ignored(const struct changes *c, const struct transition *t)
{
	return t->differences_n == 0 && c->ignored_n > 0 && t->event->kind == LIFETIME_BEGIN &&
	       (t->series->kind == SERIES_DNS ||
		   (t->old_state->has_chain && t->new_state->has_chain));
}

/* 1; 0 where it is ignored. */
static int
describe(struct changes *c, uint32_t number, const struct series *series,
    const struct lifetime_event *event, struct change *change, struct err *err)
{
	struct transition t;
	int rc;

	if ((rc = compare(c, event, &t, err)) < 0)
		return rc;
	t.series = series;
	*change = (struct change){.series = number,
	    .kind = series->kind,
	    .event = *event,
	    .after_ms = widen(event->after_ms, -c->rules.clock_error_ms),
	    .before_ms = widen(event->before_ms, c->rules.clock_error_ms),
	    .clock_stepped = states_clock_stepped(c->history.states, event->old.evidence) ||
			     states_clock_stepped(c->history.states, event->new.evidence),
	    .classes = classify(&t)};
	change->severity = classify_severity(change->classes, t.differences, t.differences_n);
	change->fields = hash_fields(c, &t);
	identify(c, change, series, &t);
	return !is_ignored(c, &t);
}

int
changes_read(struct changes *c, uint32_t number, const struct series *series, int64_t until_ms,
    const struct history_without *without, const struct change **list, size_t *n, struct err *err)
{
	const struct lifetime_event *events;
	size_t events_n;
	int rc;

	c->n = 0;
	c->history.kind = series->kind;
	if ((rc = history_read(&c->history, number, until_ms, without, &events, &events_n, err)) <
	    0)
		return rc;
	for (size_t i = 0; rc >= 0 && i < events_n; i++) {
		if ((rc = rotation_explains(&c->history, series, &events[i], err)) == 0 &&
		    (rc = describe(c, number, series, &events[i], add(c), err)) == 0)
			c->n--; /* all that differs is ignored */
	}
	*list = c->list;
	*n = c->n;
	return rc < 0 ? rc : 0;
}

int
changes_between(struct changes *c, uint32_t number, const struct series *series, int64_t from_ms,
    int64_t to_ms, struct change *change, struct err *err)
{
	struct lifetime_event event = {.kind = LIFETIME_BEGIN};
	int rc;

	c->history.kind = series->kind;
	if ((rc = history_last_observed(&c->history, number, from_ms + 1, &event.old, err)) <= 0 ||
	    (rc = history_last_observed(&c->history, number, to_ms + 1, &event.new, err)) <= 0)
		return rc;
	if (event.old.state == event.new.state || event.old.time_ms == event.new.time_ms)
		return 0;
	event.after_ms = event.old.time_ms;
	event.before_ms = event.new.time_ms;
	return describe(c, number, series, &event, change, err);
}

int
changes_classify(
    struct changes *c, const struct lifetime_event *event, unsigned *classes, struct err *err)
{
	struct transition t;
	int rc;

	c->history.kind = SERIES_PROBE;
	rc = compare(c, event, &t, err);
	if (rc == 0)
		*classes = classify(&t);
	return rc;
}

int
changes_differences(struct changes *c, const struct change *change,
    const struct difference **differences, struct err *err)
{
	struct transition t;
	int rc;

	c->history.kind = change->kind;
	if ((rc = compare(c, &change->event, &t, err)) < 0)
		return rc;
	*differences = t.differences;
	return (int)t.differences_n;
}
