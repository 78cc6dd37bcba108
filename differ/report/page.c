#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differ/facts/explain.h"
#include "differ/out/out_text.h"
#include "html.h"
#include "report.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

#define MEMBERS_MOST 500 /* of a roll-out */
#define MEMBERS_OPEN 8	 /* so many need not be opened to be seen */
#define VALUE_MOST 400	 /* octets of a value */

typedef unsigned long long llu;

struct page {
	struct buf *out;
	struct report *report;
	struct query *query;
	struct out_style style;
	struct buf text; /* what is being made, for html_take() */
};

static void
append_time(struct page *p, int64_t time_ms)
{
	out_history_time(&p->text, time_ms, &p->style);
	html_take(p->out, &p->text);
}

static void
append_bracket(struct page *p, int64_t after_ms, int64_t before_ms)
{
	out_history_bracket(&p->text, after_ms, before_ms, &p->style);
	html_take(p->out, &p->text);
}

static void
append_tag(struct page *p, enum severity severity)
{
	buf_printf(p->out, "<span class=\"tag\">%s</span> ", severity_name(severity));
}

/* "<p>and 3 more: <code>mxdiff log</code> has them all" */
static void
append_more(struct page *p, uint64_t more, const char *command)
{
	if (more > 0)
		buf_printf(p->out,
		    "<p class=\"dim\">and %llu more: <code>mxdiff %s</code> has them all, and "
		    "<code>--limit</code> shows more here\n",
		    (llu)more, command);
}

/* ---- the head ------------------------------------------------------------------------------ */

static void
append_whose(struct buf *out, const struct query *q)
{
	for (int i = 0; i < q->options.operand_n; i++) {
		struct buf name = {0};

		buf_append_text(&name, q->options.operands[i]);
		if (i > 0)
			buf_append_text(out, ", ");
		html_take(out, &name);
		buf_finish(&name);
	}
	if (q->options.operand_n == 0)
		buf_append_text(out, "all hosts");
}

static void
append_tile(struct page *p, uint64_t n, const char *one, const char *many)
{
	buf_printf(p->out, "<li><b>%llu</b> %s\n", (llu)n, n == 1 ? one : many);
}

/* ": 5 critical, 2 info" */
static void
append_severities(struct page *p)
{
	const struct report *r = p->report;
	size_t count[SEVERITY_CRITICAL + 1] = {0};
	const char *comma = ": ";

	for (size_t i = 0; i < r->ticks_n; i++)
		count[r->ticks[i].severity]++;
	for (unsigned i = SEVERITY_CRITICAL + 1; i > 0; i--) {
		const char *name = severity_name((enum severity)(i - 1));

		if (count[i - 1] == 0)
			continue;
		buf_printf(p->out, "%s<span class=\"%s\"><span class=\"tag\">%zu %s</span></span>",
		    comma, name, count[i - 1], name);
		comma = ", ";
	}
}

static void
append_head(struct page *p)
{
	const struct report *r = p->report;
	struct query *q = p->query;

	buf_append_text(p->out, "<header><h1>");
	append_whose(p->out, q);
	buf_append_text(p->out, "</h1>\n<p class=\"dim\">What mail exchangers showed after "
				"STARTTLS, and what changed");
	if (q->since_ms != INT64_MIN) {
		buf_append_text(p->out, ", from ");
		append_time(p, q->since_ms);
	}
	if (r->last_ms != INT64_MIN) {
		buf_append_text(p->out, ", up to the last observation of ");
		append_time(p, r->last_ms);
	}
	buf_append_text(p->out, ".\n</header>\n<ul class=\"tiles\">\n");
	append_tile(p, r->hosts_n, "host", "hosts");
	append_tile(p, r->series_n, "series", "series");
	append_tile(p, r->windows.n, "roll-out", "roll-outs");
	append_tile(p, r->open_n, "of them open", "of them open");
	append_tile(p, r->all_changes_n, "change", "changes");
	buf_append_text(p->out, "</ul>\n");
	if (r->ticks_n == 0)
		return;
	buf_append_text(p->out, "<figure>");
	curve_ticks(p->out, r->ticks, r->ticks_n, &p->style);
	buf_append_text(p->out, "<figcaption>All changes by time; the gravest are at the bottom");
	append_severities(p);
	buf_append_text(p->out, ".</figcaption></figure>\n");
}

