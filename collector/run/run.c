#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arguments.h"
#include "collector/limits.h"
#include "summary.h"

#define PROGRAM "mxcollect"
#define DESCRIPTORS_SPARE 64
#define DESCRIPTORS_LEAST 64
#define BLOCKLIST "blocklist" /* in the store's directory: mxstore delete writes it */

/* Everything of a run, so that one function takes it down. */
struct run {
	struct arguments args;
	struct summary summary;
	struct schedule_settings settings;
	struct loop *loop;
	struct store *store;
	struct schedule *schedule;
	struct loop_signal *sigint, *sigterm;
	unsigned signals, dns_queries;
};

static void
say(void *ctx, const char *line)
{
	struct run *run = ctx;

	summary_say(&run->summary, line);
}

static void
show_progress(void *ctx)
{
	struct run *run = ctx;

	summary_progress(&run->summary, schedule_counts(run->schedule));
}

/* Each probe needs a descriptor, a question to DNS up to two (its DS and DNSKEY are asked for at
 * the same time, or TCP after UDP); some are of the store and of the loops. */
static int
share_descriptors(struct run *run, struct err *err)
{
	rlim_t spare, half, rest, own = 8 * (rlim_t)run->args.threads;
	unsigned *probes = &run->settings.concurrency;
	struct rlimit limit;
	char line[160];

	*probes = run->args.concurrency;
	run->dns_queries = LIMIT_DNS_QUERIES;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		return 0;
	if (limit.rlim_cur < DESCRIPTORS_LEAST)
		return err_set(err, ERR_SYSTEM,
		    "no more than %llu files may be open: raise it to %d at least (ulimit -n)",
		    (unsigned long long)limit.rlim_cur, DESCRIPTORS_LEAST);
	spare = limit.rlim_cur < 2 * DESCRIPTORS_SPARE ? limit.rlim_cur / 2 : DESCRIPTORS_SPARE;
	if (spare < own && own < limit.rlim_cur / 2)
		spare = own;
	half = (limit.rlim_cur - spare) / 2;
	if (run->dns_queries > half / 2)
		run->dns_queries = (unsigned)(half / 2);
	rest = limit.rlim_cur - spare - 2 * (rlim_t)run->dns_queries;
	if (*probes <= rest)
		return 0;
	*probes = (unsigned)rest;
	snprintf(line, sizeof(line),
	    "concurrency is cut to %u: no more than %llu files may be open (ulimit -n)", *probes,
	    (unsigned long long)limit.rlim_cur);
	say(run, line);
	return 0;
}

/* Those of the command line, and that of the store, where operators stand who opted out. */
static int
load_blocklists(struct run *run, const char *dir, struct err *err)
{
	struct blocklist *list = run->settings.blocklist = blocklist_create();
	struct buf path = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < run->args.blocklists.n; i++)
		rc = blocklist_load(list, run->args.blocklists.items[i], err);
	buf_printf(&path, "%s/%s", dir, BLOCKLIST);
	if (rc == 0 && access(buf_text(&path), F_OK) == 0)
		rc = blocklist_load(list, buf_text(&path), err);
	buf_finish(&path);
	return rc;
}

static void
on_record(void *ctx)
{
	struct run *run = ctx;

	if (run->schedule != NULL)
		schedule_on_record(run->schedule);
}

static int
open_store(struct run *run, const char *dir, struct err *err)
{
	const struct arguments *a = &run->args;
	struct schedule_settings *s = &run->settings;
	int rc;

	if ((rc = load_blocklists(run, dir, err)) != 0 ||
	    (rc = store_open(&run->store, dir, STORE_WRITE, err)) != 0 ||
	    (rc = resume_begin(&s->resume, dir, a->vantage, a->resume, err)) != 0)
		return rc;
	if (!a->options.quiet)
		store_on_wait(run->store, options_on_wait, (void *)(uintptr_t)PROGRAM);
	if (a->resume && resume_since_ms(s->resume) == 0)
		say(run, "there is nothing to resume: a new run begins");
	s->record =
	    record_create(run->store, a->options.json ? stdout : NULL, run->loop, on_record, run);
	return 0;
}

static int
open_parts(struct run *run, struct err *err)
{
	const struct arguments *a = &run->args;
	struct schedule_settings *s = &run->settings;
	struct dns_options dns = {.resolver = a->resolver,
	    .recursive = a->recursive,
	    .trust_anchor = a->trust_anchor,
	    .queries = run->dns_queries};
	struct buf dir = {0};
	int rc;

	if ((rc = loop_create(&run->loop, err)) != 0 ||
	    (rc = source_open(&s->source, run->loop, a->options.operands,
		 (size_t)a->options.operand_n, a->file, err)) != 0 ||
	    (rc = dns_create(&s->dns, run->loop, &dns, err)) != 0)
		return rc;
	if ((rc = store_find_dir(a->options.store, &dir, err)) == 0)
		rc = open_store(run, buf_text(&dir), err);
	buf_finish(&dir);
	return rc;
}

static void
fill_settings(struct run *run)
{
	struct schedule_settings *s = &run->settings;
	const struct arguments *a = &run->args;

	s->loop = run->loop;
	s->plan = a->plan;
	s->pace = (struct pace_settings){.gap_ms = a->gap_ms,
	    .back_off_ms = LIMIT_BACK_OFF_MS,
	    .per_second = a->rate,
	    .per_network = a->per_network,
	    .per_operator = a->per_operator,
	    .spare_loopback = !a->caps_given};
	s->ipv4 = a->ipv4;
	s->ipv6 = a->ipv6;
	s->allow_private = a->allow_private;
	s->port = (uint16_t)a->port;
	s->ehlo_domain = a->ehlo_domain;
	s->timeout_ms = a->timeout_ms;
	s->threads = a->threads;
	s->nexthops_most = a->nexthops;
	s->notice = say;
	s->progress = show_progress;
	s->ctx = run;
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
	struct schedule_settings *s = &run->settings;
	int status;

	run->sigint = loop_signal_create(run->loop, SIGINT, on_signal, run);
	run->sigterm = loop_signal_create(run->loop, SIGTERM, on_signal, run);
	schedule_run(run->schedule);
	record_finish(s->record);
	status = options_finish(PROGRAM, summary_conclude(&run->summary, run->schedule, s->record));
	resume_end(s->resume, summary_is_complete(run->schedule, s->record));
	s->resume = NULL;
	return status;
}

static void
take_down(struct run *run)
{
	struct schedule_settings *s = &run->settings;

	schedule_destroy(run->schedule);
	record_destroy(s->record);
	resume_end(s->resume, false);
	dns_destroy(s->dns);
	source_close(s->source);
	blocklist_destroy(s->blocklist);
	loop_signal_destroy(run->sigint);
	loop_signal_destroy(run->sigterm);
	loop_destroy(run->loop);
	store_close(run->store);
	arguments_finish(&run->args);
}

int
run_command(int argc, char **argv)
{
	struct run run = {.args = {.program = PROGRAM}};
	struct err err = {0};
	int status;

	if ((status = arguments_parse(&run.args, argc, argv)) >= 0)
		goto out;
	options_ignore_signals();
	summary_init(&run.summary, PROGRAM, run.args.options.quiet);
	if (share_descriptors(&run, &err) == 0 && open_parts(&run, &err) == 0) {
		fill_settings(&run);
		schedule_create(&run.schedule, &run.settings, &err);
	}
	if (err.code != 0)
		status = options_trouble(PROGRAM, &err);
	else
		status = do_run(&run);
out:
	take_down(&run);
	return status;
}
