#include "schedule.h"

#include <stdlib.h>

#include "collector/limits.h"
#include "pass.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

struct schedule {
	struct schedule_settings settings;
	struct pace *pace;
	struct crew *crew;
	struct pass *passes;
	uint64_t under_way;
	struct loop_timer *wake;
	bool stopping, pumping;
};

/* ---- probes -------------------------------------------------------------------------------- */

/* Another probe of the visit, in its turn, or none. */
static void
go_on(struct schedule *s, struct visit *visit)
{
	if (visit_left(visit) == 0)
		pass_over(visit->pass, visit, PASS_DONE);
	else if (pace_rests_until_ms(s->pace, &visit->item.address) > pass_until_ms(visit->pass))
		pass_over(visit->pass, visit, PASS_UNWELCOME);
	else
		pace_add(s->pace, &visit->item, visit->job.series.host);
}

/* The address asked to be left for a while: those go on that can wait so long. */
static void
let_rest(struct schedule *s, struct visit *visit)
{
	struct pace_item *item, *waited = NULL, **last = &waited;

	while ((item = pace_drop(s->pace, &visit->item.address)) != NULL) {
		*last = item;
		last = &item->next;
	}
	go_on(s, visit);
	while ((item = waited) != NULL) {
		waited = item->next;
		go_on(s, (struct visit *)item);
	}
}

/* Nothing more is asked of the address by those who want something of it now. */
static void
leave_alone(struct schedule *s, struct visit *visit, enum pass_end why)
{
	struct pace_item *item;

	while ((item = pace_drop(s->pace, &visit->item.address)) != NULL) {
		struct visit *other = (struct visit *)item;

		pass_over(other->pass, other, why);
	}
	pass_over(visit->pass, visit, why);
}

static void
on_job_done(void *ctx, struct crew_job *job)
{
	struct visit *visit = (struct visit *)((char *)job - offsetof(struct visit, job));
	bool later =
	    !job->aborted && !job->local &&
	    (job->outcome == OUTCOME_RATE_LIMITED || job->outcome == OUTCOME_TEMPORARY_REJECT);
	struct schedule *s = ctx;
	bool welcome = pace_release(s->pace, &visit->item.address,
	    later ? PACE_LATER : PACE_ANSWERED, clock_monotonic_ms());

	s->under_way--;
	pass_probed(visit->pass, visit);
	if (job->aborted) {
		pass_over(visit->pass, visit, PASS_LEFT);
		return;
	}
	visit_done(visit, later && welcome);
	if (s->stopping)
		pass_over(visit->pass, visit, PASS_LEFT);
	else if (!job->local && job->outcome == OUTCOME_CONNECTION_TIMEOUT)
		leave_alone(s, visit, PASS_DEAD);
	else if (!welcome)
		leave_alone(s, visit, PASS_UNWELCOME);
	else if (later)
		let_rest(s, visit);
	else
		go_on(s, visit);
}

static void
on_crew_rest(void *ctx)
{
	schedule_pump(ctx);
}

static void
start(struct schedule *s, struct visit *visit)
{
	visit_next(visit); /* there is one: what has none is not queued */
	s->under_way++;
	pass_started(visit->pass);
	crew_probe(s->crew, &visit->job);
}

/* ---- turns --------------------------------------------------------------------------------- */

static bool
may_start(struct schedule *s)
{
	return !s->stopping && s->under_way < s->settings.concurrency &&
	       !record_is_behind(s->settings.record);
}

static void
start_probes(struct schedule *s)
{
	int64_t now = clock_monotonic_ms();
	struct pace_item *item;

	while (may_start(s) && (item = pace_next(s->pace, now)) != NULL)
		start(s, (struct visit *)item);
}

static void
set_wake(struct schedule *s)
{
	int64_t wait = may_start(s) ? pace_wait_ms(s->pace, clock_monotonic_ms()) : -1;

	if (wait >= 0 && pace_queued(s->pace) > 0)
		loop_timer_set(s->wake, wait > 0 ? wait : 1);
	else
		loop_timer_stop(s->wake);
}

static void
feed(struct schedule *s)
{
	for (struct pass *pass = s->passes; pass != NULL; pass = pass_next(pass))
		pass_feed(pass);
}

void
schedule_pump(struct schedule *s)
{
	if (s->pumping)
		return;
	s->pumping = true;
	feed(s);
	start_probes(s);
	feed(s);
	s->pumping = false;
	set_wake(s);
}

static void
on_wake(void *ctx)
{
	schedule_pump(ctx);
}

void
schedule_enter(struct schedule *s, struct pass *pass)
{
	*pass_link(pass) = s->passes;
	s->passes = pass;
	loop_timer_set(s->wake, 0);
}

void
schedule_leave(struct schedule *s, struct pass *pass)
{
	struct pass **at = &s->passes;

	while (*at != NULL && *at != pass)
		at = pass_link(*at);
	if (*at != NULL)
		*at = pass_next(pass);
}

void
schedule_add(struct schedule *s, struct visit *visit)
{
	go_on(s, visit);
}

bool
schedule_has_room(const struct schedule *s)
{
	return pace_queued(s->pace) < LIMIT_QUEUED + 2 * s->settings.concurrency;
}

/* ---- beginning and end --------------------------------------------------------------------- */

static int
create_crew(struct schedule *s, struct err *err)
{
	struct crew_settings settings = {.loop = s->settings.loop,
	    .threads = s->settings.threads,
	    .ehlo_domain = s->settings.ehlo_domain,
	    .timeout_ms = s->settings.timeout_ms,
	    .record = s->settings.record,
	    .done = on_job_done,
	    .rest = on_crew_rest,
	    .ctx = s};

	for (unsigned i = 0; i < OFFER_N; i++)
		settings.offers[i] = s->settings.offers[i];
	return crew_create(&s->crew, &settings, err);
}

int
schedule_create(struct schedule **out, const struct schedule_settings *settings, struct err *err)
{
	struct schedule *s = mem_zero(1, sizeof(*s));
	int rc;

	*out = NULL;
	s->settings = *settings;
	s->pace = pace_create(&settings->pace);
	s->wake = loop_timer_create(settings->loop, on_wake, s);
	if ((rc = create_crew(s, err)) != 0) {
		schedule_destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void
drop_queue(struct schedule *s)
{
	struct pace_item *item;

	while ((item = pace_drop(s->pace, NULL)) != NULL) {
		struct visit *visit = (struct visit *)item;

		pass_over(visit->pass, visit, PASS_LEFT);
	}
}

void
schedule_destroy(struct schedule *s)
{
	if (s == NULL)
		return;
	crew_destroy(s->crew);
	drop_queue(s);
	pace_destroy(s->pace);
	loop_timer_destroy(s->wake);
	free(s);
}

void
schedule_stop(struct schedule *s)
{
	if (s->stopping) {
		crew_abort(s->crew);
		for (struct pass *pass = s->passes; pass != NULL; pass = pass_next(pass))
			pass_stop(pass);
	} else {
		s->stopping = true;
		for (struct pass *pass = s->passes; pass != NULL; pass = pass_next(pass))
			pass_stop(pass);
		drop_queue(s);
	}
	loop_timer_set(s->wake, 0);
}

bool
schedule_stopped(const struct schedule *s)
{
	return s->stopping;
}

uint64_t
schedule_under_way(const struct schedule *s)
{
	return s->under_way;
}

void
schedule_on_record(struct schedule *s)
{
	if (record_has_failed(s->settings.record) && !s->stopping)
		schedule_stop(s);
	schedule_pump(s);
}
