#include "dns.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unbound.h>

#include "collector/limits.h"
#include "dns_cache.h"
#include "rdata.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/record/host.h"

#define IANA_ANCHOR "/usr/share/dns/root.key"
#define RESOLV_CONF "/etc/resolv.conf"

/* Whether answers can be validated: found out by asking for the keys of the anchor's owner, once
 * validating, and if that fails once more without, to see what the resolver hands on. */
enum trust {
	TRUST_UNTRIED,
	TRUST_CHECKING, /* the validating context has been asked */
	TRUST_LOOKING,	/* the plain one */
	TRUST_VALIDATED,
	TRUST_STRIPPED,
};

/* One libunbound context and its place in the loop. */
struct context {
	struct ub_ctx *ub;
	struct loop_watch *watch;
};

struct dns {
	struct loop *loop;
	struct context validating, plain;
	struct loop_timer *timer;
	struct dns_cache cache;
	enum trust trust;
	int64_t check_ms; /* when the check under way was begun */
	int check_id;
	char anchor_owner[LIMIT_NAME + 2];
	char *anchor, *resolver; /* resolver: in libunbound's form; NULL: see recursive */
	bool recursive, stopped, slow_told;
	int64_t wait_ms;
	unsigned queries;
	dns_record_fn *record;
	dns_notice_fn *notice;
	void *ctx;
};

/* ---- setting up ---------------------------------------------------------------------------- */

static bool
has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *at = line;

	while ((at = strcasestr(at, word)) != NULL) {
		if (at > line && strchr(" \t", at[-1]) != NULL && strchr(" \t", at[len]) != NULL)
			return true;
		at += len;
	}
	return false;
}

/* The owner of a zone file's first DS or DNSKEY record, or ERR_INPUT. */
static int
read_anchor_owner(struct dns *dns, struct err *err)
{
	char *line = NULL, owner[LIMIT_NAME + 3];
	bool found = false;
	size_t cap = 0;
	FILE *file;
	int rc = 0;

	if ((file = fopen(dns->anchor, "re")) == NULL)
		return err_system(err, errno,
		    "cannot open the trust anchor %s (install dns-root-data, or name one with "
		    "--trust-anchor)",
		    dns->anchor);
	while (!found && getline(&line, &cap, file) >= 0) {
		found = sscanf(line, "%255[^ \t\r\n;]", owner) == 1 &&
			(has_word(line, "DNSKEY") || has_word(line, "DS"));
	}
	if (found && strcmp(owner, ".") == 0)
		strcpy(dns->anchor_owner, ".");
	else if (!found || host_normalise(owner, dns->anchor_owner, NULL) != 0)
		rc = err_set(err, ERR_INPUT,
		    "the trust anchor %s has no DS or DNSKEY record in zone file form",
		    dns->anchor);
	free(line);
	fclose(file);
	return rc;
}

/* "192.0.2.1", "192.0.2.1@5353", "192.0.2.1:5353", "::1@5353", "[::1]:5353": to what
 * ub_ctx_set_fwd() reads. */
static int
parse_resolver(struct dns *dns, const char *text, struct err *err)
{
	char address[IP_TEXT_MAX + 2] = "";
	const char *given = text, *port = "53", *end;
	unsigned long number;
	struct ip ip;
	char *rest;

	if (*text == '[' && (end = strchr(text, ']')) != NULL)
		text++;
	else if ((end = strchr(text, '@')) == NULL && strchr(text, '.') != NULL)
		end = strchr(text, ':');
	if (end == NULL)
		end = text + strlen(text);
	if ((size_t)(end - text) < sizeof(address))
		memcpy(address, text, (size_t)(end - text));
	end += *end == ']';
	if (*end == '@' || *end == ':')
		port = end + 1;
	number = strtoul(port, &rest, 10);
	if (!ip_parse(&ip, address) || *port < '0' || *port > '9' || *rest != '\0' || number < 1 ||
	    number > 65535 || (*end != '\0' && *end != '@' && *end != ':'))
		return err_set(err, ERR_INPUT,
		    "--resolver \"%s\": must be ADDRESS or ADDRESS@PORT, such as 127.0.0.1@5353",
		    given);
	if (asprintf(&dns->resolver, "%s@%lu", address, number) < 0)
		dns->resolver = NULL;
	return 0;
}

