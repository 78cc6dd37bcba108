/*
 * atom_page: a document of Atom (RFC 4287; archives by RFC 5005 section 4), to text and back. Not
 * here: what an entry says (atom_entry.h), which entries stand in which document (atom.h).
 *
 * Only what atom_page_write() wrote is read; of anything else it is said that it is not ours.
 *
 * Ownership: a page owns its items; an item its texts. Threads: one.
 */
#ifndef MX509_ATOM_PAGE_H
#define MX509_ATOM_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "atom_entry.h"

#define ATOM_PAGE_CURRENT "feed.atom"
#define ATOM_PAGE_FILE_MAX 32

enum atom_text { ATOM_ID, ATOM_TITLE, ATOM_PUBLISHED, ATOM_UPDATED, ATOM_CONTENT, ATOM_TEXTS };

/* An entry of a document. */
struct atom_item {
	TAILQ_ENTRY(atom_item) link;
	char id[CHANGE_ID_LEN + 1]; /* of the feed */
	char *text[ATOM_TEXTS];	    /* UTF-8; all are there */
	struct buf terms;	    /* of its categories, a NUL behind each */
};
TAILQ_HEAD(atom_items, atom_item); /* newest first */

struct atom_page {
	unsigned number;	 /* of an archive; 0: feed.atom */
	unsigned previous, next; /* archives to link to; 0: none */
	char feed_id[ATOM_ID_MAX];
	const char *base_url; /* before names of files in links, or NULL; borrowed; not read */
	uint64_t cursor;      /* of feed.atom only, as is `archives` */
	unsigned archives;
	struct atom_items items;
};

void atom_page_init(struct atom_page *page);
void atom_page_finish(struct atom_page *page);
void atom_item_destroy(struct atom_item *item); /* in no page any more; accepts NULL */

/* The name of the file that holds a page: feed.atom, archive-000001.atom, … */
void atom_page_file(unsigned number, char out[ATOM_PAGE_FILE_MAX]);

/* now_ms: what a page without entries says of its age. */
void atom_page_write(const struct atom_page *page, int64_t now_ms, struct buf *out);

/* Items, feed_id, and of feed.atom cursor and archives. ERR_SYSTEM: cannot be read; ERR_INPUT: not
 * XML, or not what was written here. The page is to be finished in any case. */
int atom_page_read(struct atom_page *page, const char *path, struct err *err);

#endif
