/*
 * atom: the feed as documents of Atom (RFC 4287) in a folder, for readers of feeds: feed.atom with
 * what is new, and archive-N.atom with what came before (RFC 5005 section 4), each put in its place
 * as a whole. A document holds an entry a roll-out, updated as it proceeds, and one of each change
 * that belongs to none; their ids come from those of the feed, and stay.
 *
 * The cursor stands in feed.atom itself, in a processing instruction: documents and cursor cannot
 * come apart. What is read back is what was written here; anything else is refused.
 *
 * Memory: the entries of feed.atom, and the changes of a batch. Threads: one.
 */
#ifndef MX509_ATOM_H
#define MX509_ATOM_H

#include "differ/time/feed.h"

struct atom;

struct atom_rules {
	const char *dir;      /* exists */
	const char *base_url; /* of dir, with its final slash; NULL: links are relative */
	unsigned entries;     /* of a page at least; feed.atom holds up to twice as many */
};

/* The rules are borrowed. *cursor: what feed.atom says; 0 where there is none yet. */
int atom_create(
    struct atom **atom, const struct atom_rules *rules, uint64_t *cursor, struct err *err);
void atom_destroy(struct atom *atom); /* accepts NULL */

/* An event of a batch, in the feed's order. */
int atom_event(struct atom *atom, struct query *q, const struct feed_event *event, struct err *err);
bool atom_is_due(const struct atom *atom); /* a batch has news */
/* The end of a batch: writes the documents. */
int atom_commit(struct atom *atom, uint64_t cursor, struct err *err);

#endif
