/*
 * cert: one certificate (RFC 5280 section 4.1) as places in its DER: a single checked pass, all
 * known extensions included, that names every fault with its place, offset and clause. What is
 * broken does not hide the rest: each part has a state of its own.
 *
 * Not here: texts and values (facts.h); signatures, chains, names of hosts, the time of day.
 *
 * Ownership: a struct cert borrows the DER; cert_finish() frees the list of extensions and the
 * faults. Time is linear in the input; memory is bounded by limits.h.
 */
#ifndef MX509_CERT_H
#define MX509_CERT_H

#include "der.h"
#include "oid.h"

/* In the order of the encoding. */
enum cert_part {
	CERT_VERSION,
	CERT_SERIAL,
	CERT_INNER_ALGORITHM,
	CERT_ISSUER,
	CERT_NOT_BEFORE,
	CERT_NOT_AFTER,
	CERT_SUBJECT,
	CERT_KEY,
	CERT_ISSUER_UID,
	CERT_SUBJECT_UID,
	CERT_EXTENSIONS,
	CERT_OUTER_ALGORITHM,
	CERT_SIGNATURE,
	CERT_PARTS
};

enum part_state {
	PART_ABSENT,	/* not there, and need not be */
	PART_OK,	/* read */
	PART_MALFORMED, /* there, or due, but cannot be read: `why` */
};

struct part {
	enum part_state state;
	size_t fault;	   /* PART_MALFORMED: number of the fault, from 1; 0: it was not reached */
	const char *why;   /* PART_MALFORMED */
	struct span whole; /* the element; empty if it was not reached */
};

struct algorithm {
	struct span oid;       /* empty if it cannot be read */
	struct tlv parameters; /* whole.len 0: absent */
	struct span whole;
};

struct extension {
	enum extension_kind kind;
	bool critical;
	bool duplicate;		       /* its OID stands at another extension too */
	struct span oid, value, whole; /* value: the contents of extnValue */
	size_t index;		       /* among the extensions, as faults count them */
	struct part part;	       /* of its contents; PART_OK if we do not read them */
};

struct cert {
	struct span der;
	struct span certificate; /* the outer SEQUENCE; der less what trails */
	struct span tbs;
	bool cut; /* the signed part ends before its length says so */
	struct part part[CERT_PARTS];

	int64_t version;    /* as in text: 1, 2, 3 */
	struct span serial; /* two's complement, minimal */
	struct algorithm inner, outer, key;
	struct span issuer, subject; /* contents of the Name */
	int64_t not_before_ms, not_after_ms;
	uint8_t not_before_type, not_after_type; /* DER_UTC_TIME, DER_GENERALIZED_TIME */
	struct span key_bits;
	unsigned key_bits_unused;

	struct extension *extensions;
	size_t extensions_n;
	/* Whether some could not be told; then `why` says so, and none is known to be absent. */
	struct part unread_extensions;
	const struct extension *known[EXTENSION_KINDS]; /* the first of its kind; NULL: absent */

	struct der der_state; /* the faults */
};

/* Always fills *c; `aux`: octets of something else may follow (OpenSSL's TRUSTED CERTIFICATE). */
void cert_init(struct cert *c, const void *der, size_t len, bool aux);
void cert_finish(struct cert *c);

/* The list of one kind. *total (may be NULL): also those that were not kept. */
const struct fault *cert_faults(
    const struct cert *c, enum fault_kind kind, size_t *n, size_t *total);

/* "validity.notAfter" …, as in the place of a fault. */
const char *cert_part_name(enum cert_part part);

/* Whether two elements of DER are there and equal. */
bool cert_same_part(const struct cert *a, const struct cert *b, enum cert_part part);

#endif