static bool
set_options(struct ub_ctx *ub, bool validate)
{
	static const char *const options[][2] = {
	    {"do-not-query-localhost:", "no"}, /* a resolver may well be on this machine */
	    {"outgoing-range:", "4096"},
	    {"num-queries-per-thread:", "2048"},
	    {"msg-cache-size:", "16m"},
	    {"rrset-cache-size:", "32m"},
	    {"trust-anchor-signaling:", "no"},
	    {"use-syslog:", "no"},
	};
	bool good = validate || ub_ctx_set_option(ub, "module-config:", "iterator") == 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		good &= ub_ctx_set_option(ub, options[i][0], options[i][1]) == 0;
	return good;
}

/* libunbound answers some special-use names by itself (RFC 6761); what stands in a zone of the
 * resolver that we were given counts more. */
static bool
ask_for_special_zones(struct ub_ctx *ub)
{
	static const char *const zones[] = {"test.", "invalid.", "home.arpa."};
	bool good = true;

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		good &= ub_ctx_zone_add(ub, zones[i], "nodefault") == 0;
	return good;
}

static void
on_readable(void *ctx, unsigned events)
{
	struct context *context = ctx;

	(void)events;
	ub_process(context->ub);
}

static int
configure(struct dns *dns, struct ub_ctx *ub, bool validate, struct err *err)
{
	int rc = 0;

	if (!set_options(ub, validate) || ub_ctx_async(ub, 1) != 0)
		return err_set(err, ERR_SYSTEM, "cannot set up libunbound");
	if (validate && (rc = ub_ctx_add_ta_file(ub, dns->anchor)) != 0)
		return err_set(err, ERR_INPUT, "the trust anchor %s cannot be used: %s",
		    dns->anchor, ub_strerror(rc));
	if (dns->resolver != NULL)
		rc = ub_ctx_set_fwd(ub, dns->resolver);
	else if (!dns->recursive && (rc = ub_ctx_resolvconf(ub, RESOLV_CONF)) != 0)
		return err_set(err, ERR_INPUT,
		    "%s cannot be read: name a resolver with --resolver, or use --recursive",
		    RESOLV_CONF);
	if (rc != 0)
		return err_set(err, ERR_INPUT, "--resolver %s: %s", dns->resolver, ub_strerror(rc));
	/* This completes the set-up: what cannot be read is found now. */
	if (!ask_for_special_zones(ub))
		return err_set(err, ERR_INPUT,
		    "the trust anchor %s cannot be used: its records are not well-formed",
		    dns->anchor);
	return 0;
}

static void
close_context(struct context *context)
{
	loop_watch_destroy(context->watch);
	if (context->ub != NULL)
		ub_ctx_delete(context->ub);
	*context = (struct context){0};
}

/* All of it, or nothing. */
static int
open_context(struct dns *dns, struct context *context, bool validate, struct err *err)
{
	int rc;

	context->ub = ub_ctx_create();
	if (context->ub == NULL)
		return err_set(err, ERR_SYSTEM, "cannot set up libunbound");
	ub_ctx_debugout(context->ub, NULL); /* what it would print stands in our own errors */
	rc = configure(dns, context->ub, validate, err);
	if (rc == 0) {
		context->watch =
		    loop_watch_create(dns->loop, ub_fd(context->ub), on_readable, context, err);
		rc = context->watch != NULL ? 0 : err->code;
	}
	if (rc != 0)
		close_context(context);
	return rc;
}

static int
open_validating(struct dns *dns, struct err *err)
{
	int rc = read_anchor_owner(dns, err);

	return rc == 0 ? open_context(dns, &dns->validating, true, err) : rc;
}

static void on_timer(void *ctx);