/* ---- fields -------------------------------------------------------------------------------- */

static void
append_value(struct page *p, const struct value *v)
{
	buf_append_text(p->out, "<td>");
	out_text_value(&p->text, v);
	html_take_most(p->out, &p->text, VALUE_MOST);
}

/* Those that matter to people (all with --all-fields) as a table of from and to. */
static void
append_fields(struct page *p, const struct difference *d, size_t n)
{
	static const char *const titles[] = {"Field", "Before", "After"};
	size_t shown = 0;

	for (size_t i = 0; i < n; i++) {
		if (!p->style.all_fields && !out_history_is_brief(&d[i]))
			continue;
		if (shown++ == 0) {
			buf_append_text(p->out, "<div class=\"scroll\"><table class=\"fields\">");
			html_titles(p->out, titles, 3);
		}
		buf_printf(p->out, "<tr class=\"%s\"><td class=\"tag\">%s",
		    severity_name(d[i].severity), field_table[d[i].field].title);
		append_value(p, d[i].old);
		append_value(p, d[i].new);
		buf_append_byte(p->out, '\n');
	}
	if (shown > 0)
		buf_append_text(p->out, "</table></div>\n");
	if (shown < n)
		buf_printf(p->out,
		    "<p class=\"dim\">%s%zu more field%s (<code>--all-fields</code>)\n",
		    shown > 0 ? "and " : "", n - shown, n - shown == 1 ? "" : "s");
}

static int
append_verdicts(struct page *p, const struct change *change, unsigned lost, unsigned gained,
    const struct series *series, struct err *err)
{
	int rc =
	    out_history_verdicts(&p->text, p->query->changes, change, lost, gained, series, err);

	if (p->text.len > 0) {
		buf_append_text(p->out, "<ul class=\"plain\">");
		html_lines(p->out, &p->text);
		buf_append_text(p->out, "</ul>\n");
	}
	return rc;
}

/* ---- roll-outs ----------------------------------------------------------------------------- */

static void
append_member(struct page *p, const struct rollout_member *m, const struct series *series)
{
	struct buf cells[4] = {{0}};

	buf_append_text(&cells[0], rollout_state_name(m->state));
	buf_append_text(&cells[1], series->host);
	if (series->sni_name[0] != '\0')
		buf_printf(&cells[1], " (SNI %s)", series->sni_name);
	out_history_address(&cells[2], series);
	if (m->state == ROLLOUT_OLD)
		buf_append_text(&cells[3], m->left ? "went elsewhere" : "still shows the old one");
	else
		out_history_bracket(&cells[3], m->after_ms, m->before_ms, &p->style);
	if (m->undone)
		buf_append_text(&cells[3], "; rolled back since");
	buf_append_text(p->out, "<tr>");
	html_row(p->out, cells, 4);
	for (size_t i = 0; i < 4; i++)
		buf_finish(&cells[i]);
}

static int
append_members(struct page *p, const struct rollout *w, struct err *err)
{
	static const char *const titles[] = {"State", "Host", "Address", "When"};
	size_t n = w->members_n < MEMBERS_MOST ? w->members_n : MEMBERS_MOST;
	uint64_t more = w->members_n - n + w->unlisted;
	struct series series;
	int rc = 0;

	buf_printf(p->out,
	    "<details%s><summary>The series, in order of conversion</summary>\n"
	    "<div class=\"scroll\"><table class=\"members\">",
	    n <= MEMBERS_OPEN ? " open" : "");
	html_titles(p->out, titles, 4);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		if ((rc = store_series(p->query->view, w->members[i].series, &series, err)) >= 0)
			append_member(p, &w->members[i], &series);
	buf_append_text(p->out, "</table></div>\n");
	if (more > 0)
		buf_printf(p->out,
		    "<p class=\"dim\">and %llu more: <code>mxdiff windows --json</code>\n",
		    (llu)more);
	buf_append_text(p->out, "</details>\n");
	return rc < 0 ? rc : 0;
}

