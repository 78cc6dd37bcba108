#include "dns.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "dns_cache.h"
#include "rdata.h"
#include "resolver.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/record/host.h"

/* Whether answers can be validated: found out by asking for the keys of the anchor's owner, once
 * validating, and if that fails once more without, to see what the resolver hands on. */
enum trust {
	TRUST_UNTRIED,
	TRUST_CHECKING, /* the validating context has been asked */
	TRUST_LOOKING,	/* the plain one */
	TRUST_VALIDATED,
	TRUST_STRIPPED,
};

struct dns {
	struct loop *loop;
	struct resolver_config config;
	struct resolver *validating, *plain;
	struct loop_timer *timer;
	struct dns_cache cache;
	enum trust trust;
	int64_t check_ms; /* when the check under way was begun */
	struct resolver_question check_question;
	bool stopped, slow_told;
	int64_t wait_ms;
	unsigned queries;
	dns_record_fn *record;
	dns_notice_fn *notice;
	void *ctx;
};

/* ---- setting up ---------------------------------------------------------------------------- */

static void on_timer(void *ctx);

int
dns_create(struct dns **out, struct loop *loop, const struct dns_options *options, struct err *err)
{
	struct dns *dns = mem_zero(1, sizeof(*dns));
	int rc;

	*out = NULL;
	dns->loop = loop;
	dns->wait_ms = options->wait_ms > 0 ? options->wait_ms : LIMIT_DNS_WAIT_MS;
	dns->queries = options->queries > 0 ? options->queries : LIMIT_DNS_QUERIES;
	dns_cache_init(&dns->cache);
	dns->timer = loop_timer_create(loop, on_timer, dns);
	rc = resolver_config_init(
	    &dns->config, options->resolver, options->recursive, options->trust_anchor, err);
	/* What the user named is tried now. The system's own files may well be missing where no
	 * name is asked for. */
	if (rc == 0 && options->trust_anchor != NULL)
		rc = resolver_create(&dns->validating, loop, &dns->config, true, err);
	if (rc != 0) {
		dns_destroy(dns);
		return rc;
	}
	*out = dns;
	return 0;
}

void
dns_destroy(struct dns *dns)
{
	if (dns == NULL)
		return;
	resolver_destroy(dns->validating);
	resolver_destroy(dns->plain);
	resolver_config_finish(&dns->config);
	loop_timer_destroy(dns->timer);
	dns_cache_finish(&dns->cache);
	free(dns);
}

void
dns_on(struct dns *dns, dns_record_fn *record, dns_notice_fn *notice, void *ctx)
{
	dns->record = record;
	dns->notice = notice;
	dns->ctx = ctx;
}

/* ---- answers ------------------------------------------------------------------------------- */

static const char *
rcode_name(int rcode)
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
	    "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"};

	return rcode >= 0 && (size_t)rcode < sizeof(names) / sizeof(names[0]) ? names[rcode]
									      : "OTHER";
}

/* What a stranger's answer holds beyond our limits is left out, and that is said. */
static void
tell_cut(struct dns *dns, const struct dns_entry *entry, size_t total, size_t kept)
{
	char line[LIMIT_NAME + 128], type[16];

	snprintf(line, sizeof(line),
	    "%s: of its %zu %s records %zu are kept: the others are too many, or too long",
	    entry->name, total, rrtype_name(entry->result.rrtype, type), kept);
	if (dns->notice != NULL)
		dns->notice(dns->ctx, line);
}

