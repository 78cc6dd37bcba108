#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "outlet.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/options.h"
#include "store/base/place.h"

extern char **environ;

#define NAP_MS 500
#define ID_MAX 64

enum job_state { JOB_WAITS, JOB_RUNS, JOB_DONE };

struct job {
	char id[ID_MAX], lane[ID_MAX];
	uint64_t at;
	size_t len;
	size_t before; /* of its lane: index + 1; 0: none */
	enum job_state state;
	unsigned tries;
	int64_t when_ms; /* JOB_WAITS: not before; JOB_RUNS: when it is to be ended */
	bool ended;	 /* JOB_RUNS: it was asked to end */
	pid_t pid;
};

struct exec {
	const struct exec_rules *rules;
	struct job *jobs;
	size_t n, cap, running, done, first; /* first: all before it are done */
	char (*begun)[ID_MAX];		     /* ids */
	size_t begun_n, begun_cap;
	int begun_fd; /* -1: there is none yet */
	uint64_t cursor;
};

/* ---- what was begun ---------------------------------------------------------------------- */

static bool
was_begun(const struct exec *e, const char *id)
{
	for (size_t i = 0; i < e->begun_n; i++)
		if (strcmp(e->begun[i], id) == 0)
			return true;
	return false;
}

static void
remember(struct exec *e, const char *id)
{
	if (e->begun_n == e->begun_cap) {
		e->begun_cap = e->begun_cap > 0 ? 2 * e->begun_cap : 64;
		e->begun = mem_grow(e->begun, e->begun_cap, sizeof(*e->begun));
	}
	snprintf(e->begun[e->begun_n++], ID_MAX, "%.*s", ID_MAX - 1, id);
}

/* The first line is the cursor that it counts from: it is of no use for another. */
static int
read_begun(struct exec *e, uint64_t cursor, struct err *err)
{
	FILE *f = fopen(e->rules->begun, "re");
	char line[ID_MAX + 2];
	uint64_t of;

	e->cursor = cursor;
	if (f == NULL)
		return errno == ENOENT ? 0 : err_system(err, errno, "%s", e->rules->begun);
	if (fgets(line, sizeof(line), f) == NULL || sscanf(line, "%" SCNu64, &of) != 1 ||
	    of != cursor)
		goto out;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		remember(e, line);
	}
out:
	fclose(f);
	return 0;
}

static int
append_line(struct exec *e, const char *text, struct err *err)
{
	char line[ID_MAX + 2];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (write(e->begun_fd, line, (size_t)n) != n || fdatasync(e->begun_fd) != 0)
		return err_system(err, errno, "%s: cannot be written", e->rules->begun);
	return 0;
}

/* Opens it, with its cursor and what is remembered, which at no moment is not there. */
static int
open_begun(struct exec *e, struct err *err)
{
	struct buf text = {0};
	int rc;

	buf_printf(&text, "%" PRIu64 "\n", e->cursor);
	for (size_t i = 0; i < e->begun_n; i++)
		buf_printf(&text, "%s\n", e->begun[i]);
	rc = place_replace(e->rules->begun, text.data, text.len, 0, err);
	buf_finish(&text);
	if (rc != 0)
		return rc;
	e->begun_fd = open(e->rules->begun, O_WRONLY | O_APPEND | O_CLOEXEC);
	return e->begun_fd >= 0 ? 0
				: err_system(err, errno, "%s: cannot be written", e->rules->begun);
}

static int
write_begun(struct exec *e, const char *id, struct err *err)
{
	int rc = 0;

	if (e->rules->begun != NULL && e->begun_fd < 0)
		rc = open_begun(e, err);
	if (rc == 0 && e->begun_fd >= 0)
		rc = append_line(e, id, err);
	if (rc == 0)
		remember(e, id);
	return rc;
}

static void
close_begun(struct exec *e)
{
	if (e->begun_fd >= 0)
		close(e->begun_fd);
	e->begun_fd = -1;
}

int
exec_forget(struct exec *e, uint64_t cursor, struct err *err)
{
	close_begun(e);
	e->begun_n = 0;
	e->cursor = cursor;
	if (e->rules->begun != NULL && unlink(e->rules->begun) != 0 && errno != ENOENT)
		return err_system(err, errno, "%s: cannot be removed", e->rules->begun);
	return 0;
}

