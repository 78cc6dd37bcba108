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
	char **names; /* of groups, or of operands */
	size_t names_n, names_cap;
};

/* A window is taken where one of its conversions falls into the span. */
static bool
is_wanted(void *ctx, const struct rollout *w)
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

static int
flush(struct finder *f, struct err *err)
{
	f->gathered = 0;
	return rollouts_find(f->rollouts, is_wanted, f->query, f->list, err);
}

static void
group_name(const struct finder *f, const char *host, char name[LIMIT_NAME + 1])
{
	if (f->query->rollout_group == ROLLOUT_HOST)
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
		group_name(f, series->host, name);
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

static void
add_name(struct finder *f, const char *name)
{
	if (f->names_n > 0 && strcmp(f->names[f->names_n - 1], name) == 0)
		return;
	if (f->names_n == f->names_cap) {
		f->names_cap = f->names_cap > 0 ? 2 * f->names_cap : 64;
		f->names = mem_grow(f->names, f->names_cap, sizeof(char *));
	}
	f->names[f->names_n++] = mem_strdup(name);
}

static int
note_group(void *ctx, uint32_t number, const struct series *series, struct err *err)
{
	struct finder *f = ctx;
	char name[LIMIT_NAME + 1];

	(void)number;
	(void)err;
	group_name(f, series->host, name);
	add_name(f, name);
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

/* In the order of the walk, each once; of operators none that another one's walk comes by. */
static void
sort_names(struct finder *f)
{
	bool below = f->query->rollout_group == ROLLOUT_OPERATOR;
	size_t kept = 0;

	if (f->names_n > 0)
		qsort(f->names, f->names_n, sizeof(char *), by_labels);
	for (size_t i = 0; i < f->names_n; i++) {
		const char *last = kept > 0 ? f->names[kept - 1] : NULL;

		if (last != NULL &&
		    (below ? host_is_under(f->names[i], last) : strcmp(f->names[i], last) == 0))
			free(f->names[i]);
		else
			f->names[kept++] = f->names[i];
	}
	f->names_n = kept;
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

	sort_names(f);
	for (size_t i = 0; rc >= 0 && i < f->names_n; i++)
		rc = query_walk_name(f->query, f->names[i], exact, gather_chosen, f, err);
	return rc;
}

static int
find(struct finder *f, bool *missing, struct err *err)
{
	struct query *q = f->query;
	bool span = q->since_ms != INT64_MIN;
	int rc = 0;

	f->whole = query_has_address(q) || q->rollout_group == ROLLOUT_ADDRESS ||
		   q->rollout_group == ROLLOUT_CHAIN;
	if (!f->whole && !span && q->options.operand_n == 0)
		return query_walk(q, gather, f, missing, err);
	if (span || !f->whole)
		rc = query_walk_span(q, note_group, f, missing, err);
	if (rc < 0 || (span && f->names_n == 0))
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
	for (size_t i = 0; i < f.names_n; i++)
		free(f.names[i]);
	free(f.names);
	return rc;
}