static void
fill(struct dns *dns, struct dns_entry *entry, const struct resolver_answer *r)
{
	struct dns_answer *answer = &entry->result.answer;
	char **records = NULL;
	struct buf text = {0};
	size_t n = 0, total = r->records_n < LIMIT_DNS_RECORDS ? r->records_n : LIMIT_DNS_RECORDS;

	answer->time_ms = clock_now_ms();
	answer->rcode = rcode_name(r->rcode);
	answer->ttl_s = r->ttl_s;
	entry->result.nxdomain = r->nxdomain;
	if (r->bogus)
		answer->status = DNS_BOGUS;
	else if (r->rcode != ns_r_noerror && r->rcode != ns_r_nxdomain)
		answer->status = DNS_FAILED;
	else if (dns->trust == TRUST_STRIPPED)
		answer->status = DNS_UNVALIDATED;
	else
		answer->status = r->secure ? DNS_SECURE : DNS_INSECURE;
	if (total > 0)
		records = mem_zero(total, sizeof(*records));
	for (size_t i = 0; i < total; i++) {
		buf_clear(&text);
		rdata_text(&text, entry->result.rrtype, r->records[i], (size_t)r->lens[i]);
		if (text.len <= LIMIT_DNS_RECORD)
			records[n++] = mem_strdup(buf_text(&text));
	}
	if (n < r->records_n)
		tell_cut(dns, entry, r->records_n, n);
	dns_entry_set_records(entry, records, n);
	buf_finish(&text);
}

static void
fill_failure(struct dns_entry *entry)
{
	struct dns_answer *answer = &entry->result.answer;

	answer->time_ms = clock_now_ms();
	answer->status = DNS_FAILED;
	answer->rcode = NULL;
}

/* A result is told to all who wait for it; they may ask new questions meanwhile. */
static void
deliver(struct dns *dns, struct dns_entry *entry)
{
	struct dns_waiter *next, *waiters = entry->waiters;

	entry->waiters = NULL;
	if (dns->record != NULL)
		dns->record(dns->ctx, &entry->result);
	dns_cache_move(&dns->cache, entry, DNS_ENTRY_ANSWERED);
	entry->pinned = true;
	for (struct dns_waiter *w = waiters; w != NULL; w = next) {
		next = w->next;
		w->done(w->ctx, &entry->result);
		free(w);
	}
	entry->pinned = false;
}

/* Whether the status of an answer is that of its links, too. */
static bool
tells_links(const struct dns_result *of)
{
	return of->answer.status != DNS_INSECURE ||
	       (of->rrtype != RDATA_A && of->rrtype != RDATA_AAAA);
}

/* One link of a chain of CNAMEs, as a record of its own. */
static void
note_link(struct dns *dns, const struct dns_result *result, const char *owner, const char *name,
    uint32_t ttl_s)
{
	const struct dns_answer *of = &result->answer;
	struct dns_entry *entry;
	char **records;

	if (!tells_links(result) || dns_cache_find(&dns->cache, owner, RDATA_CNAME) != NULL)
		return;
	entry = dns_cache_add(&dns->cache, owner, RDATA_CNAME);
	entry->result.answer = (struct dns_answer){
	    .time_ms = of->time_ms,
	    .ttl_s = ttl_s,
	    .status = of->status,
	    .rcode = "NOERROR",
	};
	records = mem_zero(1, sizeof(*records));
	records[0] = mem_strdup(name);
	dns_entry_set_records(entry, records, 1);
	deliver(dns, entry);
}

/* False: what stands there is no pair of names. */
static bool
read_link(
    const ns_msg *message, const ns_rr *rr, char owner[LIMIT_NAME + 1], char name[LIMIT_NAME + 1])
{
	char target[NS_MAXDNAME];

	return ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), ns_rr_rdata(*rr),
		   target, sizeof(target)) >= 0 &&
	       host_normalise(ns_rr_name(*rr), owner, NULL) == 0 &&
	       host_normalise(target, name, NULL) == 0;
}

