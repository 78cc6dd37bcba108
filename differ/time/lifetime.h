/*
 * lifetime: from the sightings of one series, in order of time, to the moments at which it
 * changed. CONTRACT "Time: the definitions" is what this implements, to the letter:
 *
 * - The lifetime of a state is its sightings, as long as fewer than `settle` observations of other
 *   states lie between one and the next. Lifetimes overlap where a balancer mixes old and new.
 * - BEGIN: every lifetime but the series' first begins with a change. Its bracket is (the last
 *   observation before it, its first sighting].
 * - A lifetime has ended when `settle` other observations have followed its last sighting.
 *   ROLLED_BACK: what was observed next after an ended lifetime belongs to an older one.
 * - GONE: a probe `gone_after_ms` or more after the last observation was in vain as all between.
 *   Its bracket is (last observed, that probe]: a single probe in vain may be bad luck, so the
 *   first one says nothing. BACK: observed again; (last observed, observed again]. Where the
 *   series comes back in a new lifetime, the BEGIN is marked `back` and there is no BACK.
 * - No bracket is empty: of several states at one moment, each is after the last earlier moment
 *   at which anything was observed, or (where there is none) after the millisecond before.
 *
 * Beyond the contract: a balancer's rare backend may be missed `settle` times in a row, so that its
 * lifetime ends and another begins. Such an end and begin are events as any other, but `resumed`
 * tells them from what somebody did: the state had been shown a short while ago (LIFETIME_RESUME
 * times settle observations), and it or what it gave way to had taken turns with others.
 *
 * Pure: no store, no clock, no certificate. States and evidence are numbers that the caller gives
 * meaning to. It works on a stream and keeps what lifetimes there are, not the sightings.
 *
 * Threads: none shared. Times are milliseconds.
 */
#ifndef MX509_LIFETIME_H
#define MX509_LIFETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFETIME_SETTLE 20
#define LIFETIME_RESUME 8
#define LIFETIME_GONE_AFTER_MS (INT64_C(7) * 86400000)

struct lifetime_rules {
	uint64_t settle; /* at least 1 */
	int64_t gone_after_ms;
};

/* One sighting: what was shown when. */
struct lifetime_sighting {
	int64_t time_ms;
	uint32_t state;	   /* equal numbers are equal states */
	uint32_t evidence; /* handed through to the events */
};

struct lifetime {
	struct lifetime_sighting first, last;
	struct lifetime_sighting before; /* the observation before `first`; none in the first one */
	int64_t after_ms;		 /* its begin is after this; not in the first one */
	struct lifetime_sighting next;	 /* the observation after `last`; if has_next */
	bool has_next;
	bool back;		   /* it began when the series came back from GONE */
	size_t old, next_lifetime; /* indexes: of `before`, of `next` */
	size_t previous;	   /* that of this state that ended not long before */
	size_t root;		   /* the first of those that were resumed; itself if none */
	bool has_previous;
	bool goes_on;			  /* a later one resumes it */
	bool returned;			  /* it brings back what `old` had replaced */
	uint64_t returns;		  /* how often others were shown, and it again */
	uint64_t first_index, last_index; /* of the sightings among the observed, from 0 */
};

enum lifetime_kind { LIFETIME_BEGIN, LIFETIME_ROLLED_BACK, LIFETIME_GONE, LIFETIME_BACK };

struct lifetime_event {
	enum lifetime_kind kind;
	struct lifetime_sighting old, new; /* GONE: new is the probe that made it gone */
	int64_t after_ms, before_ms;	   /* the bracket, half-open: after < it <= before */
	bool mixed;			   /* BEGIN: the old state is still among what is shown */
	bool back;			   /* BEGIN: after GONE */
	bool returned; /* BEGIN: to the state that the old one had replaced: undone */
	bool resumed;  /* BEGIN, ROLLED_BACK: a balancer's doing */
	bool has_old_gone;
	int64_t old_gone_after_ms, old_gone_before_ms;
};

struct lifetimes {
	struct lifetime_rules rules;
	struct lifetime *list; /* in order of their first sightings */
	size_t n, cap;
	size_t *open; /* indexes of those that may go on or be resumed */
	size_t open_n, open_cap;
	uint64_t observed;
	size_t current;	    /* the lifetime of the last observation */
	int64_t earlier_ms; /* of the last observation before the newest one's moment */
	bool has_earlier;
	bool gone; /* and not yet back */
	bool gap;  /* probed in vain since the last observation */
	struct lifetime_sighting gap_first, gap_last;
	struct lifetime_event *events; /* GONE and BACK as they are found, then all */
	size_t events_n, events_cap;
};

void lifetimes_init(struct lifetimes *l, const struct lifetime_rules *rules);
void lifetimes_clear(struct lifetimes *l); /* for the next series; keeps memory and rules */
void lifetimes_finish(struct lifetimes *l);

/* In order of time; sightings of one moment in an order that does not depend on their arrival. */
void lifetimes_observe(struct lifetimes *l, struct lifetime_sighting sighting);
/* A probe that says nothing about the certificate (its evidence in `sighting`). */
void lifetimes_gap(struct lifetimes *l, struct lifetime_sighting sighting);

/* All events so far, in order of `before_ms`; borrowed until the next call. Call once a series. */
const struct lifetime_event *lifetimes_events(struct lifetimes *l, size_t *n);

/* Whether `settle` others have followed its last sighting. */
bool lifetimes_ended(const struct lifetimes *l, const struct lifetime *one);

#endif
