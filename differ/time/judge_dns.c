#include "judge_dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"
#include "store/corpus/dns_at.h"
#include "store/corpus/timeline_back.h"
#include "store/record/sts_answer.h"

#define DNS_SLOTS 64 /* names and types asked for lately */
#define ALIASES_MAX 8
#define STS_LOOK_BACK 64 /* failed attempts behind which a policy is looked for */

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_MX = 15, TYPE_AAAA = 28, TYPE_TLSA = 52 };

/* The answer that held from its own time until `until_ms`, the latest that was asked for. */
struct kept_answer {
	struct series series; /* SERIES_DNS */
	bool found;
	struct dns_answer answer;
	int64_t from_ms, until_ms;
};

/* The MTA-STS policy of the domain that was asked for last. */
struct kept_sts {
	char domain[LIMIT_NAME + 1], vantage[LIMIT_VANTAGE + 1]; /* "": none */
	int64_t time_ms;
	struct conclude_sts sts;
	struct sts_policy policy;
};

struct judge_dns {
	struct store_view *view;
	struct kept_answer *answers[DNS_SLOTS]; /* NULL: not used yet */
	struct kept_sts sts;
	char alias[LIMIT_NAME + 1]; /* where the host's name led that was looked at last */
};

struct judge_dns *
judge_dns_create(struct store_view *view)
{
	struct judge_dns *j = mem_zero(1, sizeof(*j));

	j->view = view;
	return j;
}

void
judge_dns_destroy(struct judge_dns *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < DNS_SLOTS; i++) {
		if (j->answers[i] != NULL && j->answers[i]->found)
			dns_answer_finish(&j->answers[i]->answer);
		free(j->answers[i]);
	}
	sts_policy_finish(&j->sts.policy);
	free(j);
}

/* ---- answers ----------------------------------------------------------------------------- */

static struct kept_answer **
slot_of(struct judge_dns *j, const struct series *dns)
{
	uint64_t at = hash_quick(dns->host, strlen(dns->host)) + dns->rrtype;

	return &j->answers[at % DNS_SLOTS];
}

/* The last answer at or before a time; 0 where there is none. That there was none counts only
 * where nothing else is known: it may have been our own trouble. */
static int
read_answer(struct judge_dns *j, struct kept_answer *k, int64_t time_ms, struct err *err)
{
	struct dns_question q = {
	    .name = k->series.host, .rrtype = k->series.rrtype, .vantage = k->series.vantage};
	struct timeline_back t;
	struct sighting seen;
	uint32_t number;
	int rc;

	k->from_ms = INT64_MIN;
	k->until_ms = INT64_MAX;
	if ((rc = store_series_number(j->view, &k->series, &number, err)) <= 0)
		return rc;
	k->until_ms = time_ms;
	if ((rc = dns_at(j->view, &q, time_ms, &k->answer, err)) == 0) {
		if ((rc = timeline_back_init(
			 &t, j->view, number, SERIES_DNS, INT64_MIN, time_ms + 1, err)) < 0)
			return rc;
		rc = timeline_back_next(&t, &seen, err);
		timeline_back_finish(&t);
		if (rc > 0 &&
		    (rc = store_dns_answer(j->view, seen.evidence, &k->answer, err)) >= 0) {
			k->answer.time_ms = seen.time_ms;
			rc = 1;
		}
	}
	if (rc > 0) {
		k->found = true;
		k->from_ms = k->answer.time_ms;
	}
	return rc;
}