static void
note_cnames(struct dns *dns, struct dns_entry *entry, const struct resolver_answer *r)
{
	char owner[LIMIT_NAME + 1], name[LIMIT_NAME + 1], at[LIMIT_NAME + 1];
	ns_msg message;
	ns_rr rr;

	snprintf(at, sizeof(at), "%s", entry->name);
	if (r->bogus || r->packet == NULL ||
	    ns_initparse(r->packet, (int)r->packet_len, &message) != 0)
		return;
	for (int i = 0; i < ns_msg_count(message, ns_s_an) && i < LIMIT_DNS_RECORDS; i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) != 0 || ns_rr_type(rr) != ns_t_cname ||
		    !read_link(&message, &rr, owner, name))
			continue;
		if (strcmp(owner, at) == 0)
			strcpy(at, name);
		if (entry->result.rrtype != RDATA_CNAME)
			note_link(dns, &entry->result, owner, name, ns_rr_ttl(rr));
	}
	if (strcmp(at, entry->name) != 0 && entry->result.rrtype != RDATA_CNAME)
		dns_entry_set_canonical(entry, at);
}

static void
on_answer(void *ctx, const struct resolver_answer *r)
{
	struct dns_entry *entry = ctx;
	struct dns *dns = entry->dns;

	if (r != NULL) {
		fill(dns, entry, r);
		note_cnames(dns, entry, r);
	} else {
		fill_failure(entry);
	}
	deliver(dns, entry);
}

/* ---- questions ----------------------------------------------------------------------------- */

/* Told from the loop: whoever asks may not be called back before it knows that it asked. */
static void
fail_soon(struct dns *dns, struct dns_entry *entry)
{
	fill_failure(entry);
	dns_cache_move(&dns->cache, entry, DNS_ENTRY_FAILED);
	loop_timer_set(dns->timer, 0);
}

static struct resolver *
resolver_in_use(struct dns *dns)
{
	return dns->trust == TRUST_STRIPPED ? dns->plain : dns->validating;
}

static void
ask(struct dns *dns, struct dns_entry *entry)
{
	if (dns->stopped) {
		fail_soon(dns, entry);
		return;
	}
	entry->dns = dns;
	entry->asked_ms = clock_monotonic_ms();
	dns_cache_move(&dns->cache, entry, DNS_ENTRY_ASKED);
	entry->question = (struct resolver_question){.fn = on_answer, .ctx = entry};
	if (!resolver_ask(
		resolver_in_use(dns), &entry->question, entry->name, entry->result.rrtype)) {
		fail_soon(dns, entry);
		return;
	}
	if (!loop_timer_is_set(dns->timer))
		loop_timer_set(dns->timer, dns->wait_ms / 10);
}

/* Whether answers can be validated is known; before that no name is asked for. */
static bool
is_decided(const struct dns *dns)
{
	return dns->trust == TRUST_VALIDATED || dns->trust == TRUST_STRIPPED;
}

static void
ask_queued(struct dns *dns)
{
	struct dns_list *queued = &dns->cache.lists[DNS_ENTRY_QUEUED];

	if (!is_decided(dns) && !dns->stopped)
		return;
	while (queued->first != NULL && dns->cache.lists[DNS_ENTRY_ASKED].n < dns->queries)
		ask(dns, queued->first);
}

/* ---- whether answers can be validated -------------------------------------------------------- */

static const char *
who(const struct dns *dns)
{
	return dns->config.upstream != NULL ? dns->config.upstream
	       : dns->config.recursive	    ? "the way to the root's servers"
					    : "the resolver of " RESOLVER_SYSTEM;
}

static const char *
remedy(const struct dns *dns)
{
	return dns->config.recursive ? "name a resolver with --resolver"
				     : "name another with --resolver, or use --recursive";
}

/* Nobody should have to wait for the end of the check to learn why nothing happens. */
static void
tell_slow(struct dns *dns, int64_t waited_ms)
{
	char line[512];

	dns->slow_told = true;
	snprintf(line, sizeof(line), "%s has not answered for %lld s, %lld more are waited: %s",
	    who(dns), (long long)(waited_ms / 1000), (long long)((dns->wait_ms - waited_ms) / 1000),
	    remedy(dns));
	if (dns->notice != NULL)
		dns->notice(dns->ctx, line);
}

