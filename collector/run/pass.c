#include "pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/probe/address.h"
#include "known.h"
#include "shuffle.h"
#include "store/base/mem.h"

struct pass {
	struct pass *next; /* the schedule's */
	struct pass_settings settings;
	struct pass_counts counts;
	struct lookup_settings lookup_settings;
	struct shuffle *shuffle;
	struct known *known;
	struct policies *policies; /* NULL: none are asked for */
	size_t lookups, visits;
	struct loop_timer *over; /* fires when it is */
	bool ended, waits, stopping, finished;
};

static void
notice(struct pass *p, const char *line)
{
	p->counts.notices = true;
	if (p->settings.notice != NULL)
		p->settings.notice(p->settings.ctx, line);
}

static bool
nothing_left(const struct pass *p)
{
	return !p->finished && p->visits == 0 && p->lookups == 0 &&
	       policies_left(p->policies) == 0 && (p->stopping || p->ended);
}

/* From whatever may have been the last thing. It is looked into by the loop: what called us may be
 * something that whoever hears the news takes down, or be about to bring more: a visit may be over
 * at once. */
static void
check_over(struct pass *p)
{
	if (nothing_left(p))
		loop_timer_set(p->over, 0);
}

static void
on_over(void *ctx)
{
	struct pass *p = ctx;

	if (!nothing_left(p))
		return;
	p->finished = true;
	if (p->settings.source != NULL)
		source_stop(p->settings.source);
	schedule_leave(p->settings.schedule, p);
	p->settings.done(p->settings.ctx, p);
}

/* Something has changed that the schedule may go on with. */
static void
pump(struct pass *p)
{
	schedule_pump(p->settings.schedule);
	check_over(p);
}

/* ---- visits -------------------------------------------------------------------------------- */

/* Which parts of the plan are new for this host, address and next hop. */
static unsigned
new_parts(
    struct pass *p, const char *host, const struct ip *address, uint16_t port, bool has_nexthop)
{
	unsigned parts = known_add_place(p->known, host, address, port) ? VISIT_HOST : 0;

	p->counts.addresses += known_add_address(p->known, address);
	if (!has_nexthop)
		return parts;
	if (known_add_nexthop(p->known, address, p->settings.nexthops_most))
		return parts | VISIT_NEXTHOP;
	p->counts.nexthops++;
	return parts;
}

static bool
plan_has_nexthop(const struct visit_plan *plan)
{
	for (size_t i = 0; i < plan->variants_n; i++)
		if (plan->variants[i].sni == SNI_NEXTHOP)
			return true;
	return false;
}

static void
add_visit(struct pass *p, struct visit *visit)
{
	visit->pass = p;
	p->visits++;
	if (p->settings.on_visit != NULL)
		p->settings.on_visit(p->settings.ctx, visit);
	schedule_add(p->settings.schedule, visit);
}

/* All that is wanted of one address of a host. domain: NULL where there is no next hop. */
static void
queue(struct pass *p, const char *domain, const char *host, const struct ip *address, uint16_t port,
    int32_t dns_ms)
{
	const struct visit_plan *plan = p->settings.plan;
	bool has_nexthop = domain != NULL && strcmp(domain, host) != 0 && plan_has_nexthop(plan);
	unsigned parts = new_parts(p, host, address, port, has_nexthop);
	struct visit *visit = visit_create(plan, parts, domain, host, address, port, dns_ms);
	uint32_t known = known_mark(p->known, address, 0);

	if (visit == NULL)
		return;
	if (p->settings.resume != NULL)
		p->counts.done_before += visit_strike_out(visit, resume_has, p->settings.resume);
	if ((known & (KNOWN_DEAD | KNOWN_UNWELCOME)) != 0) {
		*((known & KNOWN_DEAD) != 0 ? &p->counts.dead : &p->counts.unwelcome) +=
		    visit_left(visit);
		free(visit);
		return;
	}
	add_visit(p, visit);
}

/* Whether an address may be dialled: asked before the first packet. */
static bool
may_dial(struct pass *p, const char *host, const struct ip *address)
{
	const char *why = p->settings.allow_private ? NULL : address_refusal(address);
	char text[IP_TEXT_MAX], line[LIMIT_NAME + 160];

	if (blocklist_has_address(p->settings.blocklist, address)) {
		p->counts.blocked++;
		return false;
	}
	if (why == NULL)
		return true;
	p->counts.refused++;
	if ((known_mark(p->known, address, KNOWN_REFUSED) & KNOWN_REFUSED) == 0) {
		ip_format(address, text);
		snprintf(line, sizeof(line), "%s at %s is not dialled (%s): see --allow-private",
		    host, text, why);
		notice(p, line);
	}
	return false;
}

static bool
is_blocked_name(struct pass *p, const char *name)
{
	if (!blocklist_has_name(p->settings.blocklist, name))
		return false;
	p->counts.blocked++;
	return true;
}

/* ---- look-ups ------------------------------------------------------------------------------ */

