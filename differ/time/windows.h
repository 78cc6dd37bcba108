/*
 * windows: the roll-outs of the chosen series, as `mxdiff windows` gives them: found one group
 * after the other, so that memory is bounded by the largest group and by what is shown.
 *
 * With a span of time only the groups in which something changed within it are read, whole: what a
 * window says does not depend on the span that one looks at.
 */
#ifndef MX509_WINDOWS_H
#define MX509_WINDOWS_H

#include "query.h"

/* Appends the windows that the query takes, in order of their start; the caller's. 0 or <0. */
int windows_find(struct query *q, struct rollout_list *list, bool *missing, struct err *err);

#endif
