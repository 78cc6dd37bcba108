/*
 * out_history: states, changes and windows as text for people; out_json.h renders the same models
 * for programs. Every byte that came from outside is escaped.
 */
#ifndef MX509_OUT_HISTORY_H
#define MX509_OUT_HISTORY_H

#include "change.h"
#include "rollout.h"

struct out_style {
	bool colour, utc;
	bool all_fields; /* also those that matter least, or repeat what others say */
};

/* A change: one line of when, where and what, the bracket, and the fields from-to, unless `above`
 * (may be NULL), the change that was printed before, has just the same ones. */
int out_history_change(struct buf *out, struct changes *changes, const struct change *change,
    const struct change *above, const struct series *series, const struct out_style *style,
    struct err *err);

int out_history_window(struct buf *out, struct changes *changes, struct store_view *view,
    const struct rollout *window, const struct out_style *style, struct err *err);

/* Rows of `show`: gathered first, so that the columns can be aligned. */
struct out_table {
	struct out_row *rows;
	size_t n, cap;
};
int out_history_state(struct out_table *table, struct changes *changes, const struct series *series,
    const struct lifetime_sighting *last, int64_t after_ms, int64_t first_ms, struct err *err);
void out_history_table(
    struct buf *out, const struct out_table *table, const struct out_style *style);
void out_history_table_finish(struct out_table *table);

/* "after 2026-03-19 06:00:00 UTC, at or before 2026-03-19 06:10:00 UTC (10 min)" */
void out_history_bracket(
    struct buf *out, int64_t after_ms, int64_t before_ms, const struct out_style *style);

#endif
