#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "differ/deliver/atom.h"
#include "differ/deliver/cursor.h"
#include "differ/deliver/exec.h"
#include "differ/deliver/outlet.h"
#include "differ/deliver/tell.h"
#include "store/base/clock.h"
#include "store/base/place.h"

#define POLL_MS 400	      /* how long a commit may wait to be noticed */
#define SPACING 8	      /* of the time, a batch takes at most one part in so many */
#define PROMPT_MS 800	      /* and yet none begins later than so after the one before */
#define TRIES 5		      /* of a command, where nobody follows */
#define CURSOR_EVERY_MS 60000 /* how often a cursor is told that nothing stands before */

#define EXEC_JOBS 4 /* unless told otherwise */

struct feed_options {
	const char *since, *cursor_file, *format, *type;
	bool follow;
	unsigned exec_tries; /* UINT_MAX: not given */
	struct exec_rules exec;
	struct atom_rules atom;
};

struct follower {
	struct query query;
	struct feed_options options;
	enum tell_form form;
	unsigned kinds; /* of enum tell_kind */
	struct spool spool;
	struct exec *exec; /* NULL: to standard output */
	struct atom *atom; /* NULL: no documents */
	struct buf base_url;
	struct buf begun; /* the name of a file beside the cursor's */
	struct buf line;
	uint64_t cursor, told; /* as of what was read, and of what was told */
	int64_t told_ms;       /* when it was, monotonic; 0: never */
	int64_t next_ms;       /* the next batch is not read before, monotonic */
	bool missing, is_atom;
	struct err err;
};

/* ---- where to begin ---------------------------------------------------------------------- */

static bool
understand_kinds(struct follower *f, const char *text)
{
	f->kinds = TELL_CHANGES | TELL_WINDOWS;
	if (text == NULL || strcmp(text, "change,window") == 0)
		return true;
	f->kinds = strcmp(text, "change") == 0 ? TELL_CHANGES : TELL_WINDOWS;
	return f->kinds == TELL_CHANGES || strcmp(text, "window") == 0;
}

/* Returns -1 to go on, or the exit status. */
static int
understand(struct follower *f)
{
	struct feed_options *o = &f->options;

	f->form = TELL_JSON;
	if (o->exec.command == NULL && (o->exec.jobs != UINT_MAX || o->exec_tries != UINT_MAX))
		return options_usage_error(
		    "mxdiff", "--exec-jobs and --exec-tries go with --exec CMD");
	if (o->exec.jobs == UINT_MAX)
		o->exec.jobs = EXEC_JOBS;
	if (o->exec.command != NULL && (o->format != NULL && strcmp(o->format, "json") != 0))
		return options_usage_error(
		    "mxdiff", "--exec and --format %s: a command gets JSON", o->format);
	if (o->exec.command != NULL && (o->exec.jobs < 1 || o->exec.jobs > EXEC_JOBS_MAX))
		return options_usage_error(
		    "mxdiff", "--exec-jobs %u: not 1 to %d", o->exec.jobs, EXEC_JOBS_MAX);
	if (o->exec.command != NULL && o->exec.timeout_ms < 1)
		return options_usage_error("mxdiff", "--exec-timeout: at least 1ms");
	if (o->since != NULL && o->cursor_file != NULL)
		return options_usage_error("mxdiff", "--since and --cursor-file: give one of them");
	if (!understand_kinds(f, o->type))
		return options_usage_error(
		    "mxdiff", "--type %s: not change, window or change,window", o->type);
	if (o->format == NULL || f->query.options.json || strcmp(o->format, "json") == 0)
		return -1;
	f->is_atom = strcmp(o->format, "atom") == 0;
	if (!f->is_atom && strcmp(o->format, "text") != 0)
		return options_usage_error(
		    "mxdiff", "--format %s: not json, text or atom", o->format);
	f->form = TELL_TEXT;
	return -1;
}

