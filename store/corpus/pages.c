#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page_walk.h"
#include "store/base/buf.h"
#include "store/base/mem.h"

#define GIVEN_BACK (UINT64_C(1) << 17) /* pages that one transaction may have */
#define PAGES_MAX (UINT64_C(1) << 35)  /* a bit each */

/* ---- the free pages ------------------------------------------------------------------------- */

/* A list: their count, then so many numbers; with the number of the transaction that let go of
 * them as its key. */
static void
take_list(struct page_walk *w, const struct page_node *node, const uint8_t *list)
{
	uint64_t n = node->data_len >= 8 ? page_u64(list) : 0;

	if (page_u64(node->key) > w->head->number)
		page_walk_fault(w,
		    "pages that transaction %llu let go of, after the last one, %llu",
		    (unsigned long long)page_u64(node->key), (unsigned long long)w->head->number);
	if (node->data_len < 8 || n > node->data_len / 8 - 1) {
		page_walk_fault(w, "a list that is longer than its record");
		return;
	}
	for (uint64_t i = 1; i <= n; i++)
		page_walk_take(w, page_u64(list + 8 * i), 1, "a free page");
}

static void
take_leaf(struct page_walk *w, const struct page *page)
{
	struct page_node node;

	for (unsigned i = 0; i < page->n; i++) {
		uint8_t *list = NULL;

		page_node(page, i, &node);
		if (node.flags != PAGE_BIG_DATA) {
			take_list(w, &node, node.data);
			continue;
		}
		list = mem_alloc(node.data_len + PAGE_HEADER);
		if (page_walk_octets(w, list, node.data_len + PAGE_HEADER, page_u64(node.data)))
			take_list(w, &node, list + PAGE_HEADER);
		free(list);
	}
}

/* The tree is known to be sound. */
static void
take_free(struct page_walk *w, uint64_t number)
{
	struct page page = {.data = mem_alloc(w->page_octets), .octets = w->page_octets};
	struct page_node node;

	if (!page_walk_read(w, &page, number))
		;
	else if (page.flags == PAGE_LEAF)
		take_leaf(w, &page);
	else
		for (unsigned i = 0; i < page.n; i++)
			if (page_node(&page, i, &node))
				take_free(w, node.child);
	free(page.data);
}

static void
report_lost(struct page_walk *w)
{
	uint64_t lost = 0;
	int faults = w->faults;

	for (uint64_t page = 2; page <= w->head->last_page; page++)
		lost += !page_walk_has(w, page);
	if (lost == 0)
		return;
	w->name = "pages";
	page_walk_fault(w, "%llu of %llu belong to nothing", (unsigned long long)lost,
	    (unsigned long long)w->head->last_page + 1);
	w->faults = faults; /* they lead nobody astray */
}

/* ---- the heads ------------------------------------------------------------------------------ */

static bool
read_head(struct page_walk *w, uint64_t at, struct page_head *head)
{
	return pread(w->fd, head, sizeof(*head), (off_t)(at * w->page_octets) + PAGE_HEADER) ==
	       (ssize_t)sizeof(*head);
}

