/*
 * out_plot: how a roll-out came along, drawn as text: from left to right time, from the bottom up
 * how many of the N had changed. Full blocks: changed for certain by then; light ones: perhaps, for
 * the bracket of the change was open.
 */
#ifndef MX509_OUT_PLOT_H
#define MX509_OUT_PLOT_H

#include "out_history.h"

void out_plot_window(struct buf *out, const struct rollout *window, const struct out_style *style);

#endif
