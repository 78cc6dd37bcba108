#include "out_text.h"

#include <string.h>

#include "differ/certificate/cert.h"
#include "differ/certificate/idn.h"
#include "differ/facts/explain.h"
#include "store/base/clock.h"
#include "store/base/text.h"

#define TITLE_WIDTH 28
#define LINE_WIDTH 100

static const char *
colour_of(enum severity severity, bool colour)
{
	static const char *const codes[] = {"", "\033[36m", "\033[33m", "\033[1;31m"};

	return colour ? codes[severity] : "";
}

static const char *
plain(bool colour)
{
	return colour ? "\033[0m" : "";
}

static const char *
bold(bool colour)
{
	return colour ? "\033[1m" : "";
}

static void
append_blanks(struct buf *out, size_t n)
{
	buf_printf(out, "%*s", (int)n, "");
}

/* ---- values ------------------------------------------------------------------------------ */

static void
append_list(struct buf *out, const struct value *v)
{
	if (v->n == 0)
		buf_append_text(out, "(empty)");
	for (size_t i = 0; i < v->n; i++) {
		if (i > 0)
			buf_append_text(out, ", ");
		out_text_value(out, &v->items[i]);
	}
}

static bool
is_critical(const struct value *member)
{
	return strcmp(member->name, "critical") == 0;
}

/* Member by member; a sole list needs no name, and critical is said at the end. */
static void
append_object(struct buf *out, const struct value *v)
{
	const struct value *critical = value_member(v, "critical");
	size_t told = 0, named = 0;

	for (size_t i = 0; i < v->n; i++)
		named += !is_critical(&v->items[i]) && v->items[i].kind != VALUE_NULL;
	for (size_t i = 0; i < v->n; i++) {
		if (is_critical(&v->items[i]) || v->items[i].kind == VALUE_NULL)
			continue;
		if (told++ > 0)
			buf_append_text(out, " ");
		if (named > 1 || v->items[i].kind != VALUE_LIST)
			buf_printf(out, "%s=", v->items[i].name);
		out_text_value(out, &v->items[i]);
	}
	if (critical != NULL && critical->kind == VALUE_BOOL && critical->truth)
		buf_append_text(out, told > 0 ? " (critical)" : "(critical)");
	else if (told == 0)
		buf_append_text(out, "(empty)");
}

/* A DNS name of A-labels is told in both forms. */
static void
append_text(struct buf *out, const struct value *v)
{
	struct buf unicode = {0};

	if (v->len == 0)
		buf_append_text(out, "(empty)");
	text_escape(out, v->text, v->len);
	if (v->len > 4 && memcmp(v->text, "dns:", 4) == 0 &&
	    idn_append_unicode(&unicode, v->text + 4, v->len - 4)) {
		buf_append_text(out, " (");
		text_escape(out, unicode.data, unicode.len);
		buf_append_byte(out, ')');
	}
	buf_finish(&unicode);
}

void
out_text_value(struct buf *out, const struct value *v)
{
	char time[CLOCK_TEXT_MAX];

	switch (v->kind) {
	case VALUE_NULL:
		buf_append_text(out, "none");
		break;
	case VALUE_MALFORMED:
		buf_append_text(out, "malformed: ");
		text_escape(out, v->text, v->len);
		break;
	case VALUE_BOOL:
		buf_append_text(out, v->truth ? "yes" : "no");
		break;
	case VALUE_NUMBER:
		buf_printf(out, "%lld", (long long)v->number);
		break;
	case VALUE_TEXT:
		append_text(out, v);
		break;
	case VALUE_TIME:
		clock_format_human(v->number, true, time);
		buf_append_text(out, time);
		break;
	case VALUE_LIST:
		append_list(out, v);
		break;
	case VALUE_OBJECT:
		append_object(out, v);
		break;
	}
}

/* ---- certificates ------------------------------------------------------------------------ */

static void
append_faults(struct buf *out, const struct cert *cert, enum fault_kind kind, bool colour)
{
	size_t n, total;
	const struct fault *faults = cert_faults(cert, kind, &n, &total);
	enum severity severity = kind == FAULT_MALFORMED ? SEVERITY_CRITICAL : SEVERITY_WARNING;

	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "  %s%-*s%s", colour_of(severity, colour), TITLE_WIDTH,
		    kind == FAULT_MALFORMED ? "malformed" : "not DER", plain(colour));
		text_escape(out, faults[i].at, strlen(faults[i].at));
		buf_printf(out, " (octet %zu): ", faults[i].offset);
		text_escape(out, faults[i].why, strlen(faults[i].why));
		buf_append_byte(out, '\n');
	}
	if (total > n)
		buf_printf(out, "  %-*s%zu more\n", TITLE_WIDTH, "", total - n);
}

