#include "conclude.h"

/* ---- what was met with ------------------------------------------------------------------- */

enum conclude_kind
conclude_kind(const struct evidence *e)
{
	if (!evidence_is_observed(e))
		return CONCLUDE_NOTHING;
	if (e->outcome == OUTCOME_STARTTLS_NOT_OFFERED || e->outcome == OUTCOME_STARTTLS_REJECTED)
		return CONCLUDE_PLAIN;
	if (e->outcome == OUTCOME_SUCCESS)
		return e->chain_n > 0 ? CONCLUDE_TLS : CONCLUDE_NOTHING;
	/* Plaintext before the handshake: Postfix drops it and goes on; we did not. */
	return (e->flags & FLAG_INJECTION) != 0 ? CONCLUDE_NOTHING : CONCLUDE_BROKEN;
}

/* ---- DNS --------------------------------------------------------------------------------- */

static bool
is_trouble(const struct conclude_answer *a)
{
	return a->known && (a->status == DNS_BOGUS || a->status == DNS_FAILED);
}

static bool
is_insecure(const struct conclude_answer *a)
{
	return a->known && a->status == DNS_INSECURE;
}

static bool
is_secure(const struct conclude_answer *a)
{
	return a->known && a->status == DNS_SECURE;
}

/* The level that `dane` comes to (dane_init() of smtp_tls_policy.c). */
struct dane_level {
	bool known, half;
	enum level level;	  /* LEVEL_MAY, LEVEL_ENCRYPT, LEVEL_DANE; LEVEL_NONE: it defers */
	enum level_reason reason; /* why it is not DANE */
};

static bool
has_usable(const struct conclude_dns *dns)
{
	struct tlsa tlsa;
	bool usable = false;

	tlsa_read(&tlsa, dns->records, dns->records_n);
	for (size_t i = 0; i < tlsa.n; i++)
		usable |= tlsa_for_smtp(&tlsa.records[i]);
	tlsa_finish(&tlsa);
	return usable;
}

static struct dane_level
dane_level(const struct conclude_dns *dns, bool dane_only, bool has_nexthop)
{
	struct dane_level may = {true, false, LEVEL_MAY, REASON_DANE_REQUIRED};
	struct dane_level defer = {true, false, LEVEL_NONE, REASON_DNSSEC_INVALID};
	struct dane_level unusable = {true, false, LEVEL_ENCRYPT, REASON_TLSA_INVALID};
	struct dane_level dane = {true, false, LEVEL_DANE, REASON_NULL};
	struct dane_level unknown = {0};
	enum level insecure_mx = dane_only ? LEVEL_MAY : dns->insecure_mx;
	bool mx_insecure = is_insecure(&dns->mx);

	if (is_trouble(&dns->mx))
		return defer;
	if (mx_insecure && insecure_mx <= LEVEL_MAY)
		return may;
	/* Of a host in a zone without DNSSEC no TLSA records are asked for (RFC 7672 2.2.2). */
	if (is_insecure(&dns->address) && !is_secure(&dns->tlsa))
		return may;
	if (is_insecure(&dns->tlsa))
		return may;
	if (!dns->tlsa.known || dns->tlsa.status == DNS_UNVALIDATED)
		return unknown;
	if (is_trouble(&dns->tlsa))
		return defer;
	if (!dns->tlsa.found)
		return may;
	/* A recipient domain with an MX set of which nothing is known may turn it all. */
	if (has_nexthop && (!dns->mx.known || dns->mx.status == DNS_UNVALIDATED))
		return unknown;
	if (!has_usable(dns))
		return unusable;
	if (mx_insecure && insecure_mx == LEVEL_ENCRYPT)
		return unusable;
	dane.half = mx_insecure;
	return dane;
}

bool
conclude_wants_tlsa(const struct conclude_dns *dns)
{
	return dns->tlsa.known && dns->tlsa.status == DNS_SECURE && dns->tlsa.found;
}

/* ---- levels ------------------------------------------------------------------------------ */

static struct conclude_level
sent(enum level_word word)
{
	return (struct conclude_level){true, true, word, true, REASON_NULL};
}

static struct conclude_level
deferred(enum level_word word, enum level_reason reason)
{
	return (struct conclude_level){true, true, word, false, reason};
}

/* May: whatever there is; where a handshake fails, Postfix tries again in the clear, once the
 * message has waited for minimal_backoff_time (smtp_proto.c). */
static struct conclude_level
at_may(const struct conclude_input *in)
{
	if (in->kind != CONCLUDE_TLS || in->no_tls || !in->verified->readable)
		return sent(WORD_NULL);
	return sent(in->verified->chain[0] == REASON_NULL ? WORD_TRUSTED : WORD_UNTRUSTED);
}

/* 1: there is a handshake; else *level says what comes of it. */
static bool
has_handshake(const struct conclude_input *in, bool must_match, struct conclude_level *level)
{
	if (in->kind == CONCLUDE_PLAIN)
		*level = deferred(WORD_NULL, REASON_STARTTLS_NOT_SUPPORTED);
	else if (in->kind == CONCLUDE_BROKEN || in->no_tls || !in->verified->readable ||
		 (must_match && in->old_tls))
		*level = deferred(WORD_NULL, REASON_VALIDATION_FAILURE);
	else
		return true;
	return false;
}

static struct conclude_level
at_encrypt(const struct conclude_input *in)
{
	struct conclude_level level;

	return has_handshake(in, false, &level) ? at_may(in) : level;
}

