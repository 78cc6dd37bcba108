#include "policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/dns/rdata.h"
#include "collector/limits.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

#define PREFIX "mta-sts."

/* One domain, from its announcement to the record. */
struct job {
	struct job *prev, *next;
	struct policies *policies;
	char domain[LIMIT_NAME + 1], host[LIMIT_NAME + sizeof(PREFIX)];
	unsigned pending; /* questions */
	bool bogus, failed, refused;
	struct ip addresses[LIMIT_STS_ADDRESSES];
	size_t addresses_n;
	bool waits; /* its addresses are known, and it may go as soon as they are free */
	struct sts_fetch *fetch;
};

struct policies {
	struct policies_settings settings;
	struct job *first, *last; /* in order of arrival */
	size_t left, under_way;
	uint64_t fetched;
	bool stopping;
};

struct policies *
policies_create(const struct policies_settings *settings)
{
	struct policies *p = mem_zero(1, sizeof(*p));

	p->settings = *settings;
	return p;
}

static void
remove_job(struct job *job)
{
	struct policies *p = job->policies;

	*(job->prev != NULL ? &job->prev->next : &p->first) = job->next;
	*(job->next != NULL ? &job->next->prev : &p->last) = job->prev;
	p->left--;
	free(job);
}

void
policies_destroy(struct policies *p)
{
	if (p == NULL)
		return;
	while (p->first != NULL) {
		if (p->first->fetch != NULL)
			sts_fetch_abort(p->first->fetch);
		remove_job(p->first);
	}
	free(p);
}

size_t
policies_left(const struct policies *p)
{
	return p != NULL ? p->left : 0;
}

uint64_t
policies_fetched(const struct policies *p)
{
	return p != NULL ? p->fetched : 0;
}

/* ---- what came of it ------------------------------------------------------------------------ */

static void
record(struct job *job, const struct sts_answer *sts)
{
	struct policies *p = job->policies;
	struct series series = {.kind = SERIES_DNS, .rrtype = RRTYPE_STS};
	struct dns_answer answer;
	char line[2 * LIMIT_NAME + 512];
	struct err err = {0};

	snprintf(series.host, sizeof(series.host), "%s", job->domain);
	snprintf(series.vantage, sizeof(series.vantage), "%s", p->settings.vantage);
	if (sts_answer_write(&answer, sts, &err) == 0) {
		answer.time_ms = clock_now_ms();
		record_dns(p->settings.record, &series, &answer);
		dns_answer_finish(&answer);
	}
	p->fetched += sts->result == STS_OK;
	if (sts->result == STS_OK && err.code == 0)
		return;
	snprintf(line, sizeof(line), "%s: %s: %s", job->domain, sts_result_name(sts->result),
	    err.code != 0 ? err.text : sts->error);
	p->settings.notice(p->settings.ctx, line);
}

static void start_waiting(struct policies *p);

static void
end_job(struct job *job)
{
	struct policies *p = job->policies;

	remove_job(job);
	start_waiting(p);
	p->settings.rest(p->settings.ctx);
}

static void
on_fetched(void *ctx, const struct sts_answer *answer)
{
	struct job *job = ctx;

	job->fetch = NULL;
	job->policies->under_way--;
	record(job, answer);
	end_job(job);
}

/* ---- one after the other -------------------------------------------------------------------- */

static bool
share_address(const struct job *a, const struct job *b)
{
	for (size_t i = 0; i < a->addresses_n; i++)
		for (size_t k = 0; k < b->addresses_n; k++)
			if (ip_compare(&a->addresses[i], &b->addresses[k]) == 0)
				return true;
	return false;
}

static bool
is_busy(const struct job *job)
{
	for (const struct job *other = job->policies->first; other != NULL; other = other->next)
		if (other->fetch != NULL && share_address(job, other))
			return true;
	return false;
}

static void
start_waiting(struct policies *p)
{
	for (struct job *job = p->first; job != NULL && p->under_way < LIMIT_STS_FETCHES;
	     job = job->next) {
		if (!job->waits || is_busy(job))
			continue;
		job->waits = false;
		p->under_way++;
		job->fetch = sts_fetch_start(p->settings.fetcher, job->domain, job->addresses,
		    job->addresses_n, on_fetched, job);
	}
}

/* ---- the policy host ------------------------------------------------------------------------ */

static void
take_address(struct job *job, const char *text)
{
	const struct policies_settings *s = &job->policies->settings;
	struct ip ip;

	if (job->addresses_n == LIMIT_STS_ADDRESSES || !ip_parse(&ip, text))
		return;
	if (s->may_dial(s->ctx, job->host, &ip))
		job->addresses[job->addresses_n++] = ip;
	else
		job->refused = true;
}

static void
take_answer(struct job *job, const struct dns_result *result)
{
	job->bogus |= result->answer.status == DNS_BOGUS;
	job->failed |= result->answer.status == DNS_FAILED;
	for (size_t i = 0; i < result->answer.records_n; i++)
		take_address(job, result->answer.records[i]);
}

/* No address to fetch it from: for the domain a failure to fetch, but where it is we who refuse. */
static void
no_address(struct job *job)
{
	struct sts_answer answer = {.result = STS_FETCH_ERROR};
	char reason[LIMIT_NAME + 64];

	snprintf(reason, sizeof(reason), "%s %s", job->host,
	    job->bogus	  ? "has a bogus address (DNSSEC)"
	    : job->failed ? "could not be looked up"
			  : "has no address");
	answer.error = reason;
	if (!job->refused)
		record(job, &answer);
	end_job(job);
}

static void
all_known(struct job *job)
{
	if (job->policies->stopping) {
		end_job(job);
	} else if (job->addresses_n == 0) {
		no_address(job);
	} else {
		job->waits = true;
		start_waiting(job->policies);
	}
}

static void
on_address(void *ctx, const struct dns_result *result)
{
	struct job *job = ctx;

	take_answer(job, result);
	if (--job->pending == 0)
		all_known(job);
}

static void
ask(struct job *job, uint16_t rrtype)
{
	const struct dns_result *known;

	job->pending++;
	known = dns_ask(job->policies->settings.dns, job->host, rrtype, on_address, job);
	if (known == NULL)
		return;
	take_answer(job, known);
	job->pending--;
}

void
policies_add(struct policies *p, const char *domain)
{
	struct job *job = mem_zero(1, sizeof(*job));

	job->policies = p;
	snprintf(job->domain, sizeof(job->domain), "%s", domain);
	snprintf(job->host, sizeof(job->host), PREFIX "%s", domain);
	*(p->last != NULL ? &p->last->next : &p->first) = job;
	job->prev = p->last;
	p->last = job;
	p->left++;
	if (strlen(job->host) > LIMIT_NAME) {
		no_address(job);
		return;
	}
	job->pending = 1;
	if (p->settings.ipv4)
		ask(job, RDATA_A);
	if (p->settings.ipv6)
		ask(job, RDATA_AAAA);
	if (--job->pending == 0)
		all_known(job);
}

size_t
policies_stop(struct policies *p)
{
	struct job *next;
	size_t given_up = 0;

	if (p == NULL)
		return 0;
	for (struct job *job = p->first; job != NULL; job = next) {
		next = job->next;
		if (job->fetch != NULL && !p->stopping)
			continue;
		if (job->fetch != NULL) {
			sts_fetch_abort(job->fetch);
			p->under_way--;
		} else if (job->pending > 0) {
			given_up += !p->stopping;
			continue; /* DNS comes back to it */
		}
		given_up++;
		remove_job(job);
	}
	p->stopping = true;
	return given_up;
}
