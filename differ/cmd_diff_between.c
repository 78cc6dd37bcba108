#include "cmd.h"
#include "model.h"
#include "out_history.h"
#include "out_json.h"
#include "query.h"

struct between {
	struct query *query;
	struct buf line;
	size_t shown;
};

static int
compare(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct between *b = ctx;
	struct query *q = b->query;
	const struct out_style style = {
	    .colour = q->colour, .utc = q->utc, .all_fields = q->all_fields};
	struct arena arena = {0};
	struct change change;
	int rc =
	    changes_between(q->changes, number, series, q->since_ms, q->until_ms, &change, err);

	if (rc <= 0 || change.severity < q->least ||
	    (q->class_bits != 0 && (change.classes & q->class_bits) == 0))
		return rc < 0 ? rc : 0;
	buf_clear(&b->line);
	if (q->options.json) {
		const struct value *v =
		    model_change(&arena, q->changes, &change, series, NULL, err);

		if (v != NULL)
			out_json_value(&b->line, v);
		rc = v != NULL ? 0 : err->code;
		buf_append_byte(&b->line, '\n');
	} else {
		rc = out_history_change(&b->line, q->changes, &change, NULL, series, &style, err);
	}
	if (rc >= 0)
		fwrite(b->line.data, 1, b->line.len, stdout);
	b->shown++;
	arena_finish(&arena);
	return rc;
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
	    QUERY_SPAN | QUERY_CHANGES, NULL, argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (query_walk(&q, compare, &b, &missing, &err) >= 0 && (b.shown > 0 || missing))
		status = EXIT_MISSING;
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	buf_finish(&b.line);
	query_close(&q);
	return status;
}
