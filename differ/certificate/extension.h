/*
 * extension: the contents of the extensions that we read, one function each, which judges and
 * builds in one: run without an arena it only names the faults, run again with one it yields the
 * value (VALUE_OBJECT with "critical", or as said in extension.c).
 */
#ifndef MX509_EXTENSION_H
#define MX509_EXTENSION_H

#include "cert.h"

/* Names the faults in the contents of e, whose kind is known. */
void extension_check(struct der *d, const struct extension *e, const struct place *at);

/* The value of an extension that was judged and is not malformed. */
const struct value *extension_value(struct arena *arena, const struct extension *e);

#endif
