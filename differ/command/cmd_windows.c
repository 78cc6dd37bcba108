#include <stdio.h>

#include "cmd.h"
#include "differ/out/print.h"
#include "differ/time/windows.h"

int
cmd_windows(int argc, char **argv)
{
	struct query q;
	struct rollout_list list = {.items = NULL};
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "windows", "[HOST…]",
	    "The roll-outs: the same change over many series, when it began and ended, how far "
	    "it has come.",
	    QUERY_SPAN | QUERY_CHANGES | QUERY_WINDOWS | QUERY_PLOT | QUERY_VERDICTS, NULL, argc,
	    argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (windows_find(&q, &list, &missing, &err) < 0)
		goto out;
	for (size_t i = 0; i < list.n && err.code == ERR_NONE; i++)
		print_window(&q, &list.items[i], &err);
	if (missing || (q.exit_code && list.n > 0))
		status = EXIT_MISSING;
	if (list.n == 0 && !q.options.json && !q.options.quiet && !missing)
		puts("no roll-out");
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	rollout_list_finish(&list);
	query_close(&q);
	return status;
}
