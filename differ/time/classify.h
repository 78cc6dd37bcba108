/*
 * classify: what kind of change a change is, and how much it matters. One table of rules
 * (CONTRACT "Classes"); several may hold. The severity of a change is the highest of its classes,
 * or of its fields where no class holds.
 */
#ifndef MX509_CLASSIFY_H
#define MX509_CLASSIFY_H

#include "differ/facts/diff.h"
#include "lifetime.h"
#include "state.h"

/* In the order in which they are printed: what matters most comes first. */
enum change_class {
	CLASS_SENTINEL,
	CLASS_TRUST_LOSS,
	CLASS_STARTTLS_LOST,
	CLASS_DNSSEC_LOST,
	CLASS_GONE,
	CLASS_KEY_ALGORITHM_CHANGE,
	CLASS_STRENGTH_LOSS,
	CLASS_CONSTRAINT_CHANGE,
	CLASS_USAGE_CHANGE,
	CLASS_NAME_CHANGE,
	CLASS_CA_CHANGE,
	CLASS_ROLLED_BACK,
	CLASS_BACK,
	CLASS_STARTTLS_GAINED,
	CLASS_TRUST_GAIN,
	CLASS_DNSSEC_GAINED,
	CLASS_MX_CHANGE,
	CLASS_ADDRESS_CHANGE,
	CLASS_TLSA_CHANGE,
	CLASS_STS_CHANGE,
	CLASS_REISSUE,
	CLASS_REKEY,
	CLASS_RENEWAL,
	CLASS_TLS_CHANGE,
	CLASS_N
};

/* What a rule may look at: two observed moments and the fields that differ between them. */
struct transition {
	const struct series *series; /* NULL: of a probe */
	const struct lifetime_event *event;
	const struct state *old_state, *new_state;
	const struct facts *old, *new;
	const struct difference *differences;
	size_t differences_n;
};

struct class_row {
	const char *name;
	enum severity severity;
	const char *doc;
	bool (*holds)(const struct transition *t); /* NULL: its evidence is not of this kind */
};

extern const struct class_row class_table[CLASS_N];

bool class_parse(const char *name, enum change_class *class);

/* Bits 1 << enum change_class. */
unsigned classify(const struct transition *t);
enum severity classify_severity(
    unsigned classes, const struct difference *differences, size_t differences_n);

/* What a verdict that turned adds to the classes and the severity. */
void classify_turned(unsigned *classes, enum severity *severity, bool lost, bool gained);

/* The value of attribute `type` in a name of RFC 2253 ("CN=a,O=b\, c"), escapes kept. */
bool classify_attribute(const struct value *name, const char *type, const char **text, size_t *len);

/* Whether a certificate exists to say something rather than to name a host: self-signed, and a
 * reserved TLD (RFC 2606, RFC 6761), no host name anywhere, or a text that speaks to the client. */
bool classify_is_sentinel(const struct facts *facts);

#endif
