#include "windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"
#include "store/record/key.h"
#include "store/record/operator.h"

struct finder {
	struct query *query;
	struct rollouts *rollouts;
	struct rollout_list *list;
	bool whole;		   /* all groups at once */
	char root[LIMIT_NAME + 1]; /* the groups that are being gathered are at or below this */
	size_t gathered;
	struct windows_names names; /* of groups, or of operands */
};

bool
windows_take(void *ctx, const struct rollout *w)
{
	const struct query *q = ctx;
	bool in_span = false;

	if (!(w->judged ? query_takes(q, w->classes, w->severity)
			: query_may_take(q, w->classes, w->severity)))
		return false;
	for (size_t i = 0; i < w->changed_n && !in_span; i++)
		in_span = query_overlaps(q, w->members[i].after_ms, w->members[i].before_ms);
	return in_span;
}

int
windows_judge(struct query *q, struct rollouts *rollouts, struct rollout_list *list, size_t from,
    struct err *err)
{
	size_t kept = from;
	int rc = 0;

	for (size_t i = from; i < list->n; i++) {
		if (rc >= 0)
			rc = rollouts_judge(rollouts, &list->items[i], err);
		if (rc >= 0 && windows_take(q, &list->items[i]))
			list->items[kept++] = list->items[i];
		else
			rollout_finish(&list->items[i]);
	}
	list->n = kept;
	return rc < 0 ? rc : 0;
}

static int
flush(struct finder *f, struct err *err)
{
	size_t from = f->list->n;
	int rc = rollouts_find(f->rollouts, windows_take, f->query, f->list, err);

	if (rc >= 0)
		rc = windows_judge(f->query, f->rollouts, f->list, from, err);
	rollouts_clear(f->rollouts);
	f->gathered = 0;
	return rc;
}

void
windows_group_name(const struct query *q, const char *host, char name[LIMIT_NAME + 1])
{
	if (q->rollout_group == ROLLOUT_HOST)
		snprintf(name, LIMIT_NAME + 1, "%s", host);
	else
		operator_of_host(host, name);
}

/* Hosts come in the order of their labels, last first: a group's stand together, but for groups
 * whose names are below its own, so that it is whole once the names leave what is below it. */
static bool
is_below_root(struct finder *f, const char *name)
{
	if (host_is_under(name, f->root))
		return true;
	if (!host_is_under(f->root, name))
		return false;
	snprintf(f->root, sizeof(f->root), "%s", name);
	return true;
}

static int
gather(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct finder *f = ctx;
	const struct change *list;
	char name[LIMIT_NAME + 1];
	size_t n;
	int rc;

	if (!f->whole) {
		windows_group_name(f->query, series->host, name);
		if (f->gathered > 0 && !is_below_root(f, name) && (rc = flush(f, err)) < 0)
			return rc;
		if (f->gathered == 0)
			snprintf(f->root, sizeof(f->root), "%s", name);
	}
	if ((rc = changes_read(
		 f->query->changes, number, series, INT64_MAX, NULL, &list, &n, err)) < 0)
		return rc;
	rollouts_add(f->rollouts, number, series, list, n);
	f->gathered++;
	return 0;
}

/* ---- which groups ------------------------------------------------------------------------ */

void
windows_names_add(struct windows_names *names, const char *name)
{
	if (names->n > 0 && strcmp(names->list[names->n - 1], name) == 0)
		return;
	if (names->n == names->cap) {
		names->cap = names->cap > 0 ? 2 * names->cap : 64;
		names->list = mem_grow(names->list, names->cap, sizeof(char *));
	}
	names->list[names->n++] = mem_strdup(name);
}

void
windows_names_finish(struct windows_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct windows_names){.list = NULL};
}

static int
note_group(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct finder *f = ctx;
	char name[LIMIT_NAME + 1];

	(void)number;
	(void)err;
	windows_group_name(f->query, series->host, name);
	windows_names_add(&f->names, name);
	return 0;
}

static int
by_labels(const void *a, const void *b)
{
	char *const *x = a, *const *y = b;
	struct key left, right;

	key_host(&left, *x);
	key_host(&right, *y);
	return key_compare(&left, &right);
}

void
windows_names_sort(struct windows_names *names, const struct query *q)
{
	bool below = q->rollout_group == ROLLOUT_OPERATOR;
	size_t kept = 0;

	if (names->n > 0)
		qsort(names->list, names->n, sizeof(char *), by_labels);
	for (size_t i = 0; i < names->n; i++) {
		const char *last = kept > 0 ? names->list[kept - 1] : NULL;

		if (last != NULL && (below ? host_is_under(names->list[i], last)
					   : strcmp(names->list[i], last) == 0))
			free(names->list[i]);
		else
			names->list[kept++] = names->list[i];
	}
	names->n = kept;
}

/* Only what an operand names. */
static int
gather_chosen(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct finder *f = ctx;

	return query_chooses(f->query, series) ? gather(ctx, number, series, err) : 0;
}

static int
walk_names(struct finder *f, struct err *err)
{
	bool exact = f->query->rollout_group == ROLLOUT_HOST;
	int rc = 0;

	windows_names_sort(&f->names, f->query);
	for (size_t i = 0; rc >= 0 && i < f->names.n; i++)
		rc = query_walk_name(f->query, f->names.list[i], exact, gather_chosen, f, err);
	return rc;
}

bool
windows_need_all(const struct query *q)
{
	return query_has_address(q) || q->rollout_group == ROLLOUT_ADDRESS ||
	       q->rollout_group == ROLLOUT_CHAIN;
}

static int
find(struct finder *f, bool *missing, struct err *err)
{
	struct query *q = f->query;
	bool span = q->since_ms != INT64_MIN;
	int rc = 0;

	f->whole = windows_need_all(q);
	if (!f->whole && !span && q->options.operand_n == 0)
		return query_walk(q, gather, f, missing, err);
	if (span || !f->whole)
		rc = query_walk_span(q, note_group, f, missing, err);
	if (rc < 0 || (span && f->names.n == 0))
		return rc;
	if (f->whole)
		return query_walk(q, gather, f, span ? &(bool){false} : missing, err);
	return walk_names(f, err);
}

int
windows_find(struct query *q, struct rollout_list *list, bool *missing, struct err *err)
{
	struct finder f = {.query = q, .list = list};
	int rc;

	f.rollouts = rollouts_create(q->changes, q->rollout_group, q->window_gap_ms);
	rc = find(&f, missing, err);
	if (rc >= 0)
		rc = flush(&f, err);
	if (rc >= 0)
		rollout_list_sort(list);
	rollouts_destroy(f.rollouts);
	windows_names_finish(&f.names);
	return rc;
}
