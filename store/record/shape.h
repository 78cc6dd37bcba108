/*
 * shape: what a server says in words, less what differs from one connection to the next (a
 * session id, a clock, a queue's length), so that the same server yields the same evidence.
 *
 * Every token that holds a digit becomes "*", but for the host's own name; tokens are parted by
 * one space. What is not printable UTF-8 is escaped as text_escape() does. Source: CONTRACT,
 * "Records as JSON".
 */
#ifndef MX509_SHAPE_H
#define MX509_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"

/* Appends the shape of the len octets at p as long as it is at most limit octets; tokens behind
 * that are left out. Host: lower-case, as the series has it. */
void shape_append(struct buf *out, const void *p, size_t len, const char *host, size_t limit);

#endif
