#include "lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/dns/rdata.h"
#include "collector/limits.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/record/host.h"
#include "store/record/sts_policy.h"

/* One MX host of the lookup, while it is asked for. */
struct host {
	struct lookup *lookup;
	char name[LIMIT_NAME + 1];
	unsigned pending; /* questions */
	struct ip addresses[2 * LIMIT_DNS_ADDRESSES];
	size_t addresses_n;
	bool secure, insecure; /* some of its answers were */
	bool bogus, failed;
	char *canonical; /* where its name leads as an alias; NULL: it is none */
};

struct lookup {
	struct lookup_settings settings;
	struct lookup_calls calls;
	struct target target;
	struct host *hosts;
	size_t hosts_n;
	size_t pending; /* hosts, TLSA, CNAME and TXT questions, and one for the lookup itself */
	enum lookup_end end; /* where not LOOKUP_DONE, no host is asked for */
	size_t found;	     /* hosts with addresses */
	size_t addresses_n;  /* of all hosts */
	bool waited;	     /* for any answer: not all was known before */
	bool bogus, failed;
	bool nameless; /* an MX record that names no host was told */
	int64_t began_ms;
};

const char *
lookup_end_name(enum lookup_end end)
{
	static const char *const names[LOOKUP_END_N] = {
	    "done", "no-mx", "null-mx", "dns-failure", "dns-bogus"};

	return names[end];
}

static void
finish(struct lookup *lookup, enum lookup_end end)
{
	lookup->calls.done(lookup->calls.ctx, lookup->target.name, end);
	for (size_t i = 0; i < lookup->hosts_n; i++)
		free(lookup->hosts[i].canonical);
	free(lookup->hosts);
	free(lookup);
}

static void
one_done(struct lookup *lookup)
{
	enum lookup_end end = LOOKUP_NO_MX;

	if (--lookup->pending > 0)
		return;
	if (lookup->end != LOOKUP_DONE)
		end = lookup->end;
	else if (lookup->found > 0)
		end = LOOKUP_DONE;
	else if (lookup->bogus)
		end = LOOKUP_DNS_BOGUS;
	else if (lookup->failed)
		end = LOOKUP_DNS_FAILURE;
	finish(lookup, end);
}

static void
notice(struct lookup *lookup, const char *name, const char *what)
{
	char line[2 * LIMIT_NAME + 128];

	snprintf(line, sizeof(line), "%s: %s%s%s", lookup->target.name, name,
	    *name != '\0' ? ": " : "", what);
	lookup->calls.notice(lookup->calls.ctx, line);
}

/* ---- what is asked for to be recorded ------------------------------------------------------- */

static void
on_recorded(void *ctx, const struct dns_result *result)
{
	(void)result;
	one_done(ctx);
}

/* A name that is too long exists nowhere. */
static void
ask_to_record(struct lookup *lookup, const char *prefix, const char *at, uint16_t rrtype)
{
	char name[2 * LIMIT_NAME];

	if (snprintf(name, sizeof(name), "%s%s", prefix, at) > LIMIT_NAME)
		return;
	lookup->pending++;
	if (dns_ask(lookup->settings.dns, name, rrtype, on_recorded, lookup) != NULL)
		lookup->pending--;
}

static void
ask_tlsa_at(struct lookup *lookup, const char *at)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "_%u._tcp.", lookup->settings.port);
	ask_to_record(lookup, prefix, at, RDATA_TLSA);
}

static void
take_alias(struct host *host, const struct dns_result *result)
{
	if (result->answer.status == DNS_SECURE)
		ask_tlsa_at(host->lookup, host->name);
}

static void
on_alias(void *ctx, const struct dns_result *result)
{
	struct host *host = ctx;

	take_alias(host, result);
	one_done(host->lookup);
}

static void
ask_tlsa(struct host *host)
{
	struct lookup *lookup = host->lookup;
	const struct dns_result *known;

	if (host->bogus || host->failed)
		return;
	if (!host->insecure) {
		ask_tlsa_at(lookup, host->name);
		if (host->canonical != NULL)
			ask_tlsa_at(lookup, host->canonical);
	} else if (host->canonical != NULL) {
		lookup->pending++;
		known = dns_ask(lookup->settings.dns, host->name, RDATA_CNAME, on_alias, host);
		if (known != NULL) {
			take_alias(host, known);
			lookup->pending--;
		}
	}
}

static void
take_announcement(struct lookup *lookup, const struct dns_result *result)
{
	const struct dns_answer *answer = &result->answer;
	char id[STS_ID_MAX + 1];

	if (lookup->calls.announced != NULL && answer->status != DNS_BOGUS &&
	    sts_policy_id(answer->records, answer->records_n, id, NULL) > 0)
		lookup->calls.announced(lookup->calls.ctx, lookup->target.name);
}

