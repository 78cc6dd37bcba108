#include "verify.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/late.h"
#include "store/base/mem.h"

#define DEPTH 10 /* smtp_tls_scert_verifydepth and one */
#define MATCH_LEVEL 1

static struct late ssl_library = LATE_LIBSSL; /* for DANE alone */

struct verify {
	X509_STORE *store;
	SSL_CTX *dane; /* made when it is first needed */
};

/* ---- roots ------------------------------------------------------------------------------- */

struct loading {
	X509_STORE *store;
	size_t n;
};

static void
add_root(void *ctx, const struct buf *der, bool trusted)
{
	struct loading *l = ctx;
	const unsigned char *p = der->data;
	X509 *x =
	    trusted ? d2i_X509_AUX(NULL, &p, (long)der->len) : d2i_X509(NULL, &p, (long)der->len);

	if (x != NULL && X509_STORE_add_cert(l->store, x) == 1)
		l->n++;
	X509_free(x);
	ERR_clear_error();
}

static int
load(struct verify *v, struct roots *roots, struct err *err)
{
	struct loading loading = {.store = v->store};
	X509_LOOKUP *lookup;
	int rc;

	if (roots->kind == ROOTS_HASHED) {
		lookup = X509_STORE_add_lookup(v->store, X509_LOOKUP_hash_dir());
		if (lookup == NULL ||
		    X509_LOOKUP_add_dir(lookup, roots->path, X509_FILETYPE_PEM) != 1)
			return err_set(
			    err, ERR_SYSTEM, "%s: OpenSSL does not take it as roots", roots->path);
		return 0;
	}
	if ((rc = roots_read(roots, add_root, &loading, err)) >= 0 && loading.n == 0)
		rc = err_set(err, ERR_INPUT, "%s: OpenSSL reads no certificate in it", roots->path);
	return rc;
}

int
verify_create(struct verify **verify, struct roots *roots, struct err *err)
{
	struct verify *v;
	int rc;

	*verify = NULL;
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	v = mem_zero(1, sizeof(*v));
	if ((v->store = X509_STORE_new()) == NULL)
		rc = err_set(err, ERR_SYSTEM, "OpenSSL: no store for roots");
	else
		rc = load(v, roots, err);
	if (rc < 0)
		verify_destroy(v);
	else
		*verify = v;
	return rc;
}

void
verify_destroy(struct verify *v)
{
	if (v == NULL)
		return;
	if (v->dane != NULL)
		LATE(ssl_library, SSL_CTX_free)(v->dane);
	X509_STORE_free(v->store);
	free(v);
}

const char *
verify_error_text(int error)
{
	return X509_verify_cert_error_string(error);
}

/* ---- errors ------------------------------------------------------------------------------ */

/* RFC 8460 section 4.3: certificate-not-trusted covers "untrusted/unknown certification authorities
 * (CAs), certificate name constraints, certificate chain errors, etc." */
static enum level_reason
reason_of(int error)
{
	switch (error) {
	case X509_V_OK:
		return REASON_NULL;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
		return REASON_CERTIFICATE_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return REASON_CERTIFICATE_HOST_MISMATCH;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
	case X509_V_ERR_DANE_NO_MATCH:
	case X509_V_ERR_UNSPECIFIED:
		return REASON_VALIDATION_FAILURE;
	default:
		return REASON_CERTIFICATE_NOT_TRUSTED;
	}
}

/* What a security level adds to the errors. */
static bool
is_of_level(int error)
{
	return error == X509_V_ERR_EE_KEY_TOO_SMALL || error == X509_V_ERR_CA_KEY_TOO_SMALL ||
	       error == X509_V_ERR_CA_MD_TOO_WEAK;
}

/* The error nearest to the leaf, and of one depth the first, is the one that counts; a name only
 * where there is nothing else (update_error_state() of tls_verify.c since 3.10.4). */
struct errors {
	int error[2], depth[2];
	bool name, leaf_weak;
};

static void
note(struct errors *e, unsigned level, int error, int depth)
{
	if (e->error[level] != X509_V_OK && e->depth[level] <= depth)
		return;
	e->error[level] = error;
	e->depth[level] = depth;
}