static void
tell(struct dns *dns, bool answers)
{
	char line[512];

	if (answers)
		snprintf(line, sizeof(line),
		    "%s does not hand on DNSSEC, so names are not validated: %s", who(dns),
		    remedy(dns));
	else
		snprintf(line, sizeof(line),
		    "%s does not answer for the keys of \"%s\", so names are not validated, if "
		    "they "
		    "are found at all: %s",
		    who(dns), dns->config.anchor_owner, remedy(dns));
	if (dns->notice != NULL)
		dns->notice(dns->ctx, line);
}

/* The check is over: now the names that waited for it are asked for. */
static void
decide(struct dns *dns, enum trust trust)
{
	dns->trust = trust;
	if (trust == TRUST_STRIPPED) {
		resolver_destroy(dns->validating);
		dns->validating = NULL;
	}
	ask_queued(dns);
}

/* Whether the answer to the plain question has signatures. */
static bool
has_signature(const struct resolver_answer *r)
{
	ns_msg message;
	ns_rr rr;

	if (ns_initparse(r->packet, (int)r->packet_len, &message) != 0)
		return false;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++)
		if (ns_parserr(&message, ns_s_an, i, &rr) == 0 && ns_rr_type(rr) == ns_t_rrsig)
			return true;
	return false;
}

static void
on_look(void *ctx, const struct resolver_answer *r)
{
	struct dns *dns = ctx;

	if (dns->stopped)
		return;
	if (r != NULL && r->records_n > 0 && has_signature(r)) {
		char line[512];

		snprintf(line, sizeof(line),
		    "the keys of \"%s\" that the resolver gives do not fit the trust anchor %s: "
		    "names will be bogus; name another with --trust-anchor",
		    dns->config.anchor_owner, dns->config.anchor);
		if (dns->notice != NULL)
			dns->notice(dns->ctx, line);
		decide(dns, TRUST_VALIDATED);
	} else {
		tell(dns, r != NULL && r->rcode != ns_r_servfail);
		decide(dns, TRUST_STRIPPED);
	}
}

static void
look(struct dns *dns)
{
	struct err err = {0};

	dns->trust = TRUST_LOOKING;
	dns->check_question = (struct resolver_question){.fn = on_look, .ctx = dns};
	if (resolver_create(&dns->plain, dns->loop, &dns->config, false, &err) != 0 ||
	    !resolver_ask(
		dns->plain, &dns->check_question, dns->config.anchor_owner, RDATA_DNSKEY)) {
		if (dns->notice != NULL)
			dns->notice(dns->ctx, err.code != 0 ? err.text : "libunbound fails");
		decide(dns, TRUST_VALIDATED);
	}
}

static void
on_check(void *ctx, const struct resolver_answer *r)
{
	struct dns *dns = ctx;

	if (r != NULL && r->secure && !dns->stopped)
		decide(dns, TRUST_VALIDATED);
	else if (!dns->stopped)
		look(dns);
}

static void
check(struct dns *dns)
{
	struct err err = {0};

	if (dns->validating == NULL &&
	    resolver_create(&dns->validating, dns->loop, &dns->config, true, &err) != 0) {
		/* No name can be looked up in this run. */
		if (dns->notice != NULL)
			dns->notice(dns->ctx, err.text);
		dns->stopped = true;
		dns->record = NULL;
		return;
	}
	dns->trust = TRUST_CHECKING;
	dns->check_ms = clock_monotonic_ms();
	loop_timer_set(dns->timer, dns->wait_ms / 10);
	dns->check_question = (struct resolver_question){.fn = on_check, .ctx = dns};
	if (!resolver_ask(
		dns->validating, &dns->check_question, dns->config.anchor_owner, RDATA_DNSKEY))
		look(dns);
}