/* ---- a run ------------------------------------------------------------------------------- */

/* The line in a file of memory, read from its begin. "{…" becomes "{"repeat":true,…". */
static int
make_input(const struct spool *spool, const struct job *job, bool repeat, struct err *err)
{
	static const char mark[] = "{\"repeat\":true,";
	uint8_t *line = mem_alloc(job->len + sizeof(mark));
	size_t head = repeat ? sizeof(mark) - 1 : 1, len = head + job->len - 1;
	int fd = -1, rc;

	/* The event's own brace is written over. */
	if ((rc = spool_read(spool, job->at, line + head - 1, job->len, err)) == 0) {
		memcpy(line, mark, head);
		fd = memfd_create("event", MFD_CLOEXEC);
		if (fd < 0 || write(fd, line, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
			rc = err_system(err, errno, "an event cannot be handed to --exec");
	}
	free(line);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* In a process group of its own, with the signals as a program expects them. */
static int
spawn(const char *command, int input, pid_t *pid)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigemptyset(&all);
	sigaddset(&all, SIGINT);
	sigaddset(&all, SIGTERM);
	sigaddset(&all, SIGPIPE);
	sigaddset(&all, SIGXFSZ);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	posix_spawnattr_init(&how);
	posix_spawnattr_setflags(
	    &how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	rc = posix_spawn(pid, "/bin/sh", &files, &how, (char *const *)argv, environ);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

static int
start(struct exec *e, struct job *job, const struct spool *spool, struct err *err)
{
	int fd = make_input(spool, job, was_begun(e, job->id), err), rc;

	if (fd < 0)
		return fd;
	rc = write_begun(e, job->id, err);
	if (rc == 0 && (rc = spawn(e->rules->command, fd, &job->pid)) != 0)
		rc = err_system(err, rc, "/bin/sh: cannot be run");
	close(fd);
	if (rc != 0)
		return rc;
	job->state = JOB_RUNS;
	job->ended = false;
	job->tries++;
	job->when_ms = clock_monotonic_ms() + e->rules->timeout_ms;
	e->running++;
	return 0;
}

static int64_t
back_off(unsigned tries)
{
	int64_t ms = EXEC_BACK_OFF_MS;

	while (--tries > 0 && ms < EXEC_BACK_OFF_MAX_MS)
		ms *= 2;
	return ms < EXEC_BACK_OFF_MAX_MS ? ms : EXEC_BACK_OFF_MAX_MS;
}

static void
describe(const struct job *job, int status, char *out, size_t size)
{
	if (job->ended)
		snprintf(out, size, "was not done in time");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(out, size, "ended with %d", WEXITSTATUS(status));
}

static int
finished(struct exec *e, struct job *job, int status, struct err *err)
{
	char what[64];
	int64_t wait_ms;

	e->running--;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		job->state = JOB_DONE;
		e->done++;
		return 0;
	}
	describe(job, status, what, sizeof(what));
	job->state = JOB_WAITS;
	if (e->rules->tries > 0 && job->tries >= e->rules->tries)
		return err_set(err, ERR_SYSTEM,
		    "--exec %s after %u tries; the cursor stays where it was: event %s", what,
		    job->tries, job->id);
	if (options_interrupted())
		return 0;
	wait_ms = back_off(job->tries);
	job->when_ms = clock_monotonic_ms() + wait_ms;
	fprintf(stderr, "mxdiff: --exec %s; again in %lld s: event %s\n", what,
	    (long long)(wait_ms / 1000), job->id);
	return 0;
}

/* ---- all of them ------------------------------------------------------------------------- */

void
exec_add(struct exec *e, const char *id, const char *lane, uint64_t at, size_t len)
{
	struct job *job;

	if (e->n == e->cap) {
		e->cap = e->cap > 0 ? 2 * e->cap : 64;
		e->jobs = mem_grow(e->jobs, e->cap, sizeof(*e->jobs));
	}
	job = &e->jobs[e->n++];
	*job = (struct job){.at = at, .len = len};
	snprintf(job->id, sizeof(job->id), "%s", id);
	snprintf(job->lane, sizeof(job->lane), "%s", lane);
}

static int
by_lane(const void *a, const void *b)
{
	const struct job *const *x = a, *const *y = b;
	int order = strcmp((*x)->lane, (*y)->lane);

	return order != 0 ? order : (*x < *y ? -1 : *x > *y);
}

static void
chain_lanes(struct exec *e)
{
	struct job **sorted = mem_zero(e->n + 1, sizeof(struct job *));

	for (size_t i = 0; i < e->n; i++)
		sorted[i] = &e->jobs[i];
	qsort(sorted, e->n, sizeof(struct job *), by_lane);
	for (size_t i = 1; i < e->n; i++)
		if (strcmp(sorted[i]->lane, sorted[i - 1]->lane) == 0)
			sorted[i]->before = (size_t)(sorted[i - 1] - e->jobs) + 1;
	free(sorted);
}

static bool
is_ready(const struct exec *e, const struct job *job, int64_t now_ms)
{
	return job->state == JOB_WAITS && job->when_ms <= now_ms &&
	       (job->before == 0 || e->jobs[job->before - 1].state == JOB_DONE);
}

static int
start_ready(struct exec *e, const struct spool *spool, struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();
	int rc = 0;

	while (e->first < e->n && e->jobs[e->first].state == JOB_DONE)
		e->first++;
	for (size_t i = e->first; rc == 0 && i < e->n && e->running < e->rules->jobs; i++)
		if (is_ready(e, &e->jobs[i], now_ms))
			rc = start(e, &e->jobs[i], spool, err);
	return rc;
}

static void
end_late(struct exec *e, bool all)
{
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = e->first; e->running > 0 && i < e->n; i++) {
		struct job *job = &e->jobs[i];

		if (job->state != JOB_RUNS || (job->when_ms > now_ms && (!all || job->ended)))
			continue;
		kill(-job->pid, job->ended ? SIGKILL : SIGTERM);
		job->ended = true;
		job->when_ms = now_ms + EXEC_GRACE_MS;
	}
}

static int
reap(struct exec *e, struct err *err)
{
	int status, rc = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = e->first; i < e->n; i++)
			if (e->jobs[i].state == JOB_RUNS && e->jobs[i].pid == pid) {
				if (finished(e, &e->jobs[i], status, err) < 0)
					rc = err->code;
				break;
			}
	return rc;
}

/* Until a command ends, a signal comes, or something is due. */
static void
nap(const struct exec *e)
{
	int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + NAP_MS;
	struct timespec span;
	sigset_t child;

	for (size_t i = e->first; i < e->n; i++)
		if (e->jobs[i].state != JOB_DONE && e->jobs[i].when_ms > now_ms &&
		    e->jobs[i].when_ms < until_ms)
			until_ms = e->jobs[i].when_ms;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	span = (struct timespec){(until_ms - now_ms) / 1000, (until_ms - now_ms) % 1000 * 1000000};
	sigtimedwait(&child, NULL, &span);
}

/* Those that run are ended, and waited for. */
static void
end_all(struct exec *e)
{
	struct err ignored = {.code = ERR_SYSTEM};

	while (e->running > 0) {
		end_late(e, true);
		nap(e);
		reap(e, &ignored);
	}
}

int
exec_run(struct exec *e, const struct spool *spool, struct err *err)
{
	sigset_t child, old;
	int rc = 0;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &old);
	chain_lanes(e);
	while (e->done < e->n && rc == 0) {
		if ((rc = start_ready(e, spool, err)) < 0)
			break;
		nap(e);
		rc = reap(e, err);
		end_late(e, false);
		if (rc == 0 && options_interrupted())
			rc = OUTLET_INTERRUPTED;
	}
	end_all(e);
	sigprocmask(SIG_SETMASK, &old, NULL);
	e->n = e->done = e->first = 0;
	return rc;
}

int
exec_create(struct exec **exec, const struct exec_rules *rules, uint64_t cursor, struct err *err)
{
	int rc = 0;

	*exec = mem_zero(1, sizeof(**exec));
	(*exec)->rules = rules;
	(*exec)->begun_fd = -1;
	signal(SIGCHLD, SIG_DFL); /* one who ignores it, as our parent may, hears of no end */
	if (rules->begun != NULL)
		rc = read_begun(*exec, cursor, err);
	return rc;
}

void
exec_destroy(struct exec *e)
{
	if (e == NULL)
		return;
	close_begun(e);
	free(e->jobs);
	free(e->begun);
	free(e);
}
