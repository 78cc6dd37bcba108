#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/probe/address.h"
#include "known.h"
#include "shuffle.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

#define PROGRESS_MS 200

struct schedule {
	struct schedule_settings settings;
	struct schedule_counts counts;
	struct lookup_settings lookup_settings;
	struct shuffle *shuffle;
	struct pace *pace;
	struct crew *crew;
	struct known *known;
	size_t lookups;
	struct loop_timer *wake, *progress;
	bool ended, waits, stopping, pumping, finished;
};

static void pump(struct schedule *s);

static void
notice(struct schedule *s, const char *line)
{
	s->counts.notices = true;
	if (s->settings.notice != NULL)
		s->settings.notice(s->settings.ctx, line);
}

/* ---- probes -------------------------------------------------------------------------------- */

/* Another probe of the visit, in its turn, or none. */
static void
go_on(struct schedule *s, struct visit *visit)
{
	if (visit_left(visit) > 0)
		pace_add(s->pace, &visit->item, visit->job.series.host);
	else
		free(visit);
}

/* Nothing more is asked of the address in this run. */
static void
leave_alone(struct schedule *s, struct visit *visit, uint32_t why)
{
	uint64_t *count = why == KNOWN_DEAD ? &s->counts.dead : &s->counts.unwelcome;
	struct pace_item *item;

	known_mark(s->known, &visit->item.address, why);
	while ((item = pace_drop(s->pace, &visit->item.address)) != NULL) {
		*count += visit_left((struct visit *)item);
		free(item);
	}
	*count += visit_left(visit);
	free(visit);
}

static void
say_local(struct schedule *s, int errnum)
{
	char line[160];

	if (s->counts.local++ > 0)
		return;
	snprintf(line, sizeof(line), "cannot open a connection: %s; use a lower --concurrency",
	    strerror(errnum));
	notice(s, line);
}

static void
count_probe(struct schedule *s, const struct crew_job *job)
{
	s->counts.probes++;
	s->counts.succeeded += job->outcome == OUTCOME_SUCCESS;
	s->counts.on_25 += job->series.port == 25;
	s->counts.connected_on_25 += job->series.port == 25 && job->connected;
}

static void
on_job_done(void *ctx, struct crew_job *job)
{
	struct visit *visit = (struct visit *)((char *)job - offsetof(struct visit, job));
	bool later =
	    !job->aborted && !job->local &&
	    (job->outcome == OUTCOME_RATE_LIMITED || job->outcome == OUTCOME_TEMPORARY_REJECT);
	struct schedule *s = ctx;
	bool welcome = pace_release(s->pace, &visit->item.address,
	    later ? PACE_LATER : PACE_ANSWERED, clock_monotonic_ms());

	s->counts.under_way--;
	if (job->aborted) {
		s->counts.left += visit_left(visit);
		free(visit);
		return;
	}
	if (job->local)
		say_local(s, job->errnum);
	else
		count_probe(s, job);
	visit_done(visit, later && welcome);
	if (s->stopping) {
		s->counts.left += visit_left(visit);
		free(visit);
	} else if (!job->local && job->outcome == OUTCOME_CONNECTION_TIMEOUT) {
		leave_alone(s, visit, KNOWN_DEAD);
	} else if (!welcome) {
		leave_alone(s, visit, KNOWN_UNWELCOME);
	} else {
		go_on(s, visit);
	}
}

static void
on_crew_rest(void *ctx)
{
	pump(ctx);
}

static void
start(struct schedule *s, struct visit *visit)
{
	visit_next(visit); /* there is one: what has none is not queued */
	s->counts.under_way++;
	crew_probe(s->crew, &visit->job);
}

/* ---- visits -------------------------------------------------------------------------------- */

/* Which parts of the plan are new for this host, address and next hop. */
static unsigned
new_parts(
    struct schedule *s, const char *host, const struct ip *address, uint16_t port, bool has_nexthop)
{
	unsigned parts = known_add_place(s->known, host, address, port) ? VISIT_HOST : 0;

