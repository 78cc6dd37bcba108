#include "watch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/run/dice.h"
#include "collector/run/setup.h"
#include "list.h"
#include "notify.h"
#include "past.h"
#include "places.h"
#include "store/base/clock.h"
#include "talk.h"

#define PROGRAM "mxcollect"
#define PROGRESS_MS 200
#define GATHER_MS 50 /* changes come in crowds: so long they are waited for */
#define SAY_MS 1000  /* and so long before another line tells of them */

typedef unsigned long long llu;

struct watch {
	struct setup setup;
	struct talk talk;
	struct places *places;
	struct store *past;
	struct dice dice;
	struct buf list, next_list; /* the pass under way has the first */
	bool has_next_list;
	/* the pass under way */
	struct pass *pass;
	struct dns *dns;
	struct source *source;
	uint32_t pass_n;
	int64_t began_ms;
	struct record_counts done; /* its probes */
	/* closer looks */
	size_t looks;	    /* passes of them under way */
	struct pass *look;  /* the one that is being made */
	int64_t look_at_ms; /* when the timer fires */
	uint64_t changes;   /* since the last line about them */
	size_t more;	    /* places that are looked at closely for their sake */
	int64_t said_ms;    /* when that line was said */
	char change[LIMIT_NAME + IP_TEXT_MAX + 64];
	struct loop_timer *begin_timer, *look_timer, *alive_timer, *progress_timer;
	struct loop_signal *sigint, *sigterm, *sighup;
};

static void
notice(void *ctx, const char *line)
{
	struct watch *w = ctx;

	talk_notice(&w->talk, line);
}

static const char *
span(int64_t span_ms, char text[CLOCK_TEXT_MAX])
{
	clock_format_span(span_ms, text);
	return text;
}

/* Nothing is under way and nothing will be. */
static void
check_end(struct watch *w)
{
	if (schedule_stopped(w->setup.schedule) && w->pass == NULL && w->looks == 0)
		loop_stop(w->setup.loop);
}

/* ---- what is seen -------------------------------------------------------------------------- */

static void
look_by(struct watch *w, int64_t at_ms)
{
	int64_t now = clock_monotonic_ms();

	if (loop_timer_is_set(w->look_timer) && w->look_at_ms <= at_ms)
		return;
	w->look_at_ms = at_ms;
	loop_timer_set(w->look_timer, at_ms > now ? at_ms - now : 0);
}

static void
on_change(struct watch *w, const struct series *series)
{
	char address[IP_TEXT_MAX];

	if (w->changes++ > 0)
		return;
	ip_format(&series->address, address);
	snprintf(w->change, sizeof(w->change), "%s at %s (%s)", series->host, address,
	    sni_name(series->sni));
}

static void
on_probe(void *ctx, struct visit *visit)
{
	struct watch *w = ctx;
	const struct crew_job *job = &visit->job;
	struct place *place = visit->places[job->series.sni == SNI_NEXTHOP];
	struct place_series *series;

	if (w->pass == visit->pass) {
		w->done.observations++;
		w->done.outcomes[job->outcome]++;
	}
	if (place == NULL)
		return;
	places_leaf_ends(place, job->leaf_ends_s);
	if (!job->shown.observed)
		return;
	series = places_series(w->places, place, visit);
	if (series->states[0] == 0)
		past_states(w->past, &job->series, job->time_ms, series);
	if (places_saw(w->places, place, series, places_state(&job->shown.state))) {
		on_change(w, &job->series);
		look_by(w, clock_monotonic_ms() + GATHER_MS);
	}
}

static void
on_visit(void *ctx, struct visit *visit)
{
	struct watch *w = ctx;

	for (unsigned nexthop = 0; nexthop < 2; nexthop++)
		visit->places[nexthop] =
		    places_meet(w->places, visit, nexthop != 0, w->pass_n, clock_monotonic_ms());
}

static void
on_over(void *ctx, struct visit *visit)
{
	struct watch *w = ctx;
	int64_t now = clock_monotonic_ms();

	for (unsigned i = 0; i < 2; i++)
		if (visit->places[i] != NULL)
			places_over(w->places, visit->places[i], now, clock_now_ms());
	look_by(w, now + GATHER_MS);
}

/* ---- closer looks -------------------------------------------------------------------------- */

