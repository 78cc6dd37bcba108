/*
 * pss: the parameters of RSASSA-PSS (RFC 4055 section 3.1, RFC 8017 A.2.3), of a signature or of a
 * key that is for nothing else.
 *
 * As with keys (key.h), they are their algorithm's affair: whatever is wrong with them is a
 * FAULT_NOT_DER, and takes no more than their own value away.
 */
#ifndef MX509_PSS_H
#define MX509_PSS_H

#include "der.h"
#include "value.h"

/* Whether these are the contents of id-RSASSA-PSS. */
bool pss_is(struct span oid);

/* Names the faults of parameters that are there. */
void pss_check(struct der *d, const struct tlv *parameters, const struct place *at);

/* {"hash", "mgf", "mgf_hash", "salt_len", "trailer"} with the defaults put in: algorithms by
 * OpenSSL's short names (SHA256, MGF1), others dotted; mgf_hash is null for a mask that has none.
 * Parameters that are absent are absent, no defaults: null (RFC 4055 section 1.2). */
const struct value *pss_value(struct arena *arena, const struct tlv *parameters);

#endif
