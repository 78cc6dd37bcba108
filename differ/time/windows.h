/*
 * windows: the roll-outs of the chosen series, as `mxdiff windows` gives them: found one group
 * after the other, so that memory is bounded by the largest group and by what is shown.
 *
 * With a span of time only the groups in which something changed within it are read, whole: what a
 * window says does not depend on the span that one looks at.
 */
#ifndef MX509_WINDOWS_H
#define MX509_WINDOWS_H

#include "query.h"

/* Appends the windows that the query takes, in order of their start; the caller's. 0 or <0. */
int windows_find(struct query *q, struct rollout_list *list, bool *missing, struct err *err);

/* ---- for who finds them otherwise: the feed ---------------------------------------------- */

/* ctx: the query. A window is taken where one of its conversions falls into the span. Of one that
 * is not judged yet: it may be taken. */
bool windows_take(void *ctx, const struct rollout *window);

/* Judges those of list[from..) and drops what is not taken then. 0 or <0. */
int windows_judge(struct query *q, struct rollouts *rollouts, struct rollout_list *list,
    size_t from, struct err *err);

/* Groups that cannot be told apart by names: all chosen series are to be read at once. */
bool windows_need_all(const struct query *q);

/* Else the name at or below which all of a host's group stands. */
void windows_group_name(const struct query *q, const char *host, char name[LIMIT_NAME + 1]);

struct windows_names {
	char **list;
	size_t n, cap;
};
void windows_names_add(struct windows_names *names, const char *name);
/* In the order of walks, each once; of operators none that another one's walk comes by. */
void windows_names_sort(struct windows_names *names, const struct query *q);
void windows_names_finish(struct windows_names *names);

#endif