static void
on_announcement(void *ctx, const struct dns_result *result)
{
	take_announcement(ctx, result);
	one_done(ctx);
}

static void
ask_texts(struct lookup *lookup)
{
	char name[2 * LIMIT_NAME];
	const struct dns_result *known;

	ask_to_record(lookup, "_smtp._tls.", lookup->target.name, RDATA_TXT);
	if (snprintf(name, sizeof(name), "_mta-sts.%s", lookup->target.name) > LIMIT_NAME)
		return;
	lookup->pending++;
	known = dns_ask(lookup->settings.dns, name, RDATA_TXT, on_announcement, lookup);
	if (known != NULL) {
		take_announcement(lookup, known);
		lookup->pending--;
	}
}

/* ---- addresses ----------------------------------------------------------------------------- */

/* A domain may name as many hosts, and a host as many addresses, as somebody likes. */
static void
bound(struct host *host)
{
	struct lookup *lookup = host->lookup;
	size_t room = LIMIT_DNS_TARGET - lookup->addresses_n;

	if (host->addresses_n > room) {
		notice(lookup, host->name, "not all of its addresses are probed: too many in all");
		host->addresses_n = room;
	}
	lookup->addresses_n += host->addresses_n;
}

static void
host_done(struct host *host)
{
	struct lookup *lookup = host->lookup;
	struct lookup_host found = {
	    .domain = lookup->target.kind == TARGET_DOMAIN ? lookup->target.name : NULL,
	    .name = host->name,
	    .alias = host->canonical != NULL,
	    .addresses = host->addresses,
	    .addresses_n = host->addresses_n,
	    .port = lookup->settings.port,
	    .dns_ms = -1,
	};

	if (lookup->waited)
		found.dns_ms = (int32_t)(clock_monotonic_ms() - lookup->began_ms);
	if (host->addresses_n > 0) {
		bound(host);
		found.addresses_n = host->addresses_n;
		lookup->found++;
		ask_tlsa(host);
		lookup->calls.host(lookup->calls.ctx, &found);
	} else {
		lookup->bogus |= host->bogus;
		lookup->failed |= host->failed;
		if (strcmp(host->name, lookup->target.name) != 0)
			notice(lookup, host->name,
			    host->bogus	   ? "its address is bogus (DNSSEC)"
			    : host->failed ? "no answer for its address"
					   : "has no address");
	}
	one_done(lookup);
}

static void
take_addresses(struct host *host, const struct dns_result *result)
{
	const struct dns_answer *answer = &result->answer;
	size_t taken = 0;

	host->secure |= answer->status == DNS_SECURE;
	host->insecure |= answer->status == DNS_INSECURE || answer->status == DNS_UNVALIDATED;
	host->bogus |= answer->status == DNS_BOGUS;
	host->failed |= answer->status == DNS_FAILED;
	if (host->canonical == NULL && result->canonical != NULL)
		host->canonical = mem_strdup(result->canonical);
	for (size_t i = 0; i < answer->records_n; i++) {
		struct ip *ip = &host->addresses[host->addresses_n];

		if (taken == LIMIT_DNS_ADDRESSES) {
			notice(host->lookup, host->name, "has more addresses than are probed");
			break;
		}
		if (ip_parse(ip, answer->records[i])) {
			host->addresses_n++;
			taken++;
		}
	}
}

static void
on_address(void *ctx, const struct dns_result *result)
{
	struct host *host = ctx;

	take_addresses(host, result);
	if (--host->pending == 0)
		host_done(host);
}

static void
ask_address(struct host *host, uint16_t rrtype)
{
	const struct dns_result *known;

	host->pending++;
	known = dns_ask(host->lookup->settings.dns, host->name, rrtype, on_address, host);
	if (known == NULL) {
		host->lookup->waited = true;
		return;
	}
	take_addresses(host, known);
	host->pending--;
}

static void
ask_host(struct host *host)
{
	host->pending = 1;
	if (host->lookup->settings.ipv4)
		ask_address(host, RDATA_A);
	if (host->lookup->settings.ipv6)
		ask_address(host, RDATA_AAAA);
	if (--host->pending == 0)
		host_done(host);
}

/* The answers may come at once: the caller holds on to the lookup. */
static void
ask_hosts(struct lookup *lookup)
{
	lookup->pending += lookup->hosts_n;
	for (size_t i = 0; i < lookup->hosts_n; i++)
		ask_host(&lookup->hosts[i]);
}

