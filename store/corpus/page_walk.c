#include "page_walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/buf.h"
#include "store/base/mem.h"
#include "store/record/key.h"

/* Keys of a page lie in from <= key < to; NULL: no bound. */
struct bounds {
	const struct key *from, *to;
};

void
page_walk_fault(struct page_walk *w, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	if (w->faults++ >= PAGE_WALK_FINDINGS)
		return;
	buf_printf(&line, "data.mdb: %s: ", w->name);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	w->finding(w->ctx, buf_text(&line));
	buf_finish(&line);
}

bool
page_walk_has(const struct page_walk *w, uint64_t page)
{
	return (w->used[page / 8] >> page % 8 & 1) != 0;
}

/* Each page belongs to one thing. */
bool
page_walk_take(struct page_walk *w, uint64_t page, uint64_t n, const char *what)
{
	if (page < 2 || n > w->head->last_page || page > w->head->last_page + 1 - n) {
		page_walk_fault(
		    w, "%s at page %llu, which is none", what, (unsigned long long)page);
		return false;
	}
	for (; n > 0; n--, page++) {
		if (page_walk_has(w, page)) {
			page_walk_fault(w, "%s at page %llu, which belongs to something else too",
			    what, (unsigned long long)page);
			return false;
		}
		w->used[page / 8] |= (uint8_t)(1 << page % 8);
	}
	return true;
}

bool
page_walk_octets(struct page_walk *w, void *p, size_t len, uint64_t page)
{
	ssize_t n = pread(w->fd, p, len, (off_t)(page * w->page_octets));

	if (n == (ssize_t)len)
		return true;
	page_walk_fault(w, "page %llu cannot be read: %s", (unsigned long long)page,
	    n < 0 ? strerror(errno) : "the file is too short");
	return false;
}

bool
page_walk_read(struct page_walk *w, struct page *page, uint64_t number)
{
	page->octets = w->page_octets;
	if (!page_walk_octets(w, page->data, w->page_octets, number))
		return false;
	if (page_parse(page, number))
		return true;
	page_walk_fault(w, "page %llu is no page of a tree", (unsigned long long)number);
	return false;
}

static int
compare(const struct page_walk *w, const struct key *a, const struct key *b)
{
	uint64_t x, y;

	if (!w->integers)
		return key_compare(a, b);
	x = page_u64(a->bytes);
	y = page_u64(b->bytes);
	return (x > y) - (x < y);
}

static void
key_of(struct key *key, const struct page_node *node)
{
	key->len = node->key_len;
	memcpy(key->bytes, node->key, node->key_len);
}

/* Keys ascend, within the bounds. The first of a branch stands for all below the second. */
static bool
in_order(struct page_walk *w, const struct page *page, const struct bounds *bounds)
{
	struct key last = {0}, key = {0};
	unsigned first = page->flags == PAGE_BRANCH ? 1 : 0;
	struct page_node node;
	size_t octets = 0;

	for (unsigned i = 0; i < page->n; i++) {
		if (!page_node(page, i, &node))
			return false;
		octets += node.octets;
		if (i < first)
			continue;
		if (w->integers && node.key_len != 8)
			return false;
		key_of(&key, &node);
		if (i > first && compare(w, &last, &key) >= 0)
			return false;
		if ((bounds->from != NULL && compare(w, bounds->from, &key) > 0) ||
		    (bounds->to != NULL && compare(w, bounds->to, &key) <= 0))
			return false;
		last = key;
	}
	return octets == w->page_octets - page->upper;
}

/* ---- what leaves hold ----------------------------------------------------------------------- */

static void
walk_big_data(struct page_walk *w, const struct page *page, const struct page_node *node)
{
	uint64_t at = page_u64(node->data),
		 n = (PAGE_HEADER - 1 + (uint64_t)node->data_len) / w->page_octets + 1;
	uint8_t header[PAGE_HEADER];
	uint32_t pages;

	if (!page_walk_take(w, at, n, "a long value") ||
	    !page_walk_octets(w, header, PAGE_HEADER, at))
		return;
	memcpy(&pages, header + 12, sizeof(pages));
	if (page_u64(header) != at || page_u16(header + 10) != PAGE_OVERFLOW || pages != n)
		page_walk_fault(w, "page %llu is not that of a long value, which page %llu names",
		    (unsigned long long)at, (unsigned long long)page->number);
	w->counted.overflows += n;
}

static void
walk_sub_database(struct page_walk *w, const struct page *page, const struct page_node *node)
{
	char name[KEY_MAX + 1];
	struct page_tree tree;
	struct page_walk outer = *w;

	if (node->data_len != sizeof(tree)) {
		page_walk_fault(w, "page %llu: a sub-database without a tree",
		    (unsigned long long)page->number);
		return;
	}
	memcpy(&tree, node->data, sizeof(tree));
	if (tree.pad != 0 || tree.flags != 0)
		page_walk_fault(w, "page %llu: a sub-database of another kind",
		    (unsigned long long)page->number);
	memcpy(name, node->key, node->key_len);
	name[node->key_len] = '\0';
	page_walk_tree(w, name, &tree);
	outer.faults = w->faults;
	outer.rc = w->rc;
	*w = outer;
}

