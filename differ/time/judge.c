#include "judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"
#include "store/corpus/timeline_back.h"

#define EVIDENCE_SLOTS 256
#define DNS_SLOTS 64 /* names and types asked for lately */

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, TYPE_TLSA = 52 };

struct kept_evidence {
	struct evidence evidence;
	uint32_t number;
	bool used;
};

/* The answer that held from its own time until `until_ms`, the latest that was asked for. */
struct kept_answer {
	struct series series; /* SERIES_DNS */
	bool used, found;
	struct dns_answer answer;
	int64_t from_ms, until_ms;
};

struct judge {
	struct store_view *view;
	struct judge_rules rules;
	char nexthop[LIMIT_NAME + 1];
	struct verdict_engine *engine;
	bool without_roots;
	struct kept_evidence evidence[EVIDENCE_SLOTS];
	struct kept_answer answers[DNS_SLOTS];
	struct {
		char host[LIMIT_NAME + 1], vantage[LIMIT_VANTAGE + 1];
		char nexthop[LIMIT_NAME + 1]; /* "": none, or several */
	} last;				      /* the host that was looked at last */
	struct buf der, one;
};

int
judge_create(
    struct judge **judge, struct store_view *view, const struct judge_rules *rules, struct err *err)
{
	struct judge *j = mem_zero(1, sizeof(*j));
	int rc = verdict_engine_create(&j->engine, &rules->verdict, err);

	j->view = view;
	j->rules = *rules;
	if (rules->nexthop != NULL)
		snprintf(j->nexthop, sizeof(j->nexthop), "%s", rules->nexthop);
	if (rc < 0) {
		judge_destroy(j);
		j = NULL;
	}
	*judge = j;
	return rc;
}

void
judge_destroy(struct judge *j)
{
	if (j == NULL)
		return;
	judge_look_at(j, NULL);
	verdict_engine_destroy(j->engine);
	buf_finish(&j->der);
	buf_finish(&j->one);
	free(j);
}

void
judge_look_at(struct judge *j, struct store_view *view)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < EVIDENCE_SLOTS; i++) {
		if (j->evidence[i].used)
			evidence_finish(&j->evidence[i].evidence);
		j->evidence[i].used = false;
	}
	for (size_t i = 0; i < DNS_SLOTS; i++) {
		if (j->answers[i].found)
			dns_answer_finish(&j->answers[i].answer);
		j->answers[i].used = j->answers[i].found = false;
	}
	j->last.host[0] = '\0';
	j->view = view;
}

struct verdict_engine *
judge_engine(struct judge *j)
{
	return j->engine;
}

/* ---- evidence ---------------------------------------------------------------------------- */

static const struct evidence *
find_evidence(struct judge *j, uint32_t number, struct err *err)
{
	struct kept_evidence *k = &j->evidence[number % EVIDENCE_SLOTS];

	if (k->used && k->number == number)
		return &k->evidence;
	if (k->used)
		evidence_finish(&k->evidence);
	k->used = false;
	if (store_evidence(j->view, number, &k->evidence, err) < 0)
		return NULL;
	k->number = number;
	k->used = true;
	return &k->evidence;
}

/* One behind the other in j->der; those that the store lacks stay empty. */
static int
fetch(void *ctx, const struct evidence *e, struct span *certificates, struct err *err)
{
	struct judge *j = ctx;
	size_t at = 0;

	buf_clear(&j->der);
	for (size_t i = 0; i < e->chain_n; i++) {
		struct err missing = {0};

		certificates[i].len = 0;
		if (store_certificate(j->view, &e->chain[i], &j->one, &missing) >= 0) {
			buf_append(&j->der, j->one.data, j->one.len);
			certificates[i].len = j->one.len;
		} else if (missing.code != ERR_NOT_FOUND) {
			return err_set(err, missing.code, "%s", missing.text);
		}
	}
	for (size_t i = 0; i < e->chain_n && j->der.len > 0; i++) {
		certificates[i].p = j->der.data + at;
		at += certificates[i].len;
	}
	return 0;
}

/* ---- DNS --------------------------------------------------------------------------------- */

