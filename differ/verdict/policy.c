#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define MATCHES_MAX 12 /* names or fingerprints in one line */

bool
policy_address_known(const struct policy_address *a)
{
	for (size_t v = 0; v < POLICY_VARIANTS_MAX; v++)
		if (a->cells[v].known)
			return true;
	return false;
}

size_t
policy_known(const struct policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->addresses_n; i++)
		n += policy_address_known(&p->addresses[i]);
	return n;
}

size_t
policy_find_variant(const struct policy *p, enum sni sni)
{
	size_t v = 0;

	while (v < p->variants_n && p->variants[v].sni != sni)
		v++;
	return v;
}

struct policy_count
policy_count(const struct policy *p, enum level level, size_t variant)
{
	struct policy_count count = {.least = WORD_N};

	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_cell *c = &p->addresses[i].cells[variant];
		const struct conclude_level *l = &c->levels[level];

		if (!c->known || !l->known)
			continue;
		count.known++;
		if (!l->delivers)
			continue;
		count.delivers++;
		if (l->word < count.least)
			count.least = l->word;
	}
	return count;
}

/* ---- which line ---------------------------------------------------------------------------- */

static bool
delivers(const struct policy *p, enum level level, size_t variant)
{
	struct policy_count c = policy_count(p, level, variant);

	return variant < p->variants_n && c.delivers > 0 && c.delivers == policy_known(p);
}

/* The first variant under which it delivers everywhere. DANE sends the name of the TLSA records,
 * which is the MX's, whatever servername= says. */
static bool
find_variant(const struct policy *p, enum level level, size_t *variant)
{
	if (level == LEVEL_DANE || level == LEVEL_DANE_ONLY) {
		*variant = policy_find_variant(p, SNI_HOSTNAME);
		return delivers(p, level, *variant);
	}
	for (*variant = 0; *variant < p->variants_n; (*variant)++)
		if (delivers(p, level, *variant))
			return true;
	return false;
}

/* Whether opportunistic DANE authenticates anybody: else it is `may`. */
static bool
dane_helps(const struct policy *p, size_t variant)
{
	for (size_t i = 0; i < p->addresses_n; i++)
		if (p->addresses[i].cells[variant].known &&
		    p->addresses[i].cells[variant].levels[LEVEL_DANE].word == WORD_VERIFIED)
			return true;
	return false;
}

static const char *
match_of(const struct policy_address *a, size_t variant, bool leaf, char hex[2 * HASH_LEN + 1])
{
	if (!leaf)
		return a->host;
	if (!a->cells[variant].has_leaf)
		return NULL;
	hash_hex(&a->cells[variant].leaf, hex);
	return hex;
}

static void
append_fingerprint(struct buf *out, const char *hex)
{
	for (size_t i = 0; hex[i] != '\0'; i += 2)
		buf_printf(out, "%s%c%c", i > 0 ? ":" : "", hex[i], hex[i + 1]);
}

static bool
same_match(
    const struct policy_address *a, const struct policy_address *b, size_t variant, bool leaf)
{
	if (!leaf)
		return strcmp(a->host, b->host) == 0;
	return hash_compare(&a->cells[variant].leaf, &b->cells[variant].leaf) == 0;
}

/* " match=mx1.example.org:mx2.example.org", or the fingerprints of the leaves; false if they are
 * too many, or not all known. */
static bool
append_matches(struct buf *out, const struct policy *p, size_t variant, bool leaf)
{
	size_t n = 0;

	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_address *a = &p->addresses[i];
		char hex[2 * HASH_LEN + 1];
		const char *match;
		bool seen = false;

		if (!policy_address_known(a))
			continue;
		if ((match = match_of(a, variant, leaf, hex)) == NULL)
			return false;
		for (size_t k = 0; k < i && !seen; k++)
			seen = policy_address_known(&p->addresses[k]) &&
			       same_match(a, &p->addresses[k], variant, leaf);
		if (seen)
			continue;
		if (++n > MATCHES_MAX)
			return false;
		buf_append_text(out, n == 1 ? " match=" : leaf ? "|" : ":");
		if (leaf)
			append_fingerprint(out, match);
		else
			buf_append_text(out, match);
	}
	return n > 0;
}

static void
append_servername(struct buf *out, const struct policy_variant *v)
{
	if (v->sni == SNI_HOSTNAME)
		buf_append_text(out, " servername=hostname");
	else if (v->sni == SNI_NEXTHOP)
		buf_append_text(out, " servername=nexthop");
	else if (v->sni == SNI_LITERAL)
		buf_printf(out, " servername=%s", v->name);
}

static void
append_tls_sni(struct buf *out, const struct policy_variant *v)
{
	if (v->sni == SNI_HOSTNAME)
		buf_append_text(out, "tls_sni = $host\n");
	else if (v->sni == SNI_NEXTHOP)
		buf_append_text(out, "tls_sni = $domain\n");
	else if (v->sni == SNI_LITERAL)
		buf_printf(out, "tls_sni = %s\n", v->name);
}

