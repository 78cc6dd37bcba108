/*
 * rollout_parts: what the files of rollout share, and nobody else: the changes on their way into
 * windows, the series they are of, and the steps in which one becomes the other.
 *
 *	rollout.c	  gathers series and changes, and finds the windows
 *	rollout_link.c	  which changes belong together
 *	rollout_window.c  what a window of them says
 *	rollout_states.c  which series showed what at a moment
 */
#ifndef MX509_ROLLOUT_PARTS_H
#define MX509_ROLLOUT_PARTS_H

#include "rollout.h"
#include "rollout_states.h"

/* A change on its way into a window. Those of a series stand together, in order of time. */
struct rollout_item {
	struct change change;
	size_t parent;	  /* union-find */
	size_t series_at; /* in series[] */
	int64_t left_ms;  /* when it was taken back; INT64_MAX: not yet */
	bool own_leaf;	  /* a renewal where another address left the same state for another leaf */
};

/* A series of the corpus, whether it changed or not. */
struct rollout_series {
	uint32_t number;
	uint32_t group; /* index in groups[] */
	uint8_t sni, offer;
	uint16_t port;
	uint32_t shows; /* the state that was observed last; of one that never was, meaningless */
	struct ip address;
	size_t cut, window, index; /* marks: the part, the window it is in, and its place there */
};

/* Changes that are one window: at[begin..end), in order of conversion, each of another series. */
struct rollout_part {
	size_t begin, end;
	uint64_t bucket;
	bool
	    crowded; /* so many windows leave the same state that those who stay are only counted */
};

struct rollouts {
	struct changes *changes;
	enum rollout_group group;
	int64_t gap_ms;
	struct rollout_item *items;
	size_t items_n, items_cap;
	struct rollout_series *series;
	size_t series_n, series_cap;
	char **groups;
	size_t groups_n, groups_cap;
	uint32_t *slots; /* open addressing by name; 0: free, else index in groups[] + 1 */
	size_t slots_n;
	struct rollout_states states;
	size_t *at; /* indexes of items */
	struct rollout_part *parts;
	size_t parts_n, parts_cap;
	size_t cuts, marks;
};

/* Grows a list by one that is not set. */
void *rollout_push(void *list, size_t *n, size_t *cap, size_t size);

static inline uint64_t
rollout_bucket(const struct rollout_series *s)
{
	return (uint64_t)s->group << 16 | (uint64_t)s->sni << 8 | s->offer;
}

static inline bool
rollout_same_place(const struct rollout_series *a, const struct rollout_series *b)
{
	return a->port == b->port && ip_compare(&a->address, &b->address) == 0;
}

static inline bool
rollout_has_class(const struct change *c, enum change_class class)
{
	return (c->classes & 1u << class) != 0;
}

/* Gone and back say nothing of what is shown. */
static inline bool
rollout_is_presence(const struct change *c)
{
	return c->event.kind == LIFETIME_GONE || c->event.kind == LIFETIME_BACK;
}

/* Conversions, roll-backs, disappearances and returns to the same state are kept apart. */
uint8_t rollout_direction(const struct change *change);

/* Fills r->at and r->parts from r->items. */
void rollout_link(struct rollouts *r);

/* 1: *window is filled, and the caller's; 0: it is none; <0. */
int rollout_window(
    struct rollouts *r, const struct rollout_part *part, struct rollout *window, struct err *err);

/* The verdicts of its changes (changes_judge()). 0 or <0. */
int rollout_judge(
    struct rollouts *r, const struct rollout_part *part, struct rollout *window, struct err *err);

#endif
