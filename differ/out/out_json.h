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

/* One of a list, in the memory of an arena that is cleared before the next; NULL on error. */
typedef const struct value *out_json_item(void *ctx, size_t i, struct arena *arena);

/* Appends an object whose member `name`, whatever its value, is written as a list of n items, which
 * need so never all be there as values at once. 0, or -1 where an item could not be had. */
int out_json_listing(struct buf *line, const struct value *object, const char *name, size_t n,
    out_json_item *item, void *ctx);

#endif
