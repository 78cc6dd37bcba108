/*
 * cert: one certificate (RFC 5280 section 4.1) as places in its DER: a single checked pass, all
 * known extensions included, that names every fault with its place, offset and clause. What is
 * broken does not hide the rest: each part has a state of its own.
 *
 * Not here: texts and values (facts.h); signatures, chains, names of hosts, the time of day.
 *
 * Where parsers of the world disagree (OpenSSL, GnuTLS, pyca/cryptography), this is what we take
 * the standards to say:
 * - What BER allows and DER does not, but says one thing only, is read, and named as not DER:
 *   lengths that are not minimal or indefinite, encoded defaults (X.690 11.5), BOOLEANs other than
 *   FF (11.1), bits that do not count (11.2), order in a SET OF (11.6), times with an offset, a
 *   fraction or no seconds (11.7, 11.8), INTEGERs with superfluous octets, too (8.3.2).
 * - What none of the three reads is malformed, though BER could say it: a version with superfluous
 *   octets, a long length of nothing at the end of what it stands in.
 * - Parameters of an algorithm and values of a name are looked into by what their tag says: an
 *   end-of-contents, a NULL, BOOLEAN, INTEGER or OBJECT IDENTIFIER in constructed form and a
 * SEQUENCE in primitive form are malformed there; a list in primitive form within extnValue is
 * read, and named (8.9.1), as OpenSSL reads it.
 * - An attribute of X.520 (2.5.4) that is no string is malformed (RFC 5280 A.1); others may be of
 * any type (X.501) and are shown as #hex.
 * - Strings in constructed form (10.2), object identifiers with leading zeros in an arc (8.19.2)
 *   and texts that are none in their type's encoding are malformed. A letter that its type's
 *   alphabet lacks is read as Latin-1, as OpenSSL does, and named.
 * - An extension that stands there twice is malformed wherever it is (RFC 5280 4.2), whether we
 *   know it or not; so is its value.
 * - Versions that RFC 5280 does not know, and what a version may not have (extensions in version
 *   1), are read and named; a certificate is not made unreadable by its number.
 * - Octets behind the value within extnValue are named and do not take the value away; octets
 * behind the certificate, or left over within one of its parts, are malformed.
 * - The key's own contents are its algorithm's affair: a key that cannot be read leaves the
 *   certificate readable (key.h). A modulus without its leading zero is read as positive, an
 * INTEGER without octets as 0, and octets behind the key do not take it away; the same for
 * parameters of RSA-PSS (pss.h).
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