static void
on_host(void *ctx, const struct lookup_host *host)
{
	struct pass *p = ctx;
	bool fresh;

	if (p->stopping || is_blocked_name(p, host->name))
		return;
	fresh = known_add_host(p->known, host->name);
	p->counts.hosts += fresh;
	/* A domain without MX may well be one. */
	p->counts.aliases +=
	    fresh && host->alias && (host->domain == NULL || strcmp(host->domain, host->name) != 0);
	for (size_t i = 0; i < host->addresses_n; i++)
		if (may_dial(p, host->name, &host->addresses[i]))
			queue(p, host->domain, host->name, &host->addresses[i], host->port,
			    host->dns_ms);
	pump(p);
}

static void
on_announced(void *ctx, const char *domain)
{
	struct pass *p = ctx;

	if (!p->stopping)
		policies_add(p->policies, domain);
}

static bool
may_dial_policy_host(void *ctx, const char *host, const struct ip *address)
{
	struct pass *p = ctx;

	return !is_blocked_name(p, host) && may_dial(p, host, address);
}

static void
on_policies_rest(void *ctx)
{
	pump(ctx);
}

static void
on_lookup_notice(void *ctx, const char *line)
{
	struct pass *p = ctx;

	if (!p->stopping)
		notice(p, line);
}

static void
on_lookup_done(void *ctx, const char *name, enum lookup_end end)
{
	static const char *const why[LOOKUP_END_N] = {
	    [LOOKUP_NO_MX] = "no such domain, or no MX and no address",
	    [LOOKUP_NULL_MX] = "takes no mail (RFC 7505)",
	    [LOOKUP_DNS_FAILURE] = "no answer from DNS",
	    [LOOKUP_DNS_BOGUS] = "DNSSEC says that the answer is forged",
	};
	char line[LIMIT_NAME + 160];
	struct pass *p = ctx;

	p->lookups--;
	if (p->stopping) {
		p->counts.left += end != LOOKUP_DONE;
	} else {
		p->counts.ends[end]++;
		if (end != LOOKUP_DONE) {
			snprintf(
			    line, sizeof(line), "%s: %s: %s", name, lookup_end_name(end), why[end]);
			notice(p, line);
		}
	}
	pump(p);
}

static void
on_dns_record(void *ctx, const struct dns_result *result)
{
	struct pass *p = ctx;
	struct series series = {.kind = SERIES_DNS, .rrtype = result->rrtype};

	snprintf(series.host, sizeof(series.host), "%s", result->name);
	snprintf(series.vantage, sizeof(series.vantage), "%s", p->settings.plan->vantage);
	record_dns(p->settings.record, &series, &result->answer);
}

/* Whether names are validated is no target's failure: what cannot be had is told by itself. */
static void
on_dns_notice(void *ctx, const char *line)
{
	struct pass *p = ctx;

	if (p->settings.notice != NULL)
		p->settings.notice(p->settings.ctx, line);
}

/* ---- targets ------------------------------------------------------------------------------- */

static void
take_address_target(struct pass *p, const struct target *t)
{
	char line[LIMIT_NAME + 64];

	if (t->address.family == 4 ? !p->settings.ipv4 : !p->settings.ipv6) {
		p->counts.left_out++;
		snprintf(line, sizeof(line), "%s: left out, it is an IPv%u address", t->name,
		    t->address.family);
		notice(p, line);
		return;
	}
	p->counts.hosts += known_add_host(p->known, t->name);
	if (may_dial(p, t->name, &t->address))
		queue(p, NULL, t->name, &t->address, t->port != 0 ? t->port : p->settings.port, -1);
}

static void
take_target(struct pass *p, const struct target *target)
{
	struct lookup_calls calls = {
	    .host = on_host, .notice = on_lookup_notice, .done = on_lookup_done, .ctx = p};

	if (p->policies != NULL)
		calls.announced = on_announced;
	p->counts.targets++;
	if (is_blocked_name(p, target->name))
		return;
	if (target->kind == TARGET_ADDRESS) {
		take_address_target(p, target);
	} else if (known_add_target(p->known, target)) { /* named twice, it is done once */
		p->lookups++;
		lookup_start(&p->lookup_settings, target, &calls);
	}
}

static void
take_targets(struct pass *p)
{
	struct target target;

	while (!p->ended && !p->waits && !p->stopping && schedule_has_room(p->settings.schedule)) {
		bool names = p->lookups + policies_left(p->policies) < LIMIT_LOOKUPS;
		struct err err = {0};

		switch (shuffle_next(p->shuffle, names, &target, &err)) {
		case SOURCE_TARGET:
			take_target(p, &target);
			break;
		case SOURCE_BAD:
			p->counts.bad_lines++;
			notice(p, err.text);
			break;
		case SOURCE_WAIT:
			/* For the list, or for a look-up to end: then pump() comes here again. */
			p->waits = names;
			return;
		case SOURCE_FAILED:
			notice(p, err.text);
			break;
		case SOURCE_END:
			p->ended = true;
			break;
		}
	}
}

