/*
 * idn: the form for people of a name that certificates hold as A-labels (RFC 5890); the only user
 * of libidn2 in the differ. The A-labels are what is compared and kept.
 */
#ifndef MX509_IDN_H
#define MX509_IDN_H

#include <stdbool.h>

#include "store/base/buf.h"

/* Appends the name in Unicode; false, and nothing appended, if it has no A-label, or one that is
 * none by IDNA 2008. What is appended is not escaped. */
bool idn_append_unicode(struct buf *out, const char *name, size_t len);

#endif