int
dns_create(struct dns **out, struct loop *loop, const struct dns_options *options, struct err *err)
{
	struct dns *dns = mem_zero(1, sizeof(*dns));
	int rc = 0;

	*out = NULL;
	dns->loop = loop;
	dns->recursive = options->recursive;
	dns->wait_ms = options->wait_ms > 0 ? options->wait_ms : LIMIT_DNS_WAIT_MS;
	dns->queries = options->queries > 0 ? options->queries : LIMIT_DNS_QUERIES;
	dns->anchor =
	    mem_strdup(options->trust_anchor != NULL ? options->trust_anchor : IANA_ANCHOR);
	dns_cache_init(&dns->cache);
	dns->timer = loop_timer_create(loop, on_timer, dns);
	if (options->resolver != NULL)
		rc = parse_resolver(dns, options->resolver, err);
	/* What the user named is tried now. The system's own files may well be missing where no
	 * name is asked for. */
	if (rc == 0 && options->trust_anchor != NULL)
		rc = open_validating(dns, err);
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
	close_context(&dns->validating);
	close_context(&dns->plain);
	loop_timer_destroy(dns->timer);
	dns_cache_finish(&dns->cache);
	free(dns->anchor);
	free(dns->resolver);
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

static void
fill(struct dns *dns, struct dns_entry *entry, const struct ub_result *r)
{
	struct dns_answer *answer = &entry->result.answer;
	char **records = NULL;
	struct buf text = {0};
	size_t n = 0, total = 0;

	answer->time_ms = clock_now_ms();
	answer->rcode = rcode_name(r->rcode);
	answer->ttl_s = r->ttl > 0 && !r->bogus ? (uint32_t)r->ttl : 0;
	entry->result.nxdomain = r->nxdomain != 0;
	if (r->bogus)
		answer->status = DNS_BOGUS;
	else if (r->rcode != ns_r_noerror && r->rcode != ns_r_nxdomain)
		answer->status = DNS_FAILED;
	else if (dns->trust == TRUST_STRIPPED)
		answer->status = DNS_UNVALIDATED;
	else
		answer->status = r->secure ? DNS_SECURE : DNS_INSECURE;
	while (r->havedata && !r->bogus && r->data[total] != NULL && total < LIMIT_DNS_RECORDS)
		total++;
	if (total > 0)
		records = mem_zero(total, sizeof(*records));
	for (size_t i = 0; i < total; i++) {
		buf_clear(&text);
		rdata_text(&text, entry->result.rrtype, r->data[i], (size_t)r->len[i]);
		if (text.len <= LIMIT_DNS_RECORD)
			records[n++] = mem_strdup(buf_text(&text));
	}
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

/* One link of a chain of CNAMEs, as a record of its own. */
static void
note_cname(struct dns *dns, const struct dns_answer *of, const ns_msg *message, const ns_rr *rr)
{
	char target[NS_MAXDNAME], owner[LIMIT_NAME + 1], name[LIMIT_NAME + 1], **records;
	struct dns_entry *entry;

	if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), ns_rr_rdata(*rr),
		target, sizeof(target)) < 0 ||
	    host_normalise(ns_rr_name(*rr), owner, NULL) != 0 ||
	    host_normalise(target, name, NULL) != 0 ||
	    dns_cache_find(&dns->cache, owner, RDATA_CNAME) != NULL)
		return;
	entry = dns_cache_add(&dns->cache, owner, RDATA_CNAME);
	entry->result.answer = (struct dns_answer){
	    .time_ms = of->time_ms,
	    .ttl_s = ns_rr_ttl(*rr),
	    .status = of->status,
	    .rcode = "NOERROR",
	};
	records = mem_zero(1, sizeof(*records));
	records[0] = mem_strdup(name);
	dns_entry_set_records(entry, records, 1);
	deliver(dns, entry);
}

static void
note_cnames(struct dns *dns, const struct dns_answer *of, const struct ub_result *r)
{
	ns_msg message;
	ns_rr rr;

	if (r->bogus || r->answer_packet == NULL ||
	    ns_initparse(r->answer_packet, r->answer_len, &message) != 0)
		return;
	for (int i = 0; i < ns_msg_count(message, ns_s_an) && i < LIMIT_DNS_RECORDS; i++)
		if (ns_parserr(&message, ns_s_an, i, &rr) == 0 && ns_rr_type(rr) == ns_t_cname)
			note_cname(dns, of, &message, &rr);
}

static void
on_answer(void *ctx, int code, struct ub_result *r)
{
	struct dns_entry *entry = ctx;
	struct dns *dns = entry->dns;

	if (code == 0 && r != NULL) {
		fill(dns, entry, r);
		note_cnames(dns, &entry->result.answer, r);
	} else {
		fill_failure(entry);
	}
	ub_resolve_free(r);
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

static void
ask(struct dns *dns, struct dns_entry *entry)
{
	struct context *context = dns->trust == TRUST_STRIPPED ? &dns->plain : &dns->validating;
	int rc;

	if (dns->stopped) {
		fail_soon(dns, entry);
		return;
	}
	entry->dns = dns;
	entry->asked_ms = clock_monotonic_ms();
	dns_cache_move(&dns->cache, entry, DNS_ENTRY_ASKED);
	rc = ub_resolve_async(context->ub, entry->name, entry->result.rrtype, ns_c_in, entry,
	    on_answer, &entry->async_id);
	if (rc != 0) {
		fail_soon(dns, entry);
		return;
	}
	loop_watch_set(context->watch, LOOP_READ);
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
	return dns->resolver != NULL ? dns->resolver
	       : dns->recursive	     ? "the way to the root's servers"
				     : "the resolver of " RESOLV_CONF;
}

static const char *
remedy(const struct dns *dns)
{
	return dns->recursive ? "name a resolver with --resolver"
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
		    who(dns), dns->anchor_owner, remedy(dns));
	if (dns->notice != NULL)
		dns->notice(dns->ctx, line);
}

