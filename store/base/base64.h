/*
 * base64: RFC 4648 section 4, with padding; and the PEM of RFC 7468 around it.
 */
#ifndef MX509_BASE64_H
#define MX509_BASE64_H

#include <stdbool.h>

#include "buf.h"

/* In lines of `columns` characters, each ended by LF; 0: one line without LF. */
void base64_encode(struct buf *out, const void *p, size_t len, unsigned columns);

/* Strict: no blanks, padding as it must be, unused bits zero. False, and out as it was, if not. */
bool base64_decode(struct buf *out, const char *text, size_t len);

/* "-----BEGIN CERTIFICATE-----", lines of 64 columns, "-----END CERTIFICATE-----". */
void base64_pem_certificate(struct buf *out, const void *der, size_t len);

/*
 * The next certificate of a file of PEM from *at on: 1 and its bytes appended to *der, 0 if there
 * is none, -1 if what stands between the lines is no base64. Labels CERTIFICATE and X509
 * CERTIFICATE; text outside is skipped, blanks inside too.
 */
int base64_pem_next(struct buf *der, const char *text, size_t len, size_t *at);

#endif
