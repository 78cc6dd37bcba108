#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"
#include "store/record/sts_answer.h"
#include "store/record/txt.h"

#define UNKNOWN UINT32_MAX
#define STEPPED (UINT32_C(1) << 31) /* beside a state's number */
#define WORDS_MAX (2 * LIMIT_WORD + 4)

struct states {
	struct store_view *view;
	struct state *list;
	uint32_t n, cap;
	uint32_t *slots; /* open addressing by the first octets of the id; UNKNOWN: free */
	uint32_t slots_n;
	uint32_t *of_evidence; /* by evidence number; UNKNOWN: not looked up yet */
	uint32_t evidence_cap;
};

struct states *
states_create(struct store_view *view)
{
	struct states *s = mem_zero(1, sizeof(*s));

	s->view = view;
	return s;
}

void
states_destroy(struct states *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		free(s->list[i].words);
	free(s->list);
	free(s->slots);
	free(s->of_evidence);
	free(s);
}

const struct state *
states_get(const struct states *s, uint32_t number)
{
	return &s->list[number];
}

static uint32_t *
find_slot(const struct states *s, const struct hash *id)
{
	uint32_t at;

	memcpy(&at, id->bytes, sizeof(at));
	for (;; at++) {
		uint32_t *slot = &s->slots[at & (s->slots_n - 1)];

		if (*slot == UNKNOWN || hash_compare(&s->list[*slot].id, id) == 0)
			return slot;
	}
}

static void
grow_slots(struct states *s)
{
	s->slots_n = s->slots_n > 0 ? 2 * s->slots_n : 64;
	s->slots = mem_grow(s->slots, s->slots_n, sizeof(*s->slots));
	memset(s->slots, 0xff, s->slots_n * sizeof(*s->slots));
	for (uint32_t i = 0; i < s->n; i++)
		*find_slot(s, &s->list[i].id) = i;
}

static uint32_t
intern(struct states *s, const struct state *state)
{
	uint32_t *slot;

	if (2 * (s->n + 1) > s->slots_n)
		grow_slots(s);
	slot = find_slot(s, &state->id);
	if (*slot == UNKNOWN) {
		if (s->n == s->cap) {
			s->cap = s->cap > 0 ? 2 * s->cap : 64;
			s->list = mem_grow(s->list, s->cap, sizeof(*s->list));
		}
		*slot = s->n;
		s->list[s->n] = *state;
		if (state->words != NULL)
			s->list[s->n].words = mem_strdup(state->words);
		s->n++;
	}
	return *slot;
}

/* Its words are in `words`, until it is kept. */
static struct state
state_of(const struct evidence *e, char words[WORDS_MAX])
{
	struct state state = {.outcome = e->outcome, .observed = evidence_is_observed(e)};
	const char *status = e->reported_status, *signature = e->server_signature;
	struct buf named = {0};

	if (e->chain_n > 0) {
		state.has_chain = true;
		state.leaf = e->chain[0];
		state.id = hash_chain(e->chain, e->chain_n);
		return state;
	}
	if (status == NULL) {
		snprintf(words, WORDS_MAX, "%s", outcome_name(e->outcome));
		buf_printf(&named, "outcome\n%s", words);
	} else {
		snprintf(words, WORDS_MAX, "%s%s%s", status, signature != NULL ? ", " : "",
		    signature != NULL ? signature : "");
		buf_printf(&named, "reported\n%zu %s\n%s", strlen(status), status,
		    signature != NULL ? signature : "");
	}
	state.words = words;
	state.id = hash_sha256(named.data, named.len);
	buf_finish(&named);
	return state;
}

/* What is known of a policy that could not be fetched is what was known before. */
static void
name_policy(struct state *state, const struct sts_answer *sts, struct buf *named)
{
	state->observed = sts->result != STS_FETCH_ERROR;
	buf_printf(named, "sts\n%s\n", sts_result_name(sts->result));
	for (size_t i = 0; i < sts->policy_n; i++)
		buf_printf(named, "%s\n", sts->policy[i]);
}

static void
name_records(struct state *state, const struct dns_answer *a, struct buf *named)
{
	state->observed = a->status != DNS_FAILED;
	buf_printf(named, "dns\n%s\n", dns_status_name(a->status));
	for (size_t i = 0; i < a->records_n; i++) {
		if (a->records[i][0] != '"' || !txt_join(named, a->records[i]))
			buf_append_text(named, a->records[i]);
		buf_append_byte(named, '\0');
	}
}

/* NXDOMAIN or no such records at the name: there are none either way. */
static struct state
state_of_answer(const struct dns_answer *a, char words[WORDS_MAX])
{
	struct state state = {.words = words};
	struct buf named = {0};
	struct sts_answer sts;

	if (sts_answer_read(&sts, a, NULL) == 0) {
		snprintf(words, WORDS_MAX, "%s", sts_result_name(sts.result));
		name_policy(&state, &sts, &named);
		sts_answer_finish(&sts);
	} else {
		snprintf(words, WORDS_MAX, "%s", dns_status_name(a->status));
		name_records(&state, a, &named);
	}
	state.id = hash_sha256(named.data, named.len);
	buf_finish(&named);
	return state;
}

/* *stepped: the clock was. */
static int
read_state(struct states *s, enum series_kind kind, uint32_t evidence, struct state *state,
    char words[WORDS_MAX], bool *stepped, struct err *err)
{
	struct dns_answer a;
	struct evidence e;
	int rc;

	*stepped = false;
	if (kind == SERIES_DNS) {
		if ((rc = store_dns_answer(s->view, evidence, &a, err)) < 0)
			return rc;
		*state = state_of_answer(&a, words);
		dns_answer_finish(&a);
		return 0;
	}
	if ((rc = store_evidence(s->view, evidence, &e, err)) < 0)
		return rc;
	*state = state_of(&e, words);
	*stepped = (e.flags & FLAG_CLOCK_STEPPED) != 0;
	evidence_finish(&e);
	return 0;
}

int
states_of_evidence(
    struct states *s, enum series_kind kind, uint32_t evidence, uint32_t *number, struct err *err)
{
	struct state state;
	char words[WORDS_MAX];
	bool stepped;
	int rc;

	if (evidence < s->evidence_cap && s->of_evidence[evidence] != UNKNOWN) {
		*number = s->of_evidence[evidence] & ~STEPPED;
		return 0;
	}
	if ((rc = read_state(s, kind, evidence, &state, words, &stepped, err)) < 0)
		return rc;
	if (evidence >= s->evidence_cap) {
		uint32_t cap = s->evidence_cap > 0 ? s->evidence_cap : 256;

		while (cap <= evidence)
			cap *= 2;
		s->of_evidence = mem_grow(s->of_evidence, cap, sizeof(*s->of_evidence));
		memset(s->of_evidence + s->evidence_cap, 0xff,
		    (cap - s->evidence_cap) * sizeof(*s->of_evidence));
		s->evidence_cap = cap;
	}
	*number = s->of_evidence[evidence] = intern(s, &state);
	if (stepped)
		s->of_evidence[evidence] |= STEPPED;
	return 0;
}

bool
states_clock_stepped(const struct states *s, uint32_t evidence)
{
	return (s->of_evidence[evidence] & STEPPED) != 0;
}
