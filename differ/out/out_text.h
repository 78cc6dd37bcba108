/*
 * out_text: certificates, values and differences as text for people: aligned, coloured where the
 * caller says so, every byte that came from outside escaped (store/base/text.h).
 */
#ifndef MX509_OUT_TEXT_H
#define MX509_OUT_TEXT_H

#include "differ/facts/certificate_model.h"
#include "differ/facts/diff.h"

/* On one line: "digitalSignature, keyCertSign (critical)", "CA yes", "none". */
void out_text_value(struct buf *out, const struct value *v);

/* All facts that are there, and the faults, under a line that names the certificate. */
void out_text_certificate(struct buf *out, const struct facts *facts,
    const struct certificate_origin *origin, bool colour);

/* What the certificates of a file are to each other, under a line that names the file. */
void out_text_chain(struct buf *out, const struct facts *facts, const char *file, bool colour);

/* A line or more each, indented by so many blanks: "key size   2048 → 256". */
void out_text_differences(
    struct buf *out, const struct difference *d, size_t n, unsigned indent, bool colour);

/* Whether the public key was kept or replaced, if that can be told. */
void out_text_key(struct buf *out, const struct facts *old, const struct facts *new, bool colour);

/* The table of fields. */
void out_text_fields(struct buf *out, bool colour);

#endif
