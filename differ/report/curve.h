/*
 * curve: pictures in SVG: how a roll-out came along, and how many changes there were when. Beside
 * each stands in words what it shows.
 */
#ifndef MX509_CURVE_H
#define MX509_CURVE_H

#include "differ/out/out_history.h"

/* From left to right time, from the bottom up how many of the N had changed: the dark area for
 * certain by then, the light one perhaps, for the bracket of the change was open. Reaches up to
 * until_ms where the roll-out has no end. */
void curve_window(
    struct buf *out, const struct rollout *w, int64_t until_ms, const struct out_style *style);

/* When something of which severity happened. */
struct curve_tick {
	int64_t time_ms;
	enum severity severity;
};
/* Bars of how many in equal spans of time, the gravest at the bottom. */
void curve_ticks(
    struct buf *out, const struct curve_tick *ticks, size_t n, const struct out_style *style);

#endif
