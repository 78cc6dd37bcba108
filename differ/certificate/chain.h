/*
 * chain: what a server sent as a chain, judged as a path (RFC 5280 section 6.1, RFC 8446 section
 * 4.4.2): from the leaf to its issuer's certificate among those sent, to that one's issuer, until
 * one is its own issuer or its issuer was not sent.
 *
 * One certificate may be another's issuer if its subject is the other's issuer, octet by octet,
 * and the key ids agree where both name one. Of several, the nearest behind it is taken.
 *
 * Not here: signatures, validity, trust. Nobody can tell a root that a verifier holds from one
 * that should have been sent; a leaf whose issuer was not sent lacks it all but surely.
 *
 * Ownership: everything lives in the caller's arena, and nothing points into the DER after
 * chain_judge().
 */
#ifndef MX509_CHAIN_H
#define MX509_CHAIN_H

#include "der.h"
#include "value.h"

struct chain {
	const struct value *in_order; /* each of the path stands behind what it issued */
	const struct value *missing;  /* the leaf's issuer by name, if it was not sent; else null */
	const struct value
	    *anchor; /* the issuer of the path's last, if none is missing; else null */
	const struct value *surplus; /* set of {"subject", "sha256"}: on no path from the leaf */
};

/* `certificates`: DER in wire order. All four are null if there is none, if one is not known (its
 * span is empty), if they are more than DIFFER_CHAIN_MAX, or if the names of the leaf cannot be
 * read. Others that cannot be read are surplus, and so are second copies. */
void chain_judge(struct arena *arena, const struct span *certificates, size_t n, struct chain *out);

#endif