static void
on_look_done(void *ctx, struct pass *pass)
{
	struct watch *w = ctx;

	pass_destroy(pass);
	w->looks--;
	check_end(w);
}

static struct pass *
look_pass(struct watch *w)
{
	struct pass_settings settings = setup_pass(&w->setup);

	settings.until_ms = 0; /* whoever wants to be left alone is looked at another time */
	settings.notice = notice;
	settings.done = on_look_done;
	settings.on_probe = on_probe;
	settings.on_over = on_over;
	settings.ctx = w;
	w->looks++;
	return pass_create(&settings);
}

static void
look_at(void *ctx, struct place *place)
{
	struct watch *w = ctx;
	bool nexthop = *place->domain != '\0';
	struct visit *visit;

	if (blocklist_has_name(w->setup.blocklist, place->host) ||
	    (nexthop && blocklist_has_name(w->setup.blocklist, place->domain)) ||
	    blocklist_has_address(w->setup.blocklist, &place->address)) {
		places_leave(w->places, place);
		return;
	}
	visit = visit_create(&w->setup.args.plan, nexthop ? VISIT_NEXTHOP : VISIT_HOST,
	    nexthop ? place->domain : NULL, place->host, &place->address, place->port, -1);
	if (visit == NULL) {
		places_leave(w->places, place);
		return;
	}
	if (w->look == NULL)
		w->look = look_pass(w);
	visit->places[nexthop] = place;
	places_visit(w->places, place);
	pass_visit(w->look, visit);
}

static void
say_changes(struct watch *w, int64_t now)
{
	char line[768], every[CLOCK_TEXT_MAX], others[64] = "";

	if (w->changes == 0)
		return;
	if (w->said_ms != 0 && now - w->said_ms < SAY_MS) {
		look_by(w, w->said_ms + SAY_MS);
		return;
	}
	if (w->changes > 1)
		snprintf(others, sizeof(others), " and %llu more series", (llu)w->changes - 1);
	snprintf(line, sizeof(line),
	    "%s%s: not what was shown before; looking every %s at %zu more place%s, %zu in all",
	    w->change, others, span(w->setup.args.close_interval_ms, every), w->more,
	    w->more == 1 ? "" : "s", places_close(w->places));
	talk_say(&w->talk, line);
	w->changes = 0;
	w->more = 0;
	w->said_ms = now;
}

static void
on_look(void *ctx)
{
	struct watch *w = ctx;
	int64_t now = clock_monotonic_ms(), wait;

	if (schedule_stopped(w->setup.schedule))
		return;
	w->more += places_tend(w->places, now);
	say_changes(w, now);
	w->look = NULL;
	places_due(w->places, now, look_at, w);
	w->look = NULL;
	wait = places_wait_ms(w->places, now);
	if (wait >= 0)
		look_by(w, now + (wait > GATHER_MS ? wait : GATHER_MS));
}

/* ---- passes -------------------------------------------------------------------------------- */

static void
status(struct watch *w)
{
	char line[256];

	snprintf(line, sizeof(line), "STATUS=%s %llu; %zu places, %zu of them looked at closely",
	    w->pass != NULL ? "pass" : "waiting after pass", (llu)w->pass_n, places_n(w->places),
	    places_close(w->places));
	notify_send(line);
}

static void
say_pass(struct watch *w)
{
	const struct pass_counts *counts = pass_counts(w->pass);
	struct buf line = {0};

	if (pass_stopped(w->pass)) {
		buf_printf(&line,
		    "stopped: %llu probe%s or look-ups of pass %llu were not done, nor %llu "
		    "targets%s; what was done is stored",
		    (llu)counts->left, counts->left == 1 ? "" : "s", (llu)w->pass_n,
		    (llu)counts->held, counts->more_targets ? " that were read, nor the rest" : "");
		summary_say(&w->setup.summary, buf_text(&line));
	} else {
		summary_text(&line, counts, &w->done);
		buf_printf(&line, "; pass %llu, %.1f s", (llu)w->pass_n,
		    (double)(clock_monotonic_ms() - w->began_ms) / 1000);
		talk_summary(&w->talk, buf_text(&line));
		if (counts->targets == 0)
			talk_say(&w->talk, "there are no targets: put some into the list (-f), and "
					   "send SIGHUP");
	}
	buf_finish(&line);
}

