#include "shown.h"

int
shown_find(struct query *q, uint32_t number, const struct series *series, int64_t until_ms,
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
		shown->last = l->gap_last;
		shown->first_ms = l->gap_first.time_ms;
		return l->gap && q->class_bits == 0 && q->least == SEVERITY_INFO;
	}
	shown->observed = true;
	shown->last = l->list[l->current].last;
	shown->first_ms = l->list[0].first.time_ms;
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
