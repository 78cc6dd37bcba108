/*
 * txt: what a TXT record says: its pieces in presentation form ("\"v=STSv1; \" \"id=1\"", RFC 1035
 * section 5.1) joined without anything between them, as RFC 7208 section 3.3, RFC 8461 section 3.1
 * and RFC 8460 section 3 have it.
 */
#ifndef MX509_TXT_H
#define MX509_TXT_H

#include <stdbool.h>

#include "store/base/buf.h"

/* The octets appended to *out, whatever they are; false, and out as it was, if `record` is no TXT
 * record in that form. */
bool txt_join(struct buf *out, const char *record);

#endif
