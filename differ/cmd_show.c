#include <stdlib.h>

#include "../store/timeline.h"
#include "cmd.h"
#include "model.h"
#include "out_history.h"
#include "out_json.h"
#include "query.h"

struct show {
	struct query *query;
	struct out_table table;
	struct buf line;
	size_t shown;
};

static int
print_json(struct show *show, const struct series *series, const struct lifetime_sighting *last,
    int64_t after_ms, int64_t first_ms, struct err *err)
{
	struct arena arena = {0};
	const struct value *v =
	    model_state(&arena, show->query->changes, series, last, after_ms, first_ms, err);

	if (v != NULL) {
		buf_clear(&show->line);
		out_json_value(&show->line, v);
		buf_append_byte(&show->line, '\n');
		fwrite(show->line.data, 1, show->line.len, stdout);
	}
	arena_finish(&arena);
	return v != NULL ? 0 : err->code;
}

static int
show_series(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct show *show = ctx;
	struct query *q = show->query;
	struct history *history = changes_history(q->changes);
	const struct lifetimes *l = &history->lifetimes;
	const struct lifetime_event *events;
	struct lifetime_sighting last;
	int64_t after_ms = INT64_MIN, first_ms, until_ms = q->at_ms;
	size_t n;
	int rc;

	if (until_ms != INT64_MAX)
		until_ms++; /* what was shown at TIME includes TIME */
	if ((rc = history_read(history, number, until_ms, NULL, &events, &n, err)) < 0)
		return rc;
	if (l->n > 0) {
		const struct lifetime *now = &l->list[l->current];

		last = now->last;
		first_ms = now->first.time_ms;
		if (l->current > 0)
			after_ms = now->before.time_ms;
	} else if (l->gap) {
		last = l->gap_last;
		first_ms = l->gap_first.time_ms;
	} else {
		return 0; /* nothing yet at that time */
	}
	show->shown++;
	if (q->options.json)
		return print_json(show, series, &last, after_ms, first_ms, err);
	return out_history_state(&show->table, q->changes, series, &last, after_ms, first_ms, err);
}

int
cmd_show(int argc, char **argv)
{
	struct query q;
	struct show show = {.query = &q};
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "show", "[HOST…]",
	    "What each series shows now, or showed at --at TIME, and since when.", QUERY_AT, NULL,
	    argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (query_walk(&q, show_series, &show, &missing, &err) < 0)
		goto out;
	if (!q.options.json && show.shown > 0) {
		const struct out_style style = {.colour = q.colour, .utc = q.utc};

		buf_clear(&show.line);
		out_history_table(&show.line, &show.table, &style);
		fwrite(show.line.data, 1, show.line.len, stdout);
	} else if (!q.options.json && !missing && !q.options.quiet) {
		puts("nothing observed yet");
	}
	if (missing)
		status = EXIT_MISSING;
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	out_history_table_finish(&show.table);
	buf_finish(&show.line);
	query_close(&q);
	return status;
}
