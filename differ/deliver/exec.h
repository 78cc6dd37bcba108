/*
 * exec: each event to a command of the user's, on its standard input, as one line of JSON. Nothing
 * of an event reaches the command's arguments, its environment or a line that a shell reads: CMD is
 * what the user wrote, run by /bin/sh -c. Standard input is a file in memory, so that a command
 * that reads none of it, or not all, does not matter.
 *
 * Several run at once, those of a series one after the other. A command that does not end with 0,
 * or not in time (its process group is ended then), is run again, after EXEC_BACK_OFF_MS, twice as
 * long, and so on. A batch is delivered when every event's command has ended with 0, and only then
 * the cursor moves; until then the next batch waits.
 *
 * Of what an event of the same id was begun before, since the cursor, the next one bears
 * "repeat":true: another try, or what this batch says of it after the last one was cut short. What
 * has been begun since the cursor is written down beside it (CURSOR-FILE.begun) before its command
 * starts, so that a mark is there too when this program was killed.
 *
 * Threads: one. Not to be used while a view is open: it forks (store.h).
 */
#ifndef MX509_EXEC_H
#define MX509_EXEC_H

#include "differ/time/feed.h"
#include "spool.h"

#define EXEC_JOBS_MAX 64
#define EXEC_BACK_OFF_MS 1000
#define EXEC_BACK_OFF_MAX_MS 300000
#define EXEC_GRACE_MS 5000 /* between SIGTERM and SIGKILL */

struct exec_rules {
	const char *command;
	unsigned jobs;	    /* at once */
	unsigned tries;	    /* of an event; 0: for ever */
	int64_t timeout_ms; /* of a run */
	const char *begun;  /* the file; NULL: none */
};

struct exec;
/* The rules are borrowed. cursor: from where the events to come are; what was begun since then by
 * one who was killed is read. */
int exec_create(
    struct exec **exec, const struct exec_rules *rules, uint64_t cursor, struct err *err);
void exec_destroy(struct exec *exec); /* accepts NULL */

/* A line with its LF that lies in a spool from `at` on. `id` names what it tells of, `lane` what
 * must stay in order; both of at most 63 octets that count, without LF. */
void exec_add(struct exec *exec, const char *id, const char *lane, uint64_t at, size_t len);

/* Runs them to the end: OUTLET_DONE; OUTLET_INTERRUPTED: the commands that ran were ended; <0: an
 * event was tried often enough. What was added is forgotten. */
int exec_run(struct exec *exec, const struct spool *spool, struct err *err);

/* The cursor was moved past all that was run. */
int exec_forget(struct exec *exec, uint64_t cursor, struct err *err);

#endif
