#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

#define POLICY_MAX_AGE_S 604800 /* a week: RFC 8461 section 3.2 would have weeks */

static const char *const names[] = {[POLICY_TLSA] = "tlsa",
    [POLICY_STS] = "mta-sts",
    [POLICY_STS_MEND] = "mta-sts-not-yet",
    [POLICY_SIGN] = "sign-zone"};

const char *
policy_what_name(enum policy_what what)
{
	return names[what];
}

static void
add(struct policy_advice *advice, enum policy_what what, struct buf *text, struct buf *records,
    struct buf *policy)
{
	struct policy_advice_item *i;

	advice->items = mem_grow(advice->items, advice->n + 1, sizeof(*advice->items));
	i = &advice->items[advice->n++];
	*i = (struct policy_advice_item){.what = what, .text = mem_strdup(buf_text(text))};
	if (records != NULL && records->len > 0)
		i->records = mem_strdup(buf_text(records));
	if (policy != NULL && policy->len > 0)
		i->policy = mem_strdup(buf_text(policy));
}

/* Whether the address is the first of those known to have its MX host. */
static bool
is_first_of_host(const struct policy *p, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(p->addresses[i].host, p->addresses[at].host) == 0)
			return false;
	return true;
}

/* "_25._tcp.mx.example.org. IN TLSA 3 1 1 …" for each key that the addresses of the host show to
 * who sends its name: which is what DANE does (RFC 7672 section 8.1). False: not all are known. */
static bool
append_tlsa(struct buf *out, const struct policy *p, const char *host, size_t variant)
{
	bool all = true;

	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_address *a = &p->addresses[i];
		const struct policy_cell *c = &a->cells[variant];
		bool seen = false;
		char hex[2 * HASH_LEN + 1];

		if (strcmp(a->host, host) != 0)
			continue;
		if (!c->known || !c->has_key) {
			all = false;
			continue;
		}
		for (size_t k = 0; k < i && !seen; k++)
			seen = strcmp(p->addresses[k].host, host) == 0 &&
			       p->addresses[k].cells[variant].has_key &&
			       hash_compare(&p->addresses[k].cells[variant].key, &c->key) == 0;
		if (seen)
			continue;
		hash_hex(&c->key, hex);
		buf_printf(out, "_%u._tcp.%s. IN TLSA 3 1 1 %s\n", a->port, host, hex);
	}
	return all;
}

/* Whether DANE authenticates at all addresses of the host. */
static bool
dane_works(const struct policy *p, const char *host, size_t variant)
{
	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_cell *c = &p->addresses[i].cells[variant];

		if (strcmp(p->addresses[i].host, host) == 0 && c->known &&
		    (!c->levels[LEVEL_DANE_ONLY].known || !c->levels[LEVEL_DANE_ONLY].delivers))
			return false;
	}
	return true;
}

static void
advise_dane(struct policy_advice *advice, const struct policy *p)
{
	size_t variant = policy_find_variant(p, SNI_HOSTNAME);
	struct buf text = {0}, records = {0};

	for (size_t i = 0; i < p->addresses_n && variant < p->variants_n; i++) {
		const struct policy_address *a = &p->addresses[i];
		bool all;

		if (!is_first_of_host(p, i) || dane_works(p, a->host, variant))
			continue;
		buf_clear(&text);
		buf_clear(&records);
		all = append_tlsa(&records, p, a->host, variant);
		if (records.len == 0)
			continue;
		if (!a->secure) {
			buf_printf(&text, "sign the zone of %s with DNSSEC; then publish", a->host);
			add(advice, POLICY_SIGN, &text, &records, NULL);
			continue;
		}
		buf_printf(&text,
		    a->tlsa ? "the TLSA records of %s do not match what it shows; publish instead"
			    : "publish for DANE, for %s (before the next change of its key also "
			      "that one's)",
		    a->host);
		if (!all)
			buf_append_text(&text, " (not all addresses were seen)");
		add(advice, POLICY_TLSA, &text, &records, NULL);
	}
	buf_finish(&text);
	buf_finish(&records);
}

/* Names the first address in the way; RFC 8461 section 4.2 wants what `verify` wants, with the
 * MX's name as SNI. */
static void
append_obstacle(struct buf *text, const struct policy *p, size_t variant)
{
	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_address *a = &p->addresses[i];
		const struct conclude_level *l = &a->cells[variant].levels[LEVEL_VERIFY];
		char address[IP_TEXT_MAX];

		if (!a->cells[variant].known || !l->known || l->delivers)
			continue;
		ip_format(&a->address, address);
		buf_printf(text, "before MTA-STS can be enforced: %s [%s] must be mended (%s)",
		    a->host, address,
		    l->reason != REASON_NULL ? level_reason_name(l->reason) : "no TLS");
		return;
	}
}

static void
append_sts(struct buf *records, struct buf *policy, const struct policy *p)
{
	char at[CLOCK_TEXT_MAX], id[CLOCK_TEXT_MAX];
	size_t n = 0;

	clock_format_s(p->at_ms, at);
	for (size_t i = 0; at[i] != '\0'; i++)
		if (at[i] >= '0' && at[i] <= '9')
			id[n++] = at[i];
	id[n] = '\0';
	buf_printf(records, "_mta-sts.%s. IN TXT \"v=STSv1; id=%s\"\n", p->domain, id);
	buf_append_text(policy, "version: STSv1\r\nmode: enforce\r\n");
	for (size_t i = 0; i < p->addresses_n; i++)
		if (is_first_of_host(p, i))
			buf_printf(policy, "mx: %s\r\n", p->addresses[i].host);
	buf_printf(policy, "max_age: %d\r\n", POLICY_MAX_AGE_S);
}

static void
advise_sts(struct policy_advice *advice, const struct policy *p)
{
	size_t variant = policy_find_variant(p, SNI_HOSTNAME);
	struct buf text = {0}, records = {0}, policy = {0};
	struct policy_count count;

	if (p->has_sts || variant == p->variants_n)
		return;
	count = policy_count(p, LEVEL_VERIFY, variant);
	if (count.known == 0 || count.known < policy_known(p))
		goto out;
	if (count.delivers < count.known) {
		append_obstacle(&text, p, variant);
		add(advice, POLICY_STS_MEND, &text, NULL, NULL);
		goto out;
	}
	append_sts(&records, &policy, p);
	buf_printf(&text,
	    "publish for MTA-STS, with this policy at "
	    "https://mta-sts.%s/.well-known/mta-sts.txt (\"mode: testing\" first)",
	    p->domain);
	add(advice, POLICY_STS, &text, &records, &policy);
out:
	buf_finish(&text);
	buf_finish(&records);
	buf_finish(&policy);
}

void
policy_advice(struct policy_advice *advice, const struct policy *p)
{
	*advice = (struct policy_advice){0};
	advise_dane(advice, p);
	advise_sts(advice, p);
}

void
policy_advice_finish(struct policy_advice *advice)
{
	for (size_t i = 0; i < advice->n; i++) {
		free(advice->items[i].text);
		free(advice->items[i].records);
		free(advice->items[i].policy);
	}
	free(advice->items);
	*advice = (struct policy_advice){0};
}
