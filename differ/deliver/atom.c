#include "atom.h"

#include <errno.h>
#include <inttypes.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atom_entry.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/place.h"

#define ATOM_NS "http://www.w3.org/2005/Atom"
#define HISTORY_NS "http://purl.org/syndication/history/1.0"
#define PI_NAME "mx509"
#define CURRENT "feed.atom"
#define X(s) ((const xmlChar *)(s))

/* A change that is an entry unless a window of its batch holds it. */
struct pending {
	struct atom_words words;
	uint32_t series;
	int64_t before_ms;
	bool held, retracted;
};

struct atom {
	const struct atom_rules *rules;
	xmlDoc *holder;	  /* whose root's children are the entries, newest first */
	xmlNode *entries; /* that root */
	char feed_id[ATOM_ID_MAX];
	unsigned archives;
	struct pending *pending;
	size_t pending_n, pending_cap;
	bool sorted, due;
};

/* ---- elements ---------------------------------------------------------------------------- */

static xmlNode *
text_child(xmlNode *parent, const char *name, const char *text)
{
	return xmlNewTextChild(parent, NULL, X(name), X(text));
}

static void
time_child(xmlNode *parent, const char *name, int64_t time_ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_ms(time_ms, text);
	text_child(parent, name, text);
}

static void
link_child(const struct atom *a, xmlNode *feed, const char *rel, const char *file)
{
	const char *base = a->rules->base_url != NULL ? a->rules->base_url : "";
	xmlNode *link = xmlNewChild(feed, NULL, X("link"), NULL);
	struct buf href = {0};

	buf_printf(&href, "%s%s", base, file);
	xmlNewProp(link, X("rel"), X(rel));
	xmlNewProp(link, X("href"), X(buf_text(&href)));
	buf_finish(&href);
}

static void
link_archive(const struct atom *a, xmlNode *feed, const char *rel, unsigned number)
{
	char file[32];

	snprintf(file, sizeof(file), "archive-%06u.atom", number);
	link_child(a, feed, rel, file);
}

static xmlNode *
child_of(xmlNode *parent, const char *name)
{
	for (xmlNode *n = parent->children; n != NULL; n = n->next)
		if (n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0)
			return n;
	return NULL;
}

static bool
says(xmlNode *parent, const char *name, struct buf *text)
{
	xmlNode *child = child_of(parent, name);
	xmlChar *content = child != NULL ? xmlNodeGetContent(child) : NULL;
	bool same = content != NULL && strcmp((const char *)content, buf_text(text)) == 0;

	xmlFree(content);
	return same;
}

/* ---- entries ----------------------------------------------------------------------------- */

/* By the feed's id, which stands in it as a processing instruction. */
static xmlNode *
find_entry(const struct atom *a, const char *id)
{
	for (xmlNode *e = a->entries->children; e != NULL; e = e->next)
		for (xmlNode *n = e->children; n != NULL; n = n->next)
			if (n->type == XML_PI_NODE && strcmp((const char *)n->content, id) == 0)
				return e;
	return NULL;
}

static void
drop_entry(xmlNode *entry)
{
	if (entry != NULL) {
		xmlUnlinkNode(entry);
		xmlFreeNode(entry);
	}
}

static void
add_category(xmlNode *entry, const char *term)
{
	xmlNewProp(xmlNewChild(entry, NULL, X("category"), NULL), X("term"), X(term));
}

/* Fills an entry; atom_id and published are those of the one that it takes the place of. */
static void
fill_entry(xmlNode *entry, struct atom_words *w, const char *atom_id, const char *published,
    int64_t now_ms)
{
	xmlAddChild(entry, xmlNewDocPI(entry->doc, X(PI_NAME), X(w->id)));
	text_child(entry, "id", atom_id);
	text_child(entry, "title", buf_text(&w->title));
	if (published != NULL)
		text_child(entry, "published", published);
	else
		time_child(entry, "published", now_ms);
	time_child(entry, "updated", now_ms);
	add_category(entry, severity_name(w->severity));
	for (unsigned i = 0; i < CLASS_N; i++)
		if ((w->classes & 1u << i) != 0)
			add_category(entry, class_table[i].name);
	xmlNewProp(text_child(entry, "content", buf_text(&w->content)), X("type"), X("text"));
}

