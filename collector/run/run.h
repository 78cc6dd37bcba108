/*
 * run: the command "mxcollect run": one pass over the targets (CONTRACT). Options, set-up, the
 * summary and the exit status; the work is schedule.h's.
 */
#ifndef MX509_RUN_H
#define MX509_RUN_H

/* argv[0] is the command's own name. Returns the exit status. */
int run_command(int argc, char **argv);

#endif
