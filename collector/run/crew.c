#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

struct jobs {
	struct crew_job *first, *last;
};

struct crew_member {
	struct crew *crew;
	struct probe_settings probe; /* its loop is the member's */
	struct crew_job *under_way;  /* the member's thread alone */
	unsigned assigned;	     /* the conductor's count */
	/* not of the first: */
	pthread_t thread;
	bool started;
	struct loop_wake *wake;
	pthread_mutex_t lock; /* of what follows */
	struct jobs inbox;
	bool abort, end;
};

struct crew {
	struct crew_settings settings;
	struct crew_member *members;
	struct loop_wake *wake;
	pthread_mutex_t lock; /* of what follows */
	struct jobs over;
};

static void
append(struct jobs *jobs, struct crew_job *job)
{
	job->next = NULL;
	*(jobs->first != NULL ? &jobs->last->next : &jobs->first) = job;
	jobs->last = job;
}

static bool
is_first(const struct crew_member *m)
{
	return m == m->crew->members;
}

/* ---- at work: in the member's thread ------------------------------------------------------- */

static void
finish(struct crew_member *m, struct crew_job *job)
{
	struct crew *crew = m->crew;
	bool wake;

	*(job->prev != NULL ? &job->prev->next : &m->under_way) = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	if (is_first(m)) {
		m->assigned--;
		crew->settings.done(crew->settings.ctx, job);
		return;
	}
	pthread_mutex_lock(&crew->lock);
	wake = crew->over.first == NULL;
	append(&crew->over, job);
	pthread_mutex_unlock(&crew->lock);
	if (wake)
		loop_wake_send(crew->wake);
}

static void
on_probe_done(void *ctx, struct probe *probe, const struct probe_result *result)
{
	struct crew_job *job = ctx;
	struct crew_member *m = job->member;

	(void)probe;
	job->outcome = result->observation.evidence.outcome;
	job->connected = result->connected;
	job->local = result->local;
	job->errnum = result->errnum;
	job->time_ms = result->observation.time_ms;
	job->leaf_ends_s = result->leaf_ends_s;
	if (!job->local)
		job->shown = record_observation(
		    m->crew->settings.record, &job->series, &result->observation, result->chain);
	finish(m, job);
	if (is_first(m))
		m->crew->settings.rest(m->crew->settings.ctx);
}

static void
begin(struct crew_member *m, struct crew_job *job)
{
	job->prev = NULL;
	job->next = m->under_way;
	if (job->next != NULL)
		job->next->prev = job;
	m->under_way = job;
	job->aborted = false;
	job->probe =
	    probe_start(&m->probe, &job->series, job->server_name, job->dns_ms, on_probe_done, job);
}

static void
abort_all(struct crew_member *m)
{
	while (m->under_way != NULL) {
		struct crew_job *job = m->under_way;

		probe_abort(job->probe);
		job->aborted = true;
		finish(m, job);
	}
}

static void
on_inbox(void *ctx)
{
	struct crew_member *m = ctx;
	struct crew_job *job, *next;
	bool abort, end;

	pthread_mutex_lock(&m->lock);
	job = m->inbox.first;
	m->inbox = (struct jobs){0};
	abort = m->abort;
	m->abort = false;
	end = m->end;
	pthread_mutex_unlock(&m->lock);
	for (; job != NULL; job = next) {
		next = job->next;
		begin(m, job);
	}
	if (abort)
		abort_all(m);
	if (end)
		loop_stop(m->probe.loop);
}

static void *
work(void *arg)
{
	struct crew_member *m = arg;

	loop_run(m->probe.loop);
	return NULL;
}

/* ---- the conductor's ----------------------------------------------------------------------- */

static void
on_over(void *ctx)
{
	struct crew *crew = ctx;
	struct crew_job *job, *next;

	pthread_mutex_lock(&crew->lock);
	job = crew->over.first;
	crew->over = (struct jobs){0};
	pthread_mutex_unlock(&crew->lock);
	for (; job != NULL; job = next) {
		next = job->next;
		job->member->assigned--;
		crew->settings.done(crew->settings.ctx, job);
	}
	crew->settings.rest(crew->settings.ctx);
}

