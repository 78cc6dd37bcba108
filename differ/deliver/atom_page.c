#include "atom_page.h"

#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/late.h"
#include "store/base/mem.h"

#define ATOM_NS "http://www.w3.org/2005/Atom"
#define HISTORY_NS "http://purl.org/syndication/history/1.0"
#define PI_NAME "mx509"
#define PIECE 65536 /* octets that are read at once */

static struct late expat = LATE_LIBEXPAT;

/* The elements of an entry, in the order in which they are written; categories stand between the
 * last two. */
static const char *const text_names[ATOM_TEXTS] = {
    [ATOM_ID] = "id",
    [ATOM_TITLE] = "title",
    [ATOM_PUBLISHED] = "published",
    [ATOM_UPDATED] = "updated",
    [ATOM_CONTENT] = "content",
};

void
atom_item_destroy(struct atom_item *item)
{
	if (item == NULL)
		return;
	for (size_t i = 0; i < ATOM_TEXTS; i++)
		free(item->text[i]);
	buf_finish(&item->terms);
	free(item);
}

void
atom_page_init(struct atom_page *page)
{
	*page = (struct atom_page){0};
	TAILQ_INIT(&page->items);
}

void
atom_page_finish(struct atom_page *page)
{
	struct atom_item *item;

	while ((item = TAILQ_FIRST(&page->items)) != NULL) {
		TAILQ_REMOVE(&page->items, item, link);
		atom_item_destroy(item);
	}
}

void
atom_page_file(unsigned number, char out[ATOM_PAGE_FILE_MAX])
{
	snprintf(
	    out, ATOM_PAGE_FILE_MAX, number > 0 ? "archive-%06u.atom" : ATOM_PAGE_CURRENT, number);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Text as contents or as the value of an attribute: XML 1.0 sections 2.4 and 2.3. */
static void
append(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		switch (*p) {
		case '&':
			buf_append_text(out, "&amp;");
			break;
		case '<':
			buf_append_text(out, "&lt;");
			break;
		case '>': /* "]]>" must not stand in contents */
			buf_append_text(out, "&gt;");
			break;
		case '"':
			buf_append_text(out, "&quot;");
			break;
		default:
			buf_append_byte(out, (uint8_t)*p);
		}
	}
}

static void
write_text(struct buf *out, const char *indent, const char *name, const char *text)
{
	buf_printf(out, "%s<%s%s>", indent, name,
	    strcmp(name, text_names[ATOM_CONTENT]) == 0 ? " type=\"text\"" : "");
	append(out, text);
	buf_printf(out, "</%s>\n", name);
}

static void
write_link(const struct atom_page *page, const char *rel, unsigned number, struct buf *out)
{
	char file[ATOM_PAGE_FILE_MAX];

	atom_page_file(number, file);
	buf_printf(out, "  <link rel=\"%s\" href=\"", rel);
	append(out, page->base_url != NULL ? page->base_url : "");
	buf_printf(out, "%s\"/>\n", file);
}

static void
write_links(const struct atom_page *page, struct buf *out)
{
	write_link(page, "self", page->number, out);
	if (page->number > 0) {
		buf_append_text(out, "  <fh:archive/>\n");
		write_link(page, "current", 0, out);
	}
	if (page->previous > 0)
		write_link(page, "prev-archive", page->previous, out);
	if (page->next > 0)
		write_link(page, "next-archive", page->next, out);
}

static void
write_item(const struct atom_item *item, struct buf *out)
{
	const char *term = (const char *)item->terms.data, *end = term + item->terms.len;

	buf_printf(out, "  <entry>\n    <?" PI_NAME " %s?>\n", item->id);
	for (size_t i = 0; i < ATOM_CONTENT; i++)
		write_text(out, "    ", text_names[i], item->text[i]);
	for (; term != end; term += strlen(term) + 1) {
		buf_append_text(out, "    <category term=\"");
		append(out, term);
		buf_append_text(out, "\"/>\n");
	}
	write_text(out, "    ", text_names[ATOM_CONTENT], item->text[ATOM_CONTENT]);
	buf_append_text(out, "  </entry>\n");
}

void
atom_page_write(const struct atom_page *page, int64_t now_ms, struct buf *out)
{
	const struct atom_item *first = TAILQ_FIRST(&page->items), *item;
	char now[CLOCK_TEXT_MAX];

	clock_format_ms(now_ms, now);
	buf_printf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"" ATOM_NS "\"%s>\n",
	    page->number > 0 ? " xmlns:fh=\"" HISTORY_NS "\"" : "");
	if (page->number == 0)
		buf_printf(out, "  <?" PI_NAME " %" PRIu64 " %u?>\n", page->cursor, page->archives);
	write_text(out, "  ", "id", page->feed_id);
	buf_append_text(out, "  <title>mx509: what mail exchangers show</title>\n"
			     "  <author>\n    <name>mx509</name>\n  </author>\n"
			     "  <generator version=\"" MX509_VERSION "\">mxdiff</generator>\n");
	write_links(page, out);
	write_text(out, "  ", "updated", first != NULL ? first->text[ATOM_UPDATED] : now);
	TAILQ_FOREACH(item, &page->items, link)
	write_item(item, out);
	buf_append_text(out, "</feed>\n");
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Where a document is: the feed's elements are at depth 2, an entry's at depth 3. */
struct walk {
	XML_Parser parser;
	struct atom_page *page;
	unsigned depth;
	struct atom_item *item; /* that is being read, or NULL */
	bool has_state, strange;
	struct buf text; /* of the innermost element */
};

