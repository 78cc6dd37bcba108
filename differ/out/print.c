#include "print.h"

#include <stdio.h>

#include "differ/time/model.h"
#include "out_json.h"
#include "out_table.h"
#include "out_window.h"

struct out_style
print_style(const struct query *q)
{
	return (struct out_style){.colour = q->colour,
	    .utc = q->utc,
	    .all_fields = q->all_fields,
	    .plot = q->plot,
	    .width = out_table_width()};
}

/* Finishes it. */
static void
print_line(struct buf *line)
{
	buf_append_byte(line, '\n');
	fwrite(line->data, 1, line->len, stdout);
	buf_finish(line);
}

void
print_json(const struct value *v)
{
	struct buf line = {0};

	out_json_value(&line, v);
	print_line(&line);
}

/* 0 or <0: a model that could not be made has left its reason in *err. */
static int
print_model(struct arena *arena, const struct value *v, const struct err *err)
{
	if (v != NULL)
		print_json(v);
	arena_finish(arena);
	return v != NULL ? 0 : err->code;
}

static int
print_text(struct buf *text, int rc)
{
	if (rc >= 0 && text->len > 0)
		fwrite(text->data, 1, text->len, stdout);
	buf_finish(text);
	return rc;
}

int
print_change(struct query *q, const struct change *change, const struct change *above,
    const struct series *series, struct err *err)
{
	const struct out_style style = print_style(q);
	struct arena arena = {0};
	struct buf text = {0};

	if (q->options.json)
		return print_model(&arena,
		    model_change(&arena, q->changes, "change", change, series, NULL, err), err);
	return print_text(
	    &text, out_history_change(&text, q->changes, change, above, series, &style, err));
}

int
print_window(struct query *q, const struct rollout *w, struct err *err)
{
	const struct out_style style = print_style(q);
	struct buf text = {0};
	int rc;

	if (q->options.json) {
		if ((rc = out_window_json(&text, q, w, NULL, err)) == 0)
			print_line(&text);
		buf_finish(&text);
		return rc;
	}
	return print_text(&text, out_history_window(&text, q->changes, q->view, w, &style, err));
}
