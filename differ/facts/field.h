/*
 * field: what diff.c and renderers know of a row beyond field_table: where in the certificate it
 * reads, so that a difference there that changes no value can be told from one that no row reads.
 */
#ifndef MX509_FIELD_H
#define MX509_FIELD_H

#include "differ/certificate/cert.h"
#include "facts.h"

struct field_reading {
	enum cert_part part;	       /* CERT_PARTS: several, or none */
	enum extension_kind extension; /* of CERT_EXTENSIONS; EXTENSION_UNKNOWN: the list itself */
};

extern const struct field_reading field_reading[FIELD_N];

#endif