static void
stop(struct walk *w)
{
	w->strange = true;
	LATE(expat, XML_StopParser)(w->parser, XML_FALSE);
}

static void XMLCALL
on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct walk *w = ctx;

	w->depth++;
	buf_clear(&w->text);
	if (w->depth == 2 && strcmp(name, "entry") == 0)
		w->item = mem_zero(1, sizeof(*w->item));
	if (w->item == NULL || strcmp(name, "category") != 0)
		return;
	for (; attributes[0] != NULL; attributes += 2)
		if (strcmp(attributes[0], "term") == 0)
			buf_append(&w->item->terms, attributes[1], strlen(attributes[1]) + 1);
}

static void XMLCALL
on_text(void *ctx, const XML_Char *text, int len)
{
	struct walk *w = ctx;

	buf_append(&w->text, text, (size_t)len);
}

static void
end_item(struct walk *w)
{
	bool whole = w->item->id[0] != '\0';

	for (size_t i = 0; i < ATOM_TEXTS; i++)
		whole = whole && w->item->text[i] != NULL;
	if (!whole) {
		stop(w);
		return;
	}
	TAILQ_INSERT_TAIL(&w->page->items, w->item, link);
	w->item = NULL;
}

static void XMLCALL
on_end(void *ctx, const XML_Char *name)
{
	struct walk *w = ctx;

	if (w->depth == 2 && w->item != NULL)
		end_item(w);
	else if (w->depth == 2 && strcmp(name, text_names[ATOM_ID]) == 0)
		snprintf(w->page->feed_id, sizeof(w->page->feed_id), "%s", buf_text(&w->text));
	for (size_t i = 0; w->depth == 3 && w->item != NULL && i < ATOM_TEXTS; i++)
		if (strcmp(name, text_names[i]) == 0 && w->item->text[i] == NULL)
			w->item->text[i] = mem_strdup(buf_text(&w->text));
	w->depth--;
}

/* The state of the feed, or an entry's id. */
static void XMLCALL
on_instruction(void *ctx, const XML_Char *target, const XML_Char *data)
{
	struct walk *w = ctx;

	if (strcmp(target, PI_NAME) != 0)
		return;
	if (w->depth == 1)
		w->has_state =
		    sscanf(data, "%" SCNu64 " %u", &w->page->cursor, &w->page->archives) == 2;
	else if (w->depth == 2 && w->item != NULL && strlen(data) == CHANGE_ID_LEN)
		memcpy(w->item->id, data, CHANGE_ID_LEN);
}

/* Ours have none; what one could declare need not be looked at. */
static void XMLCALL
on_doctype(
    void *ctx, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(ctx);
}

static int
parse(struct walk *w, FILE *in, const char *path, struct err *err)
{
	size_t len;

	do {
		void *piece = LATE(expat, XML_GetBuffer)(w->parser, PIECE);

		if (piece == NULL)
			return err_set(err, ERR_SYSTEM, "%s: no memory", path);
		len = fread(piece, 1, PIECE, in);
		if (ferror(in))
			return err_system(err, errno, "%s", path);
		if (LATE(expat, XML_ParseBuffer)(w->parser, (int)len, len == 0) == XML_STATUS_OK)
			continue;
		if (!w->strange)
			return err_set(err, ERR_INPUT,
			    "%s: no XML; remove it to begin with the first commit", path);
	} while (len > 0 && !w->strange);
	if (w->strange || (w->page->number == 0 && !w->has_state))
		return err_set(
		    err, ERR_INPUT, "%s: not written by mxdiff; name another folder", path);
	return 0;
}

int
atom_page_read(struct atom_page *page, const char *path, struct err *err)
{
	struct walk w = {.page = page};
	FILE *in = fopen(path, "re");
	int rc;

	if (in == NULL)
		return err_system(err, errno, "%s", path);
	if ((w.parser = LATE(expat, XML_ParserCreate)(NULL)) == NULL) {
		rc = err_set(err, ERR_SYSTEM, "%s: no memory", path);
		goto out;
	}
	LATE(expat, XML_SetUserData)(w.parser, &w);
	LATE(expat, XML_SetElementHandler)(w.parser, on_start, on_end);
	LATE(expat, XML_SetCharacterDataHandler)(w.parser, on_text);
	LATE(expat, XML_SetProcessingInstructionHandler)(w.parser, on_instruction);
	LATE(expat, XML_SetStartDoctypeDeclHandler)(w.parser, on_doctype);
	rc = parse(&w, in, path, err);
	LATE(expat, XML_ParserFree)(w.parser);
	atom_item_destroy(w.item);
	buf_finish(&w.text);
out:
	fclose(in);
	return rc;
}
