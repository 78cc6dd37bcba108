/*
 * html: pieces of a page (HTML, WHATWG "Living Standard") that stands alone: no script, and nothing
 * that it loads; its Content-Security-Policy says so to the browser as well. What came from outside
 * is escaped twice: for the eye (store/base/text.h), then as text of HTML.
 */
#ifndef MX509_HTML_H
#define MX509_HTML_H

#include "store/base/buf.h"

/* Text and values of attributes in double quotes: of `text`, which is fit for the eye already. */
void html_text(struct buf *out, const char *text);
/* The same of a buffer, which is empty afterwards. */
void html_take(struct buf *out, struct buf *text);
/* Not more than `most` octets of it, whole characters; "…" where that is not all. */
void html_take_most(struct buf *out, struct buf *text, size_t most);

/* <td>: the texts of cells[0..n), which are empty afterwards. */
void html_row(struct buf *out, struct buf *cells, size_t n);
/* <tr> of <th>. */
void html_titles(struct buf *out, const char *const *titles, size_t n);
/* The lines of a text, each an item of a list, without their indentation. */
void html_lines(struct buf *out, struct buf *text);

void html_begin(struct buf *out, const char *title);
void html_end(struct buf *out);

#endif