static void
append_when(struct page *p, const struct rollout *w)
{
	int64_t interval_ms = rollout_interval_ms(w);
	char span[CLOCK_TEXT_MAX];

	buf_append_text(p->out, "<dl><dt>Began<dd>");
	append_bracket(p, w->start.after_ms, w->start.before_ms);
	buf_append_text(p->out, "\n<dt>Ended<dd>");
	if (w->has_end)
		append_bracket(p, w->end.after_ms, w->end.before_ms);
	else
		buf_append_text(p->out, "not yet");
	if (w->has_instant && w->members_n > 1) {
		buf_append_text(p->out, "\n<dt>One instant<dd>explains it all: ");
		append_bracket(p, w->instant.after_ms, w->instant.before_ms);
	} else if (interval_ms >= 0) {
		clock_format_span(interval_ms, span);
		buf_printf(p->out, "\n<dt>Rate<dd>one every %s", span);
	}
	buf_append_text(p->out, "\n<dt>Classes<dd>");
	out_history_classes(&p->text, w->classes);
	html_take(p->out, &p->text);
	buf_append_text(p->out, "</dl>\n");
}

static int
append_window(struct page *p, const struct rollout *w, struct err *err)
{
	struct difference common[FIELD_N] = {0};
	const struct difference *d;
	struct query *q = p->query;
	size_t common_n = 0;
	struct series first;
	int n, rc;

	buf_printf(p->out, "<article class=\"card %s\" id=\"window-%s\"><h3>",
	    severity_name(w->severity), w->id);
	append_tag(p, w->severity);
	html_text(p->out, w->group);
	buf_printf(p->out, ", SNI %s%s%s: %zu of %zu converted", sni_name(w->sni),
	    w->offer != OFFER_DEFAULT ? ", offer " : "",
	    w->offer != OFFER_DEFAULT ? offer_name(w->offer) : "", w->converted, w->total);
	if (w->mixed > 0)
		buf_printf(p->out, ", %zu mixed", w->mixed);
	if (w->undone > 0)
		buf_printf(p->out, ", %zu rolled back since", w->undone);
	buf_append_text(p->out, "</h3>\n<div class=\"pair\"><div>\n");
	append_when(p, w);
	if ((rc = store_series(q->view, w->first.series, &first, err)) < 0 ||
	    (rc = append_verdicts(p, &w->first, w->lost, w->gained, &first, err)) < 0 ||
	    (rc = out_history_fallbacks(&p->text, q->changes, q->view, w, err)) < 0)
		return rc;
	if (p->text.len > 0) {
		buf_append_text(p->out, "<ul class=\"plain\">");
		html_lines(p->out, &p->text);
		buf_append_text(p->out, "</ul>\n");
	}
	buf_append_text(p->out, "</div>");
	if (w->changed_n > 1) {
		buf_append_text(p->out, "<figure>\n");
		curve_window(p->out, w, p->report->last_ms, &p->style);
		buf_append_text(p->out,
		    "<figcaption>How many had changed: for certain by then (the full colour), "
		    "perhaps (the pale one)</figcaption></figure>");
	}
	buf_append_text(p->out, "</div>\n");
	if ((n = changes_differences(q->changes, &w->first, &d, err)) < 0)
		return n;
	for (int i = 0; i < n; i++)
		if (rollout_has_common(w, &d[i]))
			common[common_n++] = d[i];
	append_fields(p, common, common_n);
	rc = append_members(p, w, err);
	buf_append_text(p->out, "</article>\n");
	return rc;
}

