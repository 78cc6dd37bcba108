/*
 * progress: one line on standard error that overwrites itself, for work that takes over a second;
 * only where standard error is a terminal, and not with --quiet. Never into a pipe.
 */
#ifndef MX509_PROGRESS_H
#define MX509_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	int64_t started_ms, shown_ms;
	bool enabled, shown;
};

void progress_init(struct progress *p, bool quiet);
/* Cheap to call often: writes at most five times a second, the first time after one. */
bool progress_due(struct progress *p);
void progress_show(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_finish(struct progress *p); /* wipes the line */

#endif
