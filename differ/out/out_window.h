/*
 * out_window: a roll-out as a line of JSON (CONTRACT "Window as JSON"), its series one at a time:
 * an operator's may be many thousands, and a follower tells of all of them whenever one more
 * converts.
 */
#ifndef MX509_OUT_WINDOW_H
#define MX509_OUT_WINDOW_H

#include "differ/time/model.h"
#include "differ/time/query.h"

/* Appends the object, without LF. news: what a feed adds, or NULL. 0 or <0. */
int out_window_json(struct buf *line, struct query *q, const struct rollout *window,
    const struct model_news *news, struct err *err);

#endif
