/*
 * readable: whether other people's programs can open a certificate: OpenSSL as a touchstone, and
 * the only user of its X.509 in the store. It tells whether a file may be called PEM of a
 * certificate; nothing of the certificate is read, and nothing is kept from the corpus for it.
 */
#ifndef MX509_READABLE_H
#define MX509_READABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether d2i_X509(3) takes all of it. */
bool readable_certificate(const void *der, size_t len);

#endif
