/*
 * summary: what a run tells its user: lines as things happen, progress on a terminal, and at the
 * end what was done, what was not, and how to go on.
 */
#ifndef MX509_SUMMARY_H
#define MX509_SUMMARY_H

#include "pass.h"
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
void summary_progress(struct summary *summary, const struct pass_counts *counts);

/* What was done, in one line without an end: "12 targets, 5 hosts, 9 addresses, 36 probes: 30
 * success, 6 connection-timeout; 1 no-mx". Probes are those that are stored. */
void summary_text(
    struct buf *line, const struct pass_counts *counts, const struct record_counts *stored);

/* What of the records could not be stored, after record_finish(). Returns why, NULL where only
 * single ones were refused. */
const struct err *summary_records(struct summary *summary, struct record *record);

/* Everything that is to be said at the end, after record_finish(); returns the exit status. */
int summary_conclude(struct summary *summary, struct pass *pass, struct record *record);

/* Whether nothing is left that another run could do. */
bool summary_is_complete(struct pass *pass, struct record *record);

#endif
