#include "out_history.h"

#include <stdlib.h>
#include <string.h>

#include "../store/clock.h"
#include "../store/mem.h"
#include "../store/text.h"
#include "out_text.h"

#define COLUMNS 6
#define COLUMN_SHOWS 3

struct out_row {
	char *cell[COLUMNS];	/* escaped */
	enum severity severity; /* of what is shown: a sentinel stands out */
	int64_t since_ms;
	bool since_after; /* it began after since_ms; else since_ms is the first sighting ever */
};

/* ---- pieces ------------------------------------------------------------------------------ */

static const char *
colour_of(enum severity severity, const struct out_style *style)
{
	static const char *const codes[] = {"", "\033[36m", "\033[33m", "\033[1;31m"};

	return style->colour ? codes[severity] : "";
}

static const char *
plain(const struct out_style *style)
{
	return style->colour ? "\033[0m" : "";
}

static void
append_time(struct buf *out, int64_t time_ms, const struct out_style *style)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_human(time_ms, style->utc, text);
	buf_append_text(out, text);
}

/* A bracket shorter than this is told in milliseconds. */
#define SHORT_MS 10000

void
out_history_bracket(
    struct buf *out, int64_t after_ms, int64_t before_ms, const struct out_style *style)
{
	char after[CLOCK_TEXT_MAX], before[CLOCK_TEXT_MAX], span[CLOCK_TEXT_MAX];

	if (before_ms - after_ms < SHORT_MS) {
		clock_format_human_ms(after_ms, style->utc, after);
		clock_format_human_ms(before_ms, style->utc, before);
	} else {
		clock_format_human(after_ms, style->utc, after);
		clock_format_human(before_ms, style->utc, before);
	}
	clock_format_span(before_ms - after_ms, span);
	buf_printf(out, "after %s, at or before %s (%s)", after, before, span);
}

static void
append_address(struct buf *out, const struct series *s)
{
	char address[IP_TEXT_MAX];

	ip_format(&s->address, address);
	buf_printf(out, s->address.family == 6 ? "[%s]:%u" : "%s:%u", address, s->port);
}

static void
append_sni(struct buf *out, const struct series *s)
{
	buf_append_text(out, sni_name(s->sni));
	if (s->sni_name[0] != '\0')
		buf_printf(out, " %s", s->sni_name);
	if (s->offer != OFFER_DEFAULT)
		buf_printf(out, " (%s)", offer_name(s->offer));
}

static void
append_classes(struct buf *out, unsigned classes)
{
	const char *comma = "";

	for (unsigned i = 0; i < CLASS_N; i++) {
		if ((classes & 1u << i) == 0)
			continue;
		buf_printf(out, "%s%s", comma, class_table[i].name);
		comma = ", ";
	}
	if (classes == 0)
		buf_append_text(out, "other");
}

/* ---- changes ----------------------------------------------------------------------------- */

/* Of what matters least only the end of validity, and nothing that other rows say as well. */
static bool
is_for_people(const struct difference *d)
{
	return d->field == FIELD_NOT_AFTER ||
	       (d->severity > SEVERITY_INFO && d->field != FIELD_EXTENSIONS &&
		   d->field != FIELD_INNER_SIGNATURE_ALGORITHM);
}

/* The rest is counted. */
static void
append_fields(struct buf *out, const struct difference *d, size_t n, const struct out_style *style)
{
	struct difference shown[FIELD_N] = {0};
	size_t shown_n = 0;

	for (size_t i = 0; i < n; i++)
		if (style->all_fields || is_for_people(&d[i]))
			shown[shown_n++] = d[i];
	out_text_differences(out, shown, shown_n, 4, style->colour);
	if (shown_n < n)
		buf_printf(out, "    and %zu more %s (--all-fields)\n", n - shown_n,
		    n - shown_n == 1 ? "field" : "fields");
}

int
out_history_change(struct buf *out, struct changes *changes, const struct change *change,
    const struct change *above, const struct series *series, const struct out_style *style,
    struct err *err)
{
	const struct difference *d;
	int n = changes_differences(changes, change, &d, err);