/* The chain leads to a root, and the leaf has the name. */
static struct conclude_level
at_pkix(const struct conclude_input *in, bool name_known, bool has_name)
{
	struct conclude_level level;
	enum level_reason chain;

	if (!has_handshake(in, true, &level))
		return level;
	if ((chain = in->verified->chain[1]) != REASON_NULL)
		return deferred(WORD_UNTRUSTED, chain);
	if (!name_known)
		return (struct conclude_level){.defined = true};
	if (has_name)
		return sent(WORD_VERIFIED);
	return deferred(
	    level_postfix_trusts_other_names(in->postfix) ? WORD_TRUSTED : WORD_UNTRUSTED,
	    REASON_CERTIFICATE_HOST_MISMATCH);
}

/* A sender who pinned this very leaf: nothing else counts, but how strong its key is. */
static struct conclude_level
at_fingerprint(const struct conclude_input *in)
{
	struct conclude_level level;

	if (!has_handshake(in, true, &level))
		return level;
	return in->verified->leaf_weak ? deferred(WORD_UNTRUSTED, REASON_VALIDATION_FAILURE)
				       : sent(WORD_VERIFIED);
}

/* All records are such that OpenSSL takes none: it comes to encrypt, but names were wanted. */
static struct conclude_level
at_dane_unusable(const struct conclude_input *in, bool dane_only)
{
	struct conclude_level level;

	if (!has_handshake(in, dane_only, &level))
		return level;
	if (dane_only)
		return deferred(WORD_UNTRUSTED, REASON_TLSA_INVALID);
	return sent(in->verified->chain[0] == REASON_NULL && in->verified->has_base
			? WORD_TRUSTED
			: WORD_UNTRUSTED);
}

static struct conclude_level
at_dane(const struct conclude_input *in, bool dane_only)
{
	struct dane_level dane = dane_level(in->dns, dane_only, in->has_nexthop);
	struct conclude_level level;

	if (!dane.known)
		return (struct conclude_level){.defined = true};
	if (dane.level != LEVEL_DANE && (dane_only || dane.level == LEVEL_NONE))
		return deferred(WORD_NULL, dane.reason);
	if (dane.level == LEVEL_MAY)
		return at_may(in);
	if (dane.level == LEVEL_ENCRYPT)
		return at_encrypt(in);
	if (in->kind == CONCLUDE_TLS && in->verified->readable && in->verified->usable == 0)
		return at_dane_unusable(in, dane_only);
	if (!has_handshake(in, true, &level))
		return level;
	if (in->verified->dane)
		return sent(dane.half ? WORD_TRUSTED : WORD_VERIFIED);
	return deferred(in->verified->dane_reason == REASON_CERTIFICATE_HOST_MISMATCH &&
				level_postfix_trusts_other_names(in->postfix)
			    ? WORD_TRUSTED
			    : WORD_UNTRUSTED,
	    in->verified->dane_reason);
}

/* A sender that honours MTA-STS; it sends the MX's name as SNI (RFC 8461 section 4.1). */
static struct conclude_level
at_sts(const struct conclude_input *in)
{
	struct conclude_level level;

	switch (in->sts->state) {
	case CONCLUDE_STS_TESTING:
	case CONCLUDE_STS_ENFORCE:
		break;
	case CONCLUDE_STS_FETCH_ERROR:
		level = at_may(in);
		level.reason = REASON_STS_POLICY_FETCH_ERROR;
		return level;
	case CONCLUDE_STS_INVALID:
		level = at_may(in);
		level.reason = REASON_STS_POLICY_INVALID;
		return level;
	case CONCLUDE_STS_WEBPKI_INVALID:
		level = at_may(in);
		level.reason = REASON_STS_WEBPKI_INVALID;
		return level;
	case CONCLUDE_STS_NONE:
	default:
		return (struct conclude_level){0};
	}
	level = at_pkix(in, true, in->kind == CONCLUDE_TLS && in->verified->has_host);
	if (!sts_policy_matches(in->sts->policy, in->host))
		level = deferred(level.word == WORD_VERIFIED ? WORD_TRUSTED : level.word,
		    REASON_VALIDATION_FAILURE);
	if (in->sts->state == CONCLUDE_STS_TESTING)
		level.delivers = true; /* and is reported (RFC 8460) */
	return level;
}

void
conclude(const struct conclude_input *in, struct conclude_level levels[LEVEL_N])
{
	const struct verify_result *v = in->verified;
	bool tls = in->kind == CONCLUDE_TLS;

	for (unsigned i = 0; i < LEVEL_N; i++)
		levels[i] = (struct conclude_level){0};
	if (in->kind == CONCLUDE_NOTHING)
		return;
	levels[LEVEL_NONE] = sent(WORD_NULL);
	levels[LEVEL_MAY] = at_may(in);
	levels[LEVEL_ENCRYPT] = at_encrypt(in);
	levels[LEVEL_DANE] = at_dane(in, false);
	levels[LEVEL_DANE_ONLY] = at_dane(in, true);
	levels[LEVEL_FINGERPRINT] = at_fingerprint(in);
	levels[LEVEL_VERIFY] = at_pkix(in, true, tls && v->has_host);
	levels[LEVEL_SECURE] = at_pkix(in, in->has_nexthop, tls && v->has_nexthop);
	if (in->sts->state == CONCLUDE_STS_TESTING)
		levels[LEVEL_STS_TESTING] = at_sts(in);
	else if (in->sts->state != CONCLUDE_STS_NONE)
		levels[LEVEL_STS_ENFORCE] = at_sts(in);
}