static struct kept_answer *
slot_of(struct judge *j, const struct series *dns)
{
	uint64_t at = hash_quick(dns->host, strlen(dns->host)) + dns->rrtype;

	return &j->answers[at % DNS_SLOTS];
}

/* The last answer at or before a time; 0 where there is none. */
static int
read_answer(struct judge *j, struct kept_answer *k, int64_t time_ms, struct err *err)
{
	struct timeline_back t;
	struct sighting seen;
	uint32_t number;
	int rc;

	k->found = false;
	k->from_ms = INT64_MIN;
	k->until_ms = time_ms;
	if ((rc = store_series_number(j->view, &k->series, &number, err)) <= 0) {
		k->until_ms = INT64_MAX;
		return rc;
	}
	if ((rc = timeline_back_init(
		 &t, j->view, number, SERIES_DNS, INT64_MIN, time_ms + 1, err)) < 0)
		return rc;
	rc = timeline_back_next(&t, &seen, err);
	timeline_back_finish(&t);
	if (rc > 0 && (rc = store_dns_answer(j->view, seen.evidence, &k->answer, err)) >= 0) {
		k->found = true;
		k->from_ms = seen.time_ms;
		k->answer.time_ms = seen.time_ms;
		k->answer.ttl_s = seen.ttl_s;
	}
	return rc;
}

static int
find_answer(struct judge *j, const char *name, uint16_t rrtype, const char *vantage,
    int64_t time_ms, const struct dns_answer **answer, struct err *err)
{
	struct series dns = {.kind = SERIES_DNS, .rrtype = rrtype};
	struct kept_answer *k;
	int rc = 0;

	*answer = NULL;
	snprintf(dns.host, sizeof(dns.host), "%s", name);
	snprintf(dns.vantage, sizeof(dns.vantage), "%s", vantage);
	if (!host_valid(dns.host))
		return 0;
	k = slot_of(j, &dns);
	if (!k->used || series_compare(&k->series, &dns) != 0 || time_ms < k->from_ms ||
	    time_ms > k->until_ms) {
		if (k->found)
			dns_answer_finish(&k->answer);
		k->found = false;
		k->series = dns;
		k->used = true;
		rc = read_answer(j, k, time_ms, err);
	}
	if (k->found)
		*answer = &k->answer;
	return rc < 0 ? rc : 0;
}

static struct conclude_answer
conclude_answer(const struct dns_answer *a)
{
	return a != NULL ? (struct conclude_answer){true, a->status, a->records_n > 0}
			 : (struct conclude_answer){0};
}

/* Pointers in *dns are the kept answers': TLSA is asked for last. */
static int
find_dns(struct judge *j, const struct series *s, const char *nexthop, int64_t time_ms,
    struct conclude_dns *dns, struct err *err)
{
	const struct dns_answer *a;
	char name[LIMIT_NAME + 32];
	int rc = 0;

	*dns = (struct conclude_dns){0};
	if (nexthop != NULL) {
		rc = find_answer(j, nexthop, TYPE_MX, s->vantage, time_ms, &a, err);
		dns->mx = conclude_answer(a);
	}
	if (rc >= 0) {
		rc = find_answer(j, s->host, s->address.family == 4 ? TYPE_A : TYPE_AAAA,
		    s->vantage, time_ms, &a, err);
		dns->address = conclude_answer(a);
	}
	snprintf(name, sizeof(name), "_%u._tcp.%s", s->port, s->host);
	if (rc >= 0 && strlen(name) <= LIMIT_NAME) {
		rc = find_answer(j, name, TYPE_TLSA, s->vantage, time_ms, &a, err);
		dns->tlsa = conclude_answer(a);
		if (a != NULL) {
			dns->records = a->records;
			dns->records_n = a->records_n;
		}
	}
	return rc;
}

/* ---- verdicts ---------------------------------------------------------------------------- */

