#include "fallback.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/base/mem.h"
#include "store/base/names.h"

static const struct {
	const char *name, *doc;
} kinds[FALLBACK_N] = {
    [FALLBACK_SAME] = {"same", "the certificate that the host's name brings"},
    [FALLBACK_VALID] = {"valid", "another certificate for this host"},
    [FALLBACK_OTHER] = {"other", "a certificate that is not for this host, or out of date"},
    [FALLBACK_SENTINEL] = {"sentinel", "a certificate that exists to say something"},
    [FALLBACK_ALERT] = {"alert", "a TLS alert"},
    [FALLBACK_NO_STARTTLS] = {"no-starttls", "no STARTTLS"},
    [FALLBACK_REPORTED] = {"reported", "unknown: a log tells of no certificate"},
};

const char *
fallback_name(enum fallback_kind kind)
{
	return kinds[kind].name;
}

const char *
fallback_doc(enum fallback_kind kind)
{
	return kinds[kind].doc;
}

/* ---- names ------------------------------------------------------------------------------- */

/* A wildcard stands for the whole left-most label: RFC 6125 section 6.4.3. */
static bool
matches(const char *pattern, size_t len, const char *host)
{
	const char *rest = strchr(host, '.');

	if (len > 2 && pattern[0] == '*' && pattern[1] == '.' && rest != NULL) {
		pattern++;
		len--;
		host = rest;
	}
	return strlen(host) == len && strncasecmp(pattern, host, len) == 0;
}

bool
fallback_names_host(const struct facts *facts, const char *host)
{
	const struct value *names =
	    value_member(facts_get(facts, FIELD_SUBJECT_ALT_NAMES), "names");
	const char *common_name;
	bool any = false;
	size_t len;

	for (size_t i = 0; names != NULL && names->kind == VALUE_LIST && i < names->n; i++) {
		const struct value *name = &names->items[i];

		if (name->kind != VALUE_TEXT || name->len < 4 || memcmp(name->text, "dns:", 4) != 0)
			continue;
		any = true;
		if (matches(name->text + 4, name->len - 4, host))
			return true;
	}
	return !any &&
	       classify_attribute(facts_get(facts, FIELD_SUBJECT), "CN", &common_name, &len) &&
	       matches(common_name, len, host);
}

static bool
is_valid(const struct facts *facts, const char *host, int64_t time_ms)
{
	const struct value *from = facts_get(facts, FIELD_NOT_BEFORE);
	const struct value *to = facts_get(facts, FIELD_NOT_AFTER);

	return from->kind == VALUE_TIME && to->kind == VALUE_TIME && from->number <= time_ms &&
	       time_ms <= to->number && fallback_names_host(facts, host);
}

/* ---- steps: what a series showed, one after the other ------------------------------------ */

struct step {
	int64_t after_ms, before_ms; /* of the first: the first observation, twice */
	uint32_t state, evidence;
};

struct steps {
	struct step *list;
	size_t n;
	int64_t last_ms; /* observed last */
};

static int
read_steps(struct changes *changes, uint32_t series, int64_t until_ms, struct steps *steps,
    struct err *err)
{
	struct history *history = changes_history(changes);
	const struct lifetimes *l = &history->lifetimes;
	const struct lifetime_event *events;
	size_t n;
	int rc = history_read(history, series, until_ms, NULL, &events, &n, err);

	*steps = (struct steps){.list = NULL};
	if (rc < 0 || l->n == 0)
		return rc;
	steps->list = mem_zero(n + 1, sizeof(*steps->list));
	steps->list[steps->n++] = (struct step){l->list[0].first.time_ms, l->list[0].first.time_ms,
	    l->list[0].first.state, l->list[0].first.evidence};
	for (size_t i = 0; i < n; i++)
		if (events[i].kind == LIFETIME_BEGIN || events[i].kind == LIFETIME_ROLLED_BACK)
			steps->list[steps->n++] = (struct step){events[i].after_ms,
			    events[i].before_ms, events[i].new.state, events[i].new.evidence};
	steps->last_ms = l->list[l->current].last.time_ms;
	return 0;
}

/* ---- kinds ------------------------------------------------------------------------------- */

struct finder {
	struct changes *changes;
	const char *host;
	struct steps mine, named; /* of the SNI in question; of the host's name, if there is one */
};

/* What it does where `mine` and `named` (NULL: not known) are shown. */
static int
kind_of(struct finder *f, const struct step *mine, const struct step *named, int64_t time_ms,
    enum fallback_kind *kind, struct err *err)
{
	const struct states *states = changes_history(f->changes)->states;
	const struct state *state = states_get(states, mine->state);
	const struct facts *facts;

