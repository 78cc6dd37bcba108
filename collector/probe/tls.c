#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/limits.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

struct tls_context {
	SSL_CTX *ssl;
};

struct tls {
	SSL *ssl;
	struct tls_shown shown;
	bool sni_sent, hello_seen, chain_seen, chain_broken, chain_parsed;
};

/* X25519 first: a share of another group costs 12 % more. The rest of OpenSSL's own list, then
 * the curves of old and of national servers, which only TLS 1.2 and older choose. */
#define GROUPS "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096"
#define OLD_GROUPS ":secp256k1:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1:P-224"
#define DRAIN_TURNS 64
#define SUITES "!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"

static const struct {
	int min, max;
	const char *suites;  /* of TLS 1.2 and older */
	const char *sigalgs; /* NULL: all that OpenSSL has */
} offers[OFFER_N] = {
    [OFFER_DEFAULT] = {TLS1_VERSION, 0, "ALL:" SUITES, NULL},
    [OFFER_RSA] = {TLS1_VERSION, 0, "ALL:!aECDSA:!aDSS:" SUITES,
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:"
	"rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA224:RSA+SHA1"},
    [OFFER_ECDSA] = {TLS1_VERSION, 0, "aECDSA:" SUITES,
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA224:ECDSA+SHA1"},
    [OFFER_TLS1_0] = {TLS1_VERSION, TLS1_VERSION, "ALL:" SUITES, NULL},
    [OFFER_TLS1_1] = {TLS1_1_VERSION, TLS1_1_VERSION, "ALL:" SUITES, NULL},
    [OFFER_TLS1_2] = {TLS1_2_VERSION, TLS1_2_VERSION, "ALL:" SUITES, NULL},
    [OFFER_TLS1_3] = {TLS1_3_VERSION, TLS1_3_VERSION, "ALL:" SUITES, NULL},
};

/* Even SSL_VERIFY_NONE verifies, and throws the result away. */
static int
accept_all(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);

	(void)arg;
	tls->chain_parsed = true;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static void
on_handshake_message(struct tls *tls, const uint8_t *message, size_t len, bool tls13)
{
	enum tristate acknowledged;

	switch (len > 0 ? message[0] : 0) {
	case WIRE_SERVER_HELLO:
	case WIRE_ENCRYPTED_EXTENSIONS:
		tls->hello_seen = true;
		acknowledged = wire_sni_acknowledged(message, len);
		if (tls->sni_sent && acknowledged != TRI_NULL)
			tls->shown.sni_acknowledged = acknowledged;
		break;
	case WIRE_CERTIFICATE:
		/* The first one counts: a renegotiation has no place in a probe. */
		if (tls->chain_seen)
			break;
		tls->chain_seen = true;
		tls->shown.chain_ms = clock_now_ms();
		tls->chain_broken = !wire_certificate(&tls->shown.chain, message, len, tls13);
		if (tls->chain_broken && tls->shown.chain.n == LIMIT_CHAIN) {
			tls->shown.chain_too_long = true;
			wire_chain_finish(&tls->shown.chain);
		}
		break;
	}
}

static void
on_message(
    int write_p, int version, int content_type, const void *p, size_t len, SSL *ssl, void *arg)
{
	struct tls *tls = arg;
	const uint8_t *octets = p;

	(void)version;
	if (write_p)
		return;
	if (content_type == SSL3_RT_HEADER && len > 0 && tls->shown.first_octet < 0)
		tls->shown.first_octet = octets[0];
	if (content_type == SSL3_RT_HANDSHAKE)
		on_handshake_message(tls, octets, len, SSL_version(ssl) == TLS1_3_VERSION);
	else if (content_type == SSL3_RT_ALERT && len == 2 && octets[0] == SSL3_AL_FATAL)
		tls->shown.alert = octets[1];
}

/* The curves are asked for one by one: a distribution may have left some out. */
static int
set_groups(SSL_CTX *ssl, bool old)
{
	char list[256] = GROUPS, more[] = OLD_GROUPS, *rest = more + 1, *name;

	while (old && (name = strsep(&rest, ":")) != NULL) {
		size_t len = strlen(list);

		snprintf(list + len, sizeof(list) - len, ":%s", name);
		if (SSL_CTX_set1_groups_list(ssl, list) != 1)
			list[len] = '\0';
	}
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(ssl, list);
}

static bool
configure(SSL_CTX *ssl, enum offer offer)
{
	SSL_CTX_set_security_level(ssl, 0);
	SSL_CTX_set_cert_verify_callback(ssl, accept_all, NULL);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ssl, LIMIT_TLS_CERTIFICATE_MESSAGE);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
	/* One read(2) for all records that have come, not two for each. */
	SSL_CTX_set_read_ahead(ssl, 1);
	/* Else one SSL_read() goes on as long as a server sends session tickets. */
	SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT |
				     SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION | SSL_OP_NO_TICKET |
				     SSL_OP_NO_COMPRESSION);
	return SSL_CTX_set_min_proto_version(ssl, offers[offer].min) == 1 &&
	       SSL_CTX_set_max_proto_version(ssl, offers[offer].max) == 1 &&
	       SSL_CTX_set_cipher_list(ssl, offers[offer].suites) == 1 &&
	       (offers[offer].sigalgs == NULL ||
		   SSL_CTX_set1_sigalgs_list(ssl, offers[offer].sigalgs) == 1) &&
	       set_groups(ssl, offer != OFFER_TLS1_3) == 1;
}

