#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "store/base/mem.h"

/* Steps of a plan: variant by variant, of each all offers. */
static enum sni
sni_of(const struct visit_plan *plan, unsigned step)
{
	return plan->variants[step / OFFER_N].sni;
}

static unsigned
steps_n(const struct visit_plan *plan)
{
	return (unsigned)plan->variants_n * OFFER_N;
}

static bool
is_todo(const struct visit *visit, unsigned step)
{
	return (visit->todo[step / 64] >> step % 64 & 1) != 0;
}

static bool
is_wanted(const struct visit *visit, unsigned step, unsigned parts)
{
	bool nexthop = sni_of(visit->plan, step) == SNI_NEXTHOP;

	return visit->plan->offers[step % OFFER_N] &&
	       (parts & (nexthop ? VISIT_NEXTHOP : VISIT_HOST)) != 0 &&
	       (!nexthop || visit->domain[0] != '\0');
}

struct visit *
visit_create(const struct visit_plan *plan, unsigned parts, const char *domain, const char *host,
    const struct ip *address, uint16_t port, int32_t dns_ms)
{
	struct visit *visit = mem_zero(1, sizeof(*visit));
	struct series *series = &visit->job.series;

	visit->plan = plan;
	visit->item.address = *address;
	visit->job.dns_ms = dns_ms;
	series->kind = SERIES_PROBE;
	series->address = *address;
	series->port = port;
	snprintf(series->host, sizeof(series->host), "%s", host);
	snprintf(series->vantage, sizeof(series->vantage), "%s", plan->vantage);
	if (domain != NULL && strcmp(domain, host) != 0)
		snprintf(visit->domain, sizeof(visit->domain), "%s", domain);
	for (unsigned step = 0; step < steps_n(plan); step++)
		if (is_wanted(visit, step, parts))
			visit->todo[step / 64] |= UINT64_C(1) << step % 64;
	if (visit_left(visit) == 0) {
		free(visit);
		return NULL;
	}
	return visit;
}

static void
fill_job(struct visit *visit, unsigned step)
{
	const struct visit_plan *plan = visit->plan;
	struct crew_job *job = &visit->job;
	const char *name = "";

	job->series.sni = sni_of(plan, step);
	job->series.offer = step % OFFER_N;
	job->server_name = NULL;
	switch (job->series.sni) {
	case SNI_HOSTNAME:
		job->server_name = job->series.host;
		break;
	case SNI_NEXTHOP:
		job->server_name = name = visit->domain;
		break;
	case SNI_LITERAL:
		job->server_name = name = plan->variants[step / OFFER_N].name;
		break;
	case SNI_UNKNOWN:
		job->server_name = plan->unknown_name;
		break;
	case SNI_NONE:
	case SNI_N:
		break;
	}
	strcpy(job->series.sni_name, name);
}

bool
visit_next(struct visit *visit)
{
	unsigned n = steps_n(visit->plan);

	for (unsigned i = 0; i < n; i++) {
		unsigned step = (visit->step + i) % n;

		if (is_todo(visit, step)) {
			visit->step = step;
			fill_job(visit, step);
			return true;
		}
	}
	return false;
}

static void
strike_out(struct visit *visit, unsigned step)
{
	visit->todo[step / 64] &= ~(UINT64_C(1) << step % 64);
}

void
visit_done(struct visit *visit, bool again)
{
	if (!again || visit->repeats++ >= LIMIT_REPEATS)
		strike_out(visit, visit->step);
	visit->step = (visit->step + 1) % steps_n(visit->plan);
}

unsigned
visit_left(const struct visit *visit)
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(visit->todo) / sizeof(visit->todo[0]); i++)
		n += (unsigned)__builtin_popcountll(visit->todo[i]);
	return n;
}

unsigned
visit_strike_out(
    struct visit *visit, bool (*has)(void *ctx, const struct series *series), void *ctx)
{
	unsigned struck = 0;

	for (unsigned step = 0; step < steps_n(visit->plan); step++) {
		if (!is_todo(visit, step))
			continue;
		fill_job(visit, step);
		if (has(ctx, &visit->job.series)) {
			strike_out(visit, step);
			struck++;
		}
	}
	return struck;
}
