/*
 * stage: a corpus that is being made, in DIR/unfinished until it is whole: what was cut short is
 * never mistaken for a corpus, and is cleared by the next one that is made there.
 *
 * Threads: one. The directory DIR is made where there is none, and removed again where it was, if
 * nothing comes of it.
 */
#ifndef MX509_STAGE_H
#define MX509_STAGE_H

#include "store/corpus/store.h"

struct stage {
	char *dir, *part;
	struct store *store; /* to fill: open for writing, empty */
	bool made_dir;
};

/* To become a corpus of its own: dir must be new or empty, but for what a stage left in it. */
int stage_open(struct stage *stage, const char *dir, struct err *err);
/* To take the place of the corpus in dir. */
int stage_open_within(struct stage *stage, const char *dir, struct err *err);

/* Closes the store and moves it to its place, synced. */
int stage_finish(struct stage *stage, struct err *err);
/* The same in the place of `old`'s file, which was claimed (db_claim()); closes both, also on
 * error. */
int stage_replace(struct stage *stage, struct store **old, struct err *err);

/* Nothing comes of it. Harmless after the calls above, and on a zero-initialised struct. */
void stage_abandon(struct stage *stage);

/* Removes what a stage that was cut short left in the directory of a corpus that is claimed. */
int stage_clear(const char *dir, struct err *err);

#endif
