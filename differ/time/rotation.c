#include "rotation.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define SETS_MAX 64 /* that are looked at for one event */

static bool
is_lately(const struct lifetimes *l, const struct lifetime *one, const struct lifetime *before)
{
	return one->first_index <= before->last_index ||
	       one->first_index - before->last_index <= LIFETIME_RESUME * l->rules.settle;
}

/* Marks those of `set` that stand in the evidence; how many are new among the marked, or <0. */
static int
mark(const struct history *h, uint32_t evidence, const struct dns_answer *set, bool *marked,
    struct err *err)
{
	struct dns_answer other;
	int n = 0, rc = store_dns_answer(h->view, evidence, &other, err);

	if (rc < 0)
		return rc;
	/* What validation said of them is news by itself. */
	for (size_t i = 0; other.status == set->status && i < set->records_n; i++)
		for (size_t k = 0; k < other.records_n && !marked[i]; k++)
			if (strcmp(set->records[i], other.records[k]) == 0) {
				marked[i] = true;
				n++;
			}
	dns_answer_finish(&other);
	return n;
}

/* Whether the lifetime list[at] only puts together what was there lately. */
static int
is_recombined(const struct history *h, size_t at, struct err *err)
{
	const struct lifetimes *l = &h->lifetimes;
	const struct lifetime *one = &l->list[at];
	struct dns_answer set;
	size_t sets = 0, found = 0;
	bool *marked;
	int rc = store_dns_answer(h->view, one->first.evidence, &set, err);

	if (rc < 0)
		return rc;
	marked = mem_zero(set.records_n, sizeof(*marked));
	for (size_t i = at; rc >= 0 && i-- > 0 && sets < SETS_MAX;) {
		if (!is_lately(l, one, &l->list[i]))
			continue;
		sets += l->list[i].first.state != one->first.state;
		if ((rc = mark(h, l->list[i].first.evidence, &set, marked, err)) > 0)
			found += (size_t)rc;
	}
	if (rc >= 0)
		rc = set.records_n > 0 && sets >= 2 && found == set.records_n;
	free(marked);
	dns_answer_finish(&set);
	return rc;
}

int
rotation_explains(const struct history *h, const struct series *series,
    const struct lifetime_event *event, struct err *err)
{
	const struct lifetimes *l = &h->lifetimes;

	if (series->kind != SERIES_DNS ||
	    (series->rrtype != RRTYPE_A && series->rrtype != RRTYPE_AAAA))
		return 0;
	if (event->kind == LIFETIME_ROLLED_BACK)
		return event->resumed || l->n > 3;
	for (size_t i = 1; event->kind == LIFETIME_BEGIN && i < l->n; i++)
		if (l->list[i].first.time_ms == event->new.time_ms &&
		    l->list[i].first.state == event->new.state)
			return is_recombined(h, i, err);
	return 0;
}