/* The newest transaction that a tree of free pages knows of: its last key. 0 if it is none. */
static uint64_t
newest_known(struct page_walk *w, const struct page_head *head)
{
	struct page_walk quiet = *w;
	struct page page = {.data = mem_alloc(w->page_octets), .octets = w->page_octets};
	uint64_t at = head->tree[0].root, newest = 0;
	struct page_node node;

	quiet.faults = PAGE_WALK_FINDINGS;
	for (unsigned depth = 0; depth < PAGE_WALK_DEPTH && at > 1 && at <= head->last_page;
	     depth++) {
		if (!page_walk_read(&quiet, &page, at) || !page_node(&page, page.n - 1, &node))
			break;
		if (page.flags == PAGE_LEAF) {
			newest = node.key_len == 8 ? page_u64(node.key) : 0;
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
look_at_other_head(struct page_walk *w)
{
	uint64_t place = (w->head->number + 1) % 2, newest;
	struct page_head other, again;
	int faults = w->faults;

	if (!read_head(w, place, &other) || !page_is_head(&other, w->page_octets))
		return;
	newest = newest_known(w, &other);
	if (newest > other.number && newest <= w->head->number + 2 &&
	    other.last_page >= w->head->last_page && read_head(w, place, &again) &&
	    memcmp(&other, &again, sizeof(other)) == 0 &&
	    read_head(w, w->head->number % 2, &again) && again.number == w->head->number)
		page_walk_fault(w,
		    "the one of transaction %llu knows of transaction %llu: what was committed "
		    "last is missing",
		    (unsigned long long)other.number, (unsigned long long)newest);
	w->faults = faults; /* the state that is left is whole */
}

static void
walk_state(struct page_walk *w)
{
	struct stat st;

	/* LMDB does not write pages that a transaction took at the end and gave back. */
	if (fstat(w->fd, &st) == 0 &&
	    (uint64_t)st.st_size / w->page_octets + GIVEN_BACK <= w->head->last_page) {
		page_walk_fault(w, "the file ends long before its last page");
		if (w->record == NULL)
			return;
	}
	look_at_other_head(w);
	w->used = mem_zero(w->head->last_page / 8 + 1, 1);
	page_walk_tree(w, "free pages", &w->head->tree[0]);
	if (w->faults == 0 && w->head->tree[0].root != PAGE_NONE)
		take_free(w, w->head->tree[0].root);
	page_walk_tree(w, "names", &w->head->tree[1]);
	if (w->faults == 0)
		report_lost(w);
	free(w->used);
}

static int
open_file(struct page_walk *w, const char *dir, struct err *err)
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
check_head(struct page_walk *w, uint64_t number)
{
	struct page_head head, again;

	if (!read_head(w, number % 2, &head) || head.number != number)
		return ERR_NOT_FOUND;
	w->head = &head;
	if (!page_is_head(&head, w->page_octets))
		page_walk_fault(w, "it is none");
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
	struct page_walk w = {
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
find_head(struct page_walk *w, struct page_head *head)
{
	struct page_head found[2];
	bool good[2];

	for (unsigned i = 0; i < 2; i++) {
		struct page_walk quiet = *w;
		struct page page = {.data = mem_alloc(w->page_octets), .octets = w->page_octets};

		quiet.faults = PAGE_WALK_FINDINGS;
		quiet.head = &found[i];
		good[i] = read_head(w, i, &found[i]) && page_is_head(&found[i], w->page_octets) &&
			  found[i].last_page < PAGES_MAX &&
			  page_walk_read(&quiet, &page, found[i].tree[1].root);
		free(page.data);
	}
	if (!good[0] && !good[1])
		return false;
	if (!good[0] || !good[1])
		page_walk_fault(
		    w, "one of the two is damaged: what was committed last may be missing");
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
	struct page_walk w = {
	    .page_octets = (unsigned)sysconf(_SC_PAGESIZE), .finding = no_finding, .name = "head"};
	struct page_head head, newest = {0};
	struct stat st;

	if (open_file(&w, dir, NULL) != 0)
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (read_head(&w, i, &head) && page_is_head(&head, w.page_octets) &&
		    head.number >= newest.number)
			newest = head;
	w.head = &newest;
	if (newest.magic == PAGE_MAGIC && fstat(w.fd, &st) == 0 &&
	    (uint64_t)st.st_size / w.page_octets <= newest.last_page)
		walk_state(&w);
	close(w.fd);
	return w.faults > 0;
}

int
pages_salvage(
    const char *dir, pages_record *record, pages_finding *finding, void *ctx, struct err *err)
{
	struct page_walk w = {.page_octets = (unsigned)sysconf(_SC_PAGESIZE),
	    .finding = finding,
	    .record = record,
	    .ctx = ctx,
	    .name = "head"};
	struct page_head head;
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
