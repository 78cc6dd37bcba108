/*
 * out_metrics: metrics as text, in the format of OpenMetrics 1.0 (which Prometheus reads, and its
 * older format's readers too, since only gauges are written): families, their samples, # EOF.
 */
#ifndef MX509_OUT_METRICS_H
#define MX509_OUT_METRICS_H

#include <stdint.h>

#include "store/base/buf.h"

/* unit: "seconds", in which the name must end, or NULL. */
void out_metrics_family(struct buf *out, const char *name, const char *unit, const char *help);

struct out_label {
	const char *name, *value;
};
/* Labels whose value is NULL are left out. */
void out_metrics_sample(
    struct buf *out, const char *name, const struct out_label *labels, size_t n, int64_t value);
/* The same of a time or span in milliseconds, in seconds. */
void out_metrics_seconds(
    struct buf *out, const char *name, const struct out_label *labels, size_t n, int64_t ms);

void out_metrics_end(struct buf *out);

#endif
