/*
 * tell: an event of the feed as a line of JSON for programs, or as text for people.
 *
 * JSON: a change as `mxdiff log --json` has it, of type "change", or "altered" where the reader has
 * it already; {"type":"retracted","id"} of what is no more. {"type":"cursor","cursor":"N"}: what is
 * before it reaches up to there.
 */
#ifndef MX509_TELL_H
#define MX509_TELL_H

#include "differ/time/feed.h"

enum tell_form { TELL_JSON, TELL_TEXT };

/* Appends it, with its LF. 0 or <0. */
int tell_event(struct buf *out, struct query *q, const struct feed_event *event,
    enum tell_form form, struct err *err);
void tell_cursor(struct buf *out, uint64_t cursor, enum tell_form form);

#endif
