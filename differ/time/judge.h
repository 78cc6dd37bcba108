/*
 * judge: verdicts (differ/verdict) of what the store holds: a sighting of a series with its
 * evidence, its certificates, and what DNS said of the names at that time, seen from the same
 * vantage: the last answers at or before it, or within a minute after it.
 *
 * The recipient domain of a series is that of the variant `nexthop`; of the others the caller may
 * know it (judge_rules), or it is the only one that the host was probed for: itself, where it is
 * its own (implicit) MX. Certificates are read only where a chain must be verified.
 *
 * Not thread-safe. Borrows the view.
 */
#ifndef MX509_JUDGE_H
#define MX509_JUDGE_H

#include "differ/verdict/verdict.h"
#include "store/corpus/store.h"

struct judge_rules {
	struct verdict_rules verdict;
	const char *nexthop; /* of series that tell of no recipient domain; NULL: not known */
	bool quiet;	     /* not a word where the machine has no roots */
};

struct judge;

/* ERR_INPUT, ERR_SYSTEM: roots that were given and are none. */
int judge_create(struct judge **judge, struct store_view *view, const struct judge_rules *rules,
    struct err *err);
void judge_destroy(struct judge *judge); /* accepts NULL */

/* From now on, rules.nexthop is this one. */
void judge_ask_for(struct judge *judge, const char *nexthop);

/* From now on at another view (NULL: at none, so that one can be closed). What was verified is
 * kept. Accepts a judge of NULL. */
void judge_look_at(struct judge *judge, struct store_view *view);

/* 1 and *verdict; 0: there is none (verdict.h), or the machine has no roots, which is said once on
 * standard error; <0. */
int judge_sighting(struct judge *judge, const struct series *series, uint32_t evidence,
    int64_t time_ms, struct verdict *verdict, struct err *err);

/* Of a state that is shown since first_ms: the verdict when it was last seen. What it lost since
 * by time alone is no change (CONTRACT: a change begins with a lifetime), but is told: bits
 * 1 << enum level. 1, 0, <0 as above. */
struct judge_state {
	struct verdict verdict;
	unsigned lapsed;
};
int judge_state(struct judge *judge, const struct series *series, uint32_t evidence,
    int64_t first_ms, int64_t last_ms, struct judge_state *state, struct err *err);

struct verdict_engine *judge_engine(struct judge *judge);

#endif