/* The value of a record, which a long one has on pages of its own. */
static void
hand_on(struct page_walk *w, const struct page_node *node)
{
	uint8_t *big = NULL;
	const uint8_t *value = node->data;

	if (w->record == NULL || w->names || w->integers || w->rc != 0)
		return;
	if (node->flags == PAGE_BIG_DATA) {
		uint64_t at = page_u64(node->data);

		if (at > w->head->last_page || node->data_len > w->head->last_page * w->page_octets)
			return;
		big = mem_alloc((size_t)node->data_len + PAGE_HEADER);
		value = page_walk_octets(w, big, (size_t)node->data_len + PAGE_HEADER, at)
			    ? big + PAGE_HEADER
			    : NULL;
	}
	if (value != NULL)
		w->rc = w->record(w->ctx, w->name, node->key, node->key_len, value, node->data_len);
	free(big);
}

/* What of a page in disorder is there: each record has a checksum of its own. */
static void
hand_on_some(struct page_walk *w, const struct page *page)
{
	struct page_node node;

	if (w->record == NULL || page->flags != PAGE_LEAF || w->names)
		return;
	for (unsigned i = 0; i < page->n; i++)
		if (page_node(page, i, &node) && (node.flags & ~PAGE_BIG_DATA) == 0)
			hand_on(w, &node);
}

static void
walk_leaf(struct page_walk *w, const struct page *page)
{
	struct page_node node = {0};

	w->counted.leaves++;
	w->counted.entries += page->n;
	for (unsigned i = 0; i < page->n; i++) {
		page_node(page, i, &node);
		if (node.flags != (w->names ? PAGE_SUB_DATABASE : node.flags & PAGE_BIG_DATA))
			page_walk_fault(w, "page %llu: a record of an unknown kind",
			    (unsigned long long)page->number);
		else if (w->names)
			walk_sub_database(w, page, &node);
		else {
			if (node.flags == PAGE_BIG_DATA)
				walk_big_data(w, page, &node);
			hand_on(w, &node);
		}
	}
}

/* ---- trees ---------------------------------------------------------------------------------- */

static void walk_page(
    struct page_walk *w, uint64_t number, unsigned depth, const struct bounds *bounds);

static void
walk_branch(
    struct page_walk *w, const struct page *page, unsigned depth, const struct bounds *bounds)
{
	struct page_node node = {0}, next = {0}; /* in_order() has read them once */

	w->counted.branches++;
	for (unsigned i = 0; i < page->n; i++) {
		struct bounds below = *bounds;
		struct key from, to;

		page_node(page, i, &node);
		if (i > 0) {
			key_of(&from, &node);
			below.from = &from;
		}
		if (i + 1 < page->n) {
			page_node(page, i + 1, &next);
			key_of(&to, &next);
			below.to = &to;
		}
		walk_page(w, node.child, depth + 1, &below);
	}
}

static void
walk_page(struct page_walk *w, uint64_t number, unsigned depth, const struct bounds *bounds)
{
	struct page page;

	if (depth > PAGE_WALK_DEPTH || !page_walk_take(w, number, 1, "a part of the tree"))
		return;
	page.data = mem_alloc(w->page_octets);
	if (!page_walk_read(w, &page, number))
		;
	else if (!in_order(w, &page, bounds)) {
		page_walk_fault(
		    w, "page %llu: its records are not in order", (unsigned long long)number);
		hand_on_some(w, &page);
	} else if (page.flags == PAGE_BRANCH)
		walk_branch(w, &page, depth, bounds);
	else if (w->deepest != 0 && w->deepest != depth)
		page_walk_fault(w, "page %llu: a leaf at another depth than others",
		    (unsigned long long)number);
	else {
		w->deepest = depth;
		walk_leaf(w, &page);
	}
	free(page.data);
}

void
page_walk_tree(struct page_walk *w, const char *name, const struct page_tree *tree)
{
	const struct bounds all = {0};
	int faults = w->faults;

	w->name = name;
	w->counted = (struct page_tree){.pad = tree->pad, .flags = tree->flags, .root = tree->root};
	w->deepest = 0;
	w->integers = (tree->flags & PAGE_INTEGER_KEY) != 0;
	w->names = tree == &w->head->tree[1];
	if (tree->root != PAGE_NONE)
		walk_page(w, tree->root, 1, &all);
	w->counted.depth = (uint16_t)w->deepest;
	w->name = name;
	if (w->faults == faults && memcmp(&w->counted, tree, sizeof(*tree)) != 0)
		page_walk_fault(w, "its tree has other pages or records than it says");
}
