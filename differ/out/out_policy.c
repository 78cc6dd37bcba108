#include "out_policy.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/text.h"

#define AGO_MS 60000 /* asked for now, that long ago at most */

static const char *const without[] = {
    [ROUTE_KNOWN] = NULL,
    [ROUTE_UNKNOWN] = "no MX records of it are known",
    [ROUTE_NULL_MX] = "takes no mail (null MX)",
    [ROUTE_NO_MX] = "has neither MX records nor addresses",
    [ROUTE_BOGUS] = "its MX records are bogus: nobody who validates DNSSEC delivers",
};

const char *
out_policy_without(enum route_state state)
{
	return without[state];
}

static void
append_escaped(struct buf *out, const char *text)
{
	text_escape(out, text, strlen(text));
}

static void
append_variant(struct buf *out, const struct policy_variant *v)
{
	buf_append_text(out, v->sni == SNI_LITERAL ? v->name : sni_name(v->sni));
}

static void
append_age(struct buf *out, int64_t from_ms, int64_t to_ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_span(to_ms > from_ms ? to_ms - from_ms : 0, text);
	buf_append_text(out, text);
}

/* "2 s", or "2 s to 5 min" where more than a second lies between. */
static void
append_ages(struct buf *out, int64_t newest_ms, int64_t oldest_ms, int64_t at_ms)
{
	if (newest_ms - oldest_ms >= 1000) {
		append_age(out, newest_ms, at_ms);
		buf_append_text(out, " to ");
	}
	append_age(out, oldest_ms, at_ms);
}

/* ---- how sure ------------------------------------------------------------------------------ */

static void
append_head(struct buf *out, const struct route *r)
{
	const struct policy *p = &r->policy;
	int64_t oldest_ms, newest_ms;

	append_escaped(out, r->domain);
	buf_printf(out, ": %zu address%s of %zu MX host%s%s, MX records %s", p->addresses_n,
	    p->addresses_n == 1 ? "" : "es", r->hosts_n, r->hosts_n == 1 ? "" : "s",
	    r->implicit ? " (implicit)" : "", dns_status_name(r->mx_status));
	buf_append_text(out, ", seen last ");
	if (route_ages(r, &oldest_ms, &newest_ms)) {
		append_ages(out, newest_ms, oldest_ms, p->at_ms);
		buf_append_text(
		    out, clock_now_ms() - p->at_ms < AGO_MS ? " ago" : " before that time");
	} else {
		buf_append_text(out, "never");
	}
	if (r->vantage[0] != '\0')
		buf_printf(out, ", by vantage %s", r->vantage);
	buf_append_byte(out, '\n');
	if (policy_known(p) < p->addresses_n)
		buf_printf(out, "of %zu address%s nothing is known: probe again to be sure\n",
		    p->addresses_n - policy_known(p),
		    p->addresses_n - policy_known(p) == 1 ? "" : "es");
	if (r->left_out > 0)
		buf_printf(out, "%zu more addresses were left out\n", r->left_out);
}

/* ---- tables -------------------------------------------------------------------------------- */

/* "4 of 5, at least Trusted" */
static void
append_count(struct buf *cell, const struct policy *p, enum level level, size_t variant)
{
	struct policy_count c = policy_count(p, level, variant);

	if (c.known == 0)
		buf_append_byte(cell, '?');
	else
		buf_printf(cell, "%zu of %zu", c.delivers, c.known);
	if (c.delivers > 0 && level_word_name(c.least) != NULL)
		buf_printf(cell, " %s", level_word_name(c.least));
}

static void
append_levels(struct buf *out, const struct policy *p, const struct out_style *style)
{
	struct out_column columns[1 + POLICY_VARIANTS_MAX] = {{"LEVEL"}};
	struct buf titles[POLICY_VARIANTS_MAX] = {{0}}, cells[1 + POLICY_VARIANTS_MAX] = {{0}};
	struct out_table table;

	for (size_t v = 0; v < p->variants_n; v++) {
		buf_append_text(&titles[v], "SNI ");
		append_variant(&titles[v], &p->variants[v]);
		columns[v + 1].title = buf_text(&titles[v]);
	}
	out_table_init(&table, columns, 1 + p->variants_n);
	for (unsigned level = 0; level <= LEVEL_SECURE; level++) {
		buf_append_text(&cells[0], level_name((enum level)level));
		for (size_t v = 0; v < p->variants_n; v++)
			append_count(&cells[v + 1], p, (enum level)level, v);
		out_table_row(&table, SEVERITY_INFO, cells);
	}
	out_table_print(out, &table, style);
	out_table_finish(&table);
	for (size_t v = 0; v < p->variants_n; v++)
		buf_finish(&titles[v]);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		buf_finish(&cells[i]);
}