	if (n < 0)
		return n;
	buf_append_text(out, colour_of(change->severity, style));
	append_time(out, change->event.before_ms, style);
	buf_printf(out, "  %s", severity_name(change->severity));
	buf_printf(out, "%s  %s ", plain(style), series->host);
	append_address(out, series);
	buf_append_text(out, "  SNI ");
	append_sni(out, series);
	buf_printf(out, "  by %s\n    ", series->vantage);
	append_classes(out, change->classes);
	buf_append_text(out, "\n    ");
	out_history_bracket(out, change->after_ms, change->before_ms, style);
	if (change->event.mixed)
		buf_append_text(out, "; the old one is still shown, too");
	buf_append_byte(out, '\n');
	if (above != NULL && n > 0 && hash_compare(&above->fields, &change->fields) == 0)
		buf_append_text(out, "    the same fields as above\n");
	else
		append_fields(out, d, (size_t)n, style);
	buf_append_byte(out, '\n');
	return 0;
}

/* ---- windows ----------------------------------------------------------------------------- */

static int
append_members(struct buf *out, struct store_view *view, const struct rollout *w,
    const struct out_style *style, struct err *err)
{
	struct series *series = mem_zero(w->members_n, sizeof(*series));
	struct buf cell = {0};
	size_t host = 0, address = 0;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < w->members_n; i++) {
		rc = store_series(view, w->members[i].series, &series[i], err);
		buf_clear(&cell);
		append_address(&cell, &series[i]);
		host = strlen(series[i].host) > host ? strlen(series[i].host) : host;
		address = cell.len > address ? cell.len : address;
	}
	for (size_t i = 0; rc >= 0 && i < w->members_n; i++) {
		const struct rollout_member *m = &w->members[i];

		buf_clear(&cell);
		append_address(&cell, &series[i]);
		buf_printf(out, "    %-9s  %-*s  %-*s  ", rollout_state_name(m->state), (int)host,
		    series[i].host, (int)address, buf_text(&cell));
		if (series[i].sni_name[0] != '\0')
			buf_printf(out, "%s  ", series[i].sni_name);
		if (m->state == ROLLOUT_OLD)
			buf_append_text(
			    out, m->left ? "went elsewhere" : "still shows the old one");
		else
			out_history_bracket(out, m->after_ms, m->before_ms, style);
		buf_append_byte(out, '\n');
	}
	free(series);
	buf_finish(&cell);
	return rc;
}

static void
append_common(struct buf *out, const struct rollout *w, const struct difference *d, size_t n,
    const struct out_style *style)
{
	struct difference common[FIELD_N] = {0};
	size_t common_n = 0;

	for (size_t i = 0; i < n; i++)
		if (rollout_has_common(w, &d[i]))
			common[common_n++] = d[i];
	append_fields(out, common, common_n, style);
}

int
out_history_window(struct buf *out, struct changes *changes, struct store_view *view,
    const struct rollout *w, const struct out_style *style, struct err *err)
{
	const struct difference *d;
	struct buf fields = {0};
	int n = changes_differences(changes, &w->first, &d, err);

	if (n < 0)
		return n;
	buf_printf(out, "%s%s%s  %s  SNI %s%s%s  %zu of %zu converted",
	    colour_of(w->severity, style), severity_name(w->severity), plain(style), w->group,
	    sni_name(w->sni), w->offer != OFFER_DEFAULT ? ", offer " : "",
	    w->offer != OFFER_DEFAULT ? offer_name(w->offer) : "", w->converted, w->total);
	if (w->mixed > 0)
		buf_printf(out, ", %zu mixed", w->mixed);
	buf_append_text(out, "\n    ");
	append_classes(out, w->classes);
	buf_append_text(out, "\n    began  ");
	out_history_bracket(out, w->start.after_ms, w->start.before_ms, style);
	buf_append_text(out, "\n    ended  ");
	if (w->has_end)
		out_history_bracket(out, w->end.after_ms, w->end.before_ms, style);
	else
		buf_append_text(out, "not yet");
	if (w->has_instant && w->members_n > 1) {
		buf_append_text(out, "\n    one instant explains it all: ");
		out_history_bracket(out, w->instant.after_ms, w->instant.before_ms, style);
	}
	buf_append_byte(out, '\n');
	append_common(&fields, w, d, (size_t)n, style);
	n = append_members(out, view, w, style, err);
	buf_append(out, fields.data, fields.len);
	buf_append_byte(out, '\n');
	buf_finish(&fields);
	return n;
}

/* ---- the table of show ------------------------------------------------------------------- */

static char *
take_cell(struct buf *b)
{
	char *cell = mem_strdup(buf_text(b));

	buf_clear(b);
	return cell;
}