static int
on_error(int ok, X509_STORE_CTX *ctx)
{
	struct errors *e = X509_STORE_CTX_get_app_data(ctx);
	int error = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);

	if (ok)
		return 1;
	if (error == X509_V_ERR_EE_KEY_TOO_SMALL)
		e->leaf_weak = true;
	if (error == X509_V_ERR_HOSTNAME_MISMATCH) {
		e->name = true;
		return 1;
	}
	if (!is_of_level(error))
		note(e, 0, error, depth);
	note(e, 1, error, depth);
	return 1;
}

/* ---- a chain ----------------------------------------------------------------------------- */

static STACK_OF(X509) * read_chain(const struct verify_request *q)
{
	STACK_OF(X509) *chain = sk_X509_new_null();

	for (size_t i = 0; chain != NULL && i < q->chain_n; i++) {
		const unsigned char *p = q->chain[i].p;
		X509 *x =
		    q->chain[i].len > LONG_MAX ? NULL : d2i_X509(NULL, &p, (long)q->chain[i].len);

		/* A TLS client wants nothing behind it either. */
		if (x != NULL && p == q->chain[i].p + q->chain[i].len && sk_X509_push(chain, x) > 0)
			continue;
		X509_free(x);
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	if (chain != NULL && X509_get0_pubkey(sk_X509_value(chain, 0)) == NULL) {
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	return chain;
}

static bool
has_name(X509 *leaf, const char *name)
{
	return X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* nexthop, dot-nexthop: the default of smtp_tls_secure_cert_match. */
static bool
has_nexthop(X509 *leaf, const char *nexthop)
{
	struct buf below = {0};
	bool has = has_name(leaf, nexthop);

	if (!has) {
		buf_printf(&below, ".%s", nexthop);
		has = has_name(leaf, buf_text(&below));
	}
	buf_finish(&below);
	return has;
}

static bool
read_time(const ASN1_TIME *time, int64_t *ms)
{
	int days, seconds;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	bool ok = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;

	if (ok)
		*ms = (int64_t)days * CLOCK_DAY_MS + (int64_t)seconds * 1000;
	ASN1_TIME_free(epoch);
	return ok;
}

/* Narrows [from, until) so that no certificate begins or ends to be valid within it. */
static void
narrow(struct verify_result *r, const STACK_OF(X509) * certificates, int64_t now_ms)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		const X509 *x = sk_X509_value(certificates, i);
		const ASN1_TIME *times[] = {X509_get0_notBefore(x), X509_get0_notAfter(x)};

		for (size_t k = 0; k < 2; k++) {
			int64_t ms;

			if (!read_time(times[k], &ms))
				continue;
			/* Valid at notBefore; OpenSSL has it expired at notAfter. */
			if (ms <= now_ms && ms > r->from_ms)
				r->from_ms = ms;
			else if (ms > now_ms && ms < r->until_ms)
				r->until_ms = ms;
		}
	}
}

static X509_STORE_CTX *
make_context(
    struct verify *v, const struct verify_request *q, STACK_OF(X509) * chain, struct errors *errors)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int64_t seconds = q->time_ms / 1000 - (q->time_ms % 1000 < 0);

	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, v->store, sk_X509_value(chain, 0), chain) != 1 ||
	    X509_STORE_CTX_set_default(ctx, "ssl_server") != 1) {
		X509_STORE_CTX_free(ctx);
		return NULL;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_depth(param, DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, MATCH_LEVEL);
	X509_VERIFY_PARAM_set_time(param, (time_t)seconds);
	X509_STORE_CTX_set_verify_cb(ctx, on_error);
	X509_STORE_CTX_set_app_data(ctx, errors);
	return ctx;
}

static void
run(X509_STORE_CTX *ctx, struct errors *errors)
{
	int rc = X509_verify_cert(ctx), error = X509_STORE_CTX_get_error(ctx);

	/* What ends it without the callback: memory, or a fault of its own. */
	if (rc <= 0 && errors->error[1] == X509_V_OK && !errors->name) {
		error = error != X509_V_OK ? error : X509_V_ERR_UNSPECIFIED;
		note(errors, 0, error, 0);
		note(errors, 1, error, 0);
	}
	ERR_clear_error();
}

static void
verify_pkix(struct verify *v, const struct verify_request *q, STACK_OF(X509) * chain,
    struct verify_result *r)
{
	struct errors errors = {0};
	X509_STORE_CTX *ctx = make_context(v, q, chain, &errors);

