#include "lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../store/clock.h"
#include "../store/host.h"
#include "../store/mem.h"
#include "limits.h"
#include "rdata.h"

/* One MX host of the lookup, while it is asked for. */
struct host {
	struct lookup *lookup;
	char name[LIMIT_NAME + 1];
	unsigned preference;
	unsigned pending; /* questions */
	struct ip addresses[2 * LIMIT_DNS_ADDRESSES];
	size_t addresses_n;
	bool secure, insecure; /* some of its answers were */
	bool bogus, failed;
};

struct lookup {
	struct lookup_settings settings;
	struct lookup_calls calls;
	struct target target;
	struct host *hosts;
	size_t hosts_n;
	size_t pending; /* hosts and TLSA questions, and one for the lookup itself */
	size_t found;	/* hosts with addresses */
	bool waited;	/* for any answer: not all was known before */
	bool bogus, failed;
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
	free(lookup->hosts);
	free(lookup);
}

static void
one_done(struct lookup *lookup)
{
	enum lookup_end end = LOOKUP_NO_MX;

	if (--lookup->pending > 0)
		return;
	if (lookup->found > 0)
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

/* ---- addresses ----------------------------------------------------------------------------- */

static void
on_tlsa(void *ctx, const struct dns_result *result)
{
	(void)result; /* recorded */
	one_done(ctx);
}

static void
ask_tlsa(struct host *host)
{
	struct lookup *lookup = host->lookup;
	char name[LIMIT_NAME + 32];

	if (!host->secure || host->insecure || host->bogus || host->failed)
		return;
	if (snprintf(name, sizeof(name), "_%u._tcp.%s", lookup->settings.port, host->name) >
	    LIMIT_NAME)
		return;
	lookup->pending++;
	if (dns_ask(lookup->settings.dns, name, RDATA_TLSA, on_tlsa, lookup) != NULL)
		lookup->pending--;
}

static void
host_done(struct host *host)
{
	struct lookup *lookup = host->lookup;
	struct lookup_host found = {
	    .domain = lookup->target.kind == TARGET_DOMAIN ? lookup->target.name : NULL,
	    .name = host->name,
	    .addresses = host->addresses,
	    .addresses_n = host->addresses_n,
	    .dns_ms = -1,
	};

	if (lookup->waited)
		found.dns_ms = (int32_t)(clock_monotonic_ms() - lookup->began_ms);
	if (host->addresses_n > 0) {
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

/* Asks for all hosts; their answers may come at once, so the lookup holds on to itself. */
static void
ask_hosts(struct lookup *lookup)
{
	lookup->pending = lookup->hosts_n + 1;
	for (size_t i = 0; i < lookup->hosts_n; i++)
		ask_host(&lookup->hosts[i]);
	one_done(lookup);
}

/* ---- mail exchangers ----------------------------------------------------------------------- */

static int
compare_hosts(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool
is_known(const struct lookup *lookup, const char *name)
{
	for (size_t i = 0; i < lookup->hosts_n; i++)
		if (strcmp(lookup->hosts[i].name, name) == 0)
			return true;
	return false;
}

/* "10 mx.example.org" */
static void
take_mx(struct lookup *lookup, const char *record)
{
	char name[LIMIT_NAME + 1];
	char *end;
	unsigned long preference = strtoul(record, &end, 10);

	if (*end != ' ' || host_normalise(end + 1, name, NULL) != 0) {
		notice(lookup, "", "one of its MX records names no host");
		return;
	}
	if (is_known(lookup, name))
		return;
	if (lookup->hosts_n == LIMIT_DNS_HOSTS) {
		if (!lookup->failed)
			notice(lookup, "", "has more MX hosts than are probed");
		lookup->failed = true;
		return;
	}
	struct host *host = &lookup->hosts[lookup->hosts_n++];
	host->lookup = lookup;
	host->preference = (unsigned)preference;
	strcpy(host->name, name);
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
	for (size_t i = 0; i < answer->records_n; i++)
		take_mx(lookup, answer->records[i]);
	lookup->failed = false;
	if (answer->records_n == 0)
		take_implicit(lookup);
	qsort(lookup->hosts, lookup->hosts_n, sizeof(*lookup->hosts), compare_hosts);
	return lookup->hosts_n > 0 ? LOOKUP_DONE : LOOKUP_NO_MX;
}

static void
on_mx(void *ctx, const struct dns_result *result)
{
	struct lookup *lookup = ctx;
	enum lookup_end end = take_answer(lookup, result);

	if (end != LOOKUP_DONE)
		finish(lookup, end);
	else
		ask_hosts(lookup);
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
	lookup->began_ms = clock_monotonic_ms();
	if (target->kind == TARGET_MX) {
		lookup->hosts = mem_zero(1, sizeof(*lookup->hosts));
		take_implicit(lookup);
		ask_hosts(lookup);
		return;
	}
	known = dns_ask(settings->dns, target->name, RDATA_MX, on_mx, lookup);
	if (known != NULL)
		on_mx(lookup, known);
	else
		lookup->waited = true;
}
