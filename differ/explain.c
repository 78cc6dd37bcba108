#include "explain.h"

#include <stdlib.h>

#include "../store/mem.h"

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