static void
end_pass(struct watch *w)
{
	loop_timer_stop(w->progress_timer);
	progress_finish(&w->setup.summary.progress);
	pass_destroy(w->pass);
	dns_destroy(w->dns);
	source_close(w->source);
	w->pass = NULL;
	w->dns = NULL;
	w->source = NULL;
}

static void
on_pass_done(void *ctx, struct pass *pass)
{
	struct watch *w = ctx;

	say_pass(w);
	if (!pass_stopped(pass))
		places_sweep(w->places, w->pass_n);
	end_pass(w);
	status(w);
	check_end(w);
}

/* The new one, or the old one goes on: a list that cannot be read would let through who opted out.
 */
static void
reload_blocklist(struct watch *w)
{
	struct blocklist *list;
	struct err err = {0};
	char line[LIMIT_NAME + 512];

	if (setup_blocklist(&w->setup, &list, &err) != 0) {
		blocklist_destroy(list);
		snprintf(line, sizeof(line), "%s; the old blocklist goes on", err.text);
		talk_notice(&w->talk, line);
		return;
	}
	if (w->pass != NULL)
		pass_set_blocklist(w->pass, list);
	blocklist_destroy(w->setup.blocklist);
	w->setup.blocklist = list;
}

static void
begin_pass(struct watch *w, int64_t next_ms)
{
	const struct arguments *a = &w->setup.args;
	struct pass_settings settings;
	struct err err = {0};

	talk_pass(&w->talk);
	reload_blocklist(w);
	if (w->has_next_list) {
		buf_finish(&w->list);
		w->list = w->next_list;
		w->next_list = (struct buf){0};
		w->has_next_list = false;
	}
	if (setup_dns(&w->setup, &w->dns, &err) != 0) {
		talk_notice(&w->talk, err.text);
		return;
	}
	w->source = source_of_text(w->setup.loop, a->options.operands, (size_t)a->options.operand_n,
	    a->file, w->list.data, w->list.len);
	settings = setup_pass(&w->setup);
	settings.source = w->source;
	settings.dns = w->dns;
	/* What is begun by then is over when the next one begins. */
	settings.until_ms = next_ms - a->timeout_ms;
	settings.notice = notice;
	settings.done = on_pass_done;
	settings.on_visit = on_visit;
	settings.on_probe = on_probe;
	settings.on_over = on_over;
	settings.ctx = w;
	w->done = (struct record_counts){0};
	w->began_ms = clock_monotonic_ms();
	w->pass_n++;
	w->pass = pass_create(&settings);
	if (w->setup.summary.progress.enabled)
		loop_timer_set(w->progress_timer, PROGRESS_MS);
	status(w);
}

static void
on_begin(void *ctx)
{
	struct watch *w = ctx;
	int64_t interval = w->setup.args.interval_ms;
	/* Up to a tenth early, so that many watches do not keep step, and never late. */
	int64_t wait = interval - (int64_t)dice_below(&w->dice, (size_t)(interval / 10 + 1));
	char line[256], text[CLOCK_TEXT_MAX];

	if (schedule_stopped(w->setup.schedule))
		return;
	loop_timer_set(w->begin_timer, wait);
	if (w->pass == NULL) {
		begin_pass(w, clock_monotonic_ms() + wait);
		return;
	}
	snprintf(line, sizeof(line),
	    "pass %llu takes longer than the interval of %s: the next one is skipped",
	    (llu)w->pass_n, span(interval, text));
	talk_say(&w->talk, line);
}

/* ---- the service --------------------------------------------------------------------------- */

static void
on_progress(void *ctx)
{
	struct watch *w = ctx;

	if (w->pass == NULL)
		return;
	summary_progress(&w->setup.summary, pass_counts(w->pass));
	loop_timer_set(w->progress_timer, PROGRESS_MS);
}

static void
on_alive(void *ctx)
{
	struct watch *w = ctx;

	notify_send("WATCHDOG=1");
	loop_timer_set(w->alive_timer, notify_watchdog_ms());
}

static void
on_signal(void *ctx)
{
	struct watch *w = ctx;

	notify_send("STOPPING=1");
	loop_timer_stop(w->begin_timer);
	loop_timer_stop(w->look_timer);
	setup_stop(&w->setup);
	check_end(w);
}

