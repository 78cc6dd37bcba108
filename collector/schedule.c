#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../store/clock.h"
#include "../store/mem.h"
#include "address.h"
#include "limits.h"
#include "pace.h"
#include "seen.h"

#define PROGRESS_MS 200

/* A probe that waits, or is under way. */
struct request {
	struct pace_item item; /* first: pace hands it back */
	struct request *prev, *next;
	struct schedule *schedule;
	struct series series;
	const char *server_name; /* NULL, into the series, or the settings' */
	int32_t dns_ms;
	struct probe *probe;
};

struct schedule {
	struct schedule_settings settings;
	struct schedule_counts counts;
	struct lookup_settings lookup_settings;
	struct pace *pace;
	struct seen *probed, *hosts, *addresses, *refused;
	struct request *under_way;
	size_t lookups;
	struct loop_timer *wake, *progress;
	bool source_ended, source_waits, stopping, pumping, finished;
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

static void
unlink_request(struct schedule *s, struct request *r)
{
	*(r->prev != NULL ? &r->prev->next : &s->under_way) = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	s->counts.under_way--;
}

static void
on_probe_done(void *ctx, struct probe *probe, const struct probe_result *result)
{
	struct request *r = ctx;
	struct schedule *s = r->schedule;

	(void)probe;
	if (result->local) {
		if (s->counts.local++ == 0) {
			char line[160];

			snprintf(line, sizeof(line),
			    "cannot open a connection: %s; use a lower --concurrency",
			    strerror(result->errnum));
			notice(s, line);
		}
	} else {
		s->counts.outcomes[result->observation.evidence.outcome]++;
		s->counts.on_25 += r->series.port == 25;
		s->counts.connected_on_25 += r->series.port == 25 && result->connected;
		record_observation(
		    s->settings.record, &r->series, &result->observation, result->chain);
	}
	s->counts.probes++;
	pace_release(s->pace, &r->item.address, clock_monotonic_ms());
	unlink_request(s, r);
	free(r);
	pump(s);
}

static void
start(struct schedule *s, struct request *r)
{
	r->prev = NULL;
	r->next = s->under_way;
	if (r->next != NULL)
		r->next->prev = r;
	s->under_way = r;
	s->counts.under_way++;
	r->probe = probe_start(
	    &s->settings.probe, &r->series, r->server_name, r->dns_ms, on_probe_done, r);
}

/* What makes two probes the same. */
static bool
is_new(struct schedule *s, const struct series *series)
{
	struct buf key = {0};
	bool fresh;

	buf_append_text(&key, series->host);
	buf_append_byte(&key, '\0');
	buf_append(&key, &series->address, sizeof(series->address));
	buf_append_u16be(&key, series->port);
	buf_append_byte(&key, (uint8_t)series->sni);
	buf_append_byte(&key, (uint8_t)series->offer);
	buf_append_text(&key, series->sni_name);
	fresh = seen_add(s->probed, key.data, key.len);
	buf_finish(&key);
	return fresh;
}

static void
queue(struct schedule *s, const struct series *series, int32_t dns_ms)
{
	struct request *r;

	if (!is_new(s, series))
		return;
	r = mem_zero(1, sizeof(*r));
	r->item.address = series->address;
	r->schedule = s;
	r->series = *series;
	r->dns_ms = dns_ms;
	switch (series->sni) {
	case SNI_HOSTNAME:
		r->server_name = r->series.host;
		break;
	case SNI_NEXTHOP:
	case SNI_LITERAL:
		r->server_name = r->series.sni_name;
		break;
	case SNI_UNKNOWN:
		r->server_name = s->settings.unknown_name;
		break;
	case SNI_NONE:
	case SNI_N:
		break;
	}
	pace_add(s->pace, &r->item);
}

/* All that is wanted of one address of a host. domain: NULL where there is no next hop. */
static void
queue_address(struct schedule *s, const char *domain, const char *host, const struct ip *address,
    uint16_t port, int32_t dns_ms)
{
	struct series series = {.kind = SERIES_PROBE, .address = *address, .port = port};

	strcpy(series.host, host);
	snprintf(series.vantage, sizeof(series.vantage), "%s", s->settings.vantage);
	s->counts.addresses += seen_add(s->addresses, address, sizeof(*address));
	for (size_t i = 0; i < s->settings.variants_n; i++) {
		const struct schedule_variant *v = &s->settings.variants[i];

		if (v->sni == SNI_NEXTHOP && (domain == NULL || strcmp(domain, host) == 0))
			continue;
		series.sni = v->sni;
		series.sni_name[0] = '\0';
		if (v->sni == SNI_NEXTHOP)
			strcpy(series.sni_name, domain);
		else if (v->sni == SNI_LITERAL)
			strcpy(series.sni_name, v->name);
		for (unsigned offer = 0; offer < OFFER_N; offer++) {
			series.offer = offer;
			if (s->settings.offers[offer])
				queue(s, &series, dns_ms);
		}
	}
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
	if (seen_add(s->refused, address, sizeof(*address))) {
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
	s->counts.hosts += seen_add(s->hosts, host->name, strlen(host->name));
	for (size_t i = 0; i < host->addresses_n; i++)
		if (may_dial(s, host->name, &host->addresses[i]))
			queue_address(s, host->domain, host->name, &host->addresses[i], host->port,
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
	snprintf(series.vantage, sizeof(series.vantage), "%s", s->settings.vantage);
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
	if (is_blocked_name(s, t->name))
		return;
	s->counts.hosts += seen_add(s->hosts, t->name, strlen(t->name));
	if (may_dial(s, t->name, &t->address))
		queue_address(
		    s, NULL, t->name, &t->address, t->port != 0 ? t->port : s->settings.port, -1);
}

static void
take_target(struct schedule *s, const struct target *target)
{
	struct lookup_calls calls = {
	    .host = on_host, .notice = on_lookup_notice, .done = on_lookup_done, .ctx = s};
	struct lookup_settings settings = s->lookup_settings;

	s->counts.targets++;
	if (target->kind == TARGET_ADDRESS) {
		take_address_target(s, target);
	} else if (!is_blocked_name(s, target->name)) {
		s->lookups++;
		lookup_start(&settings, target, &calls);
	}
}

/* Room for one more target: enough is queued already to keep all connections busy? */
static bool
has_room(const struct schedule *s)
{
	return s->lookups < 64 + s->settings.concurrency &&
	       pace_queued(s->pace) < 256 + 2 * s->settings.concurrency;
}

static void
take_targets(struct schedule *s)
{
	struct target target;

	while (!s->source_ended && !s->source_waits && !s->stopping && has_room(s)) {
		struct err err = {0};

		switch (source_next(s->settings.source, &target, &err)) {
		case SOURCE_TARGET:
			take_target(s, &target);
			break;
		case SOURCE_BAD:
			s->counts.bad_lines++;
			notice(s, err.text);
			break;
		case SOURCE_WAIT:
			s->source_waits = true;
			break;
		case SOURCE_FAILED:
			s->counts.source_failed = true;
			notice(s, err.text);
			s->source_ended = true;
			break;
		case SOURCE_END:
			s->source_ended = true;
			break;
		}
	}
}

static void
on_source_ready(void *ctx)
{
	struct schedule *s = ctx;

	s->source_waits = false;
	pump(s);
}

/* ---- the run ------------------------------------------------------------------------------- */

static void
start_probes(struct schedule *s)
{
	int64_t now = clock_monotonic_ms();
	struct pace_item *item;

	while (!s->stopping && s->counts.under_way < s->settings.concurrency &&
	       (item = pace_next(s->pace, now)) != NULL)
		start(s, (struct request *)item);
}

static void
set_wake(struct schedule *s)
{
	int64_t wait = -1;

	if (!s->stopping && s->counts.under_way < s->settings.concurrency)
		wait = pace_wait_ms(s->pace, clock_monotonic_ms());
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
	return s->stopping || (s->source_ended && pace_queued(s->pace) == 0);
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
		loop_stop(s->settings.probe.loop);
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

static void
on_record_failure(void *ctx)
{
	struct schedule *s = ctx;

	if (!s->stopping)
		schedule_stop(s);
}

struct schedule *
schedule_create(const struct schedule_settings *settings)
{
	struct schedule *s = mem_zero(1, sizeof(*s));

	s->settings = *settings;
	s->lookup_settings = (struct lookup_settings){.dns = settings->dns,
	    .ipv4 = settings->ipv4,
	    .ipv6 = settings->ipv6,
	    .port = settings->port};
	s->pace = pace_create(settings->gap_ms, settings->per_second);
	s->probed = seen_create();
	s->hosts = seen_create();
	s->addresses = seen_create();
	s->refused = seen_create();
	s->wake = loop_timer_create(settings->probe.loop, on_wake, s);
	s->progress = loop_timer_create(settings->probe.loop, on_progress, s);
	dns_on(settings->dns, on_dns_record, on_dns_notice, s);
	record_on_failure(settings->record, on_record_failure, s);
	source_on_ready(settings->source, on_source_ready, s);
	return s;
}

void
schedule_destroy(struct schedule *s)
{
	struct pace_item *item;

	if (s == NULL)
		return;
	while ((item = pace_drop(s->pace)) != NULL)
		free(item);
	pace_destroy(s->pace);
	seen_destroy(s->probed);
	seen_destroy(s->hosts);
	seen_destroy(s->addresses);
	seen_destroy(s->refused);
	loop_timer_destroy(s->wake);
	loop_timer_destroy(s->progress);
	free(s);
}

void
schedule_run(struct schedule *s)
{
	loop_timer_set(s->progress, PROGRESS_MS);
	loop_timer_set(s->wake, 0);
	loop_run(s->settings.probe.loop);
	loop_timer_stop(s->progress);
	loop_timer_stop(s->wake);
}

static void
give_up_probes(struct schedule *s)
{
	while (s->under_way != NULL) {
		struct request *r = s->under_way;

		probe_abort(r->probe);
		unlink_request(s, r);
		s->counts.left++;
		free(r);
	}
}

void
schedule_stop(struct schedule *s)
{
	struct pace_item *item;

	if (s->stopping) {
		give_up_probes(s);
	} else {
		s->stopping = true;
		s->counts.more_targets = !s->source_ended;
		while ((item = pace_drop(s->pace)) != NULL) {
			s->counts.left++;
			free(item);
		}
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
