/*
 * change: an event of a series with what differs: fields from and to, classes, severity, id and
 * bracket (CONTRACT "Change as JSON").
 *
 * struct changes reads the store and caches the facts of evidence records, so that a certificate
 * is parsed once while it is among the recent ones, however many changes show it. A struct change
 * is small and holds no facts; change_differences() brings them.
 *
 * Not thread-safe. Borrows the view.
 */
#ifndef MX509_CHANGE_H
#define MX509_CHANGE_H

#include "classify.h"
#include "history.h"
#include "judge.h"

#define CHANGE_ID_LEN 16

struct change {
	uint32_t series;
	enum series_kind kind;	     /* of the series */
	struct lifetime_event event; /* times as observed */
	int64_t after_ms, before_ms; /* the bracket, widened by the clock error */
	bool clock_stepped; /* the clock was set during one of the two probes: trust it less */
	unsigned classes;
	enum severity severity;
	bool judged;	       /* changes_judge() has been asked */
	unsigned lost, gained; /* bits 1 << enum level: whom it breaks, whom it mends */
	struct hash fields; /* of all fields from-to, as they are shown; equal: the same change */
	char id[CHANGE_ID_LEN + 1];
};

struct change_rules {
	struct lifetime_rules lifetimes;
	int64_t clock_error_ms;
	bool ignored[FIELD_N]; /* fields that are not looked at */
};

struct changes;
struct changes *changes_create(struct store_view *view, const struct change_rules *rules);
void changes_destroy(struct changes *changes); /* accepts NULL */
/* From now on changes can be judged; NULL: not. Borrowed. */
void changes_set_judge(struct changes *changes, struct judge *judge);
struct judge *changes_judge_of(struct changes *changes); /* may be NULL */
struct history *changes_history(struct changes *changes);

/* A bracket widened by the clock error. */
void changes_widen(const struct changes *changes, int64_t *after_ms, int64_t *before_ms);

/* The changes of one series, of a probe or of a name, up to until_ms, in order of `before_ms`:
 * borrowed until the next call. Changes in ignored fields alone are left out. */
int changes_read(struct changes *changes, uint32_t number, const struct series *series,
    int64_t until_ms, const struct history_without *without, const struct change **list, size_t *n,
    struct err *err);

/* What a series showed at one time against what it showed at another, as if it were one change:
 * 1 and *change if they differ in more than ignored fields, 0 if not or if nothing had been
 * observed by one of the times. Its bracket is (last observed at `from`, last observed at `to`]. */
int changes_between(struct changes *changes, uint32_t number, const struct series *series,
    int64_t from_ms, int64_t to_ms, struct change *change, struct err *err);

/* What a sender would have concluded before and after, at each level. `has_old`, `has_new`: there
 * is a verdict. 0 or <0. */
struct change_verdicts {
	bool has_old, has_new;
	struct verdict old, new;
};
int changes_verdicts(struct changes *changes, const struct series *series,
    const struct change *change, struct change_verdicts *verdicts, struct err *err);

/* Adds to a change the levels that turned, the classes trust-loss and trust-gain, and their
 * severity. It costs the verification of two chains, so it is asked for what is shown. Nothing is
 * done twice, and nothing without a judge. 0 or <0. */
int changes_judge(
    struct changes *changes, const struct series *series, struct change *change, struct err *err);

/* The classes that a change would have. 0 or <0. */
int changes_classify(struct changes *changes, const struct lifetime_event *event, unsigned *classes,
    struct err *err);

/* The facts of an evidence record; borrowed until the next call but one on `changes`. NULL on
 * error. */
const struct facts *changes_facts(struct changes *changes, uint32_t evidence, struct err *err);

/* The fields that differ, borrowed until the next call on `changes`; returns how many, or <0. */
int changes_differences(struct changes *changes, const struct change *change,
    const struct difference **differences, struct err *err);

/* A name for one field's from-to. */
struct hash change_difference_hash(const struct difference *difference);

/* 16 hex digits of SHA-256 over the parts, each with its length. */
void change_id(char id[CHANGE_ID_LEN + 1], const void *bytes, size_t len);

#endif