/* The common name, or the whole subject where it has none. */
static void
append_subject(struct buf *out, const struct value *subject)
{
	const char *p, *end, *next;

	if (subject->kind != VALUE_TEXT) {
		out_text_value(out, subject);
		return;
	}
	end = subject->text + subject->len;
	for (p = subject->text; p < end; p = next) {
		const char *part_end = p;

		while (part_end < end && *part_end != ',' && *part_end != '+')
			part_end += *part_end == '\\' && part_end + 1 < end ? 2 : 1;
		next = part_end < end ? part_end + 1 : end;
		if (part_end - p < 3 || memcmp(p, "CN=", 3) != 0)
			continue;
		text_escape(out, p + 3, (size_t)(part_end - p) - 3);
		return;
	}
	text_escape(out, subject->text, subject->len);
}

static void
append_key(struct buf *out, const struct facts *facts)
{
	const struct value *curve = facts_get(facts, FIELD_KEY_CURVE);
	const struct value *bits = facts_get(facts, FIELD_KEY_BITS);

	if (curve->kind == VALUE_TEXT) {
		out_text_value(out, curve);
		return;
	}
	out_text_value(out, facts_get(facts, FIELD_KEY_ALGORITHM));
	if (bits->kind == VALUE_NUMBER)
		buf_printf(out, " %lld", (long long)bits->number);
}

int
out_history_state(struct out_table *table, struct changes *changes, const struct series *series,
    const struct lifetime_sighting *last, int64_t after_ms, int64_t first_ms, struct err *err)
{
	const struct state *state = states_get(changes_history(changes)->states, last->state);
	const struct facts *facts = changes_facts(changes, last->evidence, err);
	struct out_row *row;
	struct buf b = {0};

	if (facts == NULL)
		return err->code;
	if (table->n == table->cap) {
		table->cap = table->cap > 0 ? 2 * table->cap : 64;
		table->rows = mem_grow(table->rows, table->cap, sizeof(*table->rows));
	}
	row = &table->rows[table->n++];
	*row = (struct out_row){.severity = SEVERITY_INFO};
	row->cell[0] = mem_strdup(series->host);
	append_address(&b, series);
	row->cell[1] = take_cell(&b);
	append_sni(&b, series);
	row->cell[2] = take_cell(&b);
	if (state->has_chain) {
		append_subject(&b, facts_get(facts, FIELD_SUBJECT));
		row->cell[3] = take_cell(&b);
		append_key(&b, facts);
		row->cell[4] = take_cell(&b);
		append_subject(&b, facts_get(facts, FIELD_ISSUER));
		row->cell[5] = take_cell(&b);
		if (classify_is_sentinel(facts))
			row->severity = SEVERITY_CRITICAL;
	} else {
		text_escape(&b, state->words, strlen(state->words));
		row->cell[3] = take_cell(&b);
		row->cell[4] = mem_strdup("-");
		row->cell[5] = mem_strdup("-");
		row->severity = SEVERITY_WARNING;
	}
	row->since_after = after_ms != INT64_MIN;
	row->since_ms = row->since_after ? after_ms : first_ms;
	buf_finish(&b);
	return 0;
}

/* Characters of a text that is escaped already. */
static size_t
columns(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void
append_padded(struct buf *out, const char *text, size_t width)
{
	buf_append_text(out, text);
	buf_printf(out, "%*s", (int)(width - columns(text) + 2), "");
}

void
out_history_table(struct buf *out, const struct out_table *table, const struct out_style *style)
{
	static const char *const title[COLUMNS] = {
	    "HOST", "ADDRESS", "SNI", "SHOWS", "KEY", "ISSUER"};
	size_t width[COLUMNS];

	for (size_t c = 0; c < COLUMNS; c++) {
		width[c] = strlen(title[c]);
		for (size_t i = 0; i < table->n; i++) {
			size_t w = columns(table->rows[i].cell[c]);

			width[c] = w > width[c] ? w : width[c];
		}
		append_padded(out, title[c], width[c]);
	}
	buf_append_text(out, "SINCE\n");
	for (size_t i = 0; i < table->n; i++) {
		const struct out_row *row = &table->rows[i];

		for (size_t c = 0; c < COLUMNS; c++) {
			if (c == COLUMN_SHOWS)
				buf_append_text(out, colour_of(row->severity, style));
			append_padded(out, row->cell[c], width[c]);
			if (c == COLUMN_SHOWS)
				buf_append_text(out, plain(style));
		}
		buf_append_text(out, row->since_after ? "after " : "first seen ");
		append_time(out, row->since_ms, style);
		buf_append_byte(out, '\n');
	}
}

void
out_history_table_finish(struct out_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			free(table->rows[i].cell[c]);
	free(table->rows);
	*table = (struct out_table){0};
}
