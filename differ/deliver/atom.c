#include "atom.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atom_page.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/place.h"

/* A change that is an entry unless a window of its batch holds it. */
struct pending {
	struct atom_words words;
	uint32_t series;
	int64_t before_ms;
	bool held, retracted;
};

struct atom {
	const struct atom_rules *rules;
	struct atom_page current; /* feed.atom */
	size_t items;		  /* of it */
	struct pending *pending;
	size_t pending_n, pending_cap;
	bool sorted, due;
};

/* ---- entries ----------------------------------------------------------------------------- */

static struct atom_item *
find_item(const struct atom *a, const char *id)
{
	struct atom_item *item;

	TAILQ_FOREACH(item, &a->current.items, link)
	if (strcmp(item->id, id) == 0)
		return item;
	return NULL;
}

/* Takes it out of feed.atom; accepts NULL. */
static void
drop_item(struct atom *a, struct atom_item *item)
{
	if (item == NULL)
		return;
	TAILQ_REMOVE(&a->current.items, item, link);
	a->items--;
	atom_item_destroy(item);
}

static void
add_term(struct atom_item *item, const char *term)
{
	buf_append(&item->terms, term, strlen(term) + 1);
}

static struct atom_item *
make_item(struct atom_words *w, int64_t now_ms)
{
	struct atom_item *item = mem_zero(1, sizeof(*item));
	char id[ATOM_ID_MAX], now[CLOCK_TEXT_MAX];

	atom_uuid(w->id, id);
	clock_format_ms(now_ms, now);
	memcpy(item->id, w->id, sizeof(item->id));
	item->text[ATOM_ID] = mem_strdup(id);
	item->text[ATOM_TITLE] = mem_strdup(buf_text(&w->title));
	item->text[ATOM_PUBLISHED] = mem_strdup(now);
	item->text[ATOM_UPDATED] = mem_strdup(now);
	item->text[ATOM_CONTENT] = mem_strdup(buf_text(&w->content));
	add_term(item, severity_name(w->severity));
	for (unsigned i = 0; i < CLASS_N; i++)
		if ((w->classes & 1u << i) != 0)
			add_term(item, class_table[i].name);
	return item;
}

static void
swap_text(struct atom_item *a, struct atom_item *b, enum atom_text which)
{
	char *text = a->text[which];

	a->text[which] = b->text[which];
	b->text[which] = text;
}

/* What an entry says newly comes first; it keeps its id and the time of its first words. */
static void
put_item(struct atom *a, struct atom_words *w)
{
	struct atom_item *old = find_item(a, w->id), *item;

	if (old == NULL && w->revises[0] != '\0')
		old = find_item(a, w->revises);
	if (old != NULL && strcmp(old->text[ATOM_TITLE], buf_text(&w->title)) == 0 &&
	    strcmp(old->text[ATOM_CONTENT], buf_text(&w->content)) == 0)
		return;
	item = make_item(w, clock_now_ms());
	if (old != NULL) {
		swap_text(item, old, ATOM_ID);
		swap_text(item, old, ATOM_PUBLISHED);
		drop_item(a, old);
	}
	TAILQ_INSERT_HEAD(&a->current.items, item, link);
	a->items++;
	a->due = true;
}

/* ---- a batch ----------------------------------------------------------------------------- */

static int
by_series(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->before_ms < y->before_ms ? -1 : x->before_ms > y->before_ms;
}

static void
hold(struct atom *a, const struct rollout *w)
{
	if (a->pending_n == 0)
		return;
	if (!a->sorted)
		qsort(a->pending, a->pending_n, sizeof(*a->pending), by_series);
	a->sorted = true;
	for (size_t i = 0; i < w->changed_n; i++) {
		struct pending key = {
		    .series = w->members[i].series, .before_ms = w->members[i].before_ms};
		struct pending *p = bsearch(&key, a->pending, a->pending_n, sizeof(*p), by_series);

		if (p != NULL)
			p->held = true;
	}
}

static void
defer(struct atom *a, const struct feed_event *e, const struct atom_words *words)
{
	if (a->pending_n == a->pending_cap) {
		a->pending_cap = a->pending_cap > 0 ? 2 * a->pending_cap : 64;
		a->pending = mem_grow(a->pending, a->pending_cap, sizeof(*a->pending));
	}
	a->pending[a->pending_n++] = (struct pending){.words = *words,
	    .series = e->change->series,
	    .before_ms = e->change->before_ms,
	    .retracted = e->news == FEED_RETRACTED};
}

int
atom_event(struct atom *a, struct query *q, const struct feed_event *e, struct err *err)
{
	struct atom_words words;
	int rc;

	if (e->window != NULL && e->news != FEED_RETRACTED)
		hold(a, e->window);
	if (e->news == FEED_SAME)
		return 0;
	if ((rc = atom_words(&words, q, e, err)) < 0)
		return rc;
	if (e->window == NULL) {
		defer(a, e, &words);
		return 0;
	}
	put_item(a, &words);
	atom_words_finish(&words);
	return 0;
}

bool
atom_is_due(const struct atom *a)
{
	return a->due || a->pending_n > 0;
}

/* A change that is part of a roll-out by now has no entry any more; one that is no more, and had
 * none, needs none. */