/* The check is over: now the names that waited for it are asked for. */
static void
decide(struct dns *dns, enum trust trust)
{
	dns->trust = trust;
	if (trust == TRUST_STRIPPED)
		close_context(&dns->validating);
	ask_queued(dns);
}

/* Whether the answer to the plain question has signatures. */
static bool
has_signature(const struct ub_result *r)
{
	ns_msg message;
	ns_rr rr;

	if (ns_initparse(r->answer_packet, r->answer_len, &message) != 0)
		return false;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++)
		if (ns_parserr(&message, ns_s_an, i, &rr) == 0 && ns_rr_type(rr) == ns_t_rrsig)
			return true;
	return false;
}

static void
on_look(void *ctx, int code, struct ub_result *r)
{
	struct dns *dns = ctx;

	if (dns->stopped) {
		ub_resolve_free(r);
		return;
	}
	if (code == 0 && r != NULL && r->havedata && has_signature(r)) {
		char line[512];

		snprintf(line, sizeof(line),
		    "the keys of \"%s\" that the resolver gives do not fit the trust anchor %s: "
		    "names will be bogus; name another with --trust-anchor",
		    dns->anchor_owner, dns->anchor);
		if (dns->notice != NULL)
			dns->notice(dns->ctx, line);
		decide(dns, TRUST_VALIDATED);
	} else {
		tell(dns, code == 0 && r != NULL && r->rcode != ns_r_servfail);
		decide(dns, TRUST_STRIPPED);
	}
	ub_resolve_free(r);
}

static void
look(struct dns *dns)
{
	struct err err = {0};

	dns->trust = TRUST_LOOKING;
	if (open_context(dns, &dns->plain, false, &err) != 0 ||
	    ub_resolve_async(dns->plain.ub, dns->anchor_owner, RDATA_DNSKEY, ns_c_in, dns, on_look,
		&dns->check_id) != 0) {
		if (dns->notice != NULL)
			dns->notice(dns->ctx, err.code != 0 ? err.text : "libunbound fails");
		decide(dns, TRUST_VALIDATED);
		return;
	}
	loop_watch_set(dns->plain.watch, LOOP_READ);
}

static void
on_check(void *ctx, int code, struct ub_result *r)
{
	struct dns *dns = ctx;

	if (code == 0 && r != NULL && r->secure && !dns->stopped)
		decide(dns, TRUST_VALIDATED);
	else if (!dns->stopped)
		look(dns);
	ub_resolve_free(r);
}

static void
check(struct dns *dns)
{
	struct err err = {0};

	if (dns->validating.ub == NULL && open_validating(dns, &err) != 0) {
		/* No name can be looked up in this run. */
		if (dns->notice != NULL)
			dns->notice(dns->ctx, err.text);
		close_context(&dns->validating);
		dns->stopped = true;
		dns->record = NULL;
		return;
	}
	dns->trust = TRUST_CHECKING;
	dns->check_ms = clock_monotonic_ms();
	loop_timer_set(dns->timer, dns->wait_ms / 10);
	if (ub_resolve_async(dns->validating.ub, dns->anchor_owner, RDATA_DNSKEY, ns_c_in, dns,
		on_check, &dns->check_id) != 0)
		look(dns);
	else
		loop_watch_set(dns->validating.watch, LOOP_READ);
}

/* ---- the clock ----------------------------------------------------------------------------- */

static void
give_up_check(struct dns *dns)
{
	struct err err = {0};

	if (dns->trust == TRUST_CHECKING)
		open_context(dns, &dns->plain, false, &err);
	else
		ub_cancel(dns->plain.ub, dns->check_id);
	tell(dns, false);
	decide(dns, dns->plain.ub != NULL ? TRUST_STRIPPED : TRUST_VALIDATED);
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

		ub_cancel(dns->trust == TRUST_STRIPPED ? dns->plain.ub : dns->validating.ub,
		    entry->async_id);
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
	struct ub_ctx *ub = dns->trust == TRUST_STRIPPED ? dns->plain.ub : dns->validating.ub;

	if (dns->stopped)
		return;
	dns->stopped = true;
	dns->record = NULL;
	dns->notice = NULL;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct dns_entry *entry;

		while ((entry = dns->cache.lists[states[i]].first) != NULL) {
			if (states[i] == DNS_ENTRY_ASKED)
				ub_cancel(ub, entry->async_id);
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
