#include "run.h"

#include <signal.h>
#include <stdio.h>

#include "setup.h"

#define PROGRAM "mxcollect"
#define PROGRESS_MS 200

/* Everything of a run, so that one function takes it down. */
struct run {
	struct setup setup;
	struct dns *dns;
	struct source *source;
	struct resume *resume;
	struct pass *pass;
	struct loop_timer *progress;
	struct loop_signal *sigint, *sigterm;
};

static void
say(void *ctx, const char *line)
{
	struct run *run = ctx;

	setup_say(&run->setup, line);
}

static void
on_progress(void *ctx)
{
	struct run *run = ctx;

	summary_progress(&run->setup.summary, pass_counts(run->pass));
	loop_timer_set(run->progress, PROGRESS_MS);
}

static void
on_signal(void *ctx)
{
	struct run *run = ctx;

	setup_stop(&run->setup);
}

static void
on_done(void *ctx, struct pass *pass)
{
	struct run *run = ctx;

	(void)pass;
	loop_stop(run->setup.loop);
}

/* The list of targets and the resolver come before the store: nothing is made where they are
 * wrong. */
static int
open_parts(struct run *run, struct err *err)
{
	struct setup *setup = &run->setup;
	const struct arguments *a = &setup->args;
	int rc;

	if ((rc = setup_begin(setup, err)) != 0 ||
	    (rc = source_open(&run->source, setup->loop, a->options.operands,
		 (size_t)a->options.operand_n, a->file, err)) != 0 ||
	    (rc = setup_dns(setup, &run->dns, err)) != 0 || (rc = setup_store(setup, err)) != 0 ||
	    (rc = resume_begin(&run->resume, buf_text(&setup->dir), a->vantage, a->resume, err)) !=
		0)
		return rc;
	if (a->resume && resume_since_ms(run->resume) == 0)
		say(run, "there is nothing to resume: a new run begins");
	return 0;
}

static int
do_run(struct run *run)
{
	struct setup *setup = &run->setup;
	struct pass_settings settings = setup_pass(setup);
	int status;

	settings.source = run->source;
	settings.dns = run->dns;
	settings.resume = run->resume;
	settings.notice = say;
	settings.done = on_done;
	settings.ctx = run;
	run->sigint = loop_signal_create(setup->loop, SIGINT, on_signal, run);
	run->sigterm = loop_signal_create(setup->loop, SIGTERM, on_signal, run);
	run->progress = loop_timer_create(setup->loop, on_progress, run);
	loop_timer_set(run->progress, PROGRESS_MS);
	run->pass = pass_create(&settings);
	loop_run(setup->loop);
	record_finish(setup->record);
	status =
	    options_finish(PROGRAM, summary_conclude(&setup->summary, run->pass, setup->record));
	resume_end(run->resume, summary_is_complete(run->pass, setup->record));
	run->resume = NULL;
	return status;
}

static void
take_down(struct run *run)
{
	pass_destroy(run->pass);
	resume_end(run->resume, false);
	dns_destroy(run->dns);
	source_close(run->source);
	loop_timer_destroy(run->progress);
	loop_signal_destroy(run->sigint);
	loop_signal_destroy(run->sigterm);
	setup_close(&run->setup);
}

int
run_command(int argc, char **argv)
{
	struct run run = {.setup = {.args = {.program = PROGRAM}}};
	struct err err = {0};
	int status;

	if ((status = arguments_parse(&run.setup.args, argc, argv)) >= 0)
		goto out;
	options_ignore_signals();
	if (open_parts(&run, &err) != 0)
		status = options_trouble(PROGRAM, &err);
	else
		status = do_run(&run);
out:
	take_down(&run);
	return status;
}
