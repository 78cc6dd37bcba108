#include "out_history.h"

#include <stdlib.h>
#include <string.h>

#include "differ/time/fallback.h"
#include "out_plot.h"
#include "out_text.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/text.h"

/* ---- pieces ------------------------------------------------------------------------------ */

const char *
out_history_colour(enum severity severity, const struct out_style *style)
{
	static const char *const codes[] = {"", "\033[36m", "\033[33m", "\033[1;31m"};

	return style->colour ? codes[severity] : "";
}

static const char *
plain(const struct out_style *style)
{
	return style->colour ? "\033[0m" : "";
}

void
out_history_time(struct buf *out, int64_t time_ms, const struct out_style *style)
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

void
out_history_address(struct buf *out, const struct series *s)
{
	char address[IP_TEXT_MAX];

	ip_format(&s->address, address);
	buf_printf(out, s->address.family == 6 ? "[%s]:%u" : "%s:%u", address, s->port);
}

void
out_history_sni(struct buf *out, const struct series *s)
{
	buf_append_text(out, sni_name(s->sni));
	if (s->sni_name[0] != '\0')
		buf_printf(out, " %s", s->sni_name);
	if (s->offer != OFFER_DEFAULT)
		buf_printf(out, " (%s)", offer_name(s->offer));
}

void
out_history_classes(struct buf *out, unsigned classes)
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
bool
out_history_is_brief(const struct difference *d)
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
		if (style->all_fields || out_history_is_brief(&d[i]))
			shown[shown_n++] = d[i];
	out_text_differences(out, shown, shown_n, 4, style->colour);
	if (shown_n < n)
		buf_printf(out, "    and %zu more %s (--all-fields)\n", n - shown_n,
		    n - shown_n == 1 ? "field" : "fields");
}

static void
append_levels(struct buf *out, unsigned levels)
{
	const char *comma = "";

	for (unsigned i = 0; i < LEVEL_N; i++) {
		if ((levels & 1u << i) == 0)
			continue;
		buf_printf(out, "%s%s", comma, level_name((enum level)i));
		comma = ", ";
	}
}

/* What OpenSSL says of the chain, at the levels that want one that leads to a root. */
static void
append_error(struct buf *out, const struct verdict *v, unsigned levels)
{
	unsigned chains = 1u << LEVEL_VERIFY | 1u << LEVEL_SECURE | 1u << LEVEL_STS_TESTING |
			  1u << LEVEL_STS_ENFORCE;

	if ((levels & ~chains) == 0 && v->error != 0)
		buf_printf(out, " (%s)", verify_error_text(v->error));
}

/* "    breaks verify, secure at SNI none: Untrusted, certificate-expired (certificate has
 * expired)": at each level that turned, once for each answer. */
static void
append_turned(struct buf *out, const char *what, unsigned levels, const struct verdict *v,
    const struct series *series)
{
	while (levels != 0) {
		const struct conclude_level *first = NULL;
		unsigned alike = 0;

		for (unsigned i = 0; i < LEVEL_N; i++) {
			const struct conclude_level *l = &v->levels[i];

			if ((levels & 1u << i) == 0)
				continue;
			first = first != NULL ? first : l;
			if (l->word == first->word && l->reason == first->reason)
				alike |= 1u << i;
		}
		buf_printf(out, "    %s ", what);
		append_levels(out, alike);
		buf_append_text(out, " at SNI ");
		out_history_sni(out, series);
		buf_printf(out, ": %s",
		    first->word != WORD_NULL ? level_word_name(first->word) : "no TLS");
		if (first->reason != REASON_NULL)
			buf_printf(out, ", %s", level_reason_name(first->reason));
		if (first->word == WORD_UNTRUSTED)
			append_error(out, v, alike);
		buf_append_byte(out, '\n');
		levels &= ~alike;
	}
}

int
out_history_verdicts(struct buf *out, struct changes *changes, const struct change *change,
    unsigned lost, unsigned gained, const struct series *series, struct err *err)
{
	struct change_verdicts v;
	int rc;

	if (lost == 0 && gained == 0)
		return 0;
	if ((rc = changes_verdicts(changes, series, change, &v, err)) < 0)
		return rc;
	append_turned(out, "breaks", lost, &v.new, series);
	append_turned(out, "mends", gained, &v.new, series);
	return 0;
}

