#include "atom_entry.h"

#include <stdio.h>
#include <string.h>

#include "differ/out/out_history.h"
#include "tell.h"

static void
append_classes(struct buf *out, unsigned classes)
{
	const char *comma = ": ";

	for (unsigned i = 0; i < CLASS_N; i++) {
		if ((classes & 1u << i) == 0)
			continue;
		buf_printf(out, "%s%s", comma, class_table[i].name);
		comma = ", ";
	}
}

static void
title(struct buf *out, const struct feed_event *e)
{
	const struct rollout *w = e->window;

	if (e->news == FEED_RETRACTED)
		buf_append_text(out, "withdrawn: ");
	if (w != NULL) {
		buf_printf(out, "%s: %s, SNI %s, %zu of %zu converted", severity_name(w->severity),
		    w->group, sni_name(w->sni), w->converted, w->total);
		append_classes(out, w->classes);
		return;
	}
	buf_printf(out, "%s: %s ", severity_name(e->change->severity), e->series->host);
	out_history_address(out, e->series);
	buf_append_text(out, ", SNI ");
	out_history_sni(out, e->series);
	append_classes(out, e->change->classes);
}

/* XML 1.0 has no U+FFFE and U+FFFF; every other character that it lacks is escaped in texts. */
static void
make_xml(struct buf *text)
{
	for (size_t i = 0; i + 2 < text->len; i++)
		if (text->data[i] == 0xef && text->data[i + 1] == 0xbf && text->data[i + 2] >= 0xbe)
			text->data[i + 2] = 0xbd; /* U+FFFD */
}

int
atom_words(struct atom_words *words, struct query *q, const struct feed_event *e, struct err *err)
{
	bool window = e->window != NULL;
	int rc;

	*words = (struct atom_words){.severity = window ? e->window->severity : e->change->severity,
	    .classes = window ? e->window->classes : e->change->classes};
	snprintf(words->id, sizeof(words->id), "%s", window ? e->window->id : e->change->id);
	if (e->revises != NULL)
		snprintf(words->revises, sizeof(words->revises), "%s", e->revises);
	title(&words->title, e);
	buf_printf(&words->content, "%s %s\n", window ? "window" : "change", words->id);
	if ((rc = tell_event(&words->content, q, e, TELL_TEXT, err)) < 0)
		atom_words_finish(words);
	make_xml(&words->title);
	make_xml(&words->content);
	return rc;
}

void
atom_words_finish(struct atom_words *words)
{
	buf_finish(&words->title);
	buf_finish(&words->content);
}

void
atom_uuid(const char *id, char out[ATOM_ID_MAX])
{
	snprintf(out, ATOM_ID_MAX, "urn:uuid:%.8s-%.4s-8%.3s-8%.1s00-000000000000", id, id + 8,
	    id + 12, id + 15);
}
