/*
 * page_walk: a tree of LMDB's file (page.h), page by page: each page belongs to one thing, each key
 * stands in its order and within what the pages above it promise. What does not hold is told, and
 * what can be read goes on being read.
 *
 * Ownership: what is not private is the caller's. Threads: one.
 */
#ifndef MX509_PAGE_WALK_H
#define MX509_PAGE_WALK_H

#include "page.h"
#include "pages.h"

#define PAGE_WALK_DEPTH 32
#define PAGE_WALK_FINDINGS 100 /* then it is clear enough */

struct page_walk {
	int fd;
	unsigned page_octets;
	const struct page_head *head;
	uint8_t *used; /* a bit a page */
	pages_finding *finding;
	pages_record *record; /* NULL: the walk judges only */
	void *ctx;
	int faults, rc;	  /* rc: what `record` ended the walk with */
	const char *name; /* of what is being read */
	/* Private: of the tree that is being walked. */
	struct page_tree counted;
	unsigned deepest;
	bool integers, names;
};

void page_walk_fault(struct page_walk *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* n pages from that one on belong to `what`, and to nothing else; false: that cannot be. */
bool page_walk_take(struct page_walk *w, uint64_t page, uint64_t n, const char *what);
bool page_walk_has(const struct page_walk *w, uint64_t page); /* whether it was taken */

/* The first octets of a page; a page of a tree, whose memory is there. False, and told: it cannot
 * be read, or is none. */
bool page_walk_octets(struct page_walk *w, void *p, size_t len, uint64_t page);
bool page_walk_read(struct page_walk *w, struct page *page, uint64_t number);

/* All of it, also what it names. */
void page_walk_tree(struct page_walk *w, const char *name, const struct page_tree *tree);

#endif
