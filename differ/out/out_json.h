/*
 * out_json: values as JSON (RFC 8259). Objects keep the order of their members; texts that are
 * not UTF-8 get their stray octets as \xHH (store/base/text.h); a malformed value is
 * {"malformed": why}. What a line holds is decided by whoever builds the value; nothing here
 * knows a field.
 *
 * A value is a tree already, so it is written straight from it: by way of a tree of jansson's, a
 * line took three times as long as reading the certificate and writing it do together. The unit
 * test reads every line back with jansson.
 */
#ifndef MX509_OUT_JSON_H
#define MX509_OUT_JSON_H

#include "differ/certificate/value.h"
#include "store/base/buf.h"

/* Appends the value on one line, without LF. */
void out_json_value(struct buf *line, const struct value *v);

#endif
