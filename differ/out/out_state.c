#include "out_state.h"

#include <string.h>

#include "out_text.h"
#include "store/base/text.h"

enum { HOST, ADDRESS, SNI, VANTAGE, SHOWS, KEY, ISSUER, SINCE, VERIFY, STATE_COLUMNS };

/* Rows are told apart by host, address and SNI; and why one looks is when, and whom it breaks. */
static const struct out_column state_columns[STATE_COLUMNS] = {
    [HOST] = {"HOST", .least = 16},
    [ADDRESS] = {"ADDRESS", .least = 20, .hard = 18, .middle = true},
    [SNI] = {"SNI", .least = 20},
    [VANTAGE] = {"VANTAGE", .least = 8},
    [SHOWS] = {"SHOWS", .least = 12, .coloured = true},
    [KEY] = {"KEY", .least = 14, .optional = 2},
    [ISSUER] = {"ISSUER", .least = 14, .optional = 3},
    [SINCE] = {"SINCE", .least = 29, .hard = 23},
    [VERIFY] = {"AT VERIFY", .least = 10, .optional = 1},
};

enum { DOES = VANTAGE + 1, DOES_SINCE, FALLBACK_COLUMNS };

static const struct out_column fallback_columns[FALLBACK_COLUMNS] = {
    [HOST] = {"HOST", .least = 16},
    [ADDRESS] = {"ADDRESS", .least = 20, .hard = 18, .middle = true},
    [SNI] = {"SNI", .least = 20},
    [VANTAGE] = {"VANTAGE", .least = 8},
    [DOES] = {"GETS", .least = 16, .coloured = true},
    [DOES_SINCE] = {"SINCE", .least = 29, .hard = 23},
};

void
out_states_init(struct out_states *out, const struct out_style *style, bool verdicts)
{
	out->style = *style;
	out_table_init(&out->states, state_columns, verdicts ? STATE_COLUMNS : VERIFY);
	out_table_init(&out->fallbacks, fallback_columns, FALLBACK_COLUMNS);
}

void
out_states_finish(struct out_states *out)
{
	out_table_finish(&out->states);
	out_table_finish(&out->fallbacks);
}

/* The common name, or the whole subject where it has none. */
void
out_state_subject(struct buf *out, const struct value *subject)
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

void
out_state_key(struct buf *out, const struct facts *facts)
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

static void
append_since(struct buf *out, bool after, int64_t time_ms, const struct out_style *style)
{
	buf_append_text(out, after ? "after " : "first ");
	out_history_time(out, time_ms, style);
}

/* "Untrusted, certificate-expired": what the level verify says; of what only a log tells, the
 * word of its MTA, whose level is not known. */
void
out_state_verdict(struct buf *out, const struct judge_state *judged, const struct facts *facts)
{
	const struct value *status = value_member(facts_get(facts, FIELD_REPORTED), "status");
	const struct conclude_level *l =
	    judged != NULL ? &judged->verdict.levels[LEVEL_VERIFY] : NULL;
	const char *word, *reason;

	if (l == NULL || !l->known) {
		if (status != NULL && status->kind == VALUE_TEXT) {
			text_escape(out, status->text, status->len);
			buf_append_text(out, ", as logged");
		} else {
			buf_append_byte(out, '-');
		}
		return;
	}
	word = level_word_name(l->word);
	reason = level_reason_name(l->reason);
	buf_printf(out, "%s%s%s", word != NULL ? word : "no TLS", reason != NULL ? ", " : "",
	    reason != NULL ? reason : "");
	if ((judged->lapsed & 1u << LEVEL_VERIFY) != 0)
		buf_append_text(out, " since it was first shown");
}

static void
add_fallback(struct out_states *out, const struct series *series, const struct fallback *f)
{
	static const enum severity severities[FALLBACK_N] = {[FALLBACK_OTHER] = SEVERITY_WARNING,
	    [FALLBACK_SENTINEL] = SEVERITY_CRITICAL,
	    [FALLBACK_ALERT] = SEVERITY_WARNING,
	    [FALLBACK_NO_STARTTLS] = SEVERITY_WARNING};
	struct buf cells[FALLBACK_COLUMNS] = {{0}};

	buf_append_text(&cells[HOST], series->host);
	out_history_address(&cells[ADDRESS], series);
	out_history_sni(&cells[SNI], series);
	buf_append_text(&cells[VANTAGE], series->vantage);
	buf_append_text(&cells[DOES], fallback_doc(f->kind));
	append_since(&cells[DOES_SINCE], f->has_after, f->has_after ? f->after_ms : f->before_ms,
	    &out->style);
	out_table_row(&out->fallbacks, severities[f->kind], cells);
	for (size_t i = 0; i < FALLBACK_COLUMNS; i++)
		buf_finish(&cells[i]);
}

int
out_states_add(struct out_states *out, struct changes *changes, const struct series *series,
    const struct lifetime_sighting *last, int64_t after_ms, int64_t first_ms,
    const struct fallback *fallback, const struct judge_state *judged, struct err *err)
{
	const struct state *state = states_get(changes_history(changes)->states, last->state);
	const struct facts *facts = changes_facts(changes, last->evidence, err);
	struct buf cells[STATE_COLUMNS] = {{0}};
	enum severity severity = SEVERITY_WARNING;

	if (facts == NULL)
		return err->code;
	if (out->vantage[0] == '\0')
		memcpy(out->vantage, series->vantage, sizeof(out->vantage));
	else
		out->vantages |= strcmp(out->vantage, series->vantage) != 0;
	buf_append_text(&cells[HOST], series->host);
	out_history_address(&cells[ADDRESS], series);
	out_history_sni(&cells[SNI], series);
	buf_append_text(&cells[VANTAGE], series->vantage);
	if (state->has_chain) {
		severity = classify_is_sentinel(facts) ? SEVERITY_CRITICAL : SEVERITY_INFO;
		out_state_subject(&cells[SHOWS], facts_get(facts, FIELD_SUBJECT));
		out_state_key(&cells[KEY], facts);
		out_state_subject(&cells[ISSUER], facts_get(facts, FIELD_ISSUER));
	} else {
		text_escape(&cells[SHOWS], state->words, strlen(state->words));
		buf_append_text(&cells[KEY], "-");
		buf_append_text(&cells[ISSUER], "-");
	}
	append_since(&cells[SINCE], after_ms != INT64_MIN,
	    after_ms != INT64_MIN ? after_ms : first_ms, &out->style);
	out_state_verdict(&cells[VERIFY], judged, facts);
	out_table_row(&out->states, severity, cells);
	for (size_t i = 0; i < STATE_COLUMNS; i++)
		buf_finish(&cells[i]);
	/* JSON says that nothing is known; to a person, a row for each of them says no more. */
	if (fallback != NULL && fallback->kind != FALLBACK_REPORTED)
		add_fallback(out, series, fallback);
	return 0;
}

void
out_states_print(struct buf *text, struct out_states *out)
{
	out->states.hidden = out->fallbacks.hidden = out->vantages ? 0 : 1u << VANTAGE;
	out_table_print(text, &out->states, &out->style);
	if (out->fallbacks.n == 0)
		return;
	buf_append_text(text, "\nWithout SNI, or with a name that is unknown (RFC 8461 7.1):\n");
	out_table_print(text, &out->fallbacks, &out->style);
}
