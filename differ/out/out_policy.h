/*
 * out_policy: what `mxdiff policy` says of a domain: for people, and as a model for JSON. What came
 * from outside is escaped.
 */
#ifndef MX509_OUT_POLICY_H
#define MX509_OUT_POLICY_H

#include "differ/certificate/value.h"
#include "differ/time/route.h"
#include "out_table.h"

/* With the lines and the advice of the route's policy. */
void out_policy(struct buf *out, const struct route *route, const struct out_style *style);

/* {"type":"policy",…}: mxdiff(1). NULL on error (roots). */
struct value *out_policy_model(
    struct arena *arena, const struct route *route, struct verdict_engine *engine, struct err *err);

/* Why there is none, in words; NULL where there is one. */
const char *out_policy_without(enum route_state state);

#endif
