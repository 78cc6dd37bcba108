#include "classify.h"

#include <string.h>
#include <strings.h>

/* ---- reading facts ----------------------------------------------------------------------- */

static const struct value *
get(const struct facts *facts, enum field field)
{
	static const struct value null = {.kind = VALUE_NULL};

	return facts != NULL ? facts_get(facts, field) : &null;
}

static bool
has_leaf(const struct facts *facts)
{
	return facts != NULL && facts_certificate(facts) != NULL;
}

static bool
both_leaves(const struct transition *t)
{
	return has_leaf(t->old) && has_leaf(t->new);
}

static bool
differs(const struct transition *t, enum field field)
{
	for (size_t i = 0; i < t->differences_n; i++)
		if (t->differences[i].field == field)
			return !t->differences[i].encoding_only;
	return false;
}

static bool
same(const struct transition *t, enum field field)
{
	return value_equal(get(t->old, field), get(t->new, field));
}

bool
classify_attribute(const struct value *name, const char *type, const char **text, size_t *len)
{
	size_t type_len = strlen(type);

	if (name->kind != VALUE_TEXT)
		return false;
	for (size_t i = 0; i < name->len;) {
		size_t end = i;

		while (end < name->len && name->text[end] != ',' && name->text[end] != '+')
			end += name->text[end] == '\\' ? 2 : 1;
		if (end > name->len)
			end = name->len;
		if (end - i > type_len && memcmp(name->text + i, type, type_len) == 0 &&
		    name->text[i + type_len] == '=') {
			*text = name->text + i + type_len + 1;
			*len = end - i - type_len - 1;
			return true;
		}
		i = end + 1;
	}
	return false;
}

/* The issuer's organisation, or the whole issuer where it has none. */
static void
organisation(const struct facts *facts, const char **text, size_t *len)
{
	const struct value *issuer = get(facts, FIELD_ISSUER);

	*text = "";
	*len = 0;
	if (!classify_attribute(issuer, "O", text, len) && issuer->kind == VALUE_TEXT) {
		*text = issuer->text;
		*len = issuer->len;
	}
}

static bool
same_organisation(const struct transition *t)
{
	const char *old, *new;
	size_t old_len, new_len;

	organisation(t->old, &old, &old_len);
	organisation(t->new, &new, &new_len);
	return old_len == new_len && memcmp(old, new, old_len) == 0;
}

static const struct value *
san_names(const struct facts *facts)
{
	return value_member(get(facts, FIELD_SUBJECT_ALT_NAMES), "names");
}

/* The names alone: whether SAN is critical is no change of names. */
static bool
same_names(const struct transition *t)
{
	const struct value *old = san_names(t->old), *new = san_names(t->new);
	bool same_san =
	    old != NULL && new != NULL ? value_equal(old, new) : same(t, FIELD_SUBJECT_ALT_NAMES);

	return same_san && same(t, FIELD_SUBJECT);
}

/* ---- sentinel ---------------------------------------------------------------------------- */

static bool
ends_in(const char *text, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && strncasecmp(text + len - n, suffix, n) == 0;
}

static bool
is_reserved_tld(const char *name, size_t len)
{
	static const char *const reserved[] = {".invalid", ".test", ".example", ".localhost"};

	if (len > 0 && name[len - 1] == '.')
		len--;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (ends_in(name, len, reserved[i]))
			return true;
	return false;
}

/* A dot between letters, digits and hyphens, and no blank: what a certificate for a host bears. */
static bool
is_host_name(const char *text, size_t len)
{
	bool dot = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '.' && i > 0 && i + 1 < len)
			dot = true;
		else if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
			 !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '*' && c != '.')
			return false;
	}
	return dot;
}

static bool
contains(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(text + i, word, n) == 0)
			return true;
	return false;
}

/* "No SNI provided; please fix your client." */
static bool
speaks_to_client(const struct value *subject)
{
	static const char *const words[] = {"please", "no sni", "sni required", "your client",
	    "server name indication", "default ssl"};

	if (subject->kind != VALUE_TEXT)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (contains(subject->text, subject->len, words[i]))
			return true;
	return false;
}

