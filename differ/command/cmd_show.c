#include <stdio.h>

#include "cmd.h"
#include "differ/out/out_state.h"
#include "differ/out/print.h"
#include "differ/time/model.h"
#include "differ/time/shown.h"

struct show {
	struct query *query;
	struct out_states text;
	size_t shown;
};

static int
show_series(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct show *show = ctx;
	struct query *q = show->query;
	int64_t until_ms = q->at_ms < INT64_MAX ? q->at_ms + 1 : INT64_MAX; /* TIME included */
	struct arena arena = {0};
	struct judge_state judged;
	const struct judge_state *j = NULL;
	struct fallback fallback;
	const struct fallback *f;
	const struct value *v;
	struct shown s;
	int rc;

	if ((rc = shown_find(q, number, series, until_ms, &s, err)) <= 0 ||
	    (rc = fallback_find(q->changes, q->view, number, series, until_ms, &fallback, err)) < 0)
		return rc;
	f = rc > 0 ? &fallback : NULL;
	if (q->judge != NULL) {
		if ((rc = judge_state(q->judge, series, s.last.evidence, s.first_ms, s.last.time_ms,
			 &judged, err)) < 0)
			return rc;
		j = rc > 0 ? &judged : NULL;
	}
	show->shown++;
	if (!q->options.json)
		return out_states_add(
		    &show->text, q->changes, series, &s.last, s.after_ms, s.first_ms, f, j, err);
	v = model_state(&arena, q->changes, series, &s.last, s.after_ms, s.first_ms, f, j, err);
	if (v != NULL)
		print_json(v);
	arena_finish(&arena);
	return v != NULL ? 0 : err->code;
}

int
cmd_show(int argc, char **argv)
{
	struct query q;
	struct show show = {.query = &q};
	struct buf text = {0};
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "show", "[HOST…]",
	    "What each series shows now, or showed at --at TIME, and since when; and what "
	    "addresses "
	    "do\nwithout SNI or with an unknown name, and since when.",
	    QUERY_AT | QUERY_CHANGES | QUERY_VERDICTS, NULL, argc, argv);
	const struct out_style style = print_style(&q);

	out_states_init(&show.text, &style, q.judge != NULL);
	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (query_walk(&q, show_series, &show, &missing, &err) < 0)
		goto out;
	if (!q.options.json && show.shown > 0) {
		out_states_print(&text, &show.text);
		fwrite(text.data, 1, text.len, stdout);
	} else if (!q.options.json && !missing && !q.options.quiet) {
		puts("nothing to show");
	}
	if (missing || (q.exit_code && show.shown > 0))
		status = EXIT_MISSING;
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	out_states_finish(&show.text);
	buf_finish(&text);
	query_close(&q);
	return status;
}
