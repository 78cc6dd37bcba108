#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differ/certificate/cert.h"
#include "store/base/mem.h"
#include "store/corpus/dns_at.h"
#include "store/corpus/timeline_back.h"

#define HOSTS_MAX 64
#define LOOK_BACK 512 /* sightings behind which one that tells something is looked for */
#define PORT 25

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_TXT = 16, TYPE_AAAA = 28, TYPE_TLSA = 52 };

struct builder {
	struct route *route;
	struct store_view *view;
	struct judge *judge;
	int64_t at_ms;
};

static int
ask(struct builder *b, const char *name, uint16_t rrtype, struct dns_answer *answer,
    struct err *err)
{
	struct dns_question q = {.name = name, .rrtype = rrtype, .vantage = b->route->vantage};

	return dns_at(b->view, &q, b->at_ms, answer, err);
}

/* ---- MX records ---------------------------------------------------------------------------- */

/* The vantage that saw the domain's MX records last. 1, 0, <0. */
static int
find_vantage(struct builder *b, const char *wanted, struct err *err)
{
	struct series_filter filter = {
	    .kind = SERIES_DNS, .host = b->route->domain, .vantage = wanted};
	struct series_walk *walk;
	struct series s;
	uint32_t number;
	int found = 0, rc;

	if ((rc = series_walk_open(&walk, b->view, &filter, err)) < 0)
		return rc;
	while ((rc = series_walk_next(walk, &number, &s, err)) > 0) {
		struct dns_question q = {.name = s.host, .rrtype = TYPE_MX, .vantage = s.vantage};
		struct dns_answer answer;

		if (s.rrtype != TYPE_MX)
			continue;
		if ((rc = dns_at(b->view, &q, b->at_ms, &answer, err)) < 0)
			break;
		if (rc == 0)
			continue;
		if (!found || answer.time_ms > b->route->mx_ms) {
			b->route->mx_ms = answer.time_ms;
			snprintf(b->route->vantage, sizeof(b->route->vantage), "%s", s.vantage);
		}
		found = 1;
		dns_answer_finish(&answer);
	}
	series_walk_close(walk);
	return rc < 0 ? rc : found;
}

static bool
add_host(struct route *r, const char *text)
{
	char name[LIMIT_NAME + 1];

	if (r->hosts_n == HOSTS_MAX || host_normalise(text, name, NULL) < 0)
		return false;
	for (size_t i = 0; i < r->hosts_n; i++)
		if (strcmp(r->hosts[i], name) == 0)
			return false;
	snprintf(r->hosts[r->hosts_n++], LIMIT_NAME + 1, "%s", name);
	return true;
}

static int
by_preference(const void *a, const void *b)
{
	unsigned long x = strtoul(*(const char *const *)a, NULL, 10);
	unsigned long y = strtoul(*(const char *const *)b, NULL, 10);

	return x < y ? -1 : x > y;
}

/* "10 mx.example.org"; "0 ." is the null MX. In the order of preference. */
static void
take_mx(struct route *r, const struct dns_answer *answer)
{
	const char **list = mem_zero(answer->records_n + 1, sizeof(*list));
	bool null_mx = false;

	for (size_t i = 0; i < answer->records_n; i++)
		list[i] = answer->records[i];
	qsort(list, answer->records_n, sizeof(*list), by_preference);
	for (size_t i = 0; i < answer->records_n; i++) {
		const char *name = strchr(list[i], ' ');

		null_mx |= name != NULL && strcmp(name, " .") == 0;
		if (name != NULL)
			add_host(r, name + 1);
	}
	free(list);
	if (r->hosts_n == 0 && null_mx)
		r->state = ROUTE_NULL_MX;
	if (answer->records_n == 0) {
		r->implicit = true;
		add_host(r, r->domain);
	}
}

/* ---- addresses ----------------------------------------------------------------------------- */

static void
add_address(struct route *r, const char *host, const char *text, bool secure, bool tlsa)
{
	struct ip ip;

	if (!ip_parse(&ip, text))
		return;
	if (r->policy.addresses_n == ROUTE_ADDRESSES_MAX) {
		r->left_out++;
		return;
	}
	if (r->policy.addresses_n == r->cap) {
		r->cap = r->cap > 0 ? 2 * r->cap : 16;
		r->addresses = mem_grow(r->addresses, r->cap, sizeof(*r->addresses));
	}
	r->addresses[r->policy.addresses_n++] = (struct policy_address){
	    .host = host, .address = ip, .port = PORT, .secure = secure, .tlsa = tlsa};
}

