#include "out_plot.h"

#include <stdlib.h>

#include "store/base/mem.h"

#define ROWS_MAX 10
#define WIDTH 80 /* where there is no terminal */
#define WIDTH_MAX 132
#define LABEL 14 /* columns before the picture: blanks, a count, a line */

static int
by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How many of the ascending list are at or below a value. */
static size_t
reached(const int64_t *list, size_t n, int64_t value)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* `count` of `total` as cells of a column of `rows`, at least one where it is not 0. */
static size_t
cells(size_t count, size_t total, size_t rows)
{
	size_t n = (count * rows + total / 2) / total;

	return count > 0 && n == 0 ? 1 : count < total && n == rows && total > 1 ? rows - 1 : n;
}

struct plot {
	int64_t *after_ms, *before_ms; /* ascending */
	size_t n, total, rows, columns;
	int64_t from_ms, to_ms;
};

static void
append_picture(struct buf *out, const struct plot *p)
{
	for (size_t row = p->rows; row > 0; row--) {
		if (row == p->rows)
			buf_printf(out, "    %8zu ┤", p->total);
		else
			buf_printf(out, "    %8s │", "");
		for (size_t x = 1; x <= p->columns; x++) {
			int64_t t_ms = p->from_ms + (int64_t)((double)(p->to_ms - p->from_ms) *
							      (double)x / (double)p->columns);
			size_t sure = cells(reached(p->before_ms, p->n, t_ms), p->total, p->rows);
			size_t perhaps =
			    cells(reached(p->after_ms, p->n, t_ms - 1), p->total, p->rows);

			buf_append_text(out, sure >= row ? "█" : perhaps >= row ? "░" : " ");
		}
		while (out->len > 0 && out->data[out->len - 1] == ' ')
			out->len--;
		buf_append_byte(out, '\n');
	}
	buf_printf(out, "    %8d └", 0);
	for (size_t x = 0; x < p->columns; x++)
		buf_append_text(out, "─");
	buf_append_byte(out, '\n');
}

/* The times at both ends. */
static void
append_axis(struct buf *out, const struct plot *p, const struct out_style *style)
{
	struct buf from = {0}, to = {0};

	out_history_time(&from, p->from_ms, style);
	out_history_time(&to, p->to_ms, style);
	buf_printf(out, "%*s%s", LABEL, "", buf_text(&from));
	if (from.len + to.len < p->columns)
		buf_printf(out, "%*s", (int)(p->columns - from.len), buf_text(&to));
	else
		buf_printf(out, " … %s", buf_text(&to));
	buf_append_byte(out, '\n');
	buf_finish(&from);
	buf_finish(&to);
}

void
out_plot_window(struct buf *out, const struct rollout *w, const struct out_style *style)
{
	size_t width = style->width == 0	  ? WIDTH
		       : style->width < WIDTH_MAX ? style->width
						  : WIDTH_MAX;
	struct plot p = {
	    .n = w->changed_n, .total = w->total > w->changed_n ? w->total : w->changed_n};

	if (p.n == 0)
		return;
	p.rows = p.total < ROWS_MAX ? p.total : ROWS_MAX;
	p.columns = width > LABEL + 10 ? width - LABEL : 10;
	p.after_ms = mem_zero(p.n, sizeof(*p.after_ms));
	p.before_ms = mem_zero(p.n, sizeof(*p.before_ms));
	for (size_t i = 0; i < p.n; i++) {
		p.after_ms[i] = w->members[i].after_ms;
		p.before_ms[i] = w->members[i].before_ms;
	}
	qsort(p.after_ms, p.n, sizeof(*p.after_ms), by_value);
	qsort(p.before_ms, p.n, sizeof(*p.before_ms), by_value);
	p.from_ms = p.after_ms[0];
	p.to_ms = p.before_ms[p.n - 1];
	append_picture(out, &p);
	append_axis(out, &p, style);
	free(p.after_ms);
	free(p.before_ms);
}
