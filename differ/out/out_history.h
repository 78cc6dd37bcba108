/*
 * out_history: changes and windows as text for people; out_json.h renders the same models
 * for programs. Every byte that came from outside is escaped.
 */
#ifndef MX509_OUT_HISTORY_H
#define MX509_OUT_HISTORY_H

#include "differ/time/change.h"
#include "differ/time/rollout.h"

struct out_style {
	bool colour, utc;
	bool all_fields; /* also those that matter least, or repeat what others say */
	bool plot;	 /* windows: the curve of conversions in place of the list */
	size_t width;	 /* of the terminal; 0: none */
};

/* A change: one line of when, where and what, the bracket, and the fields from-to, unless `above`
 * (may be NULL), the change that was printed before, has just the same ones. */
int out_history_change(struct buf *out, struct changes *changes, const struct change *change,
    const struct change *above, const struct series *series, const struct out_style *style,
    struct err *err);

int out_history_window(struct buf *out, struct changes *changes, struct store_view *view,
    const struct rollout *window, const struct out_style *style, struct err *err);

/* "after 2026-03-19 06:00:00 UTC, at or before 2026-03-19 06:10:00 UTC (10 min)" */
void out_history_bracket(
    struct buf *out, int64_t after_ms, int64_t before_ms, const struct out_style *style);

/* Pieces that other texts share. Lines are indented by four. */
void out_history_time(struct buf *out, int64_t time_ms, const struct out_style *style);
void out_history_address(struct buf *out, const struct series *series);
void out_history_sni(struct buf *out, const struct series *series);
void out_history_classes(struct buf *out, unsigned classes);
/* A line for each answer that turned at these levels: whom it breaks, whom it mends. */
int out_history_verdicts(struct buf *out, struct changes *changes, const struct change *change,
    unsigned lost, unsigned gained, const struct series *series, struct err *err);
/* A line: what the series of a window do without SNI, or with an unknown name; or none. */
int out_history_fallbacks(struct buf *out, struct changes *changes, struct store_view *view,
    const struct rollout *window, struct err *err);
/* Of what matters least only the end of validity, and nothing that other rows say as well. */
bool out_history_is_brief(const struct difference *difference);
const char *out_history_colour(enum severity severity, const struct out_style *style);

#endif
