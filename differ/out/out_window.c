#include "out_window.h"

#include "out_json.h"

struct members {
	struct query *query;
	const struct rollout *window;
	struct err *err;
};

static const struct value *
member(void *ctx, size_t i, struct arena *arena)
{
	const struct members *m = ctx;

	return model_window_member(
	    arena, m->query->changes, m->query->view, &m->window->members[i], m->err);
}

int
out_window_json(struct buf *line, struct query *q, const struct rollout *window,
    const struct model_news *news, struct err *err)
{
	struct members members = {q, window, err};
	struct arena arena = {0};
	const struct value *v = model_window(&arena, q->changes, q->view, window, news, err);
	bool done = v != NULL && out_json_listing(line, v, MODEL_WINDOW_SERIES, window->members_n,
				     member, &members) == 0;

	arena_finish(&arena);
	return done ? 0 : err->code;
}