/* What an entry says newly comes first. */
static void
put_entry(struct atom *a, struct atom_words *w)
{
	xmlNode *old = find_entry(a, w->id), *entry, *child;
	xmlChar *id = NULL, *published = NULL;
	char made[ATOM_ID_MAX];

	if (old == NULL && w->revises[0] != '\0')
		old = find_entry(a, w->revises);
	if (old != NULL && says(old, "title", &w->title) && says(old, "content", &w->content))
		return;
	if (old != NULL && (child = child_of(old, "id")) != NULL)
		id = xmlNodeGetContent(child);
	if (old != NULL && (child = child_of(old, "published")) != NULL)
		published = xmlNodeGetContent(child);
	atom_uuid(w->id, made);
	drop_entry(old);
	entry = xmlNewDocNode(a->holder, NULL, X("entry"), NULL);
	fill_entry(entry, w, id != NULL ? (const char *)id : made, (const char *)published,
	    clock_now_ms());
	if (a->entries->children != NULL)
		xmlAddPrevSibling(a->entries->children, entry);
	else
		xmlAddChild(a->entries, entry);
	xmlFree(id);
	xmlFree(published);
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
	put_entry(a, &words);
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
		xmlNode *entry = find_entry(a, p->words.id);

		if (p->held && !p->retracted) {
			a->due |= entry != NULL;
			drop_entry(entry);
		} else if (!p->retracted || entry != NULL) {
			put_entry(a, &p->words);
		}
		atom_words_finish(&p->words);
	}
	a->pending_n = 0;
	a->sorted = false;
}

/* ---- documents --------------------------------------------------------------------------- */

static void
path_of(const struct atom *a, const char *file, struct buf *path)
{
	buf_clear(path);
	buf_printf(path, "%s/%s", a->rules->dir, file);
}

static int
write_document(const struct atom *a, xmlDoc *doc, const char *file, struct err *err)
{
	struct buf path = {0};
	xmlChar *text = NULL;
	int len = 0, rc;

	path_of(a, file, &path);
	xmlDocDumpFormatMemoryEnc(doc, &text, &len, "UTF-8", 1);
	rc = text != NULL ? place_replace(buf_text(&path), text, (size_t)len, 0644, err)
			  : err_set(err, ERR_SYSTEM, "%s: cannot be made", buf_text(&path));
	xmlFree(text);
	buf_finish(&path);
	return rc;
}

static xmlDoc *
new_document(const struct atom *a, const char *file, xmlNode **feed)
{
	xmlDoc *doc = xmlNewDoc(X("1.0"));
	xmlNode *generator;

	*feed = xmlNewDocNode(doc, NULL, X("feed"), NULL);
	xmlDocSetRootElement(doc, *feed);
	xmlSetNs(*feed, xmlNewNs(*feed, X(ATOM_NS), NULL));
	text_child(*feed, "id", a->feed_id);
	text_child(*feed, "title", "mx509: what mail exchangers show");
	text_child(xmlNewChild(*feed, NULL, X("author"), NULL), "name", "mx509");
	generator = text_child(*feed, "generator", "mxdiff");
	xmlNewProp(generator, X("version"), X(MX509_VERSION));
	link_child(a, *feed, "self", file);
	return doc;
}

/* Copies the entries from `first` on, and says how new they are. */
static void
add_entries(xmlNode *feed, xmlNode *first)
{
	xmlNode *updated = first != NULL ? child_of(first, "updated") : NULL;
	xmlChar *text = updated != NULL ? xmlNodeGetContent(updated) : NULL;

	if (text != NULL)
		text_child(feed, "updated", (const char *)text);
	else
		time_child(feed, "updated", clock_now_ms());
	xmlFree(text);
	for (xmlNode *e = first; e != NULL; e = e->next)
		xmlAddChild(feed, xmlDocCopyNode(e, feed->doc, 1));
}

/* The next page is there: who reads on from this one is led to it. */
static int
link_next(const struct atom *a, unsigned number, struct err *err)
{
	struct buf path = {0};
	char file[32];
	xmlDoc *doc;
	int rc = 0;

	snprintf(file, sizeof(file), "archive-%06u.atom", number);
	path_of(a, file, &path);
	doc = xmlReadFile(buf_text(&path), NULL,
	    XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc != NULL) { /* else it was removed by hand */
		xmlNode *feed = xmlDocGetRootElement(doc);
		xmlNode *before = child_of(feed, "updated");

		link_archive(a, feed, "next-archive", number + 1);
		if (before != NULL)
			xmlAddPrevSibling(before, feed->last);
		rc = write_document(a, doc, file, err);
		xmlFreeDoc(doc);
	}
	buf_finish(&path);
	return rc;
}

/* The entries from `first` on, the oldest, become a page of their own. */
static int
archive(struct atom *a, xmlNode *first, struct err *err)
{
	unsigned number = a->archives + 1;
	xmlNode *feed, *next;
	char file[32];
	xmlDoc *doc;
	int rc;

	snprintf(file, sizeof(file), "archive-%06u.atom", number);
	doc = new_document(a, file, &feed);
	xmlNewChild(feed, xmlNewNs(feed, X(HISTORY_NS), X("fh")), X("archive"), NULL);
	link_child(a, feed, "current", CURRENT);
	if (a->archives > 0)
		link_archive(a, feed, "prev-archive", a->archives);
	add_entries(feed, first);
	rc = write_document(a, doc, file, err);
	xmlFreeDoc(doc);
	if (rc == 0 && a->archives > 0)
		rc = link_next(a, a->archives, err);
	if (rc < 0)
		return rc;
	a->archives = number;
	for (xmlNode *e = first; e != NULL; e = next) {
		next = e->next;
		drop_entry(e);
	}
	return 0;
}

