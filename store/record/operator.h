/*
 * operator: who runs an MX, as far as its name tells: the registered domain of the host by the
 * Public Suffix List (libpsl's, as Debian packages it). A host that is a public suffix itself is
 * its own operator.
 */
#ifndef MX509_OPERATOR_H
#define MX509_OPERATOR_H

#include "store/base/limits.h"

/* The list is loaded when it is first needed: this makes it now. */
void operator_load(void);

void operator_of_host(const char *host, char out[LIMIT_NAME + 1]);

#endif
