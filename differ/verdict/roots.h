/*
 * roots: the certificates that a sender trusts: a file of PEM, a directory of such files, or a
 * directory as c_rehash(1) makes it, in which only what is asked for is read. Not here: OpenSSL
 * (verify.h).
 *
 * The hash names them: SHA-256 over the SHA-256s of the certificates' DER, sorted, each once. Of a
 * hashed directory those count that OpenSSL would look at (XXXXXXXX.N). It is read when first
 * asked for.
 */
#ifndef MX509_ROOTS_H
#define MX509_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "differ/certificate/der.h"
#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/hash.h"

#define ROOTS_DEFAULT "/etc/ssl/certs" /* as Debian's Postfix: smtp_tls_CApath */

enum roots_kind { ROOTS_FILE, ROOTS_DIRECTORY, ROOTS_HASHED };

struct roots {
	char *path;
	enum roots_kind kind;
	bool has_hash;
	struct hash hash;
	struct hash *names; /* while it is read */
	size_t names_n, names_cap;
};

/* Looks what it is. ERR_SYSTEM, or ERR_INPUT where nothing in it is a certificate's file. */
int roots_init(struct roots *roots, const char *path, struct err *err);
void roots_finish(struct roots *roots);

/* Each certificate, in no order to rely on; `trusted`: OpenSSL's own octets may follow it. */
typedef void roots_each(void *ctx, const struct buf *der, bool trusted);
int roots_read(struct roots *roots, roots_each *each, void *ctx, struct err *err);

/* NULL on error. */
const struct hash *roots_hash(struct roots *roots, struct err *err);

#endif