static void
on_failure(void *ctx)
{
	struct watch *w = ctx;

	loop_timer_stop(w->begin_timer);
	check_end(w);
}

/* The pass under way goes on with what it began with, but for those who asked to be left alone. */
static void
on_hangup(void *ctx)
{
	struct watch *w = ctx;
	struct err err = {0};
	char line[640];

	notify_send("RELOADING=1");
	reload_blocklist(w);
	if (w->setup.args.file == NULL) {
		talk_say(&w->talk, "the blocklist is read again; there is no list of targets (-f)");
	} else if (list_read_again(&w->next_list, w->setup.args.file, &err) == 0) {
		w->has_next_list = true;
		snprintf(line, sizeof(line), "%s is read again: the next pass goes by it",
		    w->setup.args.file);
		talk_say(&w->talk, line);
	} else {
		snprintf(line, sizeof(line), "%s: the old list goes on", err.text);
		talk_say(&w->talk, line);
	}
	notify_send("READY=1");
}

/* ---- beginning and end --------------------------------------------------------------------- */

static int
open_parts(struct watch *w, struct err *err)
{
	struct setup *setup = &w->setup;
	const struct arguments *a = &setup->args;
	struct dns *dns = NULL;
	int rc;

	if ((rc = setup_begin(setup, err)) != 0 ||
	    (a->file != NULL && (rc = list_read(&w->list, a->file, err)) != 0) ||
	    (rc = setup_dns(setup, &dns, err)) != 0)
		return rc;
	dns_destroy(dns); /* each pass has its own; it was to be known now whether that can be */
	setup->on_failure = on_failure;
	setup->ctx = w;
	if ((rc = setup_store(setup, err)) != 0)
		return rc;
	return store_open(&w->past, buf_text(&setup->dir), STORE_READ, err);
}

static int
do_watch(struct watch *w)
{
	struct setup *setup = &w->setup;
	struct loop *loop = setup->loop;
	const struct err *failed;
	int64_t alive_ms = notify_watchdog_ms();

	talk_init(&w->talk, &setup->summary);
	dice_init(&w->dice);
	w->places = places_create(
	    &setup->args.plan, setup->args.interval_ms, setup->args.close_interval_ms);
	w->sigint = loop_signal_create(loop, SIGINT, on_signal, w);
	w->sigterm = loop_signal_create(loop, SIGTERM, on_signal, w);
	w->sighup = loop_signal_create(loop, SIGHUP, on_hangup, w);
	w->begin_timer = loop_timer_create(loop, on_begin, w);
	w->look_timer = loop_timer_create(loop, on_look, w);
	w->alive_timer = loop_timer_create(loop, on_alive, w);
	w->progress_timer = loop_timer_create(loop, on_progress, w);
	loop_timer_set(w->begin_timer, 0);
	if (alive_ms > 0)
		loop_timer_set(w->alive_timer, 0);
	notify_send("READY=1");
	loop_run(loop);
	record_finish(setup->record);
	failed = summary_records(&setup->summary, setup->record);
	return options_finish(PROGRAM, failed != NULL ? EXIT_TROUBLE : EXIT_DONE);
}

static void
take_down(struct watch *w)
{
	talk_finish(&w->talk);
	loop_timer_destroy(w->begin_timer);
	loop_timer_destroy(w->look_timer);
	loop_timer_destroy(w->alive_timer);
	loop_timer_destroy(w->progress_timer);
	loop_signal_destroy(w->sigint);
	loop_signal_destroy(w->sigterm);
	loop_signal_destroy(w->sighup);
	store_close(w->past);
	setup_close(&w->setup);
	places_destroy(w->places);
	buf_finish(&w->list);
	buf_finish(&w->next_list);
}

int
watch_command(int argc, char **argv)
{
	struct watch w = {.setup = {.args = {.program = PROGRAM}}};
	struct err err = {0};
	int exit_status;

	if ((exit_status = arguments_parse(&w.setup.args, argc, argv)) >= 0)
		goto out;
	options_ignore_signals();
	exit_status = open_parts(&w, &err) != 0 ? options_trouble(PROGRAM, &err) : do_watch(&w);
out:
	take_down(&w);
	return exit_status;
}