bool
classify_is_sentinel(const struct facts *facts)
{
	const struct value *subject = get(facts, FIELD_SUBJECT), *names = san_names(facts);
	const struct value *self_signed = get(facts, FIELD_SELF_SIGNED);
	bool host = false, reserved = false;
	const char *cn;
	size_t len;

	if (self_signed->kind != VALUE_BOOL || !self_signed->truth)
		return false;
	if (classify_attribute(subject, "CN", &cn, &len)) {
		host |= is_host_name(cn, len);
		reserved |= is_reserved_tld(cn, len);
	}
	for (size_t i = 0; names != NULL && names->kind == VALUE_LIST && i < names->n; i++) {
		const struct value *name = &names->items[i];

		if (name->kind != VALUE_TEXT || name->len < 4 || memcmp(name->text, "dns:", 4) != 0)
			continue;
		host |= is_host_name(name->text + 4, name->len - 4);
		reserved |= is_reserved_tld(name->text + 4, name->len - 4);
	}
	return reserved || !host || speaks_to_client(subject);
}

/* ---- the rules --------------------------------------------------------------------------- */

static bool
became_sentinel(const struct transition *t)
{
	return classify_is_sentinel(t->new) && !classify_is_sentinel(t->old);
}

/* The observed states in which STARTTLS is not to be had. */
static bool
is_without_starttls(const struct state *s)
{
	return s->observed && !s->has_chain &&
	       (s->outcome == OUTCOME_STARTTLS_NOT_OFFERED ||
		   s->outcome == OUTCOME_STARTTLS_REJECTED);
}

static bool
starttls_lost(const struct transition *t)
{
	return t->old_state->observed && !is_without_starttls(t->old_state) &&
	       is_without_starttls(t->new_state);
}

static bool
starttls_gained(const struct transition *t)
{
	return is_without_starttls(t->old_state) && t->new_state->observed &&
	       !is_without_starttls(t->new_state);
}

/* ---- what a log reported ----------------------------------------------------------------- */

enum trust { TRUST_UNTOLD, TRUST_NONE, TRUST_GIVEN };

static bool
begins(const struct value *text, const char *with)
{
	size_t n = strlen(with);

	return text != NULL && text->kind == VALUE_TEXT && text->len >= n &&
	       memcmp(text->text, with, n) == 0;
}

/* In Postfix's words. A chain that is trusted is of no use where the mail then was not delivered
 * because of it: its name did not match. */
static enum trust
reported_trust(const struct facts *facts)
{
	const struct value *reported = get(facts, FIELD_REPORTED);
	const struct value *status = value_member(reported, "status");

	if (begins(status, "Untrusted") || begins(status, "Anonymous"))
		return TRUST_NONE;
	if (begins(status, "Verified"))
		return TRUST_GIVEN;
	if (!begins(status, "Trusted"))
		return TRUST_UNTOLD;
	return begins(value_member(reported, "reason"), "Server certificate not ") ? TRUST_NONE
										   : TRUST_GIVEN;
}

/* Of a state with a chain a verdict is computed, whatever a log said. */
static bool
reported_turn(const struct transition *t, enum trust from, enum trust to)
{
	return !t->old_state->has_chain && !t->new_state->has_chain &&
	       reported_trust(t->old) == from && reported_trust(t->new) == to;
}

static bool
trust_lost(const struct transition *t)
{
	return reported_turn(t, TRUST_GIVEN, TRUST_NONE);
}

static bool
trust_gained(const struct transition *t)
{
	return reported_turn(t, TRUST_NONE, TRUST_GIVEN);
}

/* ---- coming and going -------------------------------------------------------------------- */

static bool
gone(const struct transition *t)
{
	return t->event->kind == LIFETIME_GONE;
}

static bool
back(const struct transition *t)
{
	return t->event->kind == LIFETIME_BACK || t->event->back;
}

static bool
rolled_back(const struct transition *t)
{
	return t->event->kind == LIFETIME_ROLLED_BACK || t->event->returned;
}

static bool
key_algorithm_change(const struct transition *t)
{
	return both_leaves(t) && differs(t, FIELD_KEY_ALGORITHM_OID);
}

static bool
strength_loss(const struct transition *t)
{
	const struct value *old = get(t->old, FIELD_KEY_STRENGTH_BITS);
	const struct value *new = get(t->new, FIELD_KEY_STRENGTH_BITS);

	return old->kind == VALUE_NUMBER && new->kind == VALUE_NUMBER &&new->number < old->number;
}

static bool
constraint_change(const struct transition *t)
{
	return both_leaves(t) && differs(t, FIELD_BASIC_CONSTRAINTS);
}

static bool
usage_change(const struct transition *t)
{
	return both_leaves(t) &&
	       (differs(t, FIELD_KEY_USAGE) || differs(t, FIELD_EXTENDED_KEY_USAGE));
}

static bool
name_change(const struct transition *t)
{
	return both_leaves(t) && !same_names(t) &&
	       (differs(t, FIELD_SUBJECT) || differs(t, FIELD_SUBJECT_ALT_NAMES));
}