static void
append_where(struct buf *out, const struct series *series)
{
	if (series->kind == SERIES_DNS) {
		series_describe(out, series);
		return;
	}
	buf_printf(out, "%s ", series->host);
	out_history_address(out, series);
	buf_append_text(out, "  SNI ");
	out_history_sni(out, series);
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
	buf_append_text(out, out_history_colour(change->severity, style));
	out_history_time(out, change->event.before_ms, style);
	buf_printf(out, "  %s", severity_name(change->severity));
	buf_printf(out, "%s  ", plain(style));
	append_where(out, series);
	buf_printf(out, "  by %s\n    ", series->vantage);
	out_history_classes(out, change->classes);
	buf_append_text(out, "\n    ");
	out_history_bracket(out, change->after_ms, change->before_ms, style);
	if (change->event.mixed)
		buf_append_text(out, "; the old one is still shown, too");
	if (change->clock_stepped)
		buf_append_text(out, "; a clock was set meanwhile");
	buf_append_byte(out, '\n');
	if (out_history_verdicts(out, changes, change, change->lost, change->gained, series, err) <
	    0)
		return err != NULL ? err->code : ERR_DAMAGED;
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
		out_history_address(&cell, &series[i]);
		host = strlen(series[i].host) > host ? strlen(series[i].host) : host;
		address = cell.len > address ? cell.len : address;
	}
	for (size_t i = 0; rc >= 0 && i < w->members_n; i++) {
		const struct rollout_member *m = &w->members[i];

		buf_clear(&cell);
		out_history_address(&cell, &series[i]);
		buf_printf(out, "    %-9s  %-*s  %-*s  ", rollout_state_name(m->state), (int)host,
		    series[i].host, (int)address, buf_text(&cell));
		if (series[i].sni_name[0] != '\0')
			buf_printf(out, "%s  ", series[i].sni_name);
		if (m->state == ROLLOUT_OLD)
			buf_append_text(
			    out, m->left ? "went elsewhere" : "still shows the old one");
		else
			out_history_bracket(out, m->after_ms, m->before_ms, style);
		if (m->undone)
			buf_append_text(out, "; rolled back since");
		buf_append_byte(out, '\n');
	}
	if (w->unlisted > 0)
		buf_printf(
		    out, "    and %zu more that show the old one or went elsewhere\n", w->unlisted);
	free(series);
	buf_finish(&cell);
	return rc;
}

/* "    one every 12 min" */
static void
append_rate(struct buf *out, const struct rollout *w)
{
	int64_t interval_ms = rollout_interval_ms(w);
	char span[CLOCK_TEXT_MAX];

	if (interval_ms < 0 || w->has_instant)
		return;
	clock_format_span(interval_ms, span);
	buf_printf(out, "    rate   one every %s\n", span);
}

/* What its series do without SNI, or with an unknown name: "    now    4 sentinel, 1 same". */
int
out_history_fallbacks(struct buf *out, struct changes *changes, struct store_view *view,
    const struct rollout *w, struct err *err)
{
	size_t count[FALLBACK_N] = {0}, told = 0;
	struct fallback fallback;
	struct series series;
	int rc;

	for (size_t i = 0; i < w->members_n; i++) {
		if ((rc = store_series(view, w->members[i].series, &series, err)) < 0 ||
		    (rc = fallback_find(changes, view, w->members[i].series, &series, INT64_MAX,
			 &fallback, err)) < 0)
			return rc;
		if (rc > 0)
			count[fallback.kind]++;
	}
	for (unsigned k = 0; k < FALLBACK_N; k++) {
		if (count[k] == 0)
			continue;
		buf_printf(out, "%s%zu get%s %s", told++ > 0 ? "; " : "    now    ", count[k],
		    count[k] == 1 ? "s" : "", fallback_doc((enum fallback_kind)k));
	}
	if (told > 0)
		buf_append_text(out, " (RFC 8461 7.1)\n");
	return 0;
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
	struct series first;
	int n = changes_differences(changes, &w->first, &d, err);

	if (n < 0)
		return n;
	buf_printf(out, "%s%s%s  %s  SNI %s%s%s  %zu of %zu converted",
	    out_history_colour(w->severity, style), severity_name(w->severity), plain(style),
	    w->group, sni_name(w->sni), w->offer != OFFER_DEFAULT ? ", offer " : "",
	    w->offer != OFFER_DEFAULT ? offer_name(w->offer) : "", w->converted, w->total);
	if (w->mixed > 0)
		buf_printf(out, ", %zu mixed", w->mixed);
	if (w->undone > 0)
		buf_printf(out, ", %zu rolled back since", w->undone);
	buf_append_text(out, "\n    ");
	out_history_classes(out, w->classes);
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
	append_rate(out, w);
	if (store_series(view, w->first.series, &first, err) < 0 ||
	    out_history_verdicts(out, changes, &w->first, w->lost, w->gained, &first, err) < 0) {
		buf_finish(&fields);
		return err != NULL ? err->code : ERR_DAMAGED;
	}
	append_common(&fields, w, d, (size_t)n, style);
	if ((n = out_history_fallbacks(out, changes, view, w, err)) >= 0 && !style->plot)
		n = append_members(out, view, w, style, err);
	if (style->plot)
		out_plot_window(out, w, style);
	buf_append(out, fields.data, fields.len);
	buf_append_byte(out, '\n');
	buf_finish(&fields);
	return n;
}