static int
find_addresses(struct builder *b, const char *host, struct err *err)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	struct dns_answer answer;
	char name[LIMIT_NAME + 32];
	bool tlsa = false, secure = false;
	int rc;

	snprintf(name, sizeof(name), "_%d._tcp.%s", PORT, host);
	if ((rc = ask(b, name, TYPE_TLSA, &answer, err)) < 0)
		return rc;
	if (rc > 0) {
		tlsa = answer.records_n > 0;
		dns_answer_finish(&answer);
	}
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		if ((rc = ask(b, host, types[t], &answer, err)) < 0)
			return rc;
		if (rc == 0)
			continue;
		for (size_t i = 0; i < answer.records_n; i++)
			add_address(
			    b->route, host, answer.records[i], answer.status == DNS_SECURE, tlsa);
		secure |= answer.records_n > 0 && answer.status == DNS_SECURE;
		dns_answer_finish(&answer);
	}
	b->route->hosts_secure += secure;
	return 0;
}

/* ---- what was shown ------------------------------------------------------------------------ */

static int
read_leaf(struct builder *b, uint32_t number, struct policy_cell *cell, struct err *err)
{
	struct evidence e;
	struct buf der = {0};
	struct cert cert;
	struct err missing = {0};
	int rc = store_evidence(b->view, number, &e, err);

	if (rc < 0)
		return rc;
	if (e.chain_n > 0) {
		cell->has_leaf = true;
		cell->leaf = e.chain[0];
		if (store_certificate(b->view, &e.chain[0], &der, &missing) >= 0) {
			cert_init(&cert, der.data, der.len, false);
			cell->has_key = cert.part[CERT_KEY].state == PART_OK;
			if (cell->has_key)
				cell->key = hash_sha256(
				    cert.part[CERT_KEY].whole.p, cert.part[CERT_KEY].whole.len);
			cert_finish(&cert);
		}
	}
	buf_finish(&der);
	evidence_finish(&e);
	return 0;
}

/* The newest sighting that tells something, judged at the moment: what its certificates are worth
 * then, with the DNS of then. */
static int
fill_cell(struct builder *b, uint32_t number, const struct series *s, struct policy_cell *cell,
    struct err *err)
{
	struct timeline_back t;
	struct sighting seen;
	struct verdict verdict;
	int rc =
	    timeline_back_init(&t, b->view, number, SERIES_PROBE, INT64_MIN, b->at_ms + 1, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < LOOK_BACK; i++) {
		if ((rc = timeline_back_next(&t, &seen, err)) <= 0)
			break;
		if ((rc = judge_sighting(b->judge, s, seen.evidence, b->at_ms, &verdict, err)) == 0)
			continue;
		if (rc > 0 && (!cell->known || seen.time_ms > cell->seen_ms)) {
			cell->known = true;
			cell->seen_ms = seen.time_ms;
			memcpy(cell->levels, verdict.levels, sizeof(cell->levels));
			rc = read_leaf(b, seen.evidence, cell, err);
		}
		break;
	}
	timeline_back_finish(&t);
	return rc < 0 ? rc : 0;
}

/* POLICY_VARIANTS_MAX: it is none that a sender chooses, or there are too many. */
static size_t
variant_of(struct route *r, const struct series *s)
{
	size_t v;

	if (s->sni == SNI_UNKNOWN || (s->sni == SNI_NEXTHOP && strcmp(s->sni_name, r->domain) != 0))
		return POLICY_VARIANTS_MAX;
	for (v = 0; v < r->policy.variants_n; v++)
		if (r->variants[v].sni == s->sni &&
		    (s->sni != SNI_LITERAL || strcmp(r->variants[v].name, s->sni_name) == 0))
			return v;
	if (v < POLICY_VARIANTS_MAX) {
		r->variants[v].sni = s->sni;
		if (s->sni == SNI_LITERAL)
			snprintf(
			    r->variants[v].name, sizeof(r->variants[v].name), "%s", s->sni_name);
		r->policy.variants_n++;
	}
	return v;
}