static int
append_windows(struct page *p, struct err *err)
{
	const struct report *r = p->report;
	int rc = 0;

	buf_append_text(p->out, "<section id=\"roll-outs\"><h2>Roll-outs</h2>\n");
	if (r->windows.n == 0)
		buf_append_text(p->out, "<p>None: no change came over several series alike.\n");
	for (size_t i = 0; rc >= 0 && i < r->windows_n; i++)
		rc = append_window(p, &r->windows.items[i], err);
	append_more(p, r->windows.n - r->windows_n, "windows");
	buf_append_text(p->out, "</section>\n");
	return rc;
}

/* ---- changes ------------------------------------------------------------------------------- */

static void
append_where(struct page *p, const struct series *series)
{
	if (series->kind == SERIES_DNS) {
		series_describe(&p->text, series);
	} else {
		buf_printf(&p->text, "%s ", series->host);
		out_history_address(&p->text, series);
		buf_append_text(&p->text, ", SNI ");
		out_history_sni(&p->text, series);
	}
	html_take(p->out, &p->text);
}

static int
append_change(struct page *p, const struct report_change *c, struct err *err)
{
	const struct change *change = &c->change;
	const struct difference *d;
	int n, rc;

	buf_printf(p->out, "<article class=\"card %s\" id=\"change-%s\"><h3>",
	    severity_name(change->severity), change->id);
	append_tag(p, change->severity);
	append_where(p, &c->series);
	buf_append_text(p->out, "</h3>\n<p>");
	out_history_classes(&p->text, change->classes);
	html_take(p->out, &p->text);
	buf_append_text(p->out, "; ");
	append_bracket(p, change->after_ms, change->before_ms);
	if (change->event.mixed)
		buf_append_text(p->out, "; the old one is still shown, too");
	if (change->clock_stepped)
		buf_append_text(p->out, "; a clock was set meanwhile");
	buf_printf(p->out, " <span class=\"dim\">by %s</span>\n", c->series.vantage);
	if ((rc = append_verdicts(p, change, change->lost, change->gained, &c->series, err)) < 0)
		return rc;
	if ((n = changes_differences(p->query->changes, change, &d, err)) < 0)
		return n;
	append_fields(p, d, (size_t)n);
	buf_append_text(p->out, "</article>\n");
	return 0;
}

static int
append_changes(struct page *p, struct err *err)
{
	const struct report *r = p->report;
	int rc = 0;

	buf_append_text(
	    p->out, "<section id=\"changes\"><h2>Other changes, the newest first</h2>\n");
	if (r->other_changes_n == 0)
		buf_append_text(p->out, "<p>None.\n");
	for (size_t i = 0; rc >= 0 && i < r->changes_n; i++)
		rc = append_change(p, &r->changes[i], err);
	append_more(p, r->other_changes_n - r->changes_n, "log");
	buf_append_text(p->out, "</section>\n");
	return rc;
}

/* ---- the present --------------------------------------------------------------------------- */

static void
append_validity(
    struct buf *out, const struct report_state *s, int64_t now_ms, const struct out_style *style)
{
	char span[CLOCK_TEXT_MAX];
	bool over = s->not_after_ms < now_ms;

	if (s->not_after_ms == INT64_MAX)
		return;
	clock_format_span(over ? now_ms - s->not_after_ms : s->not_after_ms - now_ms, span);
	out_history_time(out, s->not_after_ms, style);
	buf_printf(out, over ? " (expired %s ago)" : " (in %s)", span);
}

/* "verify, secure": the levels at which a sender would not deliver. */
static void
append_fails(struct buf *out, const struct report_state *s)
{
	const char *comma = "";

	for (unsigned i = 0; i < LEVEL_N; i++) {
		if ((s->fails & 1u << i) == 0)
			continue;
		buf_printf(out, "%s%s", comma, level_name((enum level)i));
		comma = ", ";
	}
	if (s->fails == 0)
		buf_append_text(out, s->known != 0 ? "none" : "-");
}

enum { HOST, SNI, SERIES, SHOWS, KEY, ISSUER, ENDS, VERIFY, FAILS, SINCE, COLUMNS };

