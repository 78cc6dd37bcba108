/*
 * page: one page of LMDB's file, and the heads of the file, as they lie on the disk. Nothing is
 * believed of what a page says: what is read of it lies within it.
 *
 * Source: LMDB 0.9's mdb.c (MDB_page, MDB_node, MDB_db, MDB_meta), of a 64-bit machine.
 */
#ifndef MX509_PAGE_H
#define MX509_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAGE_HEADER 16 /* octets of a page's */
#define PAGE_NONE UINT64_MAX
#define PAGE_MAGIC UINT32_C(0xBEEFC0DE)
#define PAGE_VERSION 1

enum { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_OVERFLOW = 0x04 }; /* of a page */
enum { PAGE_BIG_DATA = 0x01, PAGE_SUB_DATABASE = 0x02 };	     /* of a node */
enum { PAGE_INTEGER_KEY = 0x08 };				     /* of a tree */
/* MDB_NOSUBDIR: how the file was made stays in its head. */
enum { PAGE_NO_DIRECTORY = 0x4000 };

struct page_tree { /* MDB_db */
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct page_head { /* MDB_meta, behind the page's header */
	uint32_t magic, version;
	uint64_t address, map;
	struct page_tree tree[2]; /* free pages; names */
	uint64_t last_page, number;
};

_Static_assert(
    sizeof(struct page_tree) == 48 && sizeof(struct page_head) == 136, "as LMDB lays them out");

struct page {
	uint8_t *data;
	unsigned octets;
	uint64_t number;
	uint16_t flags, lower, upper;
	unsigned n; /* nodes */
};

struct page_node {
	const uint8_t *key, *data;
	uint16_t key_len, flags;
	uint64_t child;	   /* of a branch */
	uint32_t data_len; /* of a leaf */
	size_t octets;	   /* that it takes */
};

/* Fills in what its octets say; false if it is not page `number`, of a tree. */
bool page_parse(struct page *page, uint64_t number);

/* The i-th of page->n. False if it does not lie within the page. */
bool page_node(const struct page *page, unsigned i, struct page_node *node);

/* Whether LMDB could have written it, of a file with pages of that size. */
bool page_is_head(const struct page_head *head, unsigned page_octets);

static inline uint16_t
page_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
page_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
