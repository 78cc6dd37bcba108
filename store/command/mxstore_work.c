#include "mxstore_work.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/text.h"

static void
say(void *ctx, const char *line)
{
	struct mxstore_work *w = ctx;
	struct buf shown = {0};

	progress_finish(&w->progress);
	text_escape(&shown, line, strlen(line));
	fprintf(stderr, "mxstore: %s\n", buf_text(&shown));
	buf_finish(&shown);
}

static bool
tick(void *ctx, uint64_t done, uint64_t all)
{
	struct mxstore_work *w = ctx;

	if (all > 0)
		progress_show(&w->progress, "%llu of %llu records %s", (unsigned long long)done,
		    (unsigned long long)all, w->verb);
	else
		progress_show(&w->progress, "%llu records %s", (unsigned long long)done, w->verb);
	return options_interrupted();
}

void
mxstore_work_init(struct mxstore_work *w, const struct options *o, const char *verb)
{
	*w = (struct mxstore_work){.verb = verb, .hooks = {.say = say, .tick = tick, .ctx = w}};
	progress_init(&w->progress, o->quiet);
}

int
mxstore_work_status(struct mxstore_work *w, int rc, const struct err *err)
{
	struct err with_way = {0};

	progress_finish(&w->progress);
	if (rc >= 0)
		return EXIT_DONE;
	/* Of a record; of a page the line names it (store_say_damaged()). */
	if (rc == ERR_DAMAGED && strstr(err->text, "mxstore merge") == NULL) {
		err_set(&with_way, rc,
		    "%s; what can be read is brought into a new corpus by `mxstore merge --store "
		    "NEW STORE`",
		    err->text);
		err = &with_way;
	}
	options_trouble(MXSTORE, err);
	return rc == ERR_INPUT && options_interrupted() ? EXIT_MISSING : EXIT_TROUBLE;
}

static bool
is_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGFPE ||
	       number == SIGILL;
}

static int
tell_end(const struct options *o, int number)
{
	struct err err = {0};
	struct buf dir = {0}, what = {0};

	if (options_interrupted()) {
		err_set(&err, ERR_INPUT, "interrupted: the work is not complete");
		options_trouble(MXSTORE, &err);
		return EXIT_MISSING;
	}
	if (number == SIGPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE); /* as if this process had written to it */
	}
	if (!is_fault(number)) {
		err_set(&err, ERR_SYSTEM, "the work is not complete: it was ended by a signal (%s)",
		    strsignal(number));
		return options_trouble(MXSTORE, &err);
	}
	store_find_dir(o->store, &dir, NULL);
	if (number == SIGBUS)
		buf_append_text(&what, "its file is shorter than its pages say, or the disk does "
				       "not give one of them");
	else
		buf_printf(&what, "its pages lead astray (%s)", strsignal(number));
	store_say_damaged(buf_text(&dir), buf_text(&what), &err);
	buf_finish(&dir);
	buf_finish(&what);
	return options_trouble(MXSTORE, &err);
}

static int
wait_for(const struct options *o, pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		if (options_interrupted())
			kill(child, SIGTERM);
	return WIFEXITED(status) ? WEXITSTATUS(status) : tell_end(o, WTERMSIG(status));
}

/* A group of its own: what a terminal sends reaches this process alone, which hands it on once. */
int
mxstore_work_apart(const struct options *o, int (*work)(void *ctx), void *ctx)
{
	pid_t parent = getpid(), child;

	fflush(stdout);
	child = fork();
	if (child > 0)
		return wait_for(o, child);
	if (child < 0)
		return work(ctx);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGSEGV, SIG_DFL); /* the parent tells, and of which corpus */
	signal(SIGBUS, SIG_DFL);
	if (getppid() != parent)
		_exit(EXIT_TROUBLE);
	exit(options_finish(MXSTORE, work(ctx)));
}
