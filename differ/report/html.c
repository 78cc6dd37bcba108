#include "html.h"

#include <string.h>

#include "style.h"

static void
append_text(struct buf *out, const char *p, size_t len)
{
	for (const char *end = p + len; p < end; p++)
		switch (*p) {
		case '&':
			buf_append_text(out, "&amp;");
			break;
		case '<':
			buf_append_text(out, "&lt;");
			break;
		case '>':
			buf_append_text(out, "&gt;");
			break;
		case '"':
			buf_append_text(out, "&quot;");
			break;
		default:
			buf_append_byte(out, (uint8_t)*p);
		}
}

void
html_text(struct buf *out, const char *text)
{
	append_text(out, text, strlen(text));
}

void
html_take(struct buf *out, struct buf *text)
{
	append_text(out, (const char *)text->data, text->len);
	buf_clear(text);
}

void
html_take_most(struct buf *out, struct buf *text, size_t most)
{
	size_t len = text->len;

	if (len > most)
		for (len = most; len > 0 && (text->data[len] & 0xc0) == 0x80;)
			len--;
	append_text(out, (const char *)text->data, len);
	if (len < text->len)
		buf_append_text(out, "…");
	buf_clear(text);
}

void
html_row(struct buf *out, struct buf *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_append_text(out, "<td>");
		html_take(out, &cells[i]);
	}
	buf_append_byte(out, '\n');
}

void
html_titles(struct buf *out, const char *const *titles, size_t n)
{
	buf_append_text(out, "<thead><tr>");
	for (size_t i = 0; i < n; i++) {
		buf_append_text(out, "<th scope=\"col\">");
		html_text(out, titles[i]);
	}
	buf_append_text(out, "<tbody>\n");
}

void
html_lines(struct buf *out, struct buf *text)
{
	const char *p = (const char *)text->data, *end = p + text->len;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));

		line_end = line_end != NULL ? line_end : end;
		while (p < line_end && *p == ' ')
			p++;
		if (p < line_end) {
			buf_append_text(out, "<li>");
			append_text(out, p, (size_t)(line_end - p));
			buf_append_byte(out, '\n');
		}
		p = line_end < end ? line_end + 1 : end;
	}
	buf_clear(text);
}

void
html_begin(struct buf *out, const char *title)
{
	buf_append_text(out,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	    "style-src 'unsafe-inline'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
	    "<title>");
	html_text(out, title);
	buf_append_text(out, "</title>\n<style>\n");
	buf_append_text(out, style_sheet);
	buf_append_text(out, "</style></head>\n<body>\n");
}

void
html_end(struct buf *out)
{
	buf_append_text(out, "</body></html>\n");
}
