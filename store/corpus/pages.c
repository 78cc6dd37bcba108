#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/buf.h"
#include "store/base/mem.h"
#include "store/record/key.h"

#define HEADER 16 /* octets of a page's */
#define NODE 8	  /* octets of a node's, before its key */
#define NO_PAGE UINT64_MAX
#define MAGIC UINT32_C(0xBEEFC0DE)
#define VERSION 1
#define DEPTH_MAX 32
#define GIVEN_BACK (UINT64_C(1) << 17) /* pages that one transaction may have */
#define PAGES_MAX (UINT64_C(1) << 35)  /* a bit each */
#define FINDINGS_MAX 100	       /* then it is clear enough */

enum { BRANCH = 0x01, LEAF = 0x02, OVERFLOW = 0x04 }; /* of a page */
enum { BIG_DATA = 0x01, SUB_DATABASE = 0x02 };	      /* of a node */
enum { INTEGER_KEY = 0x08 };			      /* of a tree */
/* MDB_NOSUBDIR: how the file was made stays in its head. */
enum { NO_DIRECTORY = 0x4000 };

struct tree { /* MDB_db */
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct head { /* MDB_meta, behind the page's header */
	uint32_t magic, version;
	uint64_t address, map;
	struct tree tree[2]; /* free pages; names */
	uint64_t last_page, number;
};

_Static_assert(sizeof(struct tree) == 48 && sizeof(struct head) == 136, "as LMDB lays them out");

struct page {
	uint8_t *data;
	uint64_t number;
	uint16_t flags, lower, upper;
	unsigned n; /* nodes */
};

struct node {
	const uint8_t *key, *data;
	uint16_t key_len, flags;
	uint64_t child;	   /* of a branch */
	uint32_t data_len; /* of a leaf */
	size_t octets;	   /* that it takes */
};

/* Keys of a page lie in from <= key < to; NULL: no bound. */
struct bounds {
	const struct key *from, *to;
};

struct walk {
	int fd;
	unsigned page_octets;
	const struct head *head;
	uint8_t *used; /* a bit a page */
	pages_finding *finding;
	pages_record *record; /* NULL: the walk judges only */
	void *ctx;
	int faults, rc; /* rc: what `record` ended the walk with */
	/* Of the tree that is being walked. */
	const char *name;
	struct tree counted;
	unsigned deepest;
	bool integers, names;
};

static void walk_tree(struct walk *w, const char *name, const struct tree *tree);

static void __attribute__((format(printf, 2, 3))) fault(struct walk *w, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	if (w->faults++ >= FINDINGS_MAX)
		return;
	buf_printf(&line, "data.mdb: %s: ", w->name);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	w->finding(w->ctx, buf_text(&line));
	buf_finish(&line);
}

static uint16_t
u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t
u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool
is_used(const struct walk *w, uint64_t page)
{
	return (w->used[page / 8] >> page % 8 & 1) != 0;
}

/* Each page belongs to one thing. */
static bool
take(struct walk *w, uint64_t page, uint64_t n, const char *what)
{
	if (page < 2 || n > w->head->last_page || page > w->head->last_page + 1 - n) {
		fault(w, "%s at page %llu, which is none", what, (unsigned long long)page);
		return false;
	}
	for (; n > 0; n--, page++) {
		if (is_used(w, page)) {
			fault(w, "%s at page %llu, which belongs to something else too", what,
			    (unsigned long long)page);
			return false;
		}
		w->used[page / 8] |= (uint8_t)(1 << page % 8);
	}
	return true;
}

static bool
read_at(struct walk *w, void *p, size_t len, uint64_t page)
{
	ssize_t n = pread(w->fd, p, len, (off_t)(page * w->page_octets));

	if (n == (ssize_t)len)
		return true;
	fault(w, "page %llu cannot be read: %s", (unsigned long long)page,
	    n < 0 ? strerror(errno) : "the file is too short");
	return false;
}

/* ---- one page ------------------------------------------------------------------------------- */

static bool
read_page(struct walk *w, struct page *page, uint64_t number)
{
	const uint8_t *p = page->data;

	if (!read_at(w, page->data, w->page_octets, number))
		return false;
	page->number = u64_at(p);
	page->flags = u16_at(p + 10);
	page->lower = u16_at(p + 12);
	page->upper = u16_at(p + 14);
	if (page->number != number || u16_at(p + 8) != 0 ||
	    (page->flags != BRANCH && page->flags != LEAF) || page->lower <= HEADER ||
	    page->lower % 2 != 0 || page->lower > page->upper || page->upper > w->page_octets) {
		fault(w, "page %llu is no page of a tree", (unsigned long long)number);
		return false;
	}
	page->n = (page->lower - HEADER) / 2u;
	return true;
}

/* False if it does not lie within the page. */
static bool
read_node(const struct walk *w, const struct page *page, unsigned i, struct node *node)
{
	size_t at = u16_at(page->data + HEADER + 2 * (size_t)i), room;
	const uint8_t *p = page->data + at;
	uint64_t low;

	if (at < page->upper || at + NODE > w->page_octets)
		return false;
	room = w->page_octets - at - NODE;
	low = u16_at(p) | (uint64_t)u16_at(p + 2) << 16;
	*node = (struct node){.key = p + NODE, .key_len = u16_at(p + 6), .flags = u16_at(p + 4)};
	if (page->flags == BRANCH) {
		node->child = low | (uint64_t)node->flags << 32;
	} else {
		node->data_len = (uint32_t)low;
		node->data = node->key + node->key_len;
	}
	if (node->key_len > KEY_MAX || node->key_len > room)
		return false;
	room -= node->key_len;
	node->octets = NODE + node->key_len;
	if (page->flags == LEAF) {
		size_t len = (node->flags & BIG_DATA) != 0 ? 8 : node->data_len;

		if (len > room)
			return false;
		node->octets += len;
	}
	node->octets += node->octets % 2;
	return true;
}

static int
compare(const struct walk *w, const struct key *a, const struct key *b)
{
	uint64_t x, y;

	if (!w->integers)
		return key_compare(a, b);
	x = u64_at(a->bytes);
	y = u64_at(b->bytes);
	return (x > y) - (x < y);
}

static void
key_of(struct key *key, const struct node *node)
{
	key->len = node->key_len;
	memcpy(key->bytes, node->key, node->key_len);
}

/* Keys ascend, within the bounds. The first of a branch stands for all below the second. */
static bool
in_order(struct walk *w, const struct page *page, const struct bounds *bounds)
{
	struct key last = {0}, key = {0};
	unsigned first = page->flags == BRANCH ? 1 : 0;
	struct node node;
	size_t octets = 0;

	for (unsigned i = 0; i < page->n; i++) {
		if (!read_node(w, page, i, &node))
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
walk_big_data(struct walk *w, const struct page *page, const struct node *node)
{
	uint64_t at = u64_at(node->data),
		 n = (HEADER - 1 + (uint64_t)node->data_len) / w->page_octets + 1;
	uint8_t header[HEADER];
	uint32_t pages;

	if (!take(w, at, n, "a long value") || !read_at(w, header, HEADER, at))
		return;
	memcpy(&pages, header + 12, sizeof(pages));
	if (u64_at(header) != at || u16_at(header + 10) != OVERFLOW || pages != n)
		fault(w, "page %llu is not that of a long value, which page %llu names",
		    (unsigned long long)at, (unsigned long long)page->number);
	w->counted.overflows += n;
}

static void
walk_sub_database(struct walk *w, const struct page *page, const struct node *node)
{
	char name[KEY_MAX + 1];
	struct tree tree;
	struct walk outer = *w;

	if (node->data_len != sizeof(tree)) {
		fault(w, "page %llu: a sub-database without a tree",
		    (unsigned long long)page->number);
		return;
	}
	memcpy(&tree, node->data, sizeof(tree));
	if (tree.pad != 0 || tree.flags != 0)
		fault(w, "page %llu: a sub-database of another kind",
		    (unsigned long long)page->number);
	memcpy(name, node->key, node->key_len);
	name[node->key_len] = '\0';
	walk_tree(w, name, &tree);
	outer.faults = w->faults;
	outer.rc = w->rc;
	*w = outer;
}

/* The value of a record, which a long one has on pages of its own. */
static void
hand_on(struct walk *w, const struct node *node)
{
	uint8_t *big = NULL;
	const uint8_t *value = node->data;

	if (w->record == NULL || w->names || w->integers || w->rc != 0)
		return;
	if (node->flags == BIG_DATA) {
		uint64_t at = u64_at(node->data);

		if (at > w->head->last_page || node->data_len > w->head->last_page * w->page_octets)
			return;
		big = mem_alloc((size_t)node->data_len + HEADER);
		value = read_at(w, big, (size_t)node->data_len + HEADER, at) ? big + HEADER : NULL;
	}
	if (value != NULL)
		w->rc = w->record(w->ctx, w->name, node->key, node->key_len, value, node->data_len);
	free(big);
}

/* What of a page in disorder is there: each record has a checksum of its own. */
static void
hand_on_some(struct walk *w, const struct page *page)
{
	struct node node;

	if (w->record == NULL || page->flags != LEAF || w->names)
		return;
	for (unsigned i = 0; i < page->n; i++)
		if (read_node(w, page, i, &node) && (node.flags & ~BIG_DATA) == 0)
			hand_on(w, &node);
}

static void
walk_leaf(struct walk *w, const struct page *page)
{
	struct node node = {0};

	w->counted.leaves++;
	w->counted.entries += page->n;
	for (unsigned i = 0; i < page->n; i++) {
		read_node(w, page, i, &node);
		if (node.flags != (w->names ? SUB_DATABASE : node.flags & BIG_DATA))
			fault(w, "page %llu: a record of an unknown kind",
			    (unsigned long long)page->number);
		else if (w->names)
			walk_sub_database(w, page, &node);
		else {
			if (node.flags == BIG_DATA)
				walk_big_data(w, page, &node);
			hand_on(w, &node);
		}
	}
}

/* ---- trees ---------------------------------------------------------------------------------- */

static void walk_page(struct walk *w, uint64_t number, unsigned depth, const struct bounds *bounds);

static void
walk_branch(struct walk *w, const struct page *page, unsigned depth, const struct bounds *bounds)
{
	struct node node = {0}, next = {0}; /* in_order() has read them once */

	w->counted.branches++;
	for (unsigned i = 0; i < page->n; i++) {
		struct bounds below = *bounds;
		struct key from, to;

		read_node(w, page, i, &node);
		if (i > 0) {
			key_of(&from, &node);
			below.from = &from;
		}
		if (i + 1 < page->n) {
			read_node(w, page, i + 1, &next);
			key_of(&to, &next);
			below.to = &to;
		}
		walk_page(w, node.child, depth + 1, &below);
	}
}

static void
walk_page(struct walk *w, uint64_t number, unsigned depth, const struct bounds *bounds)
{
	struct page page;

	if (depth > DEPTH_MAX || !take(w, number, 1, "a part of the tree"))
		return;
	page.data = mem_alloc(w->page_octets);
	if (!read_page(w, &page, number))
		;
	else if (!in_order(w, &page, bounds)) {
		fault(w, "page %llu: its records are not in order", (unsigned long long)number);
		hand_on_some(w, &page);
	} else if (page.flags == BRANCH)
		walk_branch(w, &page, depth, bounds);
	else if (w->deepest != 0 && w->deepest != depth)
		fault(w, "page %llu: a leaf at another depth than others",
		    (unsigned long long)number);
	else {
		w->deepest = depth;
		walk_leaf(w, &page);
	}
	free(page.data);
}

static void
walk_tree(struct walk *w, const char *name, const struct tree *tree)
{
	const struct bounds all = {0};
	int faults = w->faults;

	w->name = name;
	w->counted = (struct tree){.pad = tree->pad, .flags = tree->flags, .root = tree->root};
	w->deepest = 0;
	w->integers = (tree->flags & INTEGER_KEY) != 0;
	w->names = tree == &w->head->tree[1];
	if (tree->root != NO_PAGE)
		walk_page(w, tree->root, 1, &all);
	w->counted.depth = (uint16_t)w->deepest;
	w->name = name;
	if (w->faults == faults && memcmp(&w->counted, tree, sizeof(*tree)) != 0)
		fault(w, "its tree has other pages or records than it says");
}

/* ---- the free pages ------------------------------------------------------------------------- */

/* A list: their count, then so many numbers; with the number of the transaction that let go of
 * them as its key. */
static void
take_list(struct walk *w, const struct node *node, const uint8_t *list)
{
	uint64_t n = node->data_len >= 8 ? u64_at(list) : 0;

	if (u64_at(node->key) > w->head->number)
		fault(w, "pages that transaction %llu let go of, after the last one, %llu",
		    (unsigned long long)u64_at(node->key), (unsigned long long)w->head->number);
	if (node->data_len < 8 || n > node->data_len / 8 - 1) {
		fault(w, "a list that is longer than its record");
		return;
	}
	for (uint64_t i = 1; i <= n; i++)
		take(w, u64_at(list + 8 * i), 1, "a free page");
}

static void
take_leaf(struct walk *w, const struct page *page)
{
	struct node node;

	for (unsigned i = 0; i < page->n; i++) {
		uint8_t *list = NULL;

		read_node(w, page, i, &node);
		if (node.flags != BIG_DATA) {
			take_list(w, &node, node.data);
			continue;
		}
		list = mem_alloc(node.data_len + HEADER);
		if (read_at(w, list, node.data_len + HEADER, u64_at(node.data)))
			take_list(w, &node, list + HEADER);
		free(list);
	}
}

/* The tree is known to be sound. */
static void
take_free(struct walk *w, uint64_t number)
{
	struct page page = {.data = mem_alloc(w->page_octets)};
	struct node node;

	if (!read_page(w, &page, number))
		;
	else if (page.flags == LEAF)
		take_leaf(w, &page);
	else
		for (unsigned i = 0; i < page.n; i++)
			if (read_node(w, &page, i, &node))
				take_free(w, node.child);
	free(page.data);
}

static void
report_lost(struct walk *w)
{
	uint64_t lost = 0;
	int faults = w->faults;

	for (uint64_t page = 2; page <= w->head->last_page; page++)
		lost += !is_used(w, page);
	if (lost == 0)
		return;
	w->name = "pages";
	fault(w, "%llu of %llu belong to nothing", (unsigned long long)lost,
	    (unsigned long long)w->head->last_page + 1);
	w->faults = faults; /* they lead nobody astray */
}

/* ---- the heads ------------------------------------------------------------------------------ */

static bool
is_head(const struct head *head, unsigned page_octets)
{
	return head->magic == MAGIC && head->version == VERSION &&
	       head->tree[0].pad == page_octets &&
	       (head->tree[0].flags & ~NO_DIRECTORY) == INTEGER_KEY && head->tree[1].pad == 0 &&
	       head->tree[1].flags == 0;
}

static bool
read_head(struct walk *w, uint64_t at, struct head *head)
{
	return pread(w->fd, head, sizeof(*head), (off_t)(at * w->page_octets) + HEADER) ==
	       (ssize_t)sizeof(*head);
}

/* The newest transaction that a tree of free pages knows of: its last key. 0 if it is none. */
static uint64_t
newest_known(struct walk *w, const struct head *head)
{
	struct walk quiet = *w;
	struct page page = {.data = mem_alloc(w->page_octets)};
	uint64_t at = head->tree[0].root, newest = 0;
	struct node node;

	quiet.faults = FINDINGS_MAX;
	for (unsigned depth = 0; depth < DEPTH_MAX && at > 1 && at <= head->last_page; depth++) {
		if (!read_page(&quiet, &page, at) || !read_node(w, &page, page.n - 1, &node))
			break;
		if (page.flags == LEAF) {
			newest = node.key_len == 8 ? u64_at(node.key) : 0;
			break;
		}
		at = node.child;
	}
	free(page.data);
	return newest;
}

/* LMDB takes the head page with the higher number. If that number was damaged, the other one comes
 * back, whole and with a number that fits; but what it lost knows of later transactions.
 *
 * So does a head whose writing failed: LMDB then puts back the number and the last page that were
 * there, and leaves the new trees (mdb_env_write_meta). The corpus grows only: a last page before
 * the other head's is older than it, and nothing that was committed is missing. */
static void
look_at_other_head(struct walk *w)
{
	uint64_t place = (w->head->number + 1) % 2, newest;
	struct head other, again;
	int faults = w->faults;

	if (!read_head(w, place, &other) || !is_head(&other, w->page_octets))
		return;
	newest = newest_known(w, &other);
	if (newest > other.number && newest <= w->head->number + 2 &&
	    other.last_page >= w->head->last_page && read_head(w, place, &again) &&
	    memcmp(&other, &again, sizeof(other)) == 0 &&
	    read_head(w, w->head->number % 2, &again) && again.number == w->head->number)
		fault(w,
		    "the one of transaction %llu knows of transaction %llu: what was committed "
		    "last is missing",
		    (unsigned long long)other.number, (unsigned long long)newest);
	w->faults = faults; /* the state that is left is whole */
}

static void
walk_state(struct walk *w)
{
	struct stat st;

	/* LMDB does not write pages that a transaction took at the end and gave back. */
	if (fstat(w->fd, &st) == 0 &&
	    (uint64_t)st.st_size / w->page_octets + GIVEN_BACK <= w->head->last_page) {
		fault(w, "the file ends long before its last page");
		if (w->record == NULL)
			return;
	}
	look_at_other_head(w);
	w->used = mem_zero(w->head->last_page / 8 + 1, 1);
	walk_tree(w, "free pages", &w->head->tree[0]);
	if (w->faults == 0 && w->head->tree[0].root != NO_PAGE)
		take_free(w, w->head->tree[0].root);
	walk_tree(w, "names", &w->head->tree[1]);
	if (w->faults == 0)
		report_lost(w);
	free(w->used);
}

static int
open_file(struct walk *w, const char *dir, struct err *err)
{
	struct buf path = {0};
	int rc = 0;

	buf_printf(&path, "%s/data.mdb", dir);
	w->fd = -1;
	if (sizeof(size_t) != 8)
		rc = err_set(err, ERR_FORMAT, "%s: not on a machine of this kind", dir);
	else if ((w->fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC)) < 0)
		rc = err_system(err, errno, "%s: cannot be read", buf_text(&path));
	buf_finish(&path);
	return rc;
}

/* What is told only once it is sure that the head was read as a whole. */
static void
put_off(void *ctx, const char *line)
{
	struct buf *lines = ctx;

	buf_append(lines, line, strlen(line) + 1);
}

static void
tell(struct buf *lines, pages_finding *finding, void *ctx)
{
	const char *line = buf_text(lines);

	for (size_t at = 0; at < lines->len; at += strlen(line + at) + 1)
		finding(ctx, line + at);
}

/* A head page is read while it may be written, by the writer after the next: half of it may be of
 * another state. What looks wrong then is judged again. */
static int
check_head(struct walk *w, uint64_t number)
{
	struct head head, again;

	if (!read_head(w, number % 2, &head) || head.number != number)
		return ERR_NOT_FOUND;
	w->head = &head;
	if (!is_head(&head, w->page_octets))
		fault(w, "it is none");
	else
		walk_state(w);
	w->head = NULL;
	if (w->faults == 0)
		return 0;
	return read_head(w, number % 2, &again) && memcmp(&head, &again, sizeof(head)) == 0
		   ? w->faults
		   : ERR_NOT_FOUND;
}

int
pages_check(const char *dir, unsigned page_octets, uint64_t number, pages_finding *finding,
    void *ctx, struct err *err)
{
	struct buf lines = {0};
	struct walk w = {
	    .page_octets = page_octets, .finding = put_off, .ctx = &lines, .name = "head"};
	int rc = open_file(&w, dir, err);

	if (rc == 0)
		rc = check_head(&w, number);
	if (rc == ERR_NOT_FOUND)
		err_set(err, rc, "%s/data.mdb: writers are faster than the check", dir);
	else if (rc >= 0)
		tell(&lines, finding, ctx);
	if (w.fd >= 0)
		close(w.fd);
	buf_finish(&lines);
	return rc;
}

/* ---- what is left --------------------------------------------------------------------------- */

/* The newest one whose tree of names begins with a page that can be read. */
static bool
find_head(struct walk *w, struct head *head)
{
	struct head found[2];
	bool good[2];

	for (unsigned i = 0; i < 2; i++) {
		struct walk quiet = *w;
		struct page page = {.data = mem_alloc(w->page_octets)};

		quiet.faults = FINDINGS_MAX;
		quiet.head = &found[i];
		good[i] = read_head(w, i, &found[i]) && is_head(&found[i], w->page_octets) &&
			  found[i].last_page < PAGES_MAX &&
			  read_page(&quiet, &page, found[i].tree[1].root);
		free(page.data);
	}
	if (!good[0] && !good[1])
		return false;
	if (!good[0] || !good[1])
		fault(w, "one of the two is damaged: what was committed last may be missing");
	*head = !good[0] || (good[1] && found[1].number > found[0].number) ? found[1] : found[0];
	return true;
}

static void
no_finding(void *ctx, const char *line)
{
}

bool
pages_cut_short(const char *dir)
{
	struct walk w = {
	    .page_octets = (unsigned)sysconf(_SC_PAGESIZE), .finding = no_finding, .name = "head"};
	struct head head, newest = {0};
	struct stat st;

	if (open_file(&w, dir, NULL) != 0)
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (read_head(&w, i, &head) && is_head(&head, w.page_octets) &&
		    head.number >= newest.number)
			newest = head;
	w.head = &newest;
	if (newest.magic == MAGIC && fstat(w.fd, &st) == 0 &&
	    (uint64_t)st.st_size / w.page_octets <= newest.last_page)
		walk_state(&w);
	close(w.fd);
	return w.faults > 0;
}

int
pages_salvage(
    const char *dir, pages_record *record, pages_finding *finding, void *ctx, struct err *err)
{
	struct walk w = {.page_octets = (unsigned)sysconf(_SC_PAGESIZE),
	    .finding = finding,
	    .record = record,
	    .ctx = ctx,
	    .name = "head"};
	struct head head;
	int rc = open_file(&w, dir, err);

	if (rc == 0 && !find_head(&w, &head))
		rc = err_set(err, ERR_DAMAGED, "%s: damaged: nothing of it can be read", dir);
	w.head = &head;
	if (rc == 0)
		walk_state(&w);
	if (w.fd >= 0)
		close(w.fd);
	return rc != 0 ? rc : w.rc != 0 ? w.rc : w.faults;
}
