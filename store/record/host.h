/*
 * host: names of hosts and domains in the one form in which records hold them: lower-case
 * A-labels without the final dot (CONTRACT "The series"). The only user of libidn2 in the store.
 *
 * A name is at most 253 octets in labels of 1 to 63 (RFC 1035 section 2.3.4) of a-z, 0-9, hyphen
 * and underscore (TLSA names, and MX names that exist whatever RFC 1123 says); no label begins
 * with a hyphen, and the last one is not all digits (RFC 3696 section 2: it would be an address).
 */
#ifndef MX509_HOST_H
#define MX509_HOST_H

#include <stdbool.h>

#include "store/base/err.h"
#include "store/base/limits.h"

/* libidn2 is loaded when a name first needs it: this makes it now. */
void host_load(void);

/* A name as somebody wrote it: any case, with or without a final dot, U-labels in UTF-8 (UTS #46
 * non-transitional). ERR_INPUT if it is none, also if it is an address. */
int host_normalise(const char *text, char out[LIMIT_NAME + 1], struct err *err);

/* Whether it is in that form already. */
bool host_valid(const char *name);

/* Whether host is name or below it: "mx.example.org" is under "example.org" and "org". */
bool host_is_under(const char *host, const char *name);

#endif
