/*
 * rollout: the same change over many series (CONTRACT "Roll-out (window)"): when it began and
 * ended, how far it has come, in what order, and whether one instant explains it all.
 *
 * Changes are linked where they lead to the same new state with a class in common, or have the
 * same fields from-to, in one group, under the same SNI variant and offer, and not further apart
 * than the window's gap. What the contract leaves open:
 *
 * - Roll-backs are also linked where they leave the same state: what is undone may have had many
 *   forms.
 * - A series converts once in a window. Where one comes again, it begins a new window if most of
 *   those that had converted were taken back by then; else it is not counted twice.
 * - What a balancer does (lifetime.h: resumed) is in the log, but no part of a window.
 * - Renewals to different leaves are none: neither one that no other address shares, unless others
 *   still show the old certificate as if they waited for the same new one.
 * - What one outage takes away, or its end brings back, is one window whatever the addresses show;
 *   of one address alone it is none: a few lost probes do that.
 * - Where changes left several states (a leaf each), all of the group that showed a certificate
 *   from which it would be the same class count among the N.
 * - Where more than ROLLOUT_CROWD windows leave one state, each names only those that changed, and
 *   counts the others: what 3,000 addresses leave for a leaf each is no list of nine million.
 *
 * Borrows the struct changes. Not thread-safe.
 */
#ifndef MX509_ROLLOUT_H
#define MX509_ROLLOUT_H

#include "change.h"

#define ROLLOUT_GAP_MS (INT64_C(14) * 86400000)
#define ROLLOUT_CROWD 8

enum rollout_group { ROLLOUT_OPERATOR, ROLLOUT_HOST, ROLLOUT_ADDRESS, ROLLOUT_CHAIN };
bool rollout_group_parse(const char *text, enum rollout_group *group);

enum rollout_state { ROLLOUT_CONVERTED, ROLLOUT_MIXED, ROLLOUT_OLD };
const char *rollout_state_name(enum rollout_state state);

struct rollout_member {
	uint32_t series;
	int64_t after_ms, before_ms; /* meaningless where the state is ROLLOUT_OLD */
	enum rollout_state state;
	bool left;    /* ROLLOUT_OLD: it shows something else by now, not what the window brings */
	bool undone;  /* it was taken back since */
	bool counted; /* among the N: showed the old state when last observed before the start */
};

struct rollout_bracket {
	int64_t after_ms, before_ms;
};

struct rollout {
	char id[CHANGE_ID_LEN + 1];
	char *group;
	enum sni sni;
	enum offer offer;
	unsigned classes; /* that all its changes have; of the first one where they share none */
	enum severity severity;
	bool judged;
	unsigned lost, gained; /* levels that turned in all its changes, once it is judged */
	struct rollout_bracket start, end, instant;
	bool has_end, has_instant;
	size_t converted, mixed, total; /* of the N */
	size_t undone;			/* changes that were taken back since */
	size_t unlisted;		/* of the N, that are no members */
	struct rollout_member *members; /* in order of conversion, then those that show the old */
	size_t members_n, changed_n;	/* the first changed_n changed */
	struct change first;		/* an example: the change that came first */
	struct hash *common; /* change_difference_hash() of the fields that all share from-to */
	size_t common_n;
	size_t part; /* private */
};

void rollout_finish(struct rollout *rollout);

/* Whether two of one id say the same. */
bool rollout_same(const struct rollout *a, const struct rollout *b);
/* Whether a change of one is a change of the other, or, late data having moved it, one of the same
 * series to the same new state. Of two pictures that were made by one struct changes. */
bool rollout_shares(const struct rollout *a, const struct rollout *b);
/* Whether the change is one of its. */
bool rollout_has(const struct rollout *w, const struct change *change);

struct rollout_list {
	struct rollout *items;
	size_t n, cap;
};
void rollout_list_finish(struct rollout_list *list);
void rollout_list_add(struct rollout_list *list, const struct rollout *rollout); /* takes it over */
void rollout_list_sort(struct rollout_list *list); /* by their start */

struct rollouts;
struct rollouts *rollouts_create(struct changes *changes, enum rollout_group group, int64_t gap_ms);
void rollouts_destroy(struct rollouts *rollouts); /* accepts NULL */

/* A series with its changes, if any (they are copied), just after changes_read() of it. */
void rollouts_add(struct rollouts *rollouts, uint32_t number, const struct series *series,
    const struct change *list, size_t n);

/* After all series of its groups: appends the windows for which `wanted` (NULL: all) holds, not
 * judged. 0 or <0. */
typedef bool rollout_wanted(void *ctx, const struct rollout *rollout);
int rollouts_find(struct rollouts *rollouts, rollout_wanted *wanted, void *ctx,
    struct rollout_list *list, struct err *err);

/* Judges a window that was found, where changes can be judged (change.h): all its changes, which
 * costs. 0 or <0. */
int rollouts_judge(struct rollouts *rollouts, struct rollout *rollout, struct err *err);

/* Done with what was added: windows that were found stay, but cannot be judged any more. */
void rollouts_clear(struct rollouts *rollouts);

/* The mean time between two conversions, where there are two or more; else -1. */
int64_t rollout_interval_ms(const struct rollout *rollout);

/* Whether the difference is among the fields that all changes of the window share. */
bool rollout_has_common(const struct rollout *rollout, const struct difference *difference);

#endif
