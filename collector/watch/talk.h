/*
 * talk: what a process that runs for months says: each thing once, and not too much of it. A line
 * that was said, or heard again, within the last pass but one is not said again (a domain without
 * MX is told when it is new, not in every pass); and in an hour at most LIMIT_WATCH_LINES are said,
 * then how many were left out. Summaries of passes are said at most once in five minutes.
 *
 * Lines go by their hash, within bounds (run/recent.h). One thread.
 */
#ifndef MX509_TALK_H
#define MX509_TALK_H

#include "collector/run/recent.h"
#include "collector/run/summary.h"

struct talk {
	struct summary *summary;
	struct recent *heard; /* with each the pass in which it was heard last */
	uint32_t pass;
	int64_t hour_ms, summary_ms; /* monotonic: when they began, were said */
	uint64_t said, left_out, summaries_left_out;
};

/* The summary's stream is borrowed. */
void talk_init(struct talk *talk, struct summary *summary);
void talk_finish(struct talk *talk);

/* A pass begins: what its lines are compared with. */
void talk_pass(struct talk *talk);
/* What is wrong with a target, a name, an answer: unless it was said before. */
void talk_notice(struct talk *talk, const char *line);
/* What happens seldom, and is news each time: within the bound of the hour. */
void talk_say(struct talk *talk, const char *line);
/* What a pass has done, unless that was said lately. */
void talk_summary(struct talk *talk, const char *line);

#endif