	if (ctx == NULL) {
		r->readable = false;
		return;
	}
	run(ctx, &errors);
	for (unsigned level = 0; level < 2; level++) {
		r->error[level] = errors.error[level];
		r->chain[level] = reason_of(errors.error[level]);
	}
	r->leaf_weak = errors.leaf_weak;
	narrow(r, X509_STORE_CTX_get0_chain(ctx), q->time_ms);
	X509_STORE_CTX_free(ctx);
}

/* ---- DANE -------------------------------------------------------------------------------- */

/* An SSL object that is never connected, with the records in it; NULL where OpenSSL takes none. */
static SSL *
make_dane(struct verify *v, const struct verify_request *q, size_t *usable)
{
	SSL *ssl;

	*usable = 0;
	if (v->dane == NULL && ((v->dane = LATE(ssl_library, SSL_CTX_new)(
				     LATE(ssl_library, TLS_client_method)())) == NULL ||
				   LATE(ssl_library, SSL_CTX_dane_enable)(v->dane) <= 0))
		return NULL;
	if ((ssl = LATE(ssl_library, SSL_new)(v->dane)) == NULL ||
	    LATE(ssl_library, SSL_dane_enable)(ssl, NULL) <= 0) {
		LATE(ssl_library, SSL_free)(ssl);
		return NULL;
	}
	LATE(ssl_library, SSL_dane_set_flags)(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	/* Postfix puts each before the one before it. */
	for (size_t i = q->tlsa->n; i > 0; i--) {
		const struct tlsa_record *t = &q->tlsa->records[i - 1];

		if (tlsa_for_smtp(t) &&
		    LATE(ssl_library, SSL_dane_tlsa_add)(
			ssl, t->usage, t->selector, t->matching, q->tlsa->data + t->at, t->len) > 0)
			(*usable)++;
	}
	ERR_clear_error();
	return ssl;
}

static void
verify_dane(struct verify *v, const struct verify_request *q, STACK_OF(X509) * chain,
    struct verify_result *r)
{
	struct errors errors = {0};
	X509_STORE_CTX *ctx;
	SSL *ssl = make_dane(v, q, &r->usable);

	if (ssl == NULL || r->usable == 0) {
		LATE(ssl_library, SSL_free)(ssl);
		return;
	}
	r->dane_reason = REASON_VALIDATION_FAILURE;
	if ((ctx = make_context(v, q, chain, &errors)) != NULL) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		X509_VERIFY_PARAM_set1_host(param, q->base, 0);
		if (q->nexthop != NULL)
			X509_VERIFY_PARAM_add1_host(param, q->nexthop, 0);
		X509_STORE_CTX_set0_dane(ctx, LATE(ssl_library, SSL_get0_dane)(ssl));
		run(ctx, &errors);
		r->dane = errors.error[1] == X509_V_OK && !errors.name;
		r->dane_reason = errors.error[1] != X509_V_OK ? reason_of(errors.error[1])
				 : errors.name		      ? REASON_CERTIFICATE_HOST_MISMATCH
							      : REASON_NULL;
		narrow(r, X509_STORE_CTX_get0_chain(ctx), q->time_ms);
		X509_STORE_CTX_free(ctx);
	}
	LATE(ssl_library, SSL_free)(ssl);
}

/* ---- all of it --------------------------------------------------------------------------- */

int
verify_chain(
    struct verify *v, const struct verify_request *q, struct verify_result *r, struct err *err)
{
	STACK_OF(X509) *chain = read_chain(q);
	X509 *leaf;

	(void)err;
	*r = (struct verify_result){.from_ms = INT64_MIN, .until_ms = INT64_MAX};
	ERR_clear_error();
	if (chain == NULL)
		return 0;
	r->readable = true;
	leaf = sk_X509_value(chain, 0);
	r->has_host = has_name(leaf, q->host);
	r->has_nexthop = q->nexthop != NULL && has_nexthop(leaf, q->nexthop);
	/* The names of DANE: the base domain, and the recipient domain. */
	r->has_base = q->base != NULL && (has_name(leaf, q->base) ||
					     (q->nexthop != NULL && has_name(leaf, q->nexthop)));
	narrow(r, chain, q->time_ms);
	verify_pkix(v, q, chain, r);
	if (q->tlsa != NULL && q->base != NULL)
		verify_dane(v, q, chain, r);
	sk_X509_pop_free(chain, X509_free);
	return 0;
}
