/*
 * extension_reader: what the functions that read one extension share; private to extension*.c.
 * A reader takes the contents of extnValue and their place, and returns the value.
 */
#ifndef MX509_EXTENSION_READER_H
#define MX509_EXTENSION_READER_H

#include "extension.h"
#include "general_name.h"

typedef const struct value *extension_reader(
    const struct reading *r, const struct extension *e, const struct place *at);

/* The one element that the contents must be. */
bool extension_open(const struct reading *r, const struct extension *e, uint8_t id, struct tlv *t,
    const struct place *at);

/* {NAME: value, "critical"}. */
const struct value *extension_with_critical(const struct reading *r, const struct extension *e,
    const char *name, const struct value *value);

/* A key purpose, access method …: its name where RFC 5280 has one, else dotted. */
const struct value *extension_oid_value(const struct reading *r, struct span oid);

/* Says so if a list that must not be empty is. */
void extension_not_empty(const struct reading *r, const struct tlv *list, const struct place *at);

typedef const struct value *element_reader(
    const struct reading *r, const struct tlv *t, const struct place *at);

/* A SEQUENCE OF, all of whose elements have one tag, as a set of what `read` makes of each. */
const struct value *extension_set(const struct reading *r, const struct tlv *list, uint8_t id,
    element_reader *read, const struct place *up);

/* The same where it is all of the contents, and must not be empty: {NAME: set, "critical"}. */
const struct value *extension_read_set(const struct reading *r, const struct extension *e,
    const char *name, uint8_t id, element_reader *read, const struct place *up);

/* extension_policy.c: RFC 5280 sections 4.2.1.4, 5, 10, 11, 14 */
extension_reader extension_read_policies, extension_read_policy_mappings,
    extension_read_policy_constraints, extension_read_inhibit_any_policy,
    extension_read_name_constraints;
/* extension_access.c: RFC 5280 sections 4.2.1.13, 4.2.1.15, 4.2.2; RFC 3739; RFC 7633; RFC 6962 */
extension_reader extension_read_access, extension_read_crl_points, extension_read_qc_statements,
    extension_read_tls_feature, extension_read_scts, extension_read_poison;

#endif