/* One element a line: what does not fit one line. */
static void
append_lines(struct buf *out, const struct value *list, size_t indent, const char *mark)
{
	for (size_t i = 0; i < list->n; i++) {
		append_blanks(out, indent);
		buf_append_text(out, mark);
		out_text_value(out, &list->items[i]);
		buf_append_byte(out, '\n');
	}
}

static void
append_fact(struct buf *out, const char *title, const struct value *v, bool colour)
{
	const struct value *list = explain_list(v);
	struct buf line = {0};

	out_text_value(&line, v);
	buf_printf(out, "  %s%-*s%s", bold(colour), TITLE_WIDTH, title, plain(colour));
	if (list != NULL && list->n > 1 &&
	    text_width(line.data, line.len) > LINE_WIDTH - TITLE_WIDTH) {
		const struct value *critical = value_member(v, "critical");

		buf_printf(out, "%zu%s\n", list->n,
		    critical != NULL && critical->truth ? " (critical)" : "");
		append_lines(out, list, TITLE_WIDTH + 2, "");
	} else {
		buf_append(out, line.data, line.len);
		buf_append_byte(out, '\n');
	}
	buf_finish(&line);
}

static void
append_extension_list(struct buf *out, const struct value *list, bool colour)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct value *e = &list->items[i], *name = value_member(e, "name");
		const struct value *hash = value_member(e, "sha256");

		buf_printf(out, "  %s%-*s%s", bold(colour), TITLE_WIDTH, i == 0 ? "extensions" : "",
		    plain(colour));
		out_text_value(out, name->kind == VALUE_NULL ? value_member(e, "oid") : name);
		if (value_member(e, "critical")->truth)
			buf_append_text(out, " (critical)");
		if (name->kind == VALUE_NULL && hash->kind == VALUE_TEXT)
			buf_printf(out, " sha256:%s", hash->text);
		buf_append_byte(out, '\n');
	}
}

void
out_text_certificate(struct buf *out, const struct facts *facts,
    const struct certificate_origin *origin, bool colour)
{
	const struct cert *cert = facts_certificate(facts);

	buf_append_text(out, bold(colour));
	text_escape(out, origin->file, strlen(origin->file));
	buf_printf(
	    out, "%s  certificate %zu, %zu octets\n", plain(colour), origin->index, cert->der.len);
	append_faults(out, cert, FAULT_MALFORMED, colour);
	append_faults(out, cert, FAULT_NOT_DER, colour);
	for (int i = 0; i < FIELD_N; i++) {
		const struct value *v = facts_get(facts, (enum field)i);

		if (field_table[i].source != SOURCE_CERTIFICATE || v->kind == VALUE_NULL ||
		    (cert->certificate.p == NULL && v->kind == VALUE_MALFORMED))
			continue;
		if (i == FIELD_EXTENSIONS)
			append_extension_list(out, v, colour);
		else
			append_fact(out, field_table[i].title, v, colour);
	}
}

void
out_text_chain(struct buf *out, const struct facts *facts, const char *file, bool colour)
{
	buf_append_text(out, bold(colour));
	text_escape(out, file, strlen(file));
	buf_printf(out, "%s  as a chain\n", plain(colour));
	for (int i = 0; i < FIELD_N; i++) {
		const struct value *v = facts_get(facts, (enum field)i);

		if (field_table[i].source == SOURCE_CHAIN && i != FIELD_INTERMEDIATES &&
		    v->kind != VALUE_NULL && (v->kind != VALUE_LIST || v->n > 0))
			append_fact(out, field_table[i].title, v, colour);
	}
}

/* ---- differences ------------------------------------------------------------------------- */

static void
append_moved(struct buf *out, int64_t moved_ms)
{
	char span[CLOCK_TEXT_MAX];

	clock_format_span(moved_ms, span);
	buf_printf(out, " (%s %s)", span, moved_ms < 0 ? "earlier" : "later");
}

/* old → new, on two lines where one is too narrow. */
static void
append_from_to(
    struct buf *out, const struct difference *d, const struct explanation *e, size_t indent)
{
	struct buf old = {0}, new = {0};

