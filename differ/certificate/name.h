/*
 * name: distinguished names (RFC 5280 section 4.1.2.4) as text: RFC 2253 in UTF-8, the form of
 * OpenSSL's X509_NAME_print_ex() under XN_FLAG_RFC2253 less ASN1_STRFLGS_ESC_MSB: last RDN first,
 * short names by OpenSSL 3.0, unknown types as 1.2.3=#hex, `, + " \ < > ;` escaped by a backslash,
 * control characters as \0A. Strings of one octet a character are read as Latin-1.
 *
 * Not here: comparison of names (RFC 5280 section 7.1); for changes the octets count.
 */
#ifndef MX509_NAME_H
#define MX509_NAME_H

#include "der.h"
#include "value.h"

/* Judges the contents of a Name. False if it cannot be read. */
bool name_check(struct der *d, struct span rdns, const struct place *at);

/* The text of a Name that name_check() let pass. An empty name is an empty text. NULL arena:
 * value_null(). */
const struct value *name_value(struct arena *arena, struct span rdns);

/* The same as a list of RDNs, each a set of "CN=text": what a name says, whatever the order within
 * its sets. */
const struct value *name_rdns(struct arena *arena, struct span rdns);

/* Appends one value as it stands behind the `=`; `unknown`: as #hex whatever its type. out has
 * room for NAME_ROOM(whole.len) octets; returns their number. */
#define NAME_ROOM(len) (3 * (len) + 16)
size_t name_write_value(char *out, const struct tlv *value, bool unknown);

#endif
