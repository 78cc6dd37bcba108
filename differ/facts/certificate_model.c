#include "certificate_model.h"

#include <stdio.h>

#include "differ/certificate/cert.h"
#include "explain.h"

static struct value *
faults_value(struct arena *arena, const struct cert *cert, enum fault_kind kind)
{
	struct value_builder list = {.arena = arena};
	size_t n, total;
	const struct fault *faults = cert_faults(cert, kind, &n, &total);

	for (size_t i = 0; i < n; i++) {
		struct value_builder b = {.arena = arena};

		value_add_member(&b, "at", value_text(arena, faults[i].at));
		value_add_member(&b, "offset", value_number(arena, (int64_t)faults[i].offset));
		value_add_member(&b, "why", value_text(arena, faults[i].why));
		value_add(&list, value_object(&b));
	}
	if (total > n) {
		struct value_builder b = {.arena = arena};
		char why[64];

		snprintf(why, sizeof(why), "%zu more faults", total - n);
		value_add_member(&b, "at", value_text(arena, faults[n - 1].at));
		value_add_member(&b, "offset", value_number(arena, (int64_t)faults[n - 1].offset));
		value_add_member(&b, "why", value_text(arena, why));
		value_add(&list, value_object(&b));
	}
	return value_list(&list);
}

static void
add_origin(
    struct value_builder *b, const struct facts *facts, const struct certificate_origin *origin)
{
	value_add_member(b, "file", value_text(b->arena, origin->file));
	value_add_member(b, "index", value_number(b->arena, (int64_t)origin->index));
	value_add_member(b, "sha256", facts_get(facts, FIELD_SHA256));
	value_add_member(
	    b, "len", value_number(b->arena, (int64_t)facts_certificate(facts)->der.len));
}

struct value *
certificate_model(
    struct arena *arena, const struct facts *facts, const struct certificate_origin *origin)
{
	const struct cert *cert = facts_certificate(facts);
	struct value_builder b = {.arena = arena};

	add_origin(&b, facts, origin);
	value_add_member(&b, "malformed", faults_value(arena, cert, FAULT_MALFORMED));
	value_add_member(&b, "not_der", faults_value(arena, cert, FAULT_NOT_DER));
	for (int i = 0; i < FIELD_N && cert->certificate.p != NULL; i++) {
		if (field_table[i].source == SOURCE_CERTIFICATE && i != FIELD_SHA256 &&
		    i != FIELD_DER_RESIDUAL)
			value_add_member(&b, field_table[i].name, facts_get(facts, (enum field)i));
	}
	return value_object(&b);
}

static struct value *
difference_value(struct arena *arena, const struct difference *d)
{
	struct value_builder b = {.arena = arena};
	struct explanation e;

	value_add_member(&b, "field", value_text_static(arena, field_table[d->field].name));
	value_add_member(&b, "old", d->old);
	value_add_member(&b, "new", d->new);
	value_add_member(&b, "severity", value_text_static(arena, severity_name(d->severity)));
	value_add_member(&b, "encoding_only", value_bool(arena, d->encoding_only));
	explain(arena, d, &e);
	if (e.kind == EXPLANATION_SET) {
		value_add_member(&b, "removed", e.removed);
		value_add_member(&b, "added", e.added);
	} else if (e.kind == EXPLANATION_MOVED) {
		value_add_member(&b, "moved_by_s", value_number(arena, e.moved_ms / 1000));
	}
	return value_object(&b);
}

struct value *
certificate_model_diff(struct arena *arena, const struct facts *old,
    const struct certificate_origin *old_origin, const struct facts *new,
    const struct certificate_origin *new_origin, const struct difference *d, size_t n)
{
	struct value_builder b = {.arena = arena}, before = {.arena = arena},
			     after = {.arena = arena}, fields = {.arena = arena};

	add_origin(&before, old, old_origin);
	add_origin(&after, new, new_origin);
	for (size_t i = 0; i < n; i++)
		value_add(&fields, difference_value(arena, &d[i]));
	value_add_member(&b, "old", value_object(&before));
	value_add_member(&b, "new", value_object(&after));
	value_add_member(&b, "key", value_text(arena, explain_key(old, new)));
	value_add_member(&b, "fields", value_list(&fields));
	return value_object(&b);
}