static int
fill_host(struct builder *b, const char *host, struct err *err)
{
	struct series_filter filter = {
	    .kind = SERIES_PROBE, .host = host, .vantage = b->route->vantage};
	struct route *r = b->route;
	struct series_walk *walk;
	struct series s;
	uint32_t number;
	int rc;

	if ((rc = series_walk_open(&walk, b->view, &filter, err)) < 0)
		return rc;
	while ((rc = series_walk_next(walk, &number, &s, err)) > 0) {
		size_t v, i = 0;

		while (i < r->policy.addresses_n &&
		       (strcmp(r->addresses[i].host, host) != 0 ||
			   ip_compare(&r->addresses[i].address, &s.address) != 0))
			i++;
		if (s.offer != OFFER_DEFAULT || i == r->policy.addresses_n ||
		    (v = variant_of(r, &s)) == POLICY_VARIANTS_MAX)
			continue;
		if (s.port != PORT && !policy_address_known(&r->addresses[i]))
			r->addresses[i].port = s.port;
		if (s.port == r->addresses[i].port &&
		    (rc = fill_cell(b, number, &s, &r->addresses[i].cells[v], err)) < 0)
			break;
	}
	series_walk_close(walk);
	return rc < 0 ? rc : 0;
}

static int
find_sts(struct builder *b, struct err *err)
{
	struct route *r = b->route;
	struct dns_answer answer;
	char name[LIMIT_NAME + 16];
	int rc;

	snprintf(name, sizeof(name), "_mta-sts.%s", r->domain);
	if ((rc = ask(b, name, TYPE_TXT, &answer, err)) > 0) {
		r->policy.has_sts = answer.records_n > 0;
		dns_answer_finish(&answer);
	}
	return rc < 0 ? rc : 0;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int
find_hosts(struct builder *b, struct err *err)
{
	struct route *r = b->route;
	struct dns_answer answer;
	int rc = ask(b, r->domain, TYPE_MX, &answer, err);

	if (rc <= 0)
		return rc;
	r->mx_status = answer.status;
	r->mx_ms = answer.time_ms;
	r->state = answer.status == DNS_BOGUS ? ROUTE_BOGUS : ROUTE_KNOWN;
	if (r->state == ROUTE_KNOWN)
		take_mx(r, &answer);
	dns_answer_finish(&answer);
	return 1;
}

int
route_init(struct route *r, struct store_view *view, struct judge *judge, const char *domain,
    const char *vantage, int64_t at_ms, struct err *err)
{
	struct builder b = {.route = r, .view = view, .judge = judge, .at_ms = at_ms};
	int rc;

	*r = (struct route){.state = ROUTE_UNKNOWN};
	snprintf(r->domain, sizeof(r->domain), "%s", domain);
	r->hosts = mem_zero(HOSTS_MAX, sizeof(*r->hosts));
	judge_ask_for(judge, domain);
	if ((rc = find_vantage(&b, vantage, err)) <= 0 || (rc = find_hosts(&b, err)) <= 0)
		return rc < 0 ? rc : 0;
	/* The usual columns stand first, and stand there always. */
	for (unsigned v = 0; v < 3; v++)
		r->variants[v].sni = (enum sni)v;
	r->policy.variants_n =
	    r->implicit ? 2 : 3; /* without the domain's name: it is the host's */
	for (size_t i = 0; i < r->hosts_n && rc >= 0; i++)
		rc = find_addresses(&b, r->hosts[i], err);
	for (size_t i = 0; i < r->hosts_n && rc >= 0; i++)
		rc = fill_host(&b, r->hosts[i], err);
	if (rc >= 0)
		rc = find_sts(&b, err);
	if (r->state == ROUTE_KNOWN && r->policy.addresses_n == 0)
		r->state = ROUTE_NO_MX;
	r->policy.domain = r->domain;
	r->policy.variants = r->variants;
	r->policy.addresses = r->addresses;
	r->policy.at_ms = at_ms;
	return rc < 0 ? rc : 0;
}

void
route_finish(struct route *r)
{
	free(r->addresses);
	free(r->hosts);
	r->addresses = NULL;
	r->hosts = NULL;
}

bool
route_ages(const struct route *r, int64_t *oldest_ms, int64_t *newest_ms)
{
	bool any = false;

	for (size_t i = 0; i < r->policy.addresses_n; i++) {
		for (size_t v = 0; v < r->policy.variants_n; v++) {
			const struct policy_cell *c = &r->addresses[i].cells[v];

			if (!c->known)
				continue;
			if (!any || c->seen_ms < *oldest_ms)
				*oldest_ms = c->seen_ms;
			if (!any || c->seen_ms > *newest_ms)
				*newest_ms = c->seen_ms;
			any = true;
		}
	}
	return any;
}