static void
append_verdict(struct buf *cell, const struct conclude_level *l)
{
	const char *word = level_word_name(l->word);

	if (!l->known)
		buf_append_byte(cell, '?');
	else if (l->delivers)
		buf_append_text(cell, word != NULL ? word : "plaintext");
	else
		buf_printf(cell, "defers: %s",
		    l->reason != REASON_NULL ? level_reason_name(l->reason) : "no TLS");
}

enum { HOST, ADDRESS, SNI, DANE, VERIFY, SECURE, SEEN, COLUMNS };
static const struct out_column address_columns[COLUMNS] = {
    [HOST] = {"HOST", .least = 16},
    [ADDRESS] = {"ADDRESS", .least = 20, .hard = 18, .middle = true},
    [SNI] = {"SNI", .least = 8},
    [DANE] = {"DANE-ONLY", .least = 8, .optional = 1},
    [VERIFY] = {"VERIFY", .least = 10},
    [SECURE] = {"SECURE", .least = 10},
    [SEEN] = {"AGE"},
};

static void
append_addresses(struct buf *out, const struct policy *p, const struct out_style *style)
{
	struct buf cells[COLUMNS] = {{0}};
	struct out_table table;

	out_table_init(&table, address_columns, COLUMNS);
	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_address *a = &p->addresses[i];
		char address[IP_TEXT_MAX];

		ip_format(&a->address, address);
		for (size_t v = 0; v < p->variants_n; v++) {
			const struct policy_cell *c = &a->cells[v];

			append_escaped(&cells[HOST], a->host);
			buf_printf(&cells[ADDRESS], a->address.family == 6 ? "[%s]:%u" : "%s:%u",
			    address, a->port);
			append_variant(&cells[SNI], &p->variants[v]);
			append_verdict(&cells[DANE], &c->levels[LEVEL_DANE_ONLY]);
			append_verdict(&cells[VERIFY], &c->levels[LEVEL_VERIFY]);
			append_verdict(&cells[SECURE], &c->levels[LEVEL_SECURE]);
			if (c->known)
				append_age(&cells[SEEN], c->seen_ms, p->at_ms);
			else
				buf_append_text(&cells[SEEN], "never seen");
			out_table_row(&table, SEVERITY_INFO, cells);
		}
	}
	out_table_print(out, &table, style);
	out_table_finish(&table);
	for (size_t i = 0; i < COLUMNS; i++)
		buf_finish(&cells[i]);
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Each line of a text behind an indent. */
static void
append_indented(struct buf *out, const char *text, const char *indent)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");

		buf_append_text(out, indent);
		text_escape(out, text, len);
		buf_append_byte(out, '\n');
		text += len;
		text += strspn(text, "\r\n");
	}
}

static void
append_lines(struct buf *out, const struct policy_lines *lines)
{
	buf_append_text(out, "\nFor Postfix, in smtp_tls_policy_maps; the strictest that delivers "
			     "at all of them first:\n");
	for (size_t i = 0; i < lines->n; i++) {
		buf_printf(out, "    # %s\n", lines->line[i].note);
		append_indented(out, lines->line[i].postfix, "    ");
	}
	if (lines->n == 0)
		buf_append_text(out, "    none delivers at all of them\n");
	buf_append_text(out, "\nFor Exim, in the smtp transport of these domains:\n");
	for (size_t i = 0; i < lines->n; i++) {
		if (lines->line[i].exim == NULL)
			continue;
		buf_printf(out, "    # as %s\n", level_name(lines->line[i].level));
		append_indented(out, lines->line[i].exim, "    ");
	}
}

static void
append_advice(struct buf *out, const struct policy_advice *advice)
{
	if (advice->n > 0)
		buf_append_text(out, "\nThe domain's own operator could:\n");
	for (size_t i = 0; i < advice->n; i++) {
		const struct policy_advice_item *item = &advice->items[i];

		append_indented(out, item->text, "    # ");
		if (item->records != NULL)
			append_indented(out, item->records, "    ");
		if (item->policy != NULL)
			append_indented(out, item->policy, "        ");
	}
}

void
out_policy(struct buf *out, const struct route *r, const struct out_style *style)
{
	struct policy_lines lines;
	struct policy_advice advice;

	append_head(out, r);
	if (policy_known(&r->policy) == 0)
		return;
	policy_lines(&lines, &r->policy);
	policy_advice(&advice, &r->policy);
	buf_append_byte(out, '\n');
	append_levels(out, &r->policy, style);
	buf_append_byte(out, '\n');
	append_addresses(out, &r->policy, style);
	append_lines(out, &lines);
	append_advice(out, &advice);
	policy_lines_finish(&lines);
	policy_advice_finish(&advice);
}
