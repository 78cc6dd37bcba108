#include <stdio.h>

#include "cmd.h"
#include "differ/out/out_state.h"
#include "differ/out/print.h"
#include "differ/time/model.h"

struct show {
	struct query *query;
	struct out_states text;
	size_t shown;
};

/* What a series shows, and since when. */
struct shown {
	struct lifetime_sighting last;
	int64_t after_ms, first_ms; /* after_ms INT64_MIN: since its first sighting */
};

/* 1, or 0 where there is nothing yet, or the filters leave it out. */
static int
find_shown(struct query *q, uint32_t number, const struct series *series, int64_t until_ms,
    struct shown *shown, struct err *err)
{
	const struct lifetimes *l = &changes_history(q->changes)->lifetimes;
	const struct change *list, *begin = NULL;
	size_t n;
	int rc = changes_read(q->changes, number, series, until_ms, NULL, &list, &n, err);

	if (rc < 0)
		return rc;
	*shown = (struct shown){.after_ms = INT64_MIN};
	if (l->n == 0) {
		/* Probed in vain ever since. */
		shown->last = l->gap_last;
		shown->first_ms = l->gap_first.time_ms;
		return l->gap && q->class_bits == 0 && q->least == SEVERITY_INFO;
	}
	shown->last = l->list[l->current].last;
	shown->first_ms = l->list[0].first.time_ms;
	/* What brought it: the last change to it that somebody made. */
	for (size_t i = n; i > 0 && begin == NULL; i--) {
		const struct lifetime_event *e = &list[i - 1].event;

		if ((e->kind == LIFETIME_BEGIN || e->kind == LIFETIME_ROLLED_BACK) && !e->resumed &&
		    e->new.state == shown->last.state)
			begin = &list[i - 1];
	}
	if (begin != NULL) {
		shown->after_ms = begin->after_ms;
		shown->first_ms = begin->event.before_ms;
	}
	return query_takes(
	    q, begin != NULL ? begin->classes : 0, begin != NULL ? begin->severity : SEVERITY_INFO);
}

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

	if ((rc = find_shown(q, number, series, until_ms, &s, err)) <= 0 ||
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