static bool
ca_change(const struct transition *t)
{
	return both_leaves(t) && !same_organisation(t);
}

static bool
reissue(const struct transition *t)
{
	return both_leaves(t) && hash_compare(&t->old_state->leaf, &t->new_state->leaf) != 0 &&
	       get(t->new, FIELD_SPKI_SHA256)->kind == VALUE_TEXT && same(t, FIELD_SPKI_SHA256) &&
	       same(t, FIELD_NOT_AFTER);
}

static bool
rekey(const struct transition *t)
{
	return both_leaves(t) && !same(t, FIELD_SPKI_SHA256);
}

static bool
renewal(const struct transition *t)
{
	const struct value *old = get(t->old, FIELD_NOT_AFTER), *new = get(t->new, FIELD_NOT_AFTER);

	return both_leaves(t) && old->kind == VALUE_TIME &&
	       new->kind ==
		   VALUE_TIME &&new->number > old->number &&same(t, FIELD_KEY_ALGORITHM_OID) &&
	       same(t, FIELD_KEY_BITS) && same_names(t) && same_organisation(t);
}

/* The server's signature follows from its key and is told by that. */
static bool
tls_change(const struct transition *t)
{
	return t->old_state->has_chain && t->new_state->has_chain &&
	       (differs(t, FIELD_TLS_VERSION) || differs(t, FIELD_CIPHER) ||
		   differs(t, FIELD_GROUP));
}

/* ---- what names hold ------------------------------------------------------------------------ */

static bool
is_of_names(const struct transition *t)
{
	return t->series != NULL && t->series->kind == SERIES_DNS &&
	       t->event->kind != LIFETIME_GONE && t->event->kind != LIFETIME_BACK;
}

/* Where both are known: what is bogus may hold anything. */
static bool
records_differ(const struct transition *t, uint16_t rrtype)
{
	return is_of_names(t) && t->series->rrtype == rrtype &&
	       get(t->old, FIELD_RECORDS)->kind == VALUE_LIST &&
	       get(t->new, FIELD_RECORDS)->kind == VALUE_LIST && differs(t, FIELD_RECORDS);
}

static bool
mx_change(const struct transition *t)
{
	return records_differ(t, RRTYPE_MX);
}

static bool
address_change(const struct transition *t)
{
	return records_differ(t, RRTYPE_A) || records_differ(t, RRTYPE_AAAA) ||
	       records_differ(t, RRTYPE_CNAME);
}

static bool
tlsa_change(const struct transition *t)
{
	return records_differ(t, RRTYPE_TLSA);
}

static bool
sts_change(const struct transition *t)
{
	if (records_differ(t, RRTYPE_TXT))
		return strncmp(t->series->host, "_mta-sts.", 9) == 0;
	return is_of_names(t) && t->series->rrtype == RRTYPE_STS && t->differences_n > 0;
}

static bool
has_status(const struct facts *facts, enum dns_status status)
{
	const struct value *v = get(facts, FIELD_DNS_STATUS);

	return v->kind == VALUE_TEXT && strcmp(v->text, dns_status_name(status)) == 0;
}

/* That a resolver strips signatures says nothing about the name. */
static bool
is_without_dnssec(const struct facts *facts)
{
	return has_status(facts, DNS_INSECURE) || has_status(facts, DNS_BOGUS);
}

static bool
dnssec_lost(const struct transition *t)
{
	return is_of_names(t) && has_status(t->old, DNS_SECURE) && is_without_dnssec(t->new);
}

static bool
dnssec_gained(const struct transition *t)
{
	return is_of_names(t) && is_without_dnssec(t->old) && has_status(t->new, DNS_SECURE);
}

