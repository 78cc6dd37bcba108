#include "farm_tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define GIANT_OCTETS 300000
#define FILLER 700 /* octets of the leaf's longest extension: as SCTs, policies, … take */

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static void
check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "farm: OpenSSL cannot: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	check(extension != NULL, value);
	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
}

/* The octets that a real leaf has in lists that nobody reads here. */
static void
add_filler(X509 *x)
{
	static unsigned char octets[FILLER];
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	ASN1_OCTET_STRING_set(value, octets, sizeof(octets));
	extension = X509_EXTENSION_create_by_NID(NULL, NID_netscape_comment, 0, value);
	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
}

/* issuer: NULL for one that signs itself. */
static struct pair
make(const char *name, const struct pair *issuer, EVP_PKEY *key, bool ca)
{
	struct pair made = {X509_new(), key};
	X509 *x = made.certificate, *by = issuer != NULL ? issuer->certificate : x;
	static long serial = 1000;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400L * 90);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(by));
	X509_set_pubkey(x, key);
	add_extension(x, by, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x, by, NID_subject_key_identifier, "hash");
	if (!ca) {
		add_extension(x, by, NID_subject_alt_name, "DNS:*.farm.test,DNS:farm.test");
		add_filler(x);
	}
	check(X509_sign(x, issuer != NULL ? issuer->key : key, EVP_sha256()) != 0, "sign");
	return made;
}

static SSL_CTX *
new_context(const struct pair *leaf, const struct pair *intermediate)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	check(ctx != NULL, "a context");
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
	if (leaf != NULL)
		check(SSL_CTX_use_certificate(ctx, leaf->certificate) == 1 &&
			  SSL_CTX_use_PrivateKey(ctx, leaf->key) == 1,
		    "use a certificate");
	if (intermediate != NULL)
		check(SSL_CTX_add1_chain_cert(ctx, intermediate->certificate) == 1, "a chain");
	return ctx;
}

/* arg: the context for those who send a name. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL)
		SSL_set_SSL_CTX(ssl, arg);
	return SSL_TLSEXT_ERR_OK;
}

void
farm_tls_create(SSL_CTX *contexts[FARM_CONTEXT_N])
{
	struct pair root = make("Farm Root", NULL, EVP_EC_gen("P-256"), true);
	struct pair intermediate = make("Farm CA", &root, EVP_EC_gen("P-256"), true);
	struct pair leaf = make("mx.farm.test", &intermediate, EVP_EC_gen("P-256"), false);
	struct pair own = make("no-sni.invalid", NULL, EVP_RSA_gen(2048), false);
	int len = i2d_X509(leaf.certificate, NULL);

	contexts[FARM_USUAL] = new_context(&own, NULL);
	SSL_CTX_set_tlsext_servername_callback(contexts[FARM_USUAL], on_server_name);
	SSL_CTX_set_tlsext_servername_arg(contexts[FARM_USUAL], new_context(&leaf, &intermediate));
	contexts[FARM_TLS12] = new_context(&leaf, &intermediate);
	SSL_CTX_set_max_proto_version(contexts[FARM_TLS12], TLS1_2_VERSION);
	contexts[FARM_NOTHING] = new_context(NULL, NULL);
	contexts[FARM_GIANT] = new_context(&leaf, NULL);
	for (int i = 0; i < GIANT_OCTETS; i += len)
		SSL_CTX_add1_chain_cert(contexts[FARM_GIANT], leaf.certificate);
	contexts[FARM_TICKETS] = new_context(&leaf, &intermediate);
	SSL_CTX_clear_options(contexts[FARM_TICKETS], SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(contexts[FARM_TICKETS], 1000);
	contexts[FARM_FRAGMENTED] = new_context(&leaf, &intermediate);
	SSL_CTX_set_max_send_fragment(contexts[FARM_FRAGMENTED], 512);
	contexts[FARM_RENEGOTIATING] = new_context(&leaf, &intermediate);
	SSL_CTX_set_max_proto_version(contexts[FARM_RENEGOTIATING], TLS1_2_VERSION);
	SSL_CTX_clear_options(contexts[FARM_RENEGOTIATING], SSL_OP_NO_RENEGOTIATION);
}

SSL_CTX *
farm_tls_renewed(void)
{
	struct pair authority = make("Farm CA renewed", NULL, EVP_EC_gen("P-256"), true);
	struct pair leaf = make("mx.farm.test", &authority, EVP_EC_gen("P-256"), false);

	return new_context(&leaf, &authority);
}
