/*
 * general_name: GeneralName and GeneralNames (RFC 5280 section 4.2.1.6) as texts with a prefix:
 * othername, email, dns, x400, dirname, ediparty, uri, ip, rid. Octets of strings are kept as they
 * stand. Judges and builds in one, as extension.h says.
 */
#ifndef MX509_GENERAL_NAME_H
#define MX509_GENERAL_NAME_H

#include "der.h"
#include "value.h"

struct reading {
	struct der *d;	     /* takes the faults */
	struct arena *arena; /* NULL: nothing is built */
};

/* One name; `mask`: an iPAddress is address and mask (name constraints). */
const struct value *general_name_value(
    const struct reading *r, const struct tlv *t, bool mask, const struct place *at);

/* The contents of a GeneralNames: a set. */
const struct value *general_names_value(
    const struct reading *r, struct span contents, const struct place *at);

#endif