const struct class_row class_table[CLASS_N] = {
    [CLASS_SENTINEL] = {"sentinel", SEVERITY_CRITICAL,
	"a self-signed certificate that exists to say something: under a reserved top-level "
	"domain, "
	"without any host name, or with a text that speaks to the client",
	became_sentinel},
    [CLASS_TRUST_LOSS] = {"trust-loss", SEVERITY_CRITICAL,
	"a verdict turned from delivering to not delivering, or what a log reports from trusted to "
	"untrusted",
	trust_lost},
    [CLASS_STARTTLS_LOST] = {"starttls-lost", SEVERITY_CRITICAL,
	"STARTTLS was to be had and is no longer", starttls_lost},
    [CLASS_DNSSEC_LOST] = {"dnssec-lost", SEVERITY_CRITICAL,
	"the records of a name were secure and are no longer", dnssec_lost},
    [CLASS_GONE] = {"gone", SEVERITY_WARNING, "nothing was observed for --gone-after though probed",
	gone},
    [CLASS_KEY_ALGORITHM_CHANGE] = {"key-algorithm-change", SEVERITY_NOTICE,
	"the algorithm of the public key differs", key_algorithm_change},
    [CLASS_STRENGTH_LOSS] = {"strength-loss", SEVERITY_WARNING,
	"the key is weaker by NIST SP 800-57 part 1", strength_loss},
    [CLASS_CONSTRAINT_CHANGE] = {"constraint-change", SEVERITY_WARNING,
	"the basic constraints differ", constraint_change},
    [CLASS_USAGE_CHANGE] = {"usage-change", SEVERITY_NOTICE,
	"the key usage or the extended key usage differs", usage_change},
    [CLASS_NAME_CHANGE] = {"name-change", SEVERITY_NOTICE,
	"the subject or the subject alternative names differ", name_change},
    [CLASS_CA_CHANGE] = {"ca-change", SEVERITY_NOTICE,
	"the issuer's organisation differs (the issuer, where it has none)", ca_change},
    [CLASS_ROLLED_BACK] = {"rolled-back", SEVERITY_NOTICE, "what had been replaced is shown again",
	rolled_back},
    [CLASS_BACK] = {"back", SEVERITY_NOTICE, "observed again after it was gone", back},
    [CLASS_STARTTLS_GAINED] = {"starttls-gained", SEVERITY_NOTICE,
	"STARTTLS was not to be had and is now", starttls_gained},
    [CLASS_TRUST_GAIN] = {"trust-gain", SEVERITY_NOTICE,
	"a verdict turned from not delivering to delivering, or what a log reports from untrusted "
	"to "
	"trusted",
	trust_gained},
    [CLASS_DNSSEC_GAINED] = {"dnssec-gained", SEVERITY_NOTICE,
	"the records of a name were insecure or bogus and are secure", dnssec_gained},
    [CLASS_MX_CHANGE] = {"mx-change", SEVERITY_NOTICE, "the MX records of a domain differ",
	mx_change},
    [CLASS_ADDRESS_CHANGE] = {"address-change", SEVERITY_INFO, "the addresses of a host differ",
	address_change},
    [CLASS_TLSA_CHANGE] = {"tlsa-change", SEVERITY_NOTICE, "the TLSA records of an MX differ",
	tlsa_change},
    [CLASS_STS_CHANGE] = {"sts-change", SEVERITY_NOTICE,
	"the MTA-STS policy, or what announces it, differs", sts_change},
    [CLASS_REISSUE] = {"reissue", SEVERITY_NOTICE,
	"another certificate of the same key and the same end of validity", reissue},
    [CLASS_REKEY] = {"rekey", SEVERITY_INFO, "another public key", rekey},
    [CLASS_RENEWAL] = {"renewal", SEVERITY_INFO,
	"a later end of validity; the names, the issuer's organisation, the algorithm and the size "
	"of the key are kept",
	renewal},
    [CLASS_TLS_CHANGE] = {"tls-change", SEVERITY_INFO, "another TLS version, cipher suite or group",
	tls_change},
};

bool
class_parse(const char *name, enum change_class *class)
{
	for (unsigned i = 0; i < CLASS_N; i++) {
		if (strcmp(class_table[i].name, name) == 0) {
			*class = (enum change_class)i;
			return true;
		}
	}
	return false;
}

unsigned
classify(const struct transition *t)
{
	unsigned classes = 0;

	for (unsigned i = 0; i < CLASS_N; i++)
		if (class_table[i].holds != NULL && class_table[i].holds(t))
			classes |= 1u << i;
	return classes;
}

void
classify_turned(unsigned *classes, enum severity *severity, bool lost, bool gained)
{
	unsigned turned = (unsigned)lost << CLASS_TRUST_LOSS | (unsigned)gained << CLASS_TRUST_GAIN;

	/* Where no class held, the fields said how much it matters. */
	*classes |= turned;
	for (unsigned i = 0; i < CLASS_N; i++)
		if ((turned & 1u << i) != 0 && class_table[i].severity > *severity)
			*severity = class_table[i].severity;
}

enum severity
classify_severity(unsigned classes, const struct difference *differences, size_t differences_n)
{
	enum severity severity = SEVERITY_INFO;

	for (unsigned i = 0; i < CLASS_N; i++)
		if ((classes & 1u << i) != 0 && class_table[i].severity > severity)
			severity = class_table[i].severity;
	for (size_t i = 0; classes == 0 && i < differences_n; i++)
		if (differences[i].severity > severity)
			severity = differences[i].severity;
	return severity;
}