void
tls_init(void)
{
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

struct tls_context *
tls_context_create(enum offer offer, struct err *err)
{
	struct tls_context *context;
	SSL_CTX *ssl;

	tls_init();
	ERR_clear_error();
	ssl = SSL_CTX_new(TLS_client_method());
	if (ssl == NULL || !configure(ssl, offer)) {
		unsigned long code = ERR_peek_last_error();
		const char *why = ERR_reason_error_string(code);

		err_set(err, ERR_SYSTEM, "OpenSSL cannot make the offer \"%s\": %s (%08lX)",
		    offer_name(offer), why != NULL ? why : "openssl errstr says why", code);
		SSL_CTX_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	context = mem_zero(1, sizeof(*context));
	context->ssl = ssl;
	return context;
}

void
tls_context_destroy(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

struct tls *
tls_create(struct tls_context *context, int fd, const char *server_name)
{
	struct tls *tls = mem_zero(1, sizeof(*tls));

	tls->shown.alert = -1;
	tls->shown.first_octet = -1;
	tls->sni_sent = server_name != NULL;
	tls->ssl = SSL_new(context->ssl);
	if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1 ||
	    (server_name != NULL && SSL_set_tlsext_host_name(tls->ssl, server_name) != 1)) {
		/* Nothing but memory can be missing here: mem.h. */
		fprintf(stderr, "mx509: out of memory\n");
		exit(2);
	}
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_msg_callback(tls->ssl, on_message);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	SSL_set_connect_state(tls->ssl);
	return tls;
}

void
tls_destroy(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	wire_chain_finish(&tls->shown.chain);
	free(tls);
}

struct tls_shown *
tls_shown(struct tls *tls)
{
	return &tls->shown;
}

static const char *
signature_name(SSL *ssl)
{
	static const struct {
		int nid;
		const char *name;
	} names[] = {
	    {NID_rsaEncryption, "RSA"},
	    {NID_rsassaPss, "RSA-PSS"},
	    {NID_X9_62_id_ecPublicKey, "ECDSA"},
	    {NID_ED25519, "Ed25519"},
	    {NID_ED448, "Ed448"},
	    {NID_dsa, "DSA"},
	};
	int nid;

	if (SSL_get_peer_signature_type_nid(ssl, &nid) != 1)
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].nid == nid)
			return names[i].name;
	return OBJ_nid2sn(nid);
}

/* The group of the key exchange: by OpenSSL's short name ("X25519", "prime256v1", "ffdhe2048"), or
 * "dh-1024" for a prime of the server's own. */
static const char *
group_name(struct tls *tls)
{
	int nid = (int)SSL_get_negotiated_group(tls->ssl);
	const char *name = NULL;
	char text[LIMIT_WORD];
	EVP_PKEY *key = NULL;
	size_t len;

	if (SSL_version(tls->ssl) == TLS1_3_VERSION) {
		if (nid != NID_undef && (nid & TLSEXT_nid_unknown) == 0)
			return OBJ_nid2sn(nid);
		return NULL;
	}
	if (SSL_get_peer_tmp_key(tls->ssl, &key) != 1)
		return NULL; /* RSA key exchange */
	if (EVP_PKEY_is_a(key, "X25519") || EVP_PKEY_is_a(key, "X448"))
		name = EVP_PKEY_is_a(key, "X448") ? "X448" : "X25519";
	else if (EVP_PKEY_get_group_name(key, text, sizeof(text), &len) == 1 &&
		 OBJ_txt2nid(text) != NID_undef)
		name = OBJ_nid2sn(OBJ_txt2nid(text));
	if (name == NULL) {
		snprintf(tls->shown.group_text, sizeof(tls->shown.group_text), "%s-%d",
		    EVP_PKEY_is_a(key, "DH") ? "dh" : "ec", EVP_PKEY_get_bits(key));
		name = tls->shown.group_text;
	}
	EVP_PKEY_free(key);
	return name;
}

/* Of the leaf that libssl has parsed for the handshake. */
static int64_t
leaf_ends(SSL *ssl)
{
	const X509 *leaf = SSL_get0_peer_certificate(ssl);
	struct tm tm;
	int64_t ends_ms;

	if (leaf == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1 ||
	    !clock_from_civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec, &ends_ms))
		return 0;
	return ends_ms / 1000;
}

