#include "explain.h"

#include <stdlib.h>

#include "differ/certificate/oid.h"
#include "store/base/buf.h"
#include "store/base/mem.h"

const struct value *
explain_list(const struct value *v)
{
	const struct value *list = NULL;

	if (v->kind == VALUE_LIST)
		return v;
	if (v->kind != VALUE_OBJECT)
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i].kind != VALUE_LIST)
			continue;
		if (list != NULL)
			return NULL;
		list = &v->items[i];
	}
	return list;
}

/* The RDNs of a name in RFC 2253, which ends them at commas that are not escaped. */
static const struct value *
split_name(struct arena *arena, const struct value *name)
{
	struct value_builder b = {.arena = arena};
	size_t start = 0;

	for (size_t i = 0; i < name->len; i++) {
		if (name->text[i] == '\\') {
			i++;
		} else if (name->text[i] == ',') {
			value_add(&b, value_text_len(arena, name->text + start, i - start));
			start = i + 1;
		}
	}
	if (name->len > 0)
		value_add(&b, value_text_len(arena, name->text + start, name->len - start));
	return value_list(&b);
}

/* Whether a row of its own tells what differs within the extension. */
static bool
is_read(const struct value *oid)
{
	uint8_t octets[DIFFER_OID_MAX];
	size_t len = oid->kind == VALUE_TEXT ? oid_parse(oid->text, octets, sizeof(octets)) : 0;
	struct oid_entry known;

	return oid_find(span_of(octets, len), &known) && known.extension_kind != EXTENSION_UNKNOWN;
}

/* "keyUsage (critical)"; with the hash where that is all we know of its contents. */
static const struct value *
extension_text(struct arena *arena, const struct value *e)
{
	const struct value *oid = value_member(e, "oid"), *name = value_member(e, "name"),
			   *hash = value_member(e, "sha256"),
			   *critical = value_member(e, "critical");
	const struct value *v;
	struct buf b = {0};

	buf_append_text(&b, name->kind == VALUE_TEXT ? name->text : oid->text);
	if (hash->kind == VALUE_TEXT && !is_read(oid))
		buf_printf(&b, " sha256:%s", hash->text);
	if (critical->truth)
		buf_append_text(&b, " (critical)");
	v = value_text_len(arena, b.data, b.len);
	buf_finish(&b);
	return v;
}

static const struct value *
extension_texts(struct arena *arena, const struct value *list)
{
	struct value_builder b = {.arena = arena};

	for (size_t i = 0; i < list->n; i++)
		value_add(&b, extension_text(arena, &list->items[i]));
	return value_list(&b);
}

static const struct value *
without(struct arena *arena, const struct value *a, const struct value *b)
{
	struct value_builder rest = {.arena = arena};
	bool *missing = mem_zero(a->n, sizeof(bool));

	value_list_missing(a, b, missing);
	for (size_t i = 0; i < a->n; i++) {
		if (missing[i])
			value_add(&rest, &a->items[i]);
	}
	free(missing);
	return value_list(&rest);
}

const char *
explain_key(const struct facts *old, const struct facts *new)
{
	const struct value *before = facts_get(old, FIELD_SPKI_SHA256);
	const struct value *after = facts_get(new, FIELD_SPKI_SHA256);

	if (before->kind != VALUE_TEXT || after->kind != VALUE_TEXT)
		return NULL;
	return value_equal(before, after) ? "kept" : "replaced";
}

void
explain(struct arena *arena, const struct difference *d, struct explanation *e)
{
	const struct value *old = explain_list(d->old), *new = explain_list(d->new);
	struct value none = {.kind = VALUE_LIST};

	*e = (struct explanation){.kind = EXPLANATION_NONE};
	if (d->encoding_only)
		return;
	if (d->old->kind == VALUE_TIME && d->new->kind == VALUE_TIME) {
		e->kind = EXPLANATION_MOVED;
		e->moved_ms = d->new->number - d->old->number;
		return;
	}
	if ((d->field == FIELD_SUBJECT || d->field == FIELD_ISSUER) && d->old->kind == VALUE_TEXT &&
	    d->new->kind == VALUE_TEXT) {
		old = split_name(arena, d->old);
		new = split_name(arena, d->new);
	}
	if (d->field == FIELD_EXTENSIONS && old != NULL && new != NULL) {
		old = extension_texts(arena, old);
		new = extension_texts(arena, new);
	}
	if (old == NULL && new == NULL)
		return;
	if ((old == NULL && d->old->kind != VALUE_NULL) ||
	    (new == NULL && d->new->kind != VALUE_NULL))
		return;
	e->kind = EXPLANATION_SET;
	e->removed = old == NULL ? value_list(&(struct value_builder){.arena = arena})
				 : without(arena, old, new != NULL ? new : &none);
	e->added = new == NULL ? value_list(&(struct value_builder){.arena = arena})
			       : without(arena, new, old != NULL ? old : &none);
}
