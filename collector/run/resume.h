/*
 * resume: what a run that was stopped or killed has stored already, so that it need not be done
 * again. While a run is under way a file in the store's directory, unfinished-VANTAGE, holds the
 * time when it began; a run that comes to its end removes it. What the store has of that vantage
 * since then is done.
 *
 * Whoever resumes gives the same targets and options; if not, what is asked for now is done, and
 * what was asked for then and is not now is forgotten. One thread; reads the store by a handle of
 * its own.
 */
#ifndef MX509_RESUME_H
#define MX509_RESUME_H

#include "store/corpus/store.h"

struct resume;

/* dir: of a store that exists. go_on: resume what is unfinished, if anything is; else a new run
 * begins. */
int resume_begin(
    struct resume **resume, const char *dir, const char *vantage, bool go_on, struct err *err);
/* 0: a new run began. */
int64_t resume_since_ms(const struct resume *resume);

/* Whether the unfinished run has stored an observation of the series (a struct resume; false where
 * a new run began). What cannot be read is not done: probing twice is better than not at all. */
bool resume_has(void *resume, const struct series *series);

/* complete: nothing is left to be resumed. Accepts NULL. */
void resume_end(struct resume *resume, bool complete);

#endif
