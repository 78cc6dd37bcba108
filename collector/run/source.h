/*
 * source: where targets come from: the command line, a file, standard input. Lines are read as
 * they are asked for, so that a list of ten million costs one line; a pipe that is slow holds up
 * nobody (SOURCE_WAIT).
 */
#ifndef MX509_SOURCE_H
#define MX509_SOURCE_H

#include "collector/loop.h"
#include "target.h"

struct source;

enum source_result {
	SOURCE_TARGET,
	SOURCE_WAIT, /* nothing has come yet: the callback tells when to ask again */
	SOURCE_BAD,  /* *err names the line, its number and what is wrong; go on */
	SOURCE_END,
	SOURCE_FAILED, /* reading failed: *err; nothing more comes */
};

/* arguments: borrowed. path: NULL for none, "-" for standard input; read after the arguments. */
int source_open(struct source **source, struct loop *loop, char *const *arguments,
    size_t arguments_n, const char *path, struct err *err);
/* The same of a list that is in memory already (borrowed), which `path` had. */
struct source *source_of_text(struct loop *loop, char *const *arguments, size_t arguments_n,
    const char *path, const void *text, size_t len);
void source_close(struct source *source); /* accepts NULL */

enum source_result source_next(struct source *source, struct target *target, struct err *err);
/* fn is called once after SOURCE_WAIT. */
void source_on_ready(struct source *source, loop_fn *fn, void *ctx);
/* Stops waiting: no callback comes any more. */
void source_stop(struct source *source);

#endif