/* ---- mail exchangers ----------------------------------------------------------------------- */

/* "10 mx.example.org" */
static int
compare_records(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	unsigned long x_preference = strtoul(x, NULL, 10), y_preference = strtoul(y, NULL, 10);

	if (x_preference != y_preference)
		return x_preference < y_preference ? -1 : 1;
	return strcmp(x, y);
}

static bool
is_known(const struct lookup *lookup, const char *name)
{
	for (size_t i = 0; i < lookup->hosts_n; i++)
		if (strcmp(lookup->hosts[i].name, name) == 0)
			return true;
	return false;
}

/* False: it is one too many. */
static bool
take_mx(struct lookup *lookup, const char *record)
{
	const char *exchange = strchr(record, ' ');
	char name[LIMIT_NAME + 1];
	struct host *host;

	if (exchange == NULL || *record == '\\' || host_normalise(exchange + 1, name, NULL) != 0) {
		if (!lookup->nameless)
			notice(lookup, "", "one of its MX records names no host");
		lookup->nameless = true;
		return true;
	}
	if (is_known(lookup, name))
		return true;
	if (lookup->hosts_n == LIMIT_DNS_HOSTS)
		return false;
	host = &lookup->hosts[lookup->hosts_n++];
	host->lookup = lookup;
	strcpy(host->name, name);
	return true;
}

/* The preferred ones first, also where there are more than are probed. */
static void
take_mxs(struct lookup *lookup, const struct dns_answer *answer)
{
	size_t n = answer->records_n;
	const char **records = mem_dup(answer->records, n * sizeof(*records));
	bool room = true;

	qsort(records, n, sizeof(*records), compare_records);
	for (size_t i = 0; i < n && room; i++)
		room = take_mx(lookup, records[i]);
	if (!room)
		notice(lookup, "", "has more MX hosts than are probed: the preferred ones are");
	free(records);
}

static void
take_implicit(struct lookup *lookup)
{
	struct host *host = &lookup->hosts[lookup->hosts_n++];

	host->lookup = lookup;
	strcpy(host->name, lookup->target.name);
}

static enum lookup_end
take_answer(struct lookup *lookup, const struct dns_result *result)
{
	const struct dns_answer *answer = &result->answer;
	size_t most;

	if (answer->status == DNS_BOGUS)
		return LOOKUP_DNS_BOGUS;
	if (answer->status == DNS_FAILED)
		return LOOKUP_DNS_FAILURE;
	if (result->nxdomain)
		return LOOKUP_NO_MX;
	if (answer->records_n == 1 && strcmp(answer->records[0], "0 .") == 0)
		return LOOKUP_NULL_MX;
	most = answer->records_n < LIMIT_DNS_HOSTS ? answer->records_n + 1 : LIMIT_DNS_HOSTS;
	lookup->hosts = mem_zero(most, sizeof(*lookup->hosts));
	if (answer->records_n == 0)
		take_implicit(lookup);
	else
		take_mxs(lookup, answer);
	return lookup->hosts_n > 0 ? LOOKUP_DONE : LOOKUP_NO_MX;
}

static void
on_mx(void *ctx, const struct dns_result *result)
{
	struct lookup *lookup = ctx;

	lookup->end = take_answer(lookup, result);
	lookup->pending = 1;
	/* A sender that does not validate goes on where we do not. A resolver that does not
	 * answer at all is not waited for once more. */
	if (lookup->end != LOOKUP_NO_MX && lookup->end != LOOKUP_NULL_MX &&
	    result->answer.rcode != NULL)
		ask_texts(lookup);
	if (lookup->end == LOOKUP_DONE)
		ask_hosts(lookup);
	one_done(lookup);
}

void
lookup_start(const struct lookup_settings *settings, const struct target *target,
    const struct lookup_calls *calls)
{
	struct lookup *lookup = mem_zero(1, sizeof(*lookup));
	const struct dns_result *known;

	lookup->settings = *settings;
	lookup->calls = *calls;
	lookup->target = *target;
	if (target->port != 0)
		lookup->settings.port = target->port;
	lookup->began_ms = clock_monotonic_ms();
	if (target->kind == TARGET_MX) {
		lookup->hosts = mem_zero(1, sizeof(*lookup->hosts));
		take_implicit(lookup);
		lookup->pending = 1;
		ask_hosts(lookup);
		one_done(lookup);
		return;
	}
	known = dns_ask(settings->dns, target->name, RDATA_MX, on_mx, lookup);
	if (known != NULL)
		on_mx(lookup, known);
	else
		lookup->waited = true;
}
