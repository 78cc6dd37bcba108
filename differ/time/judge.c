#include "judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge_dns.h"
#include "store/base/mem.h"

#define EVIDENCE_SLOTS 256
/* A probe does not wait for all that DNS is asked for beside it: what the same pass is told soon
 * after, TLSA records above all, is what a sender would have had. */
#define DNS_LAG_MS 60000

enum { TYPE_MX = 15 };

struct kept_evidence {
	struct evidence evidence;
	uint32_t number;
};

struct judge {
	struct store_view *view;
	struct judge_rules rules;
	char nexthop[LIMIT_NAME + 1];
	struct verdict_engine *engine;
	bool without_roots;
	struct kept_evidence *evidence[EVIDENCE_SLOTS]; /* NULL: none */
	struct judge_dns *dns;
	struct {
		char host[LIMIT_NAME + 1], vantage[LIMIT_VANTAGE + 1];
		char nexthop[LIMIT_NAME + 1]; /* "": none, or several */
	} last;				      /* the host that was looked at last */
	struct buf der, one;
};

static void
forget_evidence(struct kept_evidence **slot)
{
	if (*slot != NULL)
		evidence_finish(&(*slot)->evidence);
	free(*slot);
	*slot = NULL;
}

int
judge_create(
    struct judge **judge, struct store_view *view, const struct judge_rules *rules, struct err *err)
{
	struct judge *j = mem_zero(1, sizeof(*j));
	int rc = verdict_engine_create(&j->engine, &rules->verdict, err);

	judge_look_at(j, view);
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
	for (size_t i = 0; i < EVIDENCE_SLOTS; i++)
		forget_evidence(&j->evidence[i]);
	judge_dns_destroy(j->dns);
	j->dns = view != NULL ? judge_dns_create(view) : NULL;
	j->last.host[0] = '\0';
	j->view = view;
}

void
judge_ask_for(struct judge *j, const char *nexthop)
{
	snprintf(j->nexthop, sizeof(j->nexthop), "%s", nexthop);
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
	struct kept_evidence **slot = &j->evidence[number % EVIDENCE_SLOTS], *k;
	struct evidence evidence;

	if (*slot != NULL && (*slot)->number == number)
		return &(*slot)->evidence;
	if (store_evidence(j->view, number, &evidence, err) < 0)
		return NULL;
	forget_evidence(slot);
	k = *slot = mem_alloc(sizeof(*k));
	*k = (struct kept_evidence){.evidence = evidence, .number = number};
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

/* ---- verdicts ---------------------------------------------------------------------------- */

/* The recipient domain that the host was probed for, if it is one: those that the variant `nexthop`
 * was seen with, and the host itself if its own MX was asked for (RFC 5321 section 5.1: the
 * implicit MX has no such variant). */
static int
find_nexthop(struct judge *j, const struct series *s, struct err *err)
{
	struct series_filter filter = {
	    .kind = SERIES_PROBE, .host = s->host, .sni = 1u << SNI_NEXTHOP, .vantage = s->vantage};
	struct series_walk *walk;
	struct series one, mx = {.kind = SERIES_DNS, .rrtype = TYPE_MX};
	uint32_t number;
	bool several = false;
	int rc;

	if (strcmp(j->last.host, s->host) == 0 && strcmp(j->last.vantage, s->vantage) == 0)
		return 0;
	snprintf(j->last.host, sizeof(j->last.host), "%s", s->host);
	snprintf(j->last.vantage, sizeof(j->last.vantage), "%s", s->vantage);
	j->last.nexthop[0] = '\0';
	snprintf(mx.host, sizeof(mx.host), "%s", s->host);
	snprintf(mx.vantage, sizeof(mx.vantage), "%s", s->vantage);
	if ((rc = store_series_number(j->view, &mx, &number, err)) < 0)
		return rc;
	if (rc > 0)
		snprintf(j->last.nexthop, sizeof(j->last.nexthop), "%s", s->host);
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
		if (!j->rules.quiet)
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
	int64_t dns_ms = time_ms < INT64_MAX - DNS_LAG_MS ? time_ms + DNS_LAG_MS : time_ms;
	int rc;

	if (e == NULL)
		return err != NULL ? err->code : ERR_DAMAGED;
	if (!verdict_can_be(&q) || !has_roots(j))
		return 0;
	if ((rc = nexthop_of(j, s, e, &q.nexthop, err)) < 0 ||
	    (rc = judge_dns_sts(j->dns, q.nexthop, s->vantage, dns_ms, &q.sts, err)) < 0 ||
	    (rc = judge_dns_find(j->dns, s, q.nexthop, dns_ms, &q.dns, err)) < 0)
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
