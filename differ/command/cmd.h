/*
 * cmd: the commands of mxdiff, each in a file of its own (cmd_NAME.c). A command gets the
 * arguments from its own name on (argv[0] is "log"), parses them with store/base/options.h (program
 * "mxdiff", command its name), prints its result on standard output and errors on standard error,
 * and returns the exit status (CONTRACT "The programs"). It has no globals; main() flushes.
 */
#ifndef MX509_CMD_H
#define MX509_CMD_H

int cmd_cert(int argc, char **argv);
int cmd_diff(int argc, char **argv); /* two certificates, or two moments (--between) */
int cmd_feed(int argc, char **argv);
int cmd_fields(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_windows(int argc, char **argv);

/* What `diff --between T1 T2 [HOST…]` does; cmd_diff() calls it where --between is given. */
int cmd_diff_between(int argc, char **argv);

#endif
