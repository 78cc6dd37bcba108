/*
 * certificate_model: what is told of one certificate, and of the difference of two, as values: the
 * members of CONTRACT "mxdiff cert --json". out_json.h makes a line of it.
 */
#ifndef MX509_CERTIFICATE_MODEL_H
#define MX509_CERTIFICATE_MODEL_H

#include "diff.h"

/* Where a certificate came from. */
struct certificate_origin {
	const char *file; /* or "sha256:HEX" */
	size_t index;	  /* among the certificates of the file, from 0 */
};

/* What is no certificate at all has no fields, only its faults. */
struct value *certificate_model(
    struct arena *arena, const struct facts *facts, const struct certificate_origin *origin);

/* {"old", "new", "key": "kept"|"replaced"|null, "fields": [{"field", "old", "new", "severity",
 * "encoding_only"}, …]}: lists and names have "added" and "removed" too, times "moved_by_s". */
struct value *certificate_model_diff(struct arena *arena, const struct facts *old,
    const struct certificate_origin *old_origin, const struct facts *new,
    const struct certificate_origin *new_origin, const struct difference *d, size_t n);

#endif
