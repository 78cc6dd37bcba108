/*
 * mxstore_work: what the commands that work on a whole corpus share: progress, lines that name what
 * could not be read, interruption, and the child process in which a corpus is read that may be
 * damaged.
 */
#ifndef MX509_MXSTORE_WORK_H
#define MX509_MXSTORE_WORK_H

#include "mxstore.h"
#include "store/base/progress.h"
#include "store/maintain/maintain.h"

struct mxstore_work {
	struct progress progress;
	const char *verb; /* "merged", for the line of progress */
	bool json;	  /* `say` to standard output, as {"type":"finding"} */
	struct maintain_hooks hooks;
};

/* w->hooks are then to be handed on: lines go to standard error, escaped. */
void mxstore_work_init(struct mxstore_work *w, const struct options *o, const char *verb);

/* Prints the error, if there is one, and returns the exit status: EXIT_MISSING where it says that
 * the work was interrupted. */
int mxstore_work_status(struct mxstore_work *w, int rc, const struct err *err);

/* Runs work(ctx) in a process of its own and returns its exit status; its death is told as damage
 * of the corpus: LMDB trusts its pages, and a damaged one may lead it anywhere. A signal that ends
 * this process is handed on. */
int mxstore_work_apart(const struct options *o, int (*work)(void *ctx), void *ctx);

#endif
