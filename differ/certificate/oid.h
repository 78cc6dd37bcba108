/*
 * oid: object identifiers by what they mean here. One index over all tables (openssl_names.def,
 * algorithms.def, curves.def, extensions.def, purposes of keys), made when mx509 is built
 * (oid_maker.c); a look-up compares octets, no text is made.
 */
#ifndef MX509_OID_H
#define MX509_OID_H

#include "der.h"
#include "value.h"

#define OID_KEPT 24 /* octets of the longest identifier in a table */

enum key_kind { KEY_UNKNOWN, KEY_RSA, KEY_DSA, KEY_DH, KEY_EC, KEY_FIXED };

/* The extensions that we read; what is not among them is known by OID and hash. */
enum extension_kind {
	EXTENSION_UNKNOWN, /* also those that we only have a name for */
#define EXTENSION(id, oid, name) EXTENSION_##id,
#define EXTENSION_NAME(oid, name)
#include "extensions.def"
#undef EXTENSION
#undef EXTENSION_NAME
	EXTENSION_KINDS
};

struct oid_entry {
	const char *oid;       /* dotted */
	const char *openssl;   /* short name in OpenSSL 3.0; NULL: none */
	const char *algorithm; /* name as a key's or signature's algorithm; NULL: none */
	enum key_kind key;
	unsigned key_bits; /* of every key of the algorithm, and of a curve its order; 0: unknown */
	int strength_bits; /* of every key of the algorithm; -1: unknown */
	bool is_curve;
	const char *extension; /* its name as an extension; NULL: none */
	enum extension_kind extension_kind;
	const char *purpose; /* its name as a key purpose (RFC 5280 4.2.1.12); NULL: none */
};

/* False: not known, and nothing in the entry. `oid` are the contents octets. The texts are
 * constant. Any thread. */
bool oid_find(struct span oid, struct oid_entry *entry);

/* Dotted decimal, arcs of any size. "" if these octets are none (der_oid()). The result is the
 * arena's; *len may be NULL. */
const char *oid_dotted(struct arena *arena, struct span oid, size_t *len);

/* Contents octets of a dotted identifier; their number, 0 if it is none or longer than room. */
size_t oid_parse(const char *dotted, uint8_t *out, size_t room);

#endif