	s->counts.addresses += known_add_address(s->known, address);
	if (!has_nexthop)
		return parts;
	if (known_add_nexthop(s->known, address, s->settings.nexthops_most))
		return parts | VISIT_NEXTHOP;
	s->counts.nexthops++;
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

/* All that is wanted of one address of a host. domain: NULL where there is no next hop. */
static void
queue(struct schedule *s, const char *domain, const char *host, const struct ip *address,
    uint16_t port, int32_t dns_ms)
{
	const struct visit_plan *plan = &s->settings.plan;
	bool has_nexthop = domain != NULL && strcmp(domain, host) != 0 && plan_has_nexthop(plan);
	unsigned parts = new_parts(s, host, address, port, has_nexthop);
	struct visit *visit = visit_create(plan, parts, domain, host, address, port, dns_ms);
	uint32_t known = known_mark(s->known, address, 0);

	if (visit == NULL)
		return;
	s->counts.done_before += visit_strike_out(visit, resume_has, s->settings.resume);
	if ((known & (KNOWN_DEAD | KNOWN_UNWELCOME)) != 0) {
		*((known & KNOWN_DEAD) != 0 ? &s->counts.dead : &s->counts.unwelcome) +=
		    visit_left(visit);
		free(visit);
		return;
	}
	go_on(s, visit);
}

/* Whether an address may be dialled: asked before the first packet. */
static bool
may_dial(struct schedule *s, const char *host, const struct ip *address)
{
	const char *why = s->settings.allow_private ? NULL : address_refusal(address);
	char text[IP_TEXT_MAX], line[LIMIT_NAME + 160];

	if (blocklist_has_address(s->settings.blocklist, address)) {
		s->counts.blocked++;
		return false;
	}
	if (why == NULL)
		return true;
	s->counts.refused++;
	if ((known_mark(s->known, address, KNOWN_REFUSED) & KNOWN_REFUSED) == 0) {
		ip_format(address, text);
		snprintf(line, sizeof(line), "%s at %s is not dialled (%s): see --allow-private",
		    host, text, why);
		notice(s, line);
	}
	return false;
}

static bool
is_blocked_name(struct schedule *s, const char *name)
{
	if (!blocklist_has_name(s->settings.blocklist, name))
		return false;
	s->counts.blocked++;
	return true;
}

/* ---- look-ups ------------------------------------------------------------------------------ */

static void
on_host(void *ctx, const struct lookup_host *host)
{
	struct schedule *s = ctx;

	if (s->stopping || is_blocked_name(s, host->name))
		return;
	s->counts.hosts += known_add_host(s->known, host->name);
	for (size_t i = 0; i < host->addresses_n; i++)
		if (may_dial(s, host->name, &host->addresses[i]))
			queue(s, host->domain, host->name, &host->addresses[i], host->port,
			    host->dns_ms);
	pump(s);
}

static void
on_lookup_notice(void *ctx, const char *line)
{
	struct schedule *s = ctx;

	if (!s->stopping)
		notice(s, line);
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
	struct schedule *s = ctx;

	s->lookups--;
	if (s->stopping) {
		s->counts.left += end != LOOKUP_DONE;
	} else {
		s->counts.ends[end]++;
		if (end != LOOKUP_DONE) {
			snprintf(
			    line, sizeof(line), "%s: %s: %s", name, lookup_end_name(end), why[end]);
			notice(s, line);
		}
	}
	pump(s);
}

static void
on_dns_record(void *ctx, const struct dns_result *result)
{
	struct schedule *s = ctx;
	struct series series = {.kind = SERIES_DNS, .rrtype = result->rrtype};

	snprintf(series.host, sizeof(series.host), "%s", result->name);
	snprintf(series.vantage, sizeof(series.vantage), "%s", s->settings.plan.vantage);
	record_dns(s->settings.record, &series, &result->answer);
}

/* Whether names are validated is no target's failure: what cannot be had is told by itself. */
static void
on_dns_notice(void *ctx, const char *line)
{
	struct schedule *s = ctx;

	if (s->settings.notice != NULL)
		s->settings.notice(s->settings.ctx, line);
}

/* ---- targets ------------------------------------------------------------------------------- */

static void
take_address_target(struct schedule *s, const struct target *t)
{
	char line[LIMIT_NAME + 64];

	if (t->address.family == 4 ? !s->settings.ipv4 : !s->settings.ipv6) {
		s->counts.left_out++;
		snprintf(line, sizeof(line), "%s: left out, it is an IPv%u address", t->name,
		    t->address.family);
		notice(s, line);
		return;
	}
	s->counts.hosts += known_add_host(s->known, t->name);
	if (may_dial(s, t->name, &t->address))
		queue(s, NULL, t->name, &t->address, t->port != 0 ? t->port : s->settings.port, -1);
}

static void
take_target(struct schedule *s, const struct target *target)
{
	struct lookup_calls calls = {
	    .host = on_host, .notice = on_lookup_notice, .done = on_lookup_done, .ctx = s};

	s->counts.targets++;
	if (is_blocked_name(s, target->name))
		return;
	if (target->kind == TARGET_ADDRESS) {
		take_address_target(s, target);
	} else if (known_add_target(s->known, target)) { /* named twice, it is done once */
		s->lookups++;
		lookup_start(&s->lookup_settings, target, &calls);
	}
}

/* Room for one more target: enough is queued already to keep all connections busy? */
static bool
has_room(const struct schedule *s)
{
	return pace_queued(s->pace) < LIMIT_QUEUED + 2 * s->settings.concurrency;
}

static void
take_targets(struct schedule *s)
{
	struct target target;

	while (!s->ended && !s->waits && !s->stopping && has_room(s)) {
		bool names = s->lookups < LIMIT_LOOKUPS;
		struct err err = {0};

		switch (shuffle_next(s->shuffle, names, &target, &err)) {
		case SOURCE_TARGET:
			take_target(s, &target);
			break;
		case SOURCE_BAD:
			s->counts.bad_lines++;
			notice(s, err.text);
			break;
		case SOURCE_WAIT:
			/* For the list, or for a look-up to end: then pump() comes here again. */
			s->waits = names;
			return;
		case SOURCE_FAILED:
			notice(s, err.text);
			break;
		case SOURCE_END:
			s->ended = true;
			break;
		}
	}
}

static void
on_source_ready(void *ctx)
{
	struct schedule *s = ctx;

	s->waits = false;
	shuffle_ready(s->shuffle);
	pump(s);
}

/* ---- the run ------------------------------------------------------------------------------- */

static bool
may_start(struct schedule *s)
{
	return !s->stopping && s->counts.under_way < s->settings.concurrency &&
	       !record_is_behind(s->settings.record);
}

static void
start_probes(struct schedule *s)
{
	int64_t now = clock_monotonic_ms();
	struct pace_item *item;

	while (may_start(s) && (item = pace_next(s->pace, now)) != NULL)
		start(s, (struct visit *)item);
}

static void
set_wake(struct schedule *s)
{
	int64_t wait = may_start(s) ? pace_wait_ms(s->pace, clock_monotonic_ms()) : -1;

	if (wait >= 0 && pace_queued(s->pace) > 0)
		loop_timer_set(s->wake, wait > 0 ? wait : 1);
	else
		loop_timer_stop(s->wake);
}

static bool
is_over(const struct schedule *s)
{
	if (s->counts.under_way > 0 || s->lookups > 0)
		return false;
	return s->stopping || (s->ended && pace_queued(s->pace) == 0);
}

/* Brings everything on as far as it goes now. What is called here may call it again: then the
 * outer one goes round once more. */
static void
pump(struct schedule *s)
{
	if (s->pumping || s->finished)
		return;
	s->pumping = true;
	take_targets(s);
	start_probes(s);
	take_targets(s);
	s->pumping = false;
	s->counts.queued = pace_queued(s->pace);
	set_wake(s);
	if (is_over(s)) {
		s->finished = true;
		source_stop(s->settings.source);
		loop_stop(s->settings.loop);
	}
}

static void
on_wake(void *ctx)
{
	pump(ctx);
}

static void
on_progress(void *ctx)
{
	struct schedule *s = ctx;

	if (s->settings.progress != NULL)
		s->settings.progress(s->settings.ctx);
	loop_timer_set(s->progress, PROGRESS_MS);
}

void
schedule_on_record(struct schedule *s)
{
	if (record_has_failed(s->settings.record) && !s->stopping)
		schedule_stop(s);
	pump(s);
}

static int
create_crew(struct schedule *s, struct err *err)
{
	struct crew_settings settings = {.loop = s->settings.loop,
	    .threads = s->settings.threads,
	    .ehlo_domain = s->settings.ehlo_domain,
	    .timeout_ms = s->settings.timeout_ms,
	    .record = s->settings.record,
	    .done = on_job_done,
	    .rest = on_crew_rest,
	    .ctx = s};

	memcpy(settings.offers, s->settings.plan.offers, sizeof(settings.offers));
	return crew_create(&s->crew, &settings, err);
}

int
schedule_create(struct schedule **out, const struct schedule_settings *settings, struct err *err)
{
	struct schedule *s = mem_zero(1, sizeof(*s));
	int rc;

	*out = NULL;
	s->settings = *settings;
	s->lookup_settings = (struct lookup_settings){.dns = settings->dns,
	    .ipv4 = settings->ipv4,
	    .ipv6 = settings->ipv6,
	    .port = settings->port};
	s->shuffle = shuffle_create(settings->source);
	s->pace = pace_create(&settings->pace);
	s->known = known_create();
	s->wake = loop_timer_create(settings->loop, on_wake, s);
	s->progress = loop_timer_create(settings->loop, on_progress, s);
	if ((rc = create_crew(s, err)) != 0) {
		schedule_destroy(s);
		return rc;
	}
	dns_on(settings->dns, on_dns_record, on_dns_notice, s);
	source_on_ready(settings->source, on_source_ready, s);
	*out = s;
	return 0;
}

void
schedule_destroy(struct schedule *s)
{
	struct pace_item *item;

	if (s == NULL)
		return;
	crew_destroy(s->crew);
	while ((item = pace_drop(s->pace, NULL)) != NULL)
		free(item);
	pace_destroy(s->pace);
	shuffle_destroy(s->shuffle);
	known_destroy(s->known);
	loop_timer_destroy(s->wake);
	loop_timer_destroy(s->progress);
	free(s);
}

void
schedule_run(struct schedule *s)
{
	loop_timer_set(s->progress, PROGRESS_MS);
	loop_timer_set(s->wake, 0);
	loop_run(s->settings.loop);
	loop_timer_stop(s->progress);
	loop_timer_stop(s->wake);
}

static void
drop_queue(struct schedule *s)
{
	struct pace_item *item;

	while ((item = pace_drop(s->pace, NULL)) != NULL) {
		s->counts.left += visit_left((struct visit *)item);
		free(item);
	}
}

void
schedule_stop(struct schedule *s)
{
	if (s->stopping) {
		crew_abort(s->crew);
	} else {
		s->stopping = true;
		s->counts.held = shuffle_held(s->shuffle);
		s->counts.more_targets = !shuffle_ended(s->shuffle);
		drop_queue(s);
		dns_stop(s->settings.dns);
	}
	loop_timer_set(s->wake, 0);
}

bool
schedule_stopped(const struct schedule *s)
{
	return s->stopping;
}

const struct schedule_counts *
schedule_counts(const struct schedule *s)
{
	return &s->counts;
}