/* ---- the families, strictest first --------------------------------------------------------- */

static const struct family {
	enum level level, needs; /* the level in the line; the one that must deliver */
	bool last;		 /* only where nothing before it delivers */
	const char *exim, *note;
} families[POLICY_FAMILY_N] = {
    [POLICY_DANE_ONLY] = {LEVEL_DANE_ONLY, LEVEL_DANE_ONLY, false,
	"hosts_require_dane = *\nhosts_require_tls = *\n",
	"needs smtp_dns_support_level = dnssec and a validating resolver on this machine"},
    [POLICY_SECURE] = {LEVEL_SECURE, LEVEL_SECURE, false, NULL,
	"the certificate bears the domain's own name"},
    [POLICY_SECURE_MATCH] = {LEVEL_SECURE, LEVEL_VERIFY, false, NULL,
	"pins the names of today's MX hosts: to be changed when they change"},
    [POLICY_VERIFY] = {LEVEL_VERIFY, LEVEL_VERIFY, false,
	"hosts_require_tls = *\ntls_verify_hosts = *\ntls_verify_cert_hostnames = *\n",
	"believes the MX records, which who is on the way may forge"},
    [POLICY_DANE] = {LEVEL_DANE, LEVEL_DANE, false, "hosts_try_dane = *\n",
	"authenticates where there are TLSA records"},
    [POLICY_FINGERPRINT] = {LEVEL_FINGERPRINT, LEVEL_FINGERPRINT, true, NULL,
	"breaks when the certificate is renewed; smtp_tls_fingerprint_digest = sha256"},
    [POLICY_ENCRYPT] = {LEVEL_ENCRYPT, LEVEL_ENCRYPT, true, "hosts_require_tls = *\n",
	"authenticates nobody"},
    [POLICY_MAY] = {LEVEL_MAY, LEVEL_MAY, true, "hosts_require_tls =\n",
	"authenticates nobody, and goes without TLS where it must"},
};

/* Whether a family's line says more than those before it. */
static bool
is_wanted(const struct policy_lines *lines, enum policy_family family)
{
	bool has[POLICY_FAMILY_N] = {false};

	for (size_t i = 0; i < lines->n; i++)
		has[lines->line[i].family] = true;
	if (family == POLICY_SECURE_MATCH)
		return !has[POLICY_SECURE];
	if (family == POLICY_DANE)
		return !has[POLICY_DANE_ONLY];
	return !families[family].last || lines->n == 0 ||
	       (family == POLICY_ENCRYPT && lines->n == 1 && has[POLICY_FINGERPRINT]);
}

/* Exim tries DANE unless told otherwise: where the TLSA records do not match, nothing is delivered.
 */
static bool
dane_spoils(const struct policy *p)
{
	size_t variant = policy_find_variant(p, SNI_HOSTNAME);
	struct policy_count count;

	if (variant == p->variants_n)
		return false;
	count = policy_count(p, LEVEL_DANE, variant);
	return count.delivers < count.known;
}

static bool
make_line(struct policy_line *line, const struct policy *p, enum policy_family family)
{
	const struct family *f = &families[family];
	struct buf postfix = {0}, exim = {0};
	size_t variant;
	bool made;

	if (!find_variant(p, f->needs, &variant))
		return false;
	buf_printf(&postfix, "%s %s", p->domain, level_name(f->level));
	if (f->level != LEVEL_DANE && f->level != LEVEL_DANE_ONLY) {
		append_servername(&postfix, &p->variants[variant]);
		if (f->exim != NULL)
			append_tls_sni(&exim, &p->variants[variant]);
	}
	made = family == POLICY_SECURE_MATCH || family == POLICY_FINGERPRINT
		   ? append_matches(&postfix, p, variant, family == POLICY_FINGERPRINT)
		   : family != POLICY_DANE || dane_helps(p, variant);
	if (made) {
		*line = (struct policy_line){.family = family,
		    .level = f->level,
		    .variant = variant,
		    .postfix = mem_strdup(buf_text(&postfix)),
		    .note = f->note};
		if (f->exim != NULL) {
			if (f->level != LEVEL_DANE && f->level != LEVEL_DANE_ONLY && dane_spoils(p))
				buf_append_text(&exim, "hosts_try_dane =\n");
			buf_append_text(&exim, f->exim);
			line->exim = mem_strdup(buf_text(&exim));
		}
	}
	buf_finish(&postfix);
	buf_finish(&exim);
	return made;
}

void
policy_lines(struct policy_lines *lines, const struct policy *p)
{
	lines->n = 0;
	for (unsigned f = 0; f < POLICY_FAMILY_N; f++)
		if (is_wanted(lines, (enum policy_family)f) &&
		    make_line(&lines->line[lines->n], p, (enum policy_family)f))
			lines->n++;
}

void
policy_lines_finish(struct policy_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		free(lines->line[i].postfix);
		free(lines->line[i].exim);
	}
	lines->n = 0;
}