static void
append_state(struct page *p, const struct report_state *s)
{
	struct buf cells[COLUMNS] = {{0}};

	buf_append_text(&cells[HOST], s->host);
	buf_append_text(&cells[SNI], s->sni);
	buf_printf(&cells[SERIES], "%zu", s->series);
	buf_append_text(&cells[SHOWS], s->shows);
	buf_append_text(&cells[KEY], s->key != NULL ? s->key : "-");
	buf_append_text(&cells[ISSUER], s->issuer != NULL ? s->issuer : "-");
	append_validity(&cells[ENDS], s, p->report->last_ms, &p->style);
	buf_append_text(&cells[VERIFY], s->verdict);
	append_fails(&cells[FAILS], s);
	if (s->after_ms != INT64_MIN) {
		buf_append_text(&cells[SINCE], "after ");
		out_history_time(&cells[SINCE], s->after_ms, &p->style);
	} else {
		buf_append_text(&cells[SINCE], "the beginning");
	}
	buf_printf(p->out, "<tr class=\"%s\"><td class=\"tag\">%s", severity_name(s->severity),
	    severity_name(s->severity));
	html_row(p->out, cells, COLUMNS);
	for (size_t i = 0; i < COLUMNS; i++)
		buf_finish(&cells[i]);
}

static void
append_present(struct page *p)
{
	static const char *const titles[] = {"", "Host", "SNI", "Series", "Shows", "Key", "Issuer",
	    "Valid until", "At verify", "Not delivered at", "Since"};
	const struct report *r = p->report;

	buf_append_text(p->out, "<section id=\"present\"><h2>What each host shows</h2>\n");
	if (r->states_n == 0) {
		buf_append_text(p->out, "<p>Nothing was observed.\n</section>\n");
		return;
	}
	buf_append_text(p->out,
	    "<p class=\"dim\">What needs a look first, then what ends first. "
	    "<i>Not delivered at</i>: the security levels at which a sender like Postfix would "
	    "not deliver to at least one of the series.\n"
	    "<div class=\"scroll\"><table class=\"states\">");
	html_titles(p->out, titles, COLUMNS + 1);
	for (size_t i = 0; i < r->states_n; i++)
		append_state(p, &r->states[i]);
	buf_append_text(p->out, "</table></div>\n");
	append_more(p, r->all_states_n - r->states_n, "show");
	buf_append_text(p->out, "</section>\n");
}

/* ---- all ------------------------------------------------------------------------------------ */

static void
append_foot(struct page *p)
{
	buf_printf(p->out,
	    "<footer>mxdiff %s. A bracket says after which observation and at or before which one "
	    "something happened; what lies within it nobody saw. A roll-out is the same change "
	    "over several series.\n",
	    MX509_VERSION);
	if (p->query->judge != NULL) {
		buf_append_text(p->out, "Verdicts go by the CAs of ");
		buf_append_text(&p->text, p->query->judging.verdict.roots != NULL
					      ? p->query->judging.verdict.roots
					      : ROOTS_DEFAULT);
		html_take(p->out, &p->text);
		buf_printf(p->out, " and the rules of Postfix %s.\n",
		    p->query->judging.verdict.postfix.text);
	}
	buf_append_text(p->out, "</footer>\n");
}

int
report_page(struct buf *out, struct report *r, struct err *err)
{
	struct query *q = r->query;
	struct page p = {.out = out,
	    .report = r,
	    .query = q,
	    .style = {.utc = q->utc, .all_fields = q->all_fields}};
	struct buf title = {0};
	int rc;

	buf_append_text(&title, "mx509: ");
	for (int i = 0; i < q->options.operand_n; i++)
		buf_printf(&title, "%s%s", i > 0 ? ", " : "", q->options.operands[i]);
	if (q->options.operand_n == 0)
		buf_append_text(&title, "all hosts");
	html_begin(out, buf_text(&title));
	append_head(&p);
	if ((rc = append_windows(&p, err)) >= 0 && (rc = append_changes(&p, err)) >= 0) {
		append_present(&p);
		append_foot(&p);
		html_end(out);
	}
	buf_finish(&title);
	buf_finish(&p.text);
	return rc;
}
