/*
 * facts: the named values of what was shown, read by the field table (fields.def). The table is
 * the only list of fields: extraction, equality, severity, text, JSON and the manual come from it.
 *
 * A row has a source: the certificate (one), the chain (the list of them), TLS, SMTP, or DNS, which
 * is what names held. Facts of a certificate alone have VALUE_NULL in the rows of the other
 * sources, those of an answer of DNS in all but its own.
 *
 * Certificate rows are read when they are first asked for, and kept. So facts_get() writes behind
 * its const: facts belong to one thread.
 *
 * A struct facts owns all that its values point to; the DER and the evidence are copied or done
 * with when the constructor returns. Reading never fails: what cannot be read is VALUE_MALFORMED,
 * and the reason stands in the certificate's list of faults (cert.h).
 */
#ifndef MX509_FACTS_H
#define MX509_FACTS_H

#include "differ/certificate/der.h"
#include "differ/certificate/value.h"
#include "store/record/observation.h"

enum severity { SEVERITY_INFO, SEVERITY_NOTICE, SEVERITY_WARNING, SEVERITY_CRITICAL };

enum field_source { SOURCE_CERTIFICATE, SOURCE_CHAIN, SOURCE_TLS, SOURCE_SMTP, SOURCE_DNS };

enum field {
#define FIELD(id, ...) FIELD_##id,
#include "fields.def"
#undef FIELD
	FIELD_N
};

struct field_row {
	const char *name; /* in JSON, and for --ignore */
	enum field_source source;
	enum severity severity; /* of a difference in this field alone */
	const char *title;	/* "public key algorithm" */
	const char *doc;	/* one sentence with its source: "RFC 5280 section 4.1.2.7" */
};

extern const struct field_row field_table[FIELD_N];
bool field_parse(const char *name, enum field *field);
const char *severity_name(enum severity s);
bool severity_parse(const char *text, enum severity *s);

struct facts;
struct facts *facts_of_certificate(const void *der, size_t len);
/* The same of what PEM calls TRUSTED CERTIFICATE: OpenSSL's own octets may follow. */
struct facts *facts_of_trusted_certificate(const void *der, size_t len);
/* What one observation showed: certificates, TLS and SMTP. `certificates`: the DER of each of the
 * evidence's chain, empty if it is not known; NULL: none is. */
struct facts *facts_of_evidence(const struct evidence *evidence, const struct span *certificates);
/* What a name held, or a domain's MTA-STS policy (sts_answer.h). */
struct facts *facts_of_answer(const struct dns_answer *answer);
void facts_destroy(struct facts *facts); /* accepts NULL */

/* Never NULL. Valid while the facts live. */
const struct value *facts_get(const struct facts *facts, enum field field);

/* The certificate's SHA-256, length and faults, for those who print them. NULL if there is no
 * certificate. */
struct cert;
const struct cert *facts_certificate(const struct facts *facts);

#endif
