/*
 * tell: an event of the feed as a line of JSON for programs, or as text for people.
 *
 * JSON: a change as `mxdiff log --json` has it, of type "change", or "altered" where the reader has
 * it already; a window as `mxdiff windows --json` has it, with "update": whether the reader has one
 * of this id already, and "revises" as of a change; {"type":"retracted","id"} of what is no more.
 * {"type":"cursor","cursor":"N"}: what is before it reaches up to there.
 */
#ifndef MX509_TELL_H
#define MX509_TELL_H

#include "differ/time/feed.h"

enum tell_form { TELL_JSON, TELL_TEXT };
enum tell_kind { TELL_CHANGES = 1 << 0, TELL_WINDOWS = 1 << 1 };

/* Whether it is to be told to somebody who asked for these kinds. */
bool tell_takes(const struct feed_event *event, unsigned kinds); /* is of these kinds */

#define TELL_NAME_MAX 64
/* A name for it, and for what has to stay in order with it: its series, or its group. */
void tell_names(const struct feed_event *event, char id[TELL_NAME_MAX], char lane[TELL_NAME_MAX]);

/* Appends it, with its LF. 0 or <0. */
int tell_event(struct buf *out, struct query *q, const struct feed_event *event,
    enum tell_form form, struct err *err);
void tell_cursor(struct buf *out, uint64_t cursor, enum tell_form form);

#endif