/* --format atom: the cursor stands in the documents. Returns -1 to go on. */
static int
prepare_atom(struct follower *f)
{
	struct feed_options *o = &f->options;
	const char *base = o->atom.base_url;
	uint64_t kept;

	if (o->atom.dir == NULL)
		return options_usage_error("mxdiff", "--format atom: --out DIR says where to");
	if (o->cursor_file != NULL || o->exec.command != NULL)
		return options_usage_error("mxdiff",
		    "--format atom: not with --exec or --cursor-file; the cursor is kept in --out");
	if (o->atom.entries < 1)
		return options_usage_error("mxdiff", "--entries 0: must be at least 1");
	for (const char *c = base; c != NULL && *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return options_usage_error("mxdiff",
			    "--base-url: octets that no URL has; write them as %%XX (RFC 3986)");
	if (base != NULL) {
		buf_printf(&f->base_url, "%s%s", base,
		    base[0] != '\0' && base[strlen(base) - 1] == '/' ? "" : "/");
		o->atom.base_url = buf_text(&f->base_url);
	}
	f->query.utc = true;
	f->query.colour = false;
	if (place_make(o->atom.dir, &f->err) < 0 ||
	    atom_create(&f->atom, &o->atom, &kept, &f->err) < 0)
		return EXIT_TROUBLE;
	if (kept > 0)
		f->cursor = kept;
	return -1;
}

static int
find_cursor(struct follower *f)
{
	const struct feed_options *o = &f->options;
	int64_t since_ms;

	if (o->cursor_file != NULL)
		return cursor_read(o->cursor_file, &f->cursor, &f->err) < 0 ? EXIT_TROUBLE : -1;
	if (o->since == NULL || cursor_parse(o->since, &f->cursor))
		return -1;
	if (!clock_parse(o->since, clock_now_ms(), &since_ms))
		return options_usage_error(
		    "mxdiff", "--since %s: neither a cursor (a number) nor a time", o->since);
	return feed_cursor_at(f->query.view, since_ms, &f->cursor, &f->err) < 0 ? EXIT_TROUBLE : -1;
}

/* Returns -1 to go on. One that does not wait for more does not try for ever either. */
static int
prepare_exec(struct follower *f)
{
	struct exec_rules *rules = &f->options.exec;

	if (rules->command == NULL)
		return -1;
	rules->tries = f->options.exec_tries;
	if (rules->tries == UINT_MAX)
		rules->tries = f->options.follow ? 0 : TRIES;
	if (f->options.cursor_file != NULL) {
		buf_printf(&f->begun, "%s.begun", f->options.cursor_file);
		rules->begun = buf_text(&f->begun);
	}
	return exec_create(&f->exec, rules, f->cursor, &f->err) < 0 ? EXIT_TROUBLE : -1;
}

/* ---- a batch ----------------------------------------------------------------------------- */

static int
keep(void *ctx, const struct feed_event *event, struct err *err)
{
	struct follower *f = ctx;
	char id[TELL_NAME_MAX], lane[TELL_NAME_MAX];
	int rc;

	if (!tell_takes(event, f->kinds))
		return 0;
	if (f->atom != NULL)
		return atom_event(f->atom, &f->query, event, err);
	if (event->news == FEED_SAME)
		return 0;
	buf_clear(&f->line);
	rc = tell_event(&f->line, &f->query, event, f->form, err);
	if (rc < 0)
		return rc;
	if (f->exec != NULL) {
		tell_names(event, id, lane);
		exec_add(f->exec, id, lane, f->spool.len, f->line.len);
	}
	return spool_append(&f->spool, f->line.data, f->line.len, err);
}

/* Whether there is something to say: who follows need not hear of every commit. */
static bool
is_due(const struct follower *f)
{
	return f->spool.len > 0 || (f->atom != NULL && atom_is_due(f->atom)) || f->told_ms == 0 ||
	       (f->cursor != f->told && clock_monotonic_ms() >= f->told_ms + CURSOR_EVERY_MS);
}

/* Events, then the cursor behind them; it is to be kept when a reader has them. */
static int
deliver_lines(struct follower *f)
{
	int rc;

	buf_clear(&f->line);
	if (f->form == TELL_JSON || !f->options.follow)
		tell_cursor(&f->line, f->cursor, f->form);
	if ((rc = spool_append(&f->spool, f->line.data, f->line.len, &f->err)) == 0 &&
	    (rc = outlet_send(&f->spool, &f->err)) == 0 && f->options.cursor_file != NULL)
		rc = outlet_drain(&f->err);
	return rc;
}

static int
deliver(struct follower *f)
{
	const char *file = f->options.cursor_file;
	int rc;

	if (!is_due(f))
		return 0;
	if (f->atom != NULL)
		rc = atom_commit(f->atom, f->cursor, &f->err);
	else if (f->exec != NULL)
		rc = exec_run(f->exec, &f->spool, &f->err);
	else
		rc = deliver_lines(f);
	if (rc == 0 && file != NULL)
		rc = cursor_write(file, f->cursor, &f->err);
	if (rc == 0 && f->exec != NULL)
		rc = exec_forget(f->exec, f->cursor, &f->err);
	spool_clear(&f->spool);
	if (rc != 0)
		return rc;
	f->told = f->cursor;
	f->told_ms = clock_monotonic_ms();
	return 0;
}

/* A batch costs what the groups hold in which something changed, however little that is: where
 * commits follow each other closely, several are told at once, but none after PROMPT_MS. */
static void
space_out(struct follower *f, int64_t began_ms, int64_t ended_ms)
{
	int64_t cost_ms = ended_ms - began_ms, span_ms = SPACING * cost_ms;

	if (span_ms > PROMPT_MS - cost_ms)
		span_ms = PROMPT_MS - cost_ms;
	f->next_ms = began_ms + span_ms;
}

/* The view is closed before anything is delivered; *number: the commit that was seen. */
static int
batch(struct follower *f, uint64_t *number)
{
	bool *missing = f->told_ms == 0 ? &f->missing : &(bool){false};
	int64_t began_ms = clock_monotonic_ms();
	uint64_t last;
	int rc;

	*number = store_view_number(f->query.view);
	rc = feed_read(
	    &f->query, f->cursor, &last, (f->kinds & TELL_WINDOWS) != 0, keep, f, missing, &f->err);
	query_release(&f->query);
	space_out(f, began_ms, clock_monotonic_ms());
	if (rc < 0)
		return rc;
	f->cursor = last;
	return deliver(f);
}

/* Until there is another commit, somebody wants us to end (OUTLET_INTERRUPTED), or nobody reads any
 * more; from time to time a cursor is due. */
static int
await(struct follower *f, uint64_t number)
{
	int rc = 0;

	for (;;) {
		int64_t nap_ms = f->next_ms - clock_monotonic_ms();

		if (store_newest(f->query.store) == number)
			nap_ms = POLL_MS;
		if (rc != 0 || nap_ms <= 0)
			break;
		if (options_interrupted())
			return OUTLET_INTERRUPTED;
		if (f->exec != NULL || f->atom != NULL)
			poll(NULL, 0, (int)nap_ms);
		else
			rc = outlet_sleep((int)nap_ms);
		if (rc == 0)
			rc = deliver(f);
	}
	return rc;
}

static int
follow(struct follower *f)
{
	uint64_t number;
	int rc;

	while ((rc = batch(f, &number)) == 0 && f->options.follow) {
		if ((rc = await(f, number)) != 0)
			break;
		/* The number is that of a commit which readers may not see yet. */
		if ((rc = query_refresh(&f->query, &f->err)) != 0)
			break;
	}
	return rc;
}

/* ---- the command ------------------------------------------------------------------------- */

/* What follows is asked for ends well, however it ends. */
static int
finish(struct follower *f, int rc)
{
	if (rc == OUTLET_CLOSED) {
		raise(SIGPIPE); /* as if it had been written to */
		return EXIT_TROUBLE;
	}
	if (f->options.follow && options_interrupted())
		return EXIT_DONE;
	if (rc == OUTLET_INTERRUPTED)
		err_set(&f->err, ERR_SYSTEM, "interrupted; the cursor stays where it was");
	if (f->err.code != ERR_NONE)
		return options_trouble("mxdiff", &f->err);
	return f->missing ? EXIT_MISSING : EXIT_DONE;
}

int
cmd_feed(int argc, char **argv)
{
	struct follower f = {.form = TELL_JSON,
	    .options = {.exec = {.jobs = UINT_MAX, .timeout_ms = 60000},
		.exec_tries = UINT_MAX,
		.atom = {.entries = 100}}};
	struct feed_options *o = &f.options;
	const struct option_row rows[] = {
	    {"since", 0, OPTION_TEXT, &o->since, "CURSOR|TIME",
		"what came after this cursor, or was committed after this time (all)"},
	    {"cursor-file", 0, OPTION_TEXT, &o->cursor_file, "FILE",
		"go on where FILE says, and keep the new cursor there"},
	    {"follow", 'f', OPTION_FLAG, &o->follow, NULL,
		"wait for more, and tell it as it is committed"},
	    {"format", 0, OPTION_TEXT, &o->format, "F", "json (the default), text or atom"},
	    {"out", 0, OPTION_TEXT, &o->atom.dir, "DIR", "where the documents of Atom go"},
	    {"base-url", 0, OPTION_TEXT, &o->atom.base_url, "URL",
		"the address of DIR, for their links (relative)"},
	    {"entries", 0, OPTION_UNSIGNED, &o->atom.entries, "N", "of a document (100)"},
	    {"type", 0, OPTION_TEXT, &o->type, "T[,T]",
		"only of type change (with what becomes of them), or window"},
	    {"exec", 0, OPTION_TEXT, &o->exec.command, "CMD",
		"run CMD by sh for each event, with the event on its standard input"},
	    {"exec-jobs", 0, OPTION_UNSIGNED, &o->exec.jobs, "N", "at once at most (4)"},
	    {"exec-tries", 0, OPTION_UNSIGNED, &o->exec_tries, "N",
		"give up when CMD failed so often; 0: never (5; with --follow 0)"},
	    {"exec-timeout", 0, OPTION_SPAN, &o->exec.timeout_ms, "SPAN",
		"time for one run of CMD (60s)"},
	    {"until", 0, OPTION_TIME, &f.query.until_ms, "TIME", "only what happened before"},
	    {"between", 0, OPTION_TIMES, f.query.between_ms, "T1 T2",
		"only what happened between them"},
	    {0}};
	int status = query_open(&f.query, "feed", "[HOST…]",
	    "Changes and roll-outs as they were found, one JSON object a line, from a cursor over "
	    "the "
	    "journal;\nthe last line is the cursor to go on from.",
	    QUERY_CHANGES | QUERY_WINDOWS | QUERY_VERDICTS | QUERY_NAMES, rows, argc, argv);

	if (status < 0)
		status = understand(&f);
	if (status < 0)
		status = find_cursor(&f);
	if (status < 0 && f.is_atom)
		status = prepare_atom(&f);
	if (status < 0)
		status = prepare_exec(&f);
	if (status < 0 && o->follow)
		options_catch_hangup();
	if (status < 0 || f.err.code != ERR_NONE)
		status = finish(&f, status < 0 ? follow(&f) : f.err.code);
	atom_destroy(f.atom);
	buf_finish(&f.base_url);
	exec_destroy(f.exec);
	spool_finish(&f.spool);
	buf_finish(&f.begun);
	buf_finish(&f.line);
	query_close(&f.query);
	return status;
}