	out_text_value(&old, d->old);
	out_text_value(&new, d->new);
	buf_append(out, old.data, old.len);
	if (text_width(old.data, old.len) + text_width(new.data, new.len) + indent >
	    LINE_WIDTH - 3) {
		buf_append_byte(out, '\n');
		append_blanks(out, indent - 2);
		buf_append_text(out, "→ ");
	} else {
		buf_append_text(out, " → ");
	}
	buf_append(out, new.data, new.len);
	if (e->kind == EXPLANATION_MOVED)
		append_moved(out, e->moved_ms);
	buf_append_byte(out, '\n');
	buf_finish(&old);
	buf_finish(&new);
}

static bool
too_wide(const struct value *v)
{
	struct buf line = {0};
	size_t width;

	out_text_value(&line, v);
	width = text_width(line.data, line.len);
	buf_finish(&line);
	return width > LINE_WIDTH;
}

/* A list too long for a line that came, or went: "none → 132", and its members below. */
static bool
append_whole_list(
    struct buf *out, const struct difference *d, const struct explanation *e, size_t indent)
{
	const struct value *there = d->old->kind == VALUE_NULL ? d->new : d->old;

	if (e->kind != EXPLANATION_SET || e->removed->n + e->added->n < 2 ||
	    (d->old->kind != VALUE_NULL && d->new->kind != VALUE_NULL) || !too_wide(there))
		return false;
	if (there == d->new)
		buf_printf(out, "none → %zu\n", e->added->n);
	else
		buf_printf(out, "%zu → none\n", e->removed->n);
	append_lines(out, e->removed, indent, "- ");
	append_lines(out, e->added, indent, "+ ");
	return true;
}

/* Whether the sets are all that differs, and are better told as removed and added. */
static bool
told_as_set(const struct difference *d, const struct explanation *e)
{
	const struct value *old = value_member(d->old, "critical"),
			   *new = value_member(d->new, "critical");

	if (e->kind != EXPLANATION_SET || e->removed->n + e->added->n == 0)
		return false;
	if (d->old->kind == VALUE_OBJECT && d->new->kind == VALUE_OBJECT &&
	    (old == NULL || new == NULL || !value_equal(old, new)))
		return false;
	return d->old->kind != VALUE_NULL && d->new->kind != VALUE_NULL;
}

static void
append_difference(
    struct buf *out, struct arena *arena, const struct difference *d, unsigned indent, bool colour)
{
	struct explanation e;

	explain(arena, d, &e);
	append_blanks(out, indent);
	buf_printf(out, "%s%-*s%s", colour_of(d->severity, colour), TITLE_WIDTH,
	    field_table[d->field].title, plain(colour));
	if (d->encoding_only) {
		out_text_value(out, d->new);
		buf_append_text(out, " (the same, encoded otherwise)\n");
	} else if (told_as_set(d, &e)) {
		struct buf lines = {0};

		append_lines(&lines, e.removed, indent + TITLE_WIDTH, "- ");
		append_lines(&lines, e.added, indent + TITLE_WIDTH, "+ ");
		buf_append(
		    out, lines.data + indent + TITLE_WIDTH, lines.len - indent - TITLE_WIDTH);
		buf_finish(&lines);
	} else if (!append_whole_list(out, d, &e, indent + TITLE_WIDTH)) {
		append_from_to(out, d, &e, indent + TITLE_WIDTH);
	}
}

void
out_text_differences(
    struct buf *out, const struct difference *d, size_t n, unsigned indent, bool colour)
{
	struct arena arena = {0};

	for (size_t i = 0; i < n; i++)
		append_difference(out, &arena, &d[i], indent, colour);
	arena_finish(&arena);
}

void
out_text_key(struct buf *out, const struct facts *old, const struct facts *new, bool colour)
{
	const char *key = explain_key(old, new);

	if (key != NULL)
		buf_printf(out, "%s%-*s%s%s\n", bold(colour), TITLE_WIDTH, "public key",
		    plain(colour), key);
}

void
out_text_fields(struct buf *out, bool colour)
{
	static const char *const sources[] = {"certificate", "chain", "TLS", "SMTP", "DNS"};

	for (int i = 0; i < FIELD_N; i++) {
		const struct field_row *row = &field_table[i];

		buf_printf(out, "%s%-26s%s  %-11s  %s%-8s%s  %s: %s\n", bold(colour), row->name,
		    plain(colour), sources[row->source], colour_of(row->severity, colour),
		    severity_name(row->severity), plain(colour), row->title, row->doc);
	}
}
