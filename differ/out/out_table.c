#include "out_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "store/base/mem.h"

#define GAP 2
#define LEAST 8 /* columns of a cell that still says something */

size_t
out_table_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
										     : 0;
}

void
out_table_init(struct out_table *t, const struct out_column *columns, size_t n)
{
	*t = (struct out_table){.columns = columns, .columns_n = n};
}

void
out_table_finish(struct out_table *t)
{
	for (size_t i = 0; i < t->n * t->columns_n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->severities);
	*t = (struct out_table){.columns = NULL};
}

void
out_table_row(struct out_table *t, enum severity severity, struct buf *cells)
{
	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? 2 * t->cap : 64;
		t->cells = mem_grow(t->cells, t->cap * t->columns_n, sizeof(char *));
		t->severities = mem_grow(t->severities, t->cap, sizeof(*t->severities));
	}
	for (size_t c = 0; c < t->columns_n; c++) {
		t->cells[t->n * t->columns_n + c] = mem_strdup(buf_text(&cells[c]));
		buf_clear(&cells[c]);
	}
	t->severities[t->n++] = severity;
}

/* Characters of a text that is escaped already. */
static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static const char *
skip(const char *text, size_t characters)
{
	while (characters-- > 0)
		do
			text++;
		while ((*text & 0xc0) == 0x80);
	return text;
}

/* Its first `width` characters, the last of them … where it was cut, and blanks up to there; or
 * about a third of them from its begin, …, and its end. */
static void
append_cell(struct buf *out, const char *text, size_t width, bool middle, bool last)
{
	size_t n = width_of(text), head = n, tail = 0;

	if (n > width) {
		tail = middle ? 2 * (width - 1) / 3 : 0;
		head = width - 1 - tail;
	}
	buf_append(out, text, (size_t)(skip(text, head) - text));
	if (n > width) {
		buf_append_text(out, "…");
		buf_append_text(out, skip(text, n - tail));
		n = width;
	}
	if (!last)
		buf_printf(out, "%*s", (int)(width - n), "");
}

static size_t
total_of(const struct out_table *t, const size_t *width)
{
	size_t total = 0;

	for (size_t c = 0; c < t->columns_n; c++)
		total += width[c] > 0 ? width[c] + GAP : 0;
	return total - GAP;
}

static size_t
least_of(const struct out_column *column, bool hard)
{
	if (!hard)
		return column->least;
	return column->hard > 0 ? column->hard : LEAST;
}

/* The next column to leave out, or columns_n. */
static size_t
least_wanted(const struct out_table *t, const size_t *width)
{
	size_t found = t->columns_n;

	for (size_t c = 0; c < t->columns_n; c++)
		if (t->columns[c].optional > 0 && width[c] > 0 &&
		    (found == t->columns_n || t->columns[c].optional >= t->columns[found].optional))
			found = c;
	return found;
}

/* The widest column that can be cut, or columns_n. `hard`: further than is good. */
static size_t
widest(const struct out_table *t, const size_t *width, bool hard)
{
	size_t found = t->columns_n;

	for (size_t c = 0; c < t->columns_n; c++)
		if (t->columns[c].least > 0 && width[c] > least_of(&t->columns[c], hard) &&
		    (found == t->columns_n || width[c] > width[found]))
			found = c;
	return found;
}

/* A width of 0: the column is left out. */
static void
fit(const struct out_table *t, size_t *width, size_t terminal)
{
	size_t whole[OUT_TABLE_COLUMNS_MAX], c;
	bool hard = false;

	memcpy(whole, width, t->columns_n * sizeof(*width));
	for (;;) {
		while (total_of(t, width) > terminal && (c = widest(t, width, hard)) < t->columns_n)
			width[c]--;
		if (total_of(t, width) <= terminal || hard)
			return;
		c = least_wanted(t, whole);
		hard = c == t->columns_n; /* nothing more to leave out */
		if (!hard)
			whole[c] = 0;
		memcpy(width, whole, t->columns_n * sizeof(*width));
	}
}

static void
append_row(struct buf *out, const struct out_table *t, const size_t *width, size_t row,
    const struct out_style *style)
{
	size_t last = t->columns_n - 1;

	while (last > 0 && width[last] == 0)
		last--;
	for (size_t c = 0; c <= last; c++) {
		const char *colour = row < t->n && t->columns[c].coloured
					 ? out_history_colour(t->severities[row], style)
					 : "";

		if (width[c] == 0)
			continue;
		buf_append_text(out, colour);
		append_cell(out,
		    row < t->n ? t->cells[row * t->columns_n + c] : t->columns[c].title, width[c],
		    t->columns[c].middle, c == last);
		if (colour[0] != '\0')
			buf_append_text(out, "\033[0m");
		if (c < last)
			buf_printf(out, "%*s", GAP, "");
	}
	buf_append_byte(out, '\n');
}

void
out_table_print(struct buf *out, const struct out_table *t, const struct out_style *style)
{
	size_t width[OUT_TABLE_COLUMNS_MAX];

	for (size_t c = 0; c < t->columns_n; c++) {
		width[c] = width_of(t->columns[c].title);
		for (size_t i = 0; i < t->n; i++) {
			size_t w = width_of(t->cells[i * t->columns_n + c]);

			width[c] = w > width[c] ? w : width[c];
		}
		if ((t->hidden & 1u << c) != 0)
			width[c] = 0;
	}
	if (style->width > 0)
		fit(t, width, style->width);
	append_row(out, t, width, t->n, style);
	for (size_t i = 0; i < t->n; i++)
		append_row(out, t, width, i, style);
}
