#include "run.h"

#include <signal.h>
#include <stdio.h>

#include "setup.h"

#define PROGRAM "mxcollect"

/* Everything of a run, so that one function takes it down. */
struct run {
	struct setup setup;
	struct schedule *schedule;
	struct loop_signal *sigint, *sigterm;
	unsigned signals;
};

static void
show_progress(void *ctx)
{
	struct run *run = ctx;

	summary_progress(&run->setup.summary, schedule_counts(run->schedule));
}

static void
say(void *ctx, const char *line)
{
	struct run *run = ctx;

	summary_say(&run->setup.summary, line);
}

static void
on_record(void *ctx)
{
	struct run *run = ctx;

	if (run->schedule != NULL)
		schedule_on_record(run->schedule);
}

/* The list of targets and the resolver come before the store: nothing is made where they are
 * wrong. */
static int
open_parts(struct run *run, struct err *err)
{
	struct setup *setup = &run->setup;
	const struct arguments *a = &setup->args;
	struct schedule_settings *s = &setup->settings;
	int rc;

	s->notice = say;
	s->progress = show_progress;
	s->ctx = run;
	if ((rc = setup_begin(setup, err)) != 0 ||
	    (rc = source_open(&s->source, setup->loop, a->options.operands,
		 (size_t)a->options.operand_n, a->file, err)) != 0 ||
	    (rc = setup_dns(setup, err)) != 0 ||
	    (rc = setup_store(setup, on_record, run, err)) != 0 ||
	    (rc = resume_begin(&s->resume, buf_text(&setup->dir), a->vantage, a->resume, err)) != 0)
		return rc;
	if (a->resume && resume_since_ms(s->resume) == 0)
		say(run, "there is nothing to resume: a new run begins");
	return schedule_create(&run->schedule, s, err);
}

static void
on_signal(void *ctx)
{
	struct run *run = ctx;
	uint64_t under_way = schedule_counts(run->schedule)->under_way;
	char line[128];

	if (run->signals++ == 0) {
		snprintf(line, sizeof(line),
		    "stopping: %llu probe%s under way %s finished; once more to give up",
		    (unsigned long long)under_way, under_way == 1 ? "" : "s",
		    under_way == 1 ? "is" : "are");
		say(run, line);
	}
	schedule_stop(run->schedule);
}

static int
do_run(struct run *run)
{
	struct schedule_settings *s = &run->setup.settings;
	int status;

	run->sigint = loop_signal_create(run->setup.loop, SIGINT, on_signal, run);
	run->sigterm = loop_signal_create(run->setup.loop, SIGTERM, on_signal, run);
	schedule_run(run->schedule);
	record_finish(s->record);
	status = options_finish(
	    PROGRAM, summary_conclude(&run->setup.summary, run->schedule, s->record));
	resume_end(s->resume, summary_is_complete(run->schedule, s->record));
	s->resume = NULL;
	return status;
}

static void
take_down(struct run *run)
{
	schedule_destroy(run->schedule);
	resume_end(run->setup.settings.resume, false);
	loop_signal_destroy(run->sigint);
	loop_signal_destroy(run->sigterm);
	setup_close(&run->setup);
}

int
run_command(int argc, char **argv)
{
	struct run run = {.setup.args = {.program = PROGRAM}};
	struct err err = {0};
	int status;

	if ((status = arguments_parse(&run.setup.args, argc, argv)) >= 0)
		goto out;
	options_ignore_signals();
	status = open_parts(&run, &err) != 0 ? options_trouble(PROGRAM, &err) : do_run(&run);
out:
	take_down(&run);
	return status;
}