/* The recipient domain that the variant `nexthop` was seen with at the host, if it is one. */
static int
find_nexthop(struct judge *j, const struct series *s, struct err *err)
{
	struct series_filter filter = {
	    .kind = SERIES_PROBE, .host = s->host, .sni = 1u << SNI_NEXTHOP, .vantage = s->vantage};
	struct series_walk *walk;
	struct series one;
	uint32_t number;
	bool several = false;
	int rc;

	if (strcmp(j->last.host, s->host) == 0 && strcmp(j->last.vantage, s->vantage) == 0)
		return 0;
	snprintf(j->last.host, sizeof(j->last.host), "%s", s->host);
	snprintf(j->last.vantage, sizeof(j->last.vantage), "%s", s->vantage);
	j->last.nexthop[0] = '\0';
	if ((rc = series_walk_open(&walk, j->view, &filter, err)) < 0)
		return rc;
	while (!several && (rc = series_walk_next(walk, &number, &one, err)) > 0) {
		several = j->last.nexthop[0] != '\0' && strcmp(j->last.nexthop, one.sni_name) != 0;
		snprintf(j->last.nexthop, sizeof(j->last.nexthop), "%s", one.sni_name);
	}
	series_walk_close(walk);
	if (several)
		j->last.nexthop[0] = '\0';
	return rc < 0 ? rc : 0;
}

/* The recipient domain: of the series itself, else the one that was given, else the only one that
 * the host was probed for. NULL: not known. */
static int
nexthop_of(struct judge *j, const struct series *s, const struct evidence *e, const char **nexthop,
    struct err *err)
{
	const char *domain = s->sni == SNI_NEXTHOP ? observation_domain(s, e) : NULL;
	int rc = 0;

	if (domain == NULL || domain[0] == '\0')
		domain = j->nexthop;
	if (domain[0] == '\0' && (rc = find_nexthop(j, s, err)) >= 0)
		domain = j->last.nexthop;
	*nexthop = domain[0] != '\0' ? domain : NULL;
	return rc;
}

/* The machine's own roots need not be there. */
static bool
has_roots(struct judge *j)
{
	struct err err = {0};

	if (j->rules.verdict.roots != NULL || j->without_roots)
		return !j->without_roots;
	if (verdict_has_roots(j->engine, &err) < 0) {
		fprintf(stderr,
		    "mxdiff: %s: no roots, so no verdicts; install ca-certificates or give "
		    "--roots\n",
		    ROOTS_DEFAULT);
		j->without_roots = true;
	}
	return !j->without_roots;
}

int
judge_sighting(struct judge *j, const struct series *s, uint32_t evidence, int64_t time_ms,
    struct verdict *verdict, struct err *err)
{
	const struct evidence *e = find_evidence(j, evidence, err);
	struct verdict_question q = {.evidence = e,
	    .fetch = fetch,
	    .fetch_ctx = j,
	    .offer = s->offer,
	    .time_ms = time_ms,
	    .host = s->host};
	int rc;

	if (e == NULL)
		return err != NULL ? err->code : ERR_DAMAGED;
	if (!verdict_can_be(&q) || !has_roots(j))
		return 0;
	if ((rc = nexthop_of(j, s, e, &q.nexthop, err)) < 0 ||
	    (rc = find_dns(j, s, q.nexthop, time_ms, &q.dns, err)) < 0)
		return rc;
	return verdict_of(j->engine, &q, verdict, err);
}

static bool
has_expired(const struct verdict *v)
{
	for (unsigned i = 0; i < LEVEL_N; i++)
		if (v->levels[i].known && v->levels[i].reason == REASON_CERTIFICATE_EXPIRED)
			return true;
	return false;
}

int
judge_state(struct judge *j, const struct series *s, uint32_t evidence, int64_t first_ms,
    int64_t last_ms, struct judge_state *state, struct err *err)
{
	struct verdict first;
	int rc = judge_sighting(j, s, evidence, last_ms, &state->verdict, err);

	state->lapsed = 0;
	if (rc <= 0 || first_ms >= last_ms || !has_expired(&state->verdict))
		return rc;
	if ((rc = judge_sighting(j, s, evidence, first_ms, &first, err)) <= 0)
		return rc;
	for (unsigned i = 0; i < LEVEL_N; i++)
		state->lapsed |= (unsigned)verdict_lost(&first, &state->verdict, (enum level)i)
				 << i;
	return 1;
}
