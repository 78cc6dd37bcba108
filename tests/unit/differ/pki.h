/*
 * pki: certificates of a test's own making, by OpenSSL: CAs, leaves, and whatever is wrong with
 * them.
 */
#ifndef MX509_TEST_PKI_H
#define MX509_TEST_PKI_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PKI_DAY 86400L
#define PKI_NOW 1774000000L /* 2026-03-20, whatever the clock says */

struct pki {
	EVP_PKEY *key;
	X509 *x;
};

struct pki_wish {
	const char *cn;
	const char *san;      /* "DNS:a,DNS:b"; NULL: none */
	const struct pki *by; /* NULL: itself */
	long from, until;     /* seconds from PKI_NOW; 0, 0: ten days around it */
	unsigned rsa_bits;    /* 0: P-256 */
	const EVP_MD *digest; /* NULL: SHA-256 */
	const char *usage;    /* extendedKeyUsage */
	int path_len;	      /* of a CA; -1: none given */
	int ca;
};

static inline void
pki_extension(X509 *x, int nid, const char *text)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

	if (e == NULL || X509_add_ext(x, e, -1) != 1)
		abort();
	X509_EXTENSION_free(e);
}

static inline struct pki
pki_make(const struct pki_wish *w)
{
	static long serial = 1;
	struct pki p = {.x = X509_new()};
	const struct pki *by = w->by != NULL ? w->by : &p;
	X509_NAME *name;
	char constraints[64];

	p.key = w->rsa_bits > 0 ? EVP_RSA_gen(w->rsa_bits) : EVP_EC_gen("P-256");
	X509_set_version(p.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(p.x), serial++);
	ASN1_TIME_set(X509_getm_notBefore(p.x), PKI_NOW + (w->from == 0 ? -10 * PKI_DAY : w->from));
	ASN1_TIME_set(X509_getm_notAfter(p.x), PKI_NOW + (w->until == 0 ? 10 * PKI_DAY : w->until));
	name = X509_get_subject_name(p.x);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_UTF8, (const unsigned char *)w->cn, -1, -1, 0);
	X509_set_issuer_name(p.x, X509_get_subject_name(by->x));
	X509_set_pubkey(p.x, p.key);
	snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d", w->path_len);
	if (w->ca)
		pki_extension(p.x, NID_basic_constraints,
		    w->path_len >= 0 ? constraints : "critical,CA:TRUE");
	if (w->san != NULL)
		pki_extension(p.x, NID_subject_alt_name, w->san);
	if (w->usage != NULL)
		pki_extension(p.x, NID_ext_key_usage, w->usage);
	if (X509_sign(p.x, by->key, w->digest != NULL ? w->digest : EVP_sha256()) == 0)
		abort();
	return p;
}

static inline void
pki_free(struct pki *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->x);
}

static inline void
pki_write(const char *path, const struct pki *p)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || PEM_write_X509(f, p->x) != 1 || fclose(f) != 0)
		abort();
}

#endif
