#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mxstore.h"
#include "text.h"

static void
print_finding(void *ctx, const char *line)
{
	const struct options *o = ctx;
	struct buf out = {0};

	if (o->json) {
		buf_append_text(&out, "{\"type\":\"finding\",\"text\":");
		text_json(&out, line, strlen(line));
		buf_append_byte(&out, '}');
	} else {
		text_escape(&out, line, strlen(line));
	}
	puts(buf_text(&out));
	buf_finish(&out);
}

static int
verify(struct options *o)
{
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	int rc;

	if (mxstore_open(o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = store_check(view, print_finding, o, &err);
	if (rc == 0 && !o->quiet && !o->json)
		printf("%s: clean\n", store_dir(store));
	else if (rc > 0 && !o->quiet)
		fprintf(stderr,
		    "mxstore: %s: %d findings; keep a copy of it before anything else\n",
		    store_dir(store), rc);
	store_view_close(view);
	store_close(store);
	if (rc < 0)
		return options_trouble(MXSTORE, &err);
	return rc > 0 ? EXIT_MISSING : EXIT_DONE;
}

static int
wait_for(pid_t child)
{
	struct err err = {0};
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		if (options_interrupted())
			kill(child, SIGTERM);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (options_interrupted()) {
		err_set(&err, ERR_INPUT, "interrupted: the check is not complete");
		options_trouble(MXSTORE, &err);
		return EXIT_MISSING;
	}
	err_set(&err, ERR_DAMAGED,
	    "damaged: the pages of the corpus lead astray, it cannot be checked further (%s); "
	    "keep a copy of it before anything else",
	    strsignal(WTERMSIG(status)));
	return options_trouble(MXSTORE, &err);
}

/* LMDB trusts its pages: a damaged one may lead it anywhere. So a process of its own reads them. */
int
mxstore_check(int argc, char **argv)
{
	struct options o = {.program = MXSTORE, .command = "check"};
	static const struct mxstore_usage usage = {"check [OPTION…]",
	    "Verify every invariant of the corpus: checksums, hashes, references, order,\n"
	    "indexes, the journal. A finding a line; status 0 if there is none, 1 if there are."};
	pid_t child;
	int rc;

	if (!mxstore_parse(&o, NULL, &usage, argc, argv, &rc))
		return rc;
	child = fork();
	if (child > 0)
		return wait_for(child);
	if (child < 0)
		return verify(&o);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGSEGV, SIG_DFL); /* the parent tells */
	exit(options_finish(MXSTORE, verify(&o)));
}
