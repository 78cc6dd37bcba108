/*
 * options: what the three programs share on their command lines (CONTRACT "The programs"): the
 * common options, a table of a command's own, one form of usage error, and exit statuses.
 *
 *	static const struct option_row rows[] = {
 *		{"at", 0, OPTION_TIME, &args.at_ms, "TIME", "what was shown at TIME"},
 *		{"out", 'o', OPTION_TEXT, &args.out, "DIR", "where to"},
 *		{0}};
 *	struct options options = {.program = "mxstore", .command = "export pem"};
 *	switch (options_parse(&options, rows, argc, argv)) {
 *	case OPTIONS_USAGE:  a line was printed; return EXIT_TROUBLE;
 *	case OPTIONS_HELP:   print your help and return 0;  (--version was printed: OPTIONS_DONE)
 *
 * Options and operands may be mixed; "--" ends the options; long ones may be abbreviated. Nothing
 * is global but optind. Texts point into argv.
 */
#ifndef MX509_OPTIONS_H
#define MX509_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

enum exit_status {
	EXIT_DONE = 0,	  /* also: clean, no difference */
	EXIT_MISSING = 1, /* done, but something could not be had, and was named; findings */
	EXIT_TROUBLE = 2, /* usage or trouble */
};

enum option_type {
	OPTION_FLAG,	 /* bool *: true */
	OPTION_COUNT,	 /* unsigned *: how often it was given */
	OPTION_TEXT,	 /* const char ** */
	OPTION_LIST,	 /* struct option_list *: may be repeated */
	OPTION_UNSIGNED, /* unsigned *: decimal, at most 2^31-1 */
	OPTION_REAL,	 /* double *: not negative */
	OPTION_TIME,	 /* int64_t *: milliseconds, clock_parse() */
	OPTION_TIMES,	 /* int64_t[2]: two arguments, each as of OPTION_TIME */
	OPTION_SPAN,	 /* int64_t *: milliseconds, clock_parse_span() */
};

struct option_row {
	const char *name; /* long, without dashes; NULL ends the table */
	int letter;	  /* short form; 0: none */
	enum option_type type;
	void *value;	      /* is left alone where the option is not given */
	const char *argument; /* its name in the help; NULL for flags */
	const char *help;
};

/* Texts of an option that may be repeated; zero-initialise, option_list_finish(). */
struct option_list {
	const char **items;
	size_t n;
};
void option_list_finish(struct option_list *list);

struct options {
	const char *program; /* set by the caller */
	const char *command; /* set by the caller; NULL: none */
	const char *store;   /* --store, as given; store_find_dir() finds the directory */
	bool json, quiet;
	char **operands; /* into argv */
	int operand_n;
};

enum options_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_DONE, OPTIONS_USAGE };

/* argv[0] is skipped. Prints one line on standard error before OPTIONS_USAGE. */
enum options_result options_parse(
    struct options *options, const struct option_row *rows, int argc, char **argv);

/* "mxstore: unknown command foo; see mxstore --help" on standard error; returns EXIT_TROUBLE. */
int options_usage_error(const char *program, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "mxstore: " and the error's line on standard error, escaped; returns EXIT_TROUBLE. */
int options_trouble(const char *program, const struct err *err);

/* For store_on_wait(), from another thread: "mxstore: waiting for another writer of DIR"; ctx is
 * the program's name. */
void options_on_wait(void *program, const char *dir);

/* The rows as help, two columns, with the common options below them. */
void options_help(FILE *out, const struct option_row *rows);

/* Whether to colour what goes to `out`: a terminal, TERM not "dumb", NO_COLOR unset or empty. */
bool options_colour(FILE *out);

/* Flushes standard output: a failed write (a full disk, a closed pipe) is named, unless the status
 * is EXIT_TROUBLE already; EXIT_TROUBLE then, else `status`. What main() returns last. */
int options_finish(const char *program, int status);

/* /dev/null for those of standard input, output and error that the program was started without:
 * else the first files that it opens, the corpus perhaps, get their numbers, and messages are
 * written into them. What main() does first. */
void options_open_streams(void);

/* SIGINT and SIGTERM set a flag (no SA_RESTART) instead of ending the program; a second one ends
 * it. SIGXFSZ is ignored, so that the write fails and is named; SIGBUS, which a corpus cut short
 * raises, and SIGSEGV, which damage in it may, end the program with a line and EXIT_TROUBLE.
 * SIGPIPE ends it without a word, as `| head` expects. Programs with an event loop of their own
 * need only the middle two, and SIGPIPE ignored: options_ignore_signals(). */
void options_catch_signals(void);
void options_ignore_signals(void);
/* SIGHUP as SIGTERM, unless it is ignored (nohup): for what runs until it is ended. */
void options_catch_hangup(void);
bool options_interrupted(void);

#endif