	if (!state->has_chain) {
		*kind = state->outcome == OUTCOME_TLS_ALERT ? FALLBACK_ALERT
			: state->outcome == OUTCOME_SUCCESS ? FALLBACK_REPORTED
							    : FALLBACK_NO_STARTTLS;
		return 0;
	}
	if (named != NULL && states_get(states, named->state)->has_chain &&
	    hash_compare(&state->leaf, &states_get(states, named->state)->leaf) == 0) {
		*kind = FALLBACK_SAME;
		return 0;
	}
	if ((facts = changes_facts(f->changes, mine->evidence, err)) == NULL)
		return err != NULL ? err->code : ERR_DAMAGED;
	*kind = classify_is_sentinel(facts)	    ? FALLBACK_SENTINEL
		: is_valid(facts, f->host, time_ms) ? FALLBACK_VALID
						    : FALLBACK_OTHER;
	return 0;
}

/* How many steps of each are looked at: the last ones of them are shown. */
struct looked {
	size_t mine, named;
};

static int
kind_at(
    struct finder *f, struct looked at, int64_t time_ms, enum fallback_kind *kind, struct err *err)
{
	return kind_of(f, &f->mine.list[at.mine - 1],
	    at.named > 0 ? &f->named.list[at.named - 1] : NULL, time_ms, kind, err);
}

/* The step that came last of those that are looked at, and the place before it. NULL: it is the
 * first of the series. */
static const struct step *
step_back(const struct finder *f, struct looked *at)
{
	const struct step *mine = at->mine > 1 ? &f->mine.list[at->mine - 1] : NULL;
	const struct step *named = at->named > 1 ? &f->named.list[at->named - 1] : NULL;

	if (mine == NULL && named == NULL)
		return NULL;
	if (named == NULL || (mine != NULL && mine->before_ms >= named->before_ms)) {
		at->mine--;
		return mine;
	}
	at->named--;
	return named;
}

/* Goes back while it did the same. Between two steps whose brackets overlap there may have been no
 * time at all: a renewal comes to both series, which are not probed in one moment. */
static int
find_since(struct finder *f, struct looked at, struct fallback *out, struct err *err)
{
	enum fallback_kind kind;
	int rc = 0;

	out->has_after = false;
	out->before_ms = f->mine.list[0].before_ms;
	for (const struct step *step; (step = step_back(f, &at)) != NULL;) {
		struct looked further = at;
		const struct step *earlier = step_back(f, &further);

		if ((rc = kind_at(f, at, step->after_ms, &kind, err)) < 0)
			return rc;
		if (kind == out->kind)
			continue;
		if (earlier != NULL && earlier->before_ms > step->after_ms) {
			if ((rc = kind_at(f, further, earlier->after_ms, &kind, err)) < 0)
				return rc;
			if (kind == out->kind) {
				at = further;
				continue;
			}
		}
		out->has_after = true;
		out->after_ms = step->after_ms;
		out->before_ms = step->before_ms;
		changes_widen(f->changes, &out->after_ms, &out->before_ms);
		break;
	}
	return 0;
}

static int
read_named(struct finder *f, struct store_view *view, const struct series *series, int64_t until_ms,
    struct err *err)
{
	struct series sibling = *series;
	uint32_t number;
	int rc;

	sibling.sni = SNI_HOSTNAME;
	sibling.sni_name[0] = '\0';
	if ((rc = store_series_number(view, &sibling, &number, err)) <= 0)
		return rc;
	return read_steps(f->changes, number, until_ms, &f->named, err);
}

int
fallback_find(struct changes *changes, struct store_view *view, uint32_t number,
    const struct series *series, int64_t until_ms, struct fallback *out, struct err *err)
{
	struct finder f = {.changes = changes, .host = series->host};
	int rc;

	if (series->kind != SERIES_PROBE || (series->sni != SNI_NONE && series->sni != SNI_UNKNOWN))
		return 0;
	changes_history(changes)->kind = SERIES_PROBE;
	if ((rc = read_steps(changes, number, until_ms, &f.mine, err)) < 0 || f.mine.n == 0 ||
	    (rc = read_named(&f, view, series, until_ms, err)) < 0)
		goto out;
	rc = kind_at(&f, (struct looked){f.mine.n, f.named.n}, f.mine.last_ms, &out->kind, err);
	if (rc == 0 && (rc = find_since(&f, (struct looked){f.mine.n, f.named.n}, out, err)) == 0)
		rc = 1;
out:
	free(f.mine.list);
	free(f.named.list);
	return rc;
}