static int
member_init(struct crew *crew, struct crew_member *m, struct err *err)
{
	int rc;

	m->crew = crew;
	m->probe.ehlo_domain = crew->settings.ehlo_domain;
	m->probe.timeout_ms = crew->settings.timeout_ms;
	pthread_mutex_init(&m->lock, NULL);
	for (unsigned i = 0; i < OFFER_N; i++) {
		if (!crew->settings.offers[i])
			continue;
		m->probe.tls[i] = tls_context_create(i, err);
		if (m->probe.tls[i] == NULL)
			return err->code;
	}
	if (is_first(m)) {
		m->probe.loop = crew->settings.loop;
		return 0;
	}
	if (loop_create(&m->probe.loop, err) != 0)
		return err->code;
	m->wake = loop_wake_create(m->probe.loop, on_inbox, m);
	if ((rc = pthread_create(&m->thread, NULL, work, m)) != 0)
		return err_system(err, rc, "cannot start a thread (use a lower --threads)");
	m->started = true;
	return 0;
}

static void
member_finish(struct crew_member *m)
{
	if (m->started) {
		pthread_mutex_lock(&m->lock);
		m->end = true;
		pthread_mutex_unlock(&m->lock);
		loop_wake_send(m->wake);
		pthread_join(m->thread, NULL);
	}
	loop_wake_destroy(m->wake);
	for (unsigned i = 0; i < OFFER_N; i++)
		tls_context_destroy(m->probe.tls[i]);
	if (!is_first(m))
		loop_destroy(m->probe.loop);
	pthread_mutex_destroy(&m->lock);
}

int
crew_create(struct crew **out, const struct crew_settings *settings, struct err *err)
{
	struct crew *crew = mem_zero(1, sizeof(*crew));
	int rc = 0;

	*out = NULL;
	crew->settings = *settings;
	crew->settings.threads = 0; /* those that stand */
	crew->members = mem_zero(settings->threads, sizeof(*crew->members));
	pthread_mutex_init(&crew->lock, NULL);
	crew->wake = loop_wake_create(settings->loop, on_over, crew);
	for (unsigned i = 0; rc == 0 && i < settings->threads; i++) {
		crew->settings.threads++;
		rc = member_init(crew, &crew->members[i], err);
	}
	if (rc != 0) {
		crew_destroy(crew);
		return rc;
	}
	*out = crew;
	return 0;
}

void
crew_destroy(struct crew *crew)
{
	if (crew == NULL)
		return;
	for (unsigned i = 0; i < crew->settings.threads; i++)
		member_finish(&crew->members[i]);
	loop_wake_destroy(crew->wake);
	pthread_mutex_destroy(&crew->lock);
	free(crew->members);
	free(crew);
}

void
crew_probe(struct crew *crew, struct crew_job *job)
{
	struct crew_member *m = &crew->members[0];
	bool wake;

	for (unsigned i = 1; i < crew->settings.threads; i++)
		if (crew->members[i].assigned < m->assigned)
			m = &crew->members[i];
	m->assigned++;
	job->member = m;
	if (is_first(m)) {
		begin(m, job);
		return;
	}
	pthread_mutex_lock(&m->lock);
	wake = m->inbox.first == NULL;
	append(&m->inbox, job);
	pthread_mutex_unlock(&m->lock);
	if (wake)
		loop_wake_send(m->wake);
}

void
crew_abort(struct crew *crew)
{
	for (unsigned i = 1; i < crew->settings.threads; i++) {
		struct crew_member *m = &crew->members[i];

		pthread_mutex_lock(&m->lock);
		m->abort = true;
		pthread_mutex_unlock(&m->lock);
		loop_wake_send(m->wake);
	}
	abort_all(&crew->members[0]);
}
