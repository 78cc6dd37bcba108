#include "curve.h"

#include <inttypes.h>
#include <stdlib.h>

#include "html.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

/* Units of the picture. */
#define WIDTH 440
#define HEIGHT 150
#define LEFT 40
#define RIGHT 8
#define TOP 10
#define BOTTOM 20
#define INNER_WIDTH (WIDTH - LEFT - RIGHT)
#define INNER_HEIGHT (HEIGHT - TOP - BOTTOM)

#define SEVERITIES (SEVERITY_CRITICAL + 1)
#define BARS_MAX 64

static int
by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct axes {
	int64_t from_ms, to_ms;
	size_t most;
};

static int
x_of(const struct axes *axes, int64_t time_ms)
{
	double part = (double)(time_ms - axes->from_ms) / (double)(axes->to_ms - axes->from_ms);

	return LEFT + (int)(part * INNER_WIDTH + 0.5);
}

static int
y_of(const struct axes *axes, size_t count)
{
	return TOP + INNER_HEIGHT - (int)((double)count / (double)axes->most * INNER_HEIGHT + 0.5);
}

static void
begin_picture(
    struct buf *out, const struct axes *axes, const char *label, const struct out_style *style)
{
	struct buf time = {0};

	buf_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
	    HEIGHT, label);
	buf_printf(out, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP,
	    TOP + INNER_HEIGHT, LEFT + INNER_WIDTH);
	buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%zu</text>", LEFT - 5, TOP + 4,
	    axes->most);
	buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n", LEFT - 5,
	    TOP + INNER_HEIGHT + 3);
	out_history_time(&time, axes->from_ms, style);
	buf_printf(out, "<text x=\"%d\" y=\"%d\">", LEFT, HEIGHT - 4);
	html_take(out, &time);
	out_history_time(&time, axes->to_ms, style);
	buf_printf(out, "</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT + INNER_WIDTH,
	    HEIGHT - 4);
	html_take(out, &time);
	buf_append_text(out, "</text>\n");
	buf_finish(&time);
}

/* The area below the stairs of an ascending list: one step for each column of the picture. */
static void
append_area(struct buf *out, const char *class, const struct axes *axes, int64_t *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_value);
	buf_printf(out, "<path class=\"%s\" d=\"M%d %d", class, LEFT, TOP + INNER_HEIGHT);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || x_of(axes, list[i + 1]) != x_of(axes, list[i]))
			buf_printf(out, "H%dV%d", x_of(axes, list[i]), y_of(axes, i + 1));
	buf_printf(out, "H%dV%dZ\"/>\n", LEFT + INNER_WIDTH, TOP + INNER_HEIGHT);
}

void
curve_window(
    struct buf *out, const struct rollout *w, int64_t until_ms, const struct out_style *style)
{
	struct axes axes = {
	    INT64_MAX, INT64_MIN, w->total > w->changed_n ? w->total : w->changed_n};
	size_t n = w->changed_n;
	int64_t *after_ms, *before_ms;

	if (n == 0)
		return;
	after_ms = mem_zero(n, sizeof(*after_ms));
	before_ms = mem_zero(n, sizeof(*before_ms));
	for (size_t i = 0; i < n; i++) {
		after_ms[i] = w->members[i].after_ms;
		before_ms[i] = w->members[i].before_ms;
		axes.from_ms = after_ms[i] < axes.from_ms ? after_ms[i] : axes.from_ms;
		axes.to_ms = before_ms[i] > axes.to_ms ? before_ms[i] : axes.to_ms;
	}
	if (!w->has_end && until_ms > axes.to_ms)
		axes.to_ms = until_ms;
	begin_picture(out, &axes, "How many had changed, by time", style);
	append_area(out, "perhaps", &axes, after_ms, n);
	append_area(out, "sure", &axes, before_ms, n);
	buf_append_text(out, "</svg>\n");
	free(after_ms);
	free(before_ms);
}

/* A span of which BARS_MAX reach from the first to the last: what people count in. */
static int64_t
bar_ms(int64_t span_ms)
{
	static const int64_t units[] = {60000, 600000, 3600000, 6 * 3600000, CLOCK_DAY_MS,
	    7 * CLOCK_DAY_MS, 28 * CLOCK_DAY_MS, 364 * CLOCK_DAY_MS};
	size_t i = 0;

	while (i + 1 < sizeof(units) / sizeof(units[0]) && span_ms / units[i] >= BARS_MAX)
		i++;
	return span_ms / units[i] < BARS_MAX ? units[i] : span_ms / (BARS_MAX - 1) + 1;
}

static int64_t
round_down(int64_t value, int64_t unit)
{
	return value - (value % unit + unit) % unit;
}

static void
append_bar(struct buf *out, const struct axes *axes, size_t bar, int64_t unit,
    const size_t count[SEVERITIES])
{
	int64_t begin_ms = axes->from_ms + (int64_t)bar * unit;
	int x = x_of(axes, begin_ms), width = x_of(axes, begin_ms + unit) - x;
	size_t below = 0;

	for (unsigned i = SEVERITIES; i > 0; i--) {
		int bottom = y_of(axes, below), top = y_of(axes, below + count[i - 1]);

		if (count[i - 1] == 0)
			continue;
		top = top == bottom ? bottom - 1 : top;
		buf_printf(out,
		    "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">"
		    "<title>%zu %s</title></rect>\n",
		    severity_name((enum severity)(i - 1)), x, top, width > 1 ? width - 1 : 1,
		    bottom - top, count[i - 1], severity_name((enum severity)(i - 1)));
		below += count[i - 1];
	}
}

void
curve_ticks(
    struct buf *out, const struct curve_tick *ticks, size_t n, const struct out_style *style)
{
	size_t count[BARS_MAX + 1][SEVERITIES] = {{0}}, bars;
	struct axes axes = {INT64_MAX, INT64_MIN, 0};
	int64_t unit;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		axes.from_ms = ticks[i].time_ms < axes.from_ms ? ticks[i].time_ms : axes.from_ms;
		axes.to_ms = ticks[i].time_ms > axes.to_ms ? ticks[i].time_ms : axes.to_ms;
	}
	unit = bar_ms(axes.to_ms - axes.from_ms);
	axes.from_ms = round_down(axes.from_ms, unit);
	bars = (size_t)((axes.to_ms - axes.from_ms) / unit) + 1;
	axes.to_ms = axes.from_ms + (int64_t)bars * unit;
	for (size_t i = 0; i < n; i++)
		count[(ticks[i].time_ms - axes.from_ms) / unit][ticks[i].severity]++;
	for (size_t bar = 0; bar < bars; bar++) {
		size_t sum = 0;

		for (unsigned i = 0; i < SEVERITIES; i++)
			sum += count[bar][i];
		axes.most = sum > axes.most ? sum : axes.most;
	}
	begin_picture(out, &axes, "How many changes there were, by time and severity", style);
	for (size_t bar = 0; bar < bars; bar++)
		append_bar(out, &axes, bar, unit, count[bar]);
	buf_append_text(out, "</svg>\n");
}
