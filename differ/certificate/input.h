/*
 * input: certificates from files: PEM (RFC 7468), as many as a file holds, and DER. What is no
 * certificate is taken all the same: to say so is the differ's work. Not here: the store.
 *
 * PEM is read leniently: everything outside the alphabet of base64 is dropped, text around the
 * blocks is skipped, labels CERTIFICATE, X509 CERTIFICATE and TRUSTED CERTIFICATE count. A file
 * without such a block is one certificate, octet by octet.
 */
#ifndef MX509_INPUT_H
#define MX509_INPUT_H

#include <stdbool.h>

#include "der.h"
#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/hash.h"

struct input {
	struct buf file;
	size_t at; /* where to look for the next block */
	bool pem, begun;
	size_t index; /* of the certificate in `der`, from 0 */
	struct buf der;
	bool trusted; /* OpenSSL's own octets may follow the certificate in `der` */
};

/* Zero-initialise; may be opened again for the next file, and keeps its memory. "-" is standard
 * input. ERR_SYSTEM names the file; ERR_LIMIT: larger than DIFFER_FILE_MAX. */
int input_open(struct input *in, const char *path, struct err *err);
/* The same of bytes in memory, which are copied. */
void input_open_bytes(struct input *in, const void *p, size_t len);
bool input_next(struct input *in); /* fills der, index, trusted; at least once for a file */
void input_finish(struct input *in);

/* Certificates that were read, as one chain. Zero-initialise. */
struct input_chain {
	struct buf der; /* one behind the other */
	struct hash *names;
	struct span *certificates; /* into `der` */
	size_t n;
};

void input_chain_add(struct input_chain *chain, const struct buf *der);
/* All of a file. ERR_LIMIT: more than LIMIT_CHAIN; else as input_open(). */
int input_chain_read(struct input_chain *chain, const char *path, struct err *err);
void input_chain_finish(struct input_chain *chain);

#endif