static int
find_answer(struct judge_dns *j, const char *name, uint16_t rrtype, const char *vantage,
    int64_t time_ms, const struct dns_answer **answer, struct err *err)
{
	struct series dns = {.kind = SERIES_DNS, .rrtype = rrtype};
	struct kept_answer **slot, *k;
	int rc = 0;

	*answer = NULL;
	snprintf(dns.host, sizeof(dns.host), "%s", name);
	snprintf(dns.vantage, sizeof(dns.vantage), "%s", vantage);
	if (!host_valid(dns.host))
		return 0;
	k = *(slot = slot_of(j, &dns));
	if (k == NULL || series_compare(&k->series, &dns) != 0 || time_ms < k->from_ms ||
	    time_ms > k->until_ms) {
		if (k == NULL)
			k = *slot = mem_zero(1, sizeof(*k));
		if (k->found)
			dns_answer_finish(&k->answer);
		k->found = false;
		k->series = dns;
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

/* Where the host's name leads as an alias; "": it is none. */
static int
find_alias(struct judge_dns *j, const struct series *s, int64_t time_ms, char alias[LIMIT_NAME + 1],
    struct err *err)
{
	const struct dns_answer *a;
	char name[LIMIT_NAME + 1];
	int rc = 0;

	alias[0] = '\0';
	snprintf(name, sizeof(name), "%s", s->host);
	for (unsigned i = 0; i < ALIASES_MAX; i++) {
		if ((rc = find_answer(j, name, TYPE_CNAME, s->vantage, time_ms, &a, err)) < 0 ||
		    a == NULL || a->records_n != 1 || host_normalise(a->records[0], name, NULL) < 0)
			break;
		snprintf(alias, LIMIT_NAME + 1, "%s", name);
	}
	return rc;
}

static int
find_tlsa(struct judge_dns *j, const struct series *s, const char *base, int64_t time_ms,
    struct conclude_dns *dns, struct err *err)
{
	const struct dns_answer *a;
	char name[LIMIT_NAME + 32];
	int rc;

	snprintf(name, sizeof(name), "_%u._tcp.%s", s->port, base);
	if (strlen(name) > LIMIT_NAME)
		return 0;
	rc = find_answer(j, name, TYPE_TLSA, s->vantage, time_ms, &a, err);
	dns->tlsa = conclude_answer(a);
	dns->records = a != NULL ? a->records : NULL;
	dns->records_n = a != NULL ? a->records_n : 0;
	return rc;
}

int
judge_dns_find(struct judge_dns *j, const struct series *s, const char *nexthop, int64_t time_ms,
    struct conclude_dns *dns, struct err *err)
{
	const struct dns_answer *a;
	char *alias = j->alias;
	int rc = 0;

	*dns = (struct conclude_dns){0};
	if (nexthop != NULL) {
		rc = find_answer(j, nexthop, TYPE_MX, s->vantage, time_ms, &a, err);
		dns->mx = conclude_answer(a);
	}
	if (rc < 0 || (rc = find_answer(j, s->host, s->address.family == 4 ? TYPE_A : TYPE_AAAA,
			   s->vantage, time_ms, &a, err)) < 0)
		return rc;
	dns->address = conclude_answer(a);
	if ((rc = find_alias(j, s, time_ms, alias, err)) < 0)
		return rc;
	/* Where the alias leads first, if that is secure (RFC 7672 section 2.2.3). */
	if (alias[0] != '\0' && dns->address.known && dns->address.status == DNS_SECURE) {
		if ((rc = find_tlsa(j, s, alias, time_ms, dns, err)) < 0)
			return rc;
		if (conclude_wants_tlsa(dns) || (dns->tlsa.known && dns->tlsa.status >= DNS_BOGUS &&
						    dns->tlsa.status != DNS_UNVALIDATED)) {
			dns->base = alias;
			return 0;
		}
	}
	return find_tlsa(j, s, s->host, time_ms, dns, err);
}

/* ---- MTA-STS ----------------------------------------------------------------------------- */

/* One attempt to have the policy: true if it settles what a sender would have gone by. A policy
 * holds for its max_age, whatever became of it since (RFC 8461 section 3.3). */
static bool
take_policy(struct kept_sts *k, const struct dns_answer *a, int64_t time_ms)
{
	static const enum conclude_sts_state failures[STS_RESULT_N] = {
	    [STS_FETCH_ERROR] = CONCLUDE_STS_FETCH_ERROR,
	    [STS_WEBPKI_INVALID] = CONCLUDE_STS_WEBPKI_INVALID,
	    [STS_POLICY_INVALID] = CONCLUDE_STS_INVALID};
	static const enum conclude_sts_state modes[STS_MODE_N] = {
	    [STS_MODE_TESTING] = CONCLUDE_STS_TESTING, [STS_MODE_ENFORCE] = CONCLUDE_STS_ENFORCE};
	struct sts_policy policy = {0};
	struct sts_answer sts;
	bool first = k->sts.state == CONCLUDE_STS_NONE, holds = false;

	if (sts_answer_read(&sts, a, NULL) != 0)
		return true;
	if (sts.result != STS_OK ||
	    sts_policy_parse(&policy, sts.policy, sts.policy_n, NULL) != 0) {
		if (first)
			k->sts.state =
			    sts.result != STS_OK ? failures[sts.result] : CONCLUDE_STS_INVALID;
		sts_answer_finish(&sts);
		return false;
	}
	holds = a->time_ms + policy.max_age_s * 1000 >= time_ms;
	if (holds) {
		k->policy = policy;
		k->sts = (struct conclude_sts){modes[policy.mode], &k->policy};
	} else {
		sts_policy_finish(&policy);
	}
	sts_answer_finish(&sts);
	return true;
}

static int
read_sts(struct judge_dns *j, const struct series *dns, int64_t time_ms, struct err *err)
{
	struct timeline_back t;
	struct dns_answer a;
	struct sighting seen;
	uint32_t number;
	bool settled = false;
	int rc = store_series_number(j->view, dns, &number, err);

	if (rc <= 0 || (rc = timeline_back_init(
			    &t, j->view, number, SERIES_DNS, INT64_MIN, time_ms + 1, err)) < 0)
		return rc;
	for (unsigned i = 0; !settled && i < STS_LOOK_BACK; i++) {
		if ((rc = timeline_back_next(&t, &seen, err)) <= 0 ||
		    (rc = store_dns_answer(j->view, seen.evidence, &a, err)) < 0)
			break;
		a.time_ms = seen.time_ms;
		settled = take_policy(&j->sts, &a, time_ms);
		dns_answer_finish(&a);
	}
	timeline_back_finish(&t);
	return rc < 0 ? rc : 0;
}

int
judge_dns_sts(struct judge_dns *j, const char *domain, const char *vantage, int64_t time_ms,
    struct conclude_sts *sts, struct err *err)
{
	struct series dns = {.kind = SERIES_DNS, .rrtype = RRTYPE_STS};
	struct kept_sts *k = &j->sts;
	int rc = 0;

	*sts = (struct conclude_sts){CONCLUDE_STS_NONE, NULL};
	if (domain == NULL || !host_valid(domain))
		return 0;
	if (k->time_ms != time_ms || strcmp(k->domain, domain) != 0 ||
	    strcmp(k->vantage, vantage) != 0) {
		sts_policy_finish(&k->policy);
		*k = (struct kept_sts){.time_ms = time_ms};
		snprintf(k->domain, sizeof(k->domain), "%s", domain);
		snprintf(k->vantage, sizeof(k->vantage), "%s", vantage);
		snprintf(dns.host, sizeof(dns.host), "%s", domain);
		snprintf(dns.vantage, sizeof(dns.vantage), "%s", vantage);
		rc = read_sts(j, &dns, time_ms, err);
	}
	*sts = k->sts;
	return rc;
}
