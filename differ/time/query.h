/*
 * query: what show, log, windows, diff --between and feed share: the options that choose series,
 * changes and times, the open store, and the walk over the chosen series. Filters work everywhere
 * alike.
 *
 * HOST operands: a name stands for itself and all names below it (so an operator's domain stands
 * for all its MXs), an address for what was seen on it. None: all.
 */
#ifndef MX509_QUERY_H
#define MX509_QUERY_H

#include "change.h"
#include "rollout.h"
#include "store/base/options.h"

struct query {
	struct options options;
	/* as given */
	struct option_list sni, class, ignore;
	const char *vantage, *severity, *group, *offer;
	const char *postfix, *nexthop;
	int64_t since_ms, until_ms, at_ms; /* INT64_MIN, INT64_MAX where not given */
	int64_t between_ms[2];		   /* becomes since_ms and until_ms */
	int64_t clock_error_ms, gone_after_ms, window_gap_ms;
	unsigned settle;
	bool with_names; /* series of DNS, too, if no option is about probes */
	bool exit_code, utc, all_fields, plot, no_verdict;
	/* as understood */
	unsigned sni_bits, class_bits; /* 0: all */
	enum severity least;
	enum offer offer_only;
	enum rollout_group rollout_group;
	struct change_rules rules;
	struct judge_rules judging;
	bool colour;
	/* opened */
	struct store *store;
	struct store_view *view;
	struct judge *judge; /* NULL with --no-verdict */
	struct changes *changes;
	char nexthop_name[LIMIT_NAME + 1];
	struct buf told_missing; /* bits: operands that match nothing, and were named */
};

/* What a command takes beyond --store, --json, --quiet, --utc, --sni, --offer, --vantage and the
 * rules of lifetimes, which all take. */
enum query_option {
	QUERY_AT = 1 << 0,
	QUERY_SPAN = 1 << 1,	 /* --since, --until, --between */
	QUERY_CHANGES = 1 << 2,	 /* --class, --severity, --ignore, --exit-code */
	QUERY_WINDOWS = 1 << 3,	 /* --group, --window-gap */
	QUERY_VERDICTS = 1 << 4, /* --roots, --postfix, --nexthop, --no-verdict */
	QUERY_NAMES = 1 << 5,	 /* what names held is asked about, too */
	QUERY_POLICY = 1 << 6,	 /* --roots, --postfix, and of those that all take only --vantage
				  * and --utc */
	QUERY_PLOT = 1 << 7,	 /* --plot */
};

/*
 * Parses and opens. `more` (may be NULL) are a command's own options. Returns -1 if the command is
 * to go on, else the exit status with which it is to end: help was printed, or an error named.
 * query_close() in any case.
 */
int query_open(struct query *q, const char *command, const char *operands, const char *purpose,
    unsigned takes, const struct option_row *more, int argc, char **argv);
void query_close(struct query *q);

/* Lets go of the view, and opens one of what is stored by now: for who waits in between. Nothing
 * that was read before is to be used afterwards. */
void query_release(struct query *q);
int query_refresh(struct query *q, struct err *err);

/* Calls `each` for every chosen series once, in the order of exports for each operand; stops
 * at its first negative return. An operand that matches no series is named on standard error, and
 * *missing set. SIGINT and SIGTERM end the walk with an error that says how far it came. */
typedef int query_each(void *ctx, uint32_t number, const struct series *series, struct err *err);
int query_walk(struct query *q, query_each *each, void *ctx, bool *missing, struct err *err);

/* The same for those that may have a change whose bracket overlaps the span of time: without
 * operands the index of dates names those that were probed since, in no order to rely on; and of
 * them all the days of the span tell whether anything changed. */
int query_walk_span(struct query *q, query_each *each, void *ctx, bool *missing, struct err *err);

/* The chosen series below a name (of a host alone: `exact`), in the order of exports, each once. */
int query_walk_name(
    struct query *q, const char *name, bool exact, query_each *each, void *ctx, struct err *err);

/* Whether an operand is an address. */
bool query_has_address(const struct query *q);

/* Whether a series is among the chosen ones: for who comes by its number. */
bool query_chooses(const struct query *q, const struct series *series);
/* Names the operands that match no series, as query_walk() does. */
int query_find_missing(struct query *q, bool *missing, struct err *err);

/* Whether what has these classes and this severity passes --class and --severity. */
bool query_takes(const struct query *q, unsigned classes, enum severity severity);

/* Whether it might, once it is judged. */
bool query_may_take(const struct query *q, unsigned classes, enum severity severity);

/* Whether a change passes --class, --severity and the span of time (its bracket must overlap
 * [since, until)), as it is once it is judged (changes_judge()); it is, where that may count. 1, 0
 * or <0. */
int query_takes_judged(
    struct query *q, const struct series *series, struct change *change, struct err *err);
bool query_overlaps(const struct query *q, int64_t after_ms, int64_t before_ms);

#endif