static void
on_source_ready(void *ctx)
{
	struct pass *p = ctx;

	p->waits = false;
	shuffle_ready(p->shuffle);
	pump(p);
}

/* ---- for the schedule ---------------------------------------------------------------------- */

struct pass *
pass_next(struct pass *p)
{
	return p->next;
}

struct pass **
pass_link(struct pass *p)
{
	return &p->next;
}

void
pass_feed(struct pass *p)
{
	if (p->settings.source != NULL)
		take_targets(p);
	check_over(p);
}

int64_t
pass_until_ms(const struct pass *p)
{
	return p->settings.until_ms;
}

void
pass_started(struct pass *p)
{
	p->counts.under_way++;
}

static void
say_local(struct pass *p, int errnum)
{
	char line[160];

	if (p->counts.local++ > 0)
		return;
	snprintf(line, sizeof(line), "cannot open a connection: %s; use a lower --concurrency",
	    strerror(errnum));
	notice(p, line);
}

void
pass_probed(struct pass *p, struct visit *visit)
{
	const struct crew_job *job = &visit->job;

	p->counts.under_way--;
	if (job->aborted)
		return;
	if (job->local) {
		say_local(p, job->errnum);
		return;
	}
	p->counts.probes++;
	p->counts.succeeded += job->outcome == OUTCOME_SUCCESS;
	p->counts.on_25 += job->series.port == 25;
	p->counts.connected_on_25 += job->series.port == 25 && job->connected;
	if (p->settings.on_probe != NULL)
		p->settings.on_probe(p->settings.ctx, visit);
}

void
pass_over(struct pass *p, struct visit *visit, enum pass_end end)
{
	unsigned left = visit_left(visit);

	switch (end) {
	case PASS_DONE:
		break;
	case PASS_DEAD:
		p->counts.dead += left;
		known_mark(p->known, &visit->item.address, KNOWN_DEAD);
		break;
	case PASS_UNWELCOME:
		p->counts.unwelcome += left;
		known_mark(p->known, &visit->item.address, KNOWN_UNWELCOME);
		break;
	case PASS_LEFT:
		p->counts.left += left;
		break;
	}
	if (p->settings.on_over != NULL)
		p->settings.on_over(p->settings.ctx, visit);
	p->visits--;
	free(visit);
	check_over(p);
}

void
pass_stop(struct pass *p)
{
	p->counts.left += policies_stop(p->policies);
	if (p->stopping) {
		check_over(p);
		return;
	}
	p->stopping = true;
	if (p->settings.source != NULL) {
		p->counts.held = shuffle_held(p->shuffle);
		p->counts.more_targets = !shuffle_ended(p->shuffle);
		dns_stop(p->settings.dns);
	}
	check_over(p);
}

/* ---- from outside -------------------------------------------------------------------------- */

static struct policies *
create_policies(struct pass *p)
{
	struct policies_settings settings = {.dns = p->settings.dns,
	    .record = p->settings.record,
	    .fetcher = p->settings.fetcher,
	    .vantage = p->settings.plan->vantage,
	    .ipv4 = p->settings.ipv4,
	    .ipv6 = p->settings.ipv6,
	    .may_dial = may_dial_policy_host,
	    .notice = on_lookup_notice,
	    .rest = on_policies_rest,
	    .ctx = p};

	return policies_create(&settings);
}

struct pass *
pass_create(const struct pass_settings *settings)
{
	struct pass *p = mem_zero(1, sizeof(*p));

	p->settings = *settings;
	p->lookup_settings = (struct lookup_settings){.dns = settings->dns,
	    .ipv4 = settings->ipv4,
	    .ipv6 = settings->ipv6,
	    .port = settings->port};
	p->known = known_create();
	p->over = loop_timer_create(settings->loop, on_over, p);
	if (settings->source != NULL) {
		p->shuffle = shuffle_create(settings->source);
		if (settings->fetcher != NULL)
			p->policies = create_policies(p);
		dns_on(settings->dns, on_dns_record, on_dns_notice, p);
		source_on_ready(settings->source, on_source_ready, p);
	} else {
		p->ended = true;
	}
	schedule_enter(settings->schedule, p);
	return p;
}

void
pass_destroy(struct pass *p)
{
	if (p == NULL)
		return;
	schedule_leave(p->settings.schedule, p);
	policies_destroy(p->policies);
	shuffle_destroy(p->shuffle);
	known_destroy(p->known);
	loop_timer_destroy(p->over);
	free(p);
}

void
pass_visit(struct pass *p, struct visit *visit)
{
	add_visit(p, visit);
}

void
pass_set_blocklist(struct pass *p, struct blocklist *blocklist)
{
	p->settings.blocklist = blocklist;
}

bool
pass_stopped(const struct pass *p)
{
	return p->stopping;
}

const struct pass_counts *
pass_counts(struct pass *p)
{
	p->counts.queued = p->visits - p->counts.under_way;
	p->counts.policies = policies_fetched(p->policies);
	return &p->counts;
}