/* What is known of version, suite, group and signature when the handshake stops. */
static void
collect(struct tls *tls, bool finished)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

	if (!tls->hello_seen)
		return;
	if (cipher == NULL)
		cipher = SSL_get_pending_cipher(tls->ssl);
	tls->shown.version = cipher != NULL ? SSL_get_version(tls->ssl) : NULL;
	tls->shown.cipher = cipher != NULL ? SSL_CIPHER_get_name(cipher) : NULL;
	if (finished || tls->chain_seen)
		tls->shown.group = group_name(tls);
	if (finished)
		tls->shown.server_signature = signature_name(tls->ssl);
	if (finished)
		tls->shown.leaf_ends_s = leaf_ends(tls->ssl);
}

static void
inspect_errors(struct tls *tls, bool *eof)
{
	unsigned long code;

	while ((code = ERR_get_error()) != 0) {
		int reason = ERR_GET_REASON(code);

		if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
		    reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			*eof = true;
		if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_EXCESSIVE_MESSAGE_SIZE &&
		    !tls->chain_seen)
			tls->shown.chain_too_long = true;
	}
}

static enum tls_status
fail(struct tls *tls, int error, int errnum)
{
	struct tls_shown *shown = &tls->shown;
	bool eof = error == SSL_ERROR_ZERO_RETURN || (error == SSL_ERROR_SYSCALL && errnum == 0);

	inspect_errors(tls, &eof);
	/* Accepting all, libssl asks for a verdict as soon as it has parsed the whole list. */
	shown->chain_unparsed =
	    tls->chain_seen && !tls->chain_parsed && (tls->chain_broken || shown->chain.n > 0);
	if (shown->alert >= 0) {
		shown->failure = TLS_FAILURE_ALERT;
	} else if (eof || error == SSL_ERROR_SYSCALL) {
		shown->failure = TLS_FAILURE_CLOSED;
		shown->errnum = eof ? 0 : errnum;
	} else {
		shown->failure = TLS_FAILURE_BROKEN;
	}
	collect(tls, false);
	return TLS_FAILED;
}

enum tls_status
tls_handshake(struct tls *tls)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(tls->ssl);
	if (rc == 1) {
		collect(tls, true);
		return TLS_DONE;
	}
	switch (rc = SSL_get_error(tls->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	default:
		return fail(tls, rc, errno);
	}
}

void
tls_abandon(struct tls *tls)
{
	collect(tls, false);
}

static enum tls_status
after(struct tls *tls, int rc)
{
	enum tls_status status = TLS_FAILED;

	rc = SSL_get_error(tls->ssl, rc);
	if (rc == SSL_ERROR_WANT_READ)
		status = TLS_WANT_READ;
	else if (rc == SSL_ERROR_WANT_WRITE)
		status = TLS_WANT_WRITE;
	ERR_clear_error();
	return status;
}

enum tls_status
tls_send(struct tls *tls, const char *text)
{
	int rc;

	ERR_clear_error();
	rc = SSL_write(tls->ssl, text, (int)strlen(text));
	return rc > 0 ? TLS_DONE : after(tls, rc);
}

enum tls_status
tls_drain(struct tls *tls, size_t *octets)
{
	char scratch[1024];
	enum tls_status status = TLS_WANT_READ;

	/* Each turn takes one message that is no data; as many as one record may hold of them are
	 * taken, so that what is buffered does not wait for an event that will not come. */
	for (int turn = 0; turn < DRAIN_TURNS; turn++) {
		int rc;

		ERR_clear_error();
		rc = SSL_read(tls->ssl, scratch, sizeof(scratch));
		if (rc > 0) {
			*octets += (size_t)rc;
			return TLS_DONE;
		}
		status = after(tls, rc);
		if (status != TLS_WANT_READ || !SSL_has_pending(tls->ssl))
			break;
	}
	return status;
}

/* As <openssl/x509v3.h> has them, which is for who parses certificates. */
#define NO_PARTIAL_WILDCARDS 0x4 /* X509_CHECK_FLAG_… */
#define NEVER_CHECK_SUBJECT 0x20

bool
tls_verify_host(void *ssl_ctx, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);

	X509_VERIFY_PARAM_set_hostflags(param, NEVER_CHECK_SUBJECT | NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

int
tls_roots_valid(const char *path, bool *is_dir, struct err *err)
{
	struct stat st;
	SSL_CTX *ssl;
	int good;

	if (stat(path, &st) != 0)
		return err_system(err, errno, "%s", path);
	*is_dir = S_ISDIR(st.st_mode);
	tls_init();
	ssl = SSL_CTX_new(TLS_client_method());
	good = ssl != NULL && (*is_dir ? SSL_CTX_load_verify_dir(ssl, path)
				       : SSL_CTX_load_verify_file(ssl, path)) == 1;
	SSL_CTX_free(ssl);
	ERR_clear_error();
	if (good)
		return 0;
	return err_set(err, ERR_INPUT, "%s: no certificates in PEM form are in it", path);
}