/* ---- the clock ----------------------------------------------------------------------------- */

static void
give_up_check(struct dns *dns)
{
	struct err err = {0};

	if (dns->trust == TRUST_CHECKING)
		resolver_create(&dns->plain, dns->loop, &dns->config, false, &err);
	else
		resolver_cancel(dns->plain, &dns->check_question);
	tell(dns, false);
	decide(dns, dns->plain != NULL ? TRUST_STRIPPED : TRUST_VALIDATED);
}

static void
on_timer(void *ctx)
{
	struct dns *dns = ctx;
	struct dns_list *asked = &dns->cache.lists[DNS_ENTRY_ASKED];
	struct dns_list *failed = &dns->cache.lists[DNS_ENTRY_FAILED];
	int64_t now = clock_monotonic_ms();

	while (failed->first != NULL)
		deliver(dns, failed->first);
	if (dns->stopped)
		return;
	if (!is_decided(dns) && now - dns->check_ms >= dns->wait_ms)
		give_up_check(dns);
	else if (!is_decided(dns) && !dns->slow_told && now - dns->check_ms >= LIMIT_DNS_SLOW_MS)
		tell_slow(dns, now - dns->check_ms);
	while (asked->first != NULL && now - asked->first->asked_ms >= dns->wait_ms) {
		struct dns_entry *entry = asked->first;

		resolver_cancel(resolver_in_use(dns), &entry->question);
		fill_failure(entry);
		deliver(dns, entry);
	}
	ask_queued(dns);
	if (failed->first != NULL)
		loop_timer_set(dns->timer, 0);
	else if (!is_decided(dns) || asked->first != NULL)
		loop_timer_set(dns->timer, dns->wait_ms / 10);
}

void
dns_stop(struct dns *dns)
{
	static const enum dns_entry_state states[] = {DNS_ENTRY_QUEUED, DNS_ENTRY_ASKED};
	struct resolver *resolver = resolver_in_use(dns);

	if (dns->stopped)
		return;
	dns->stopped = true;
	dns->record = NULL;
	dns->notice = NULL;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct dns_entry *entry;

		while ((entry = dns->cache.lists[states[i]].first) != NULL) {
			if (states[i] == DNS_ENTRY_ASKED)
				resolver_cancel(resolver, &entry->question);
			fail_soon(dns, entry);
		}
	}
	loop_timer_set(dns->timer, 0);
}

/* A failure need not be one for the whole run: the name is asked for again after a while. */
static bool
is_stale(const struct dns_entry *entry)
{
	return entry->state == DNS_ENTRY_ANSWERED && !entry->pinned &&
	       entry->result.answer.status == DNS_FAILED &&
	       clock_monotonic_ms() - entry->asked_ms >= LIMIT_DNS_FAILED_MS;
}

const struct dns_result *
dns_ask(struct dns *dns, const char *name, uint16_t rrtype, dns_done_fn *done, void *ctx)
{
	struct dns_entry *entry = dns_cache_find(&dns->cache, name, rrtype);
	struct dns_waiter *waiter;

	if (entry != NULL && is_stale(entry))
		dns_cache_move(&dns->cache, entry, DNS_ENTRY_QUEUED);
	if (entry != NULL && entry->state == DNS_ENTRY_ANSWERED) {
		/* What comes often is the last to be forgotten. */
		dns_cache_move(&dns->cache, entry, DNS_ENTRY_ANSWERED);
		return &entry->result;
	}
	if (entry == NULL)
		entry = dns_cache_add(&dns->cache, name, rrtype);
	waiter = mem_zero(1, sizeof(*waiter));
	waiter->done = done;
	waiter->ctx = ctx;
	waiter->next = entry->waiters;
	entry->waiters = waiter;
	if (dns->trust == TRUST_UNTRIED && !dns->stopped)
		check(dns);
	ask_queued(dns);
	return NULL;
}
