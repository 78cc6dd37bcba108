/*
 * key: what a SubjectPublicKeyInfo says of its key: size as OpenSSL's EVP_PKEY_get_bits() counts
 * it, curve, exponent, and strength by NIST SP 800-57 part 1 rev. 5, table 2.
 *
 * The contents of subjectPublicKey and of the parameters belong to the algorithm, not to X.509:
 * a certificate whose key cannot be read can be read itself. Such a key is a FAULT_NOT_DER, and
 * its size is malformed.
 */
#ifndef MX509_KEY_H
#define MX509_KEY_H

#include "cert.h"

struct key_facts {
	bool malformed;
	char why[DIFFER_WHY_MAX]; /* of malformed */
	unsigned bits;		  /* 0: unknown */
	int strength_bits;	  /* -1: unknown */
	struct span curve_oid;	  /* empty: none, or explicit */
	const char *curve;	  /* OpenSSL's short name; NULL: none, or not known by name */
	bool curve_explicit;
	struct span exponent; /* of RSA, big-endian */
};

/* Needs c->key and c->key_bits. */
void key_read(const struct cert *c, struct key_facts *out);

/* Names the faults of the key. */
void key_check(struct der *d, const struct cert *c, const struct place *at);

#endif