static void
settle(struct atom *a)
{
	for (size_t i = 0; i < a->pending_n; i++) {
		struct pending *p = &a->pending[i];
		struct atom_item *item = find_item(a, p->words.id);

		if (p->held && !p->retracted) {
			a->due |= item != NULL;
			drop_item(a, item);
		} else if (!p->retracted || item != NULL) {
			put_item(a, &p->words);
		}
		atom_words_finish(&p->words);
	}
	a->pending_n = 0;
	a->sorted = false;
}

/* ---- documents --------------------------------------------------------------------------- */

static void
path_of(const struct atom *a, unsigned number, struct buf *path)
{
	char file[ATOM_PAGE_FILE_MAX];

	atom_page_file(number, file);
	buf_clear(path);
	buf_printf(path, "%s/%s", a->rules->dir, file);
}

static int
write_page(const struct atom *a, const struct atom_page *page, struct err *err)
{
	struct buf path = {0}, text = {0};
	int rc;

	path_of(a, page->number, &path);
	atom_page_write(page, clock_now_ms(), &text);
	rc = place_replace(buf_text(&path), text.data, text.len, 0644, err);
	buf_finish(&path);
	buf_finish(&text);
	return rc;
}

/* An empty archive of this feed, led to from both sides as the number says. */
static void
init_archive(const struct atom *a, unsigned number, struct atom_page *page)
{
	atom_page_init(page);
	page->number = number;
	page->previous = number - 1;
	page->base_url = a->rules->base_url;
	memcpy(page->feed_id, a->current.feed_id, sizeof(page->feed_id));
}

/* The next page is there: who reads on from this one is led to it. */
static int
link_next(const struct atom *a, unsigned number, struct err *err)
{
	struct err removed = {0}; /* by hand, or it is no page any more */
	struct atom_page page;
	struct buf path = {0};
	int rc = 0;

	init_archive(a, number, &page);
	page.next = number + 1;
	path_of(a, number, &path);
	if (atom_page_read(&page, buf_text(&path), &removed) == 0)
		rc = write_page(a, &page, err);
	atom_page_finish(&page);
	buf_finish(&path);
	return rc;
}

/* The last n entries, the oldest, become a page of their own. */
static int
archive(struct atom *a, size_t n, struct err *err)
{
	struct atom_items *items = &a->current.items;
	struct atom_page page;
	struct atom_item *item;
	int rc;

	init_archive(a, a->current.archives + 1, &page);
	for (size_t i = 0; i < n; i++) {
		item = TAILQ_LAST(items, atom_items);
		TAILQ_REMOVE(items, item, link);
		TAILQ_INSERT_HEAD(&page.items, item, link);
	}
	a->items -= n;
	rc = write_page(a, &page, err);
	atom_page_finish(&page);
	if (rc == 0 && page.previous > 0)
		rc = link_next(a, page.previous, err);
	if (rc == 0)
		a->current.archives = a->current.previous = page.number;
	return rc;
}

/* Oldest pages first: of what is too much, as many as a page holds, from the end. */
static int
archive_old(struct atom *a, struct err *err)
{
	int rc = 0;

	while (rc == 0 && a->items > 2 * (size_t)a->rules->entries)
		rc = archive(a, a->rules->entries, err);
	return rc;
}

int
atom_commit(struct atom *a, uint64_t cursor, struct err *err)
{
	int rc;

	settle(a);
	if ((rc = archive_old(a, err)) < 0)
		return rc;
	a->current.cursor = cursor;
	rc = write_page(a, &a->current, err);
	a->due = false;
	return rc;
}

/* ---- what was written before ------------------------------------------------------------- */

static int
load(struct atom *a, uint64_t *cursor, struct err *err)
{
	struct atom_item *item;
	struct buf path = {0};
	struct stat st;
	int rc = 0;

	path_of(a, 0, &path);
	if (stat(buf_text(&path), &st) != 0)
		rc = errno == ENOENT ? 0 : err_system(err, errno, "%s", buf_text(&path));
	else
		rc = atom_page_read(&a->current, buf_text(&path), err);
	a->current.previous = a->current.archives;
	TAILQ_FOREACH(item, &a->current.items, link)
	a->items++;
	*cursor = a->current.cursor;
	buf_finish(&path);
	return rc;
}

/* Of a folder's own: two feeds are not one. */
static void
make_feed_id(struct atom *a)
{
	char id[CHANGE_ID_LEN + 1];
	struct buf b = {0};

	buf_printf(&b, "feed\n%s\n%lld\n", a->rules->dir, (long long)clock_now_ms());
	change_id(id, b.data, b.len);
	atom_uuid(id, a->current.feed_id);
	buf_finish(&b);
}

int
atom_create(struct atom **atom, const struct atom_rules *rules, uint64_t *cursor, struct err *err)
{
	struct atom *a = *atom = mem_zero(1, sizeof(*a));

	a->rules = rules;
	atom_page_init(&a->current);
	a->current.base_url = rules->base_url;
	make_feed_id(a);
	return load(a, cursor, err);
}

void
atom_destroy(struct atom *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->pending_n; i++)
		atom_words_finish(&a->pending[i].words);
	free(a->pending);
	atom_page_finish(&a->current);
	free(a);
}