/* Oldest pages first: of what is too much, as many as a page holds, from the end. */
static int
archive_old(struct atom *a, struct err *err)
{
	size_t n = xmlChildElementCount(a->entries), page = a->rules->entries;
	int rc = 0;

	for (; rc == 0 && n > 2 * page; n -= page) {
		xmlNode *first = a->entries->last;

		for (size_t i = 1; i < page; i++)
			first = first->prev;
		rc = archive(a, first, err);
	}
	return rc;
}

int
atom_commit(struct atom *a, uint64_t cursor, struct err *err)
{
	char state[64];
	xmlNode *feed;
	xmlDoc *doc;
	int rc;

	settle(a);
	if ((rc = archive_old(a, err)) < 0)
		return rc;
	doc = new_document(a, CURRENT, &feed);
	snprintf(state, sizeof(state), "%" PRIu64 " %u", cursor, a->archives);
	xmlAddPrevSibling(feed->children, xmlNewDocPI(doc, X(PI_NAME), X(state)));
	if (a->archives > 0)
		link_archive(a, feed, "prev-archive", a->archives);
	add_entries(feed, a->entries->children);
	rc = write_document(a, doc, CURRENT, err);
	xmlFreeDoc(doc);
	a->due = false;
	return rc;
}

/* ---- what was written before ------------------------------------------------------------- */

/* Names of Atom alone stand in an entry: the document that it goes to says so once. */
static void
forget_namespaces(xmlNode *node)
{
	for (; node != NULL; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		node->ns = NULL;
		xmlFreeNsList(node->nsDef);
		node->nsDef = NULL;
		forget_namespaces(node->children);
	}
}

static int
take_state(struct atom *a, xmlDoc *doc, const char *path, uint64_t *cursor, struct err *err)
{
	xmlNode *feed = xmlDocGetRootElement(doc), *n, *next;
	xmlNode *id = feed != NULL ? child_of(feed, "id") : NULL;
	xmlChar *text = id != NULL ? xmlNodeGetContent(id) : NULL;
	bool found = false;

	for (n = feed != NULL ? feed->children : NULL; n != NULL && !found; n = n->next)
		found =
		    n->type == XML_PI_NODE && strcmp((const char *)n->name, PI_NAME) == 0 &&
		    sscanf((const char *)n->content, "%" SCNu64 " %u", cursor, &a->archives) == 2;
	if (found && text != NULL)
		snprintf(a->feed_id, sizeof(a->feed_id), "%s", (const char *)text);
	xmlFree(text);
	if (!found)
		return err_set(
		    err, ERR_INPUT, "%s: not written by mxdiff; name another folder", path);
	for (n = feed->children; n != NULL; n = next) {
		next = n->next;
		if (n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, "entry") == 0) {
			xmlNode *copy = xmlDocCopyNode(n, a->holder, 1);

			xmlAddChild(a->entries, copy);
		}
	}
	forget_namespaces(a->entries->children);
	return 0;
}

static int
load(struct atom *a, uint64_t *cursor, struct err *err)
{
	struct buf path = {0};
	struct stat st;
	xmlDoc *doc;
	int rc = 0;

	path_of(a, CURRENT, &path);
	if (stat(buf_text(&path), &st) != 0) {
		rc = errno == ENOENT ? 0 : err_system(err, errno, "%s", buf_text(&path));
		goto out;
	}
	doc = xmlReadFile(buf_text(&path), NULL,
	    XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
		XML_PARSE_HUGE);
	if (doc == NULL)
		rc = err_set(err, ERR_INPUT, "%s: no XML; remove it to begin with the first commit",
		    buf_text(&path));
	else
		rc = take_state(a, doc, buf_text(&path), cursor, err);
	xmlFreeDoc(doc);
out:
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
	atom_uuid(id, a->feed_id);
	buf_finish(&b);
}

int
atom_create(struct atom **atom, const struct atom_rules *rules, uint64_t *cursor, struct err *err)
{
	struct atom *a = *atom = mem_zero(1, sizeof(*a));

	a->rules = rules;
	a->holder = xmlNewDoc(X("1.0"));
	a->entries = xmlNewDocNode(a->holder, NULL, X("entries"), NULL);
	xmlDocSetRootElement(a->holder, a->entries);
	make_feed_id(a);
	*cursor = 0;
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
	xmlFreeDoc(a->holder);
	xmlCleanupParser();
	free(a);
}
