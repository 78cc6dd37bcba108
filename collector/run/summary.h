/*
 * summary: what a run tells its user: lines as things happen, progress on a terminal, and at the
 * end what was done, what was not, and how to go on.
 */
#ifndef MX509_SUMMARY_H
#define MX509_SUMMARY_H

#include "schedule.h"
#include "store/base/progress.h"

struct summary {
	const char *program;
	bool quiet;
	struct progress progress;
	int64_t began_ms; /* monotonic */
};

void summary_init(struct summary *summary, const char *program, bool quiet);

/* One line on standard error, escaped. */
void summary_say(struct summary *summary, const char *line);
void summary_progress(struct summary *summary, const struct schedule_counts *counts);

/* Everything that is to be said at the end, after record_finish(); returns the exit status. */
int summary_conclude(
    struct summary *summary, const struct schedule *schedule, const struct record *record);

/* Whether nothing is left that another run could do. */
bool summary_is_complete(const struct schedule *schedule, const struct record *record);

#endif
