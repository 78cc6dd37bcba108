/*
 * print: a change, a window or any model on standard output, as a line of JSON or as text, as the
 * query asks. The commands choose; this file writes.
 */
#ifndef MX509_PRINT_H
#define MX509_PRINT_H

#include "differ/certificate/value.h"
#include "differ/time/query.h"
#include "out_history.h"

struct out_style print_style(const struct query *q);

/* `above`: the change that was printed before, or NULL (out_history.h). */
int print_change(struct query *q, const struct change *change, const struct change *above,
    const struct series *series, struct err *err);
int print_window(struct query *q, const struct rollout *window, struct err *err);

/* One line of JSON. */
void print_json(const struct value *v);

#endif
