#include <stdlib.h>

#include "cmd.h"
#include "model.h"
#include "out_history.h"
#include "out_json.h"
#include "query.h"

struct gather {
	struct query *query;
	struct rollouts *rollouts;
};

static int
gather(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct gather *g = ctx;
	const struct change *list;
	size_t n;
	int rc;

	if ((rc = changes_read(
		 g->query->changes, number, series, INT64_MAX, NULL, &list, &n, err)) < 0)
		return rc;
	rollouts_add(g->rollouts, number, series, list, n);
	return 0;
}

/* A window is taken where one of its conversions falls into the span. */
static bool
takes(const struct query *q, const struct rollout *w)
{
	bool in_span = false;

	if (w->severity < q->least || (q->class_bits != 0 && (w->classes & q->class_bits) == 0))
		return false;
	for (size_t i = 0; i < w->members_n && !in_span; i++)
		in_span = w->members[i].state != ROLLOUT_OLD &&
			  query_overlaps(q, w->members[i].after_ms, w->members[i].before_ms);
	return in_span;
}

static int
print(struct query *q, const struct rollout *w, struct buf *line, struct err *err)
{
	const struct out_style style = {
	    .colour = q->colour, .utc = q->utc, .all_fields = q->all_fields};
	struct arena arena = {0};
	int rc = 0;

	buf_clear(line);
	if (q->options.json) {
		const struct value *v = model_window(&arena, q->changes, q->view, w, err);

		if (v != NULL)
			out_json_value(line, v);
		else
			rc = err->code;
		buf_append_byte(line, '\n');
	} else {
		rc = out_history_window(line, q->changes, q->view, w, &style, err);
	}
	if (rc >= 0)
		fwrite(line->data, 1, line->len, stdout);
	arena_finish(&arena);
	return rc;
}

int
cmd_windows(int argc, char **argv)
{
	struct query q;
	struct gather g = {.query = &q};
	const struct rollout *list = NULL;
	struct buf line = {0};
	struct err err = {0};
	bool missing = false;
	size_t shown = 0;
	int n,
	    status = query_open(&q, "windows", "[HOST…]",
		"The roll-outs: the same change over many series, when it began and ended, how far "
		"it has come.",
		QUERY_SPAN | QUERY_CHANGES | QUERY_WINDOWS, NULL, argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	g.rollouts = rollouts_create(q.changes, q.rollout_group, q.window_gap_ms);
	if (query_walk(&q, gather, &g, &missing, &err) < 0 ||
	    (n = rollouts_find(g.rollouts, &list, &err)) < 0)
		goto out;
	for (int i = 0; i < n && err.code == ERR_NONE; i++) {
		if (!takes(&q, &list[i]))
			continue;
		print(&q, &list[i], &line, &err);
		shown++;
	}
	if (missing || (q.exit_code && shown > 0))
		status = EXIT_MISSING;
	if (shown == 0 && !q.options.json && !q.options.quiet && !missing)
		puts("no roll-out");
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	rollouts_destroy(g.rollouts);
	buf_finish(&line);
	query_close(&q);
	return status;
}
