#include "cmd.h"
#include "differ/out/print.h"

struct between {
	struct query *query;
	size_t shown;
};

static int
compare(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct between *b = ctx;
	struct query *q = b->query;
	struct change change;
	int rc =
	    changes_between(q->changes, number, series, q->since_ms, q->until_ms, &change, err);

	if (rc <= 0 || (rc = changes_judge(q->changes, series, &change, err)) < 0)
		return rc;
	if (!query_takes(q, change.classes, change.severity))
		return 0;
	b->shown++;
	return print_change(q, &change, NULL, series, err);
}

int
cmd_diff_between(int argc, char **argv)
{
	struct query q;
	struct between b = {.query = &q};
	bool missing = false;
	struct err err = {0};
	int status = query_open(&q, "diff", "--between T1 T2 [HOST…]",
	    "What each series showed at T1 against what it showed at T2.",
	    QUERY_SPAN | QUERY_CHANGES | QUERY_VERDICTS, NULL, argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (query_walk(&q, compare, &b, &missing, &err) >= 0 && (b.shown > 0 || missing))
		status = EXIT_MISSING;
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	query_close(&q);
	return status;
}
