#include "tell.h"

#include <inttypes.h>
#include <stdio.h>

#include "differ/out/out_json.h"
#include "differ/out/out_window.h"
#include "differ/out/print.h"
#include "differ/time/model.h"

static struct value *
retraction(struct arena *arena, const char *id)
{
	struct value_builder b = {.arena = arena};

	value_add_member(&b, "type", value_text_static(arena, "retracted"));
	value_add_member(&b, "id", value_text(arena, id));
	return value_object(&b);
}

static struct value *
model(struct arena *arena, struct query *q, const struct feed_event *e, struct err *err)
{
	if (e->news == FEED_RETRACTED)
		return retraction(arena, e->window != NULL ? e->window->id : e->change->id);
	return model_change(arena, q->changes, e->news == FEED_ALTERED ? "altered" : "change",
	    e->change, e->series, e->revises, err);
}

static int
tell_json(struct buf *out, struct query *q, const struct feed_event *e, struct err *err)
{
	const struct model_news news = {e->news == FEED_ALTERED, e->revises};
	struct arena arena = {0};
	const struct value *v;
	int rc = 0;

	if (e->window != NULL && e->news != FEED_RETRACTED)
		rc = out_window_json(out, q, e->window, &news, err);
	else if ((v = model(&arena, q, e, err)) != NULL)
		out_json_value(out, v);
	else
		rc = err->code;
	if (rc == 0)
		buf_append_byte(out, '\n');
	arena_finish(&arena);
	return rc;
}

/* What people are told before the change itself. */
static void
tell_news(struct buf *out, const struct feed_event *e)
{
	if (e->news == FEED_RETRACTED)
		buf_append_text(out, "withdrawn, since what arrived late shows it otherwise:\n");
	else if (e->news == FEED_ALTERED)
		buf_append_text(out, "told before, and now so:\n");
	else if (e->revises != NULL)
		buf_append_text(out, "in the place of what was told before:\n");
}

static int
tell_text(struct buf *out, struct query *q, const struct feed_event *e, struct err *err)
{
	const struct out_style style = print_style(q);

	tell_news(out, e);
	if (e->window != NULL)
		return out_history_window(out, q->changes, q->view, e->window, &style, err);
	return out_history_change(out, q->changes, e->change, NULL, e->series, &style, err);
}

bool
tell_takes(const struct feed_event *event, unsigned kinds)
{
	return (kinds & (event->window != NULL ? TELL_WINDOWS : TELL_CHANGES)) != 0;
}

void
tell_names(const struct feed_event *e, char id[TELL_NAME_MAX], char lane[TELL_NAME_MAX])
{
	const char *end = e->news == FEED_RETRACTED ? " retracted" : "";

	snprintf(id, TELL_NAME_MAX, "%s%s", e->window != NULL ? e->window->id : e->change->id, end);
	if (e->window != NULL)
		snprintf(lane, TELL_NAME_MAX, "group %s", e->window->group);
	else
		snprintf(lane, TELL_NAME_MAX, "series %u", (unsigned)e->change->series);
}

int
tell_event(struct buf *out, struct query *q, const struct feed_event *event, enum tell_form form,
    struct err *err)
{
	return form == TELL_JSON ? tell_json(out, q, event, err) : tell_text(out, q, event, err);
}

void
tell_cursor(struct buf *out, uint64_t cursor, enum tell_form form)
{
	if (form == TELL_JSON)
		buf_printf(out, "{\"type\":\"cursor\",\"cursor\":\"%" PRIu64 "\"}\n", cursor);
	else
		buf_printf(out, "cursor %" PRIu64 "\n", cursor);
}
