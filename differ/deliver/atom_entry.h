/*
 * atom_entry: what an entry of a feed says: the words for an event, and its id.
 */
#ifndef MX509_ATOM_ENTRY_H
#define MX509_ATOM_ENTRY_H

#include "differ/time/feed.h"

#define ATOM_ID_MAX 64

struct atom_words {
	char id[CHANGE_ID_LEN + 1];	 /* of the feed */
	char revises[CHANGE_ID_LEN + 1]; /* or empty */
	struct buf title, content;
	enum severity severity;
	unsigned classes;
};

int atom_words(
    struct atom_words *words, struct query *q, const struct feed_event *event, struct err *err);
void atom_words_finish(struct atom_words *words);

/* A UUID (RFC 9562 version 8) that holds the 16 digits of an id, as a URN. */
void atom_uuid(const char *id, char out[ATOM_ID_MAX]);

#endif
