#include "diff.h"

#include <string.h>

#include "differ/certificate/name.h"
#include "field.h"

struct comparison {
	const struct cert *old, *new;
	struct arena *arena;
	struct difference *out;
	size_t n;
	bool covered[CERT_PARTS];		 /* a row that reads the part was told */
	bool covered_extension[EXTENSION_KINDS]; /* the same; UNKNOWN: the list of them */
};

static bool *
coverage(struct comparison *c, enum field field)
{
	const struct field_reading *reading = &field_reading[field];

	if (reading->part == CERT_PARTS)
		return NULL;
	if (reading->part == CERT_EXTENSIONS)
		return &c->covered_extension[reading->extension];
	return &c->covered[reading->part];
}

static void
tell(struct comparison *c, enum field field, const struct value *old, const struct value *new,
    bool encoding_only)
{
	bool *covered = coverage(c, field);

	c->out[c->n++] = (struct difference){.field = field,
	    .old = old,
	    .new = new,
	    .severity = encoding_only ? SEVERITY_INFO : field_table[field].severity,
	    .encoding_only = encoding_only};
	if (covered != NULL)
		*covered = true;
}

/* ---- extensions -------------------------------------------------------------------------- */

/* Whether b has one like e. A row of its own tells what differs within one that we read. */
static bool
has_counterpart(const struct cert *b, const struct extension *e, bool exactly)
{
	for (size_t i = 0; i < b->extensions_n; i++) {
		const struct extension *other = &b->extensions[i];

		if (!span_equal(other->oid, e->oid) || other->critical != e->critical)
			continue;
		if (exactly ? span_equal(other->whole, e->whole)
			    : (e->kind != EXTENSION_UNKNOWN && e->part.state == PART_OK &&
				  other->part.state == PART_OK) ||
				  span_equal(other->value, e->value))
			return true;
	}
	return false;
}

static bool
same_extensions(const struct cert *a, const struct cert *b, bool exactly)
{
	if (a->extensions_n != b->extensions_n)
		return false;
	for (size_t i = 0; i < a->extensions_n; i++) {
		if (!has_counterpart(b, &a->extensions[i], exactly) ||
		    !has_counterpart(a, &b->extensions[i], exactly))
			return false;
	}
	return true;
}

/* ---- encoding ---------------------------------------------------------------------------- */

static struct span
extension_octets(const struct cert *c, enum extension_kind kind)
{
	return c->known[kind] != NULL ? c->known[kind]->whole : (struct span){0};
}

/* Whether what the row reads is other DER, though its value is the same. */
static bool
encoding_differs(const struct comparison *c, enum field field)
{
	const struct field_reading *reading = &field_reading[field];

	if (reading->part == CERT_PARTS)
		return false;
	if (reading->part != CERT_EXTENSIONS)
		return !cert_same_part(c->old, c->new, reading->part);
	if (reading->extension == EXTENSION_UNKNOWN)
		return !cert_same_part(c->old, c->new, CERT_EXTENSIONS) &&
		       same_extensions(c->old, c->new, true);
	return !span_equal(extension_octets(c->old, reading->extension),
	    extension_octets(c->new, reading->extension));
}

/* An RDN is a SET: the order of its attributes is none. */
static bool
same_name(const struct comparison *c, struct span old, struct span new)
{
	return value_equal(name_rdns(c->arena, old), name_rdns(c->arena, new));
}

/* Rows of the certificate; first what they mean, then how it is written. */
static bool
row_differs(
    const struct comparison *c, enum field field, const struct value *old, const struct value *new)
{
	if (field == FIELD_SHA256 || field == FIELD_DER_RESIDUAL)
		return false;
	if (field == FIELD_EXTENSIONS)
		return !same_extensions(c->old, c->new, false);
	if (value_equal(old, new))
		return false;
	if (old->kind == VALUE_TEXT && new->kind == VALUE_TEXT) {
		if (field == FIELD_SUBJECT)
			return !same_name(c, c->old->subject, c->new->subject);
		if (field == FIELD_ISSUER)
			return !same_name(c, c->old->issuer, c->new->issuer);
	}
	return true;
}

static bool
explained_elsewhere(const bool told[FIELD_N], enum field field)
{
	for (int i = 0; i < FIELD_N; i++) {
		if (told[i] && field_reading[i].part == field_reading[field].part &&
		    field_reading[i].extension == field_reading[field].extension)
			return true;
	}
	return false;
}

static void
compare_certificates(struct comparison *c, const struct facts *old, const struct facts *new)
{
	bool differs[FIELD_N] = {0};

	for (int i = 0; i < FIELD_N; i++) {
		if (field_table[i].source == SOURCE_CERTIFICATE)
			differs[i] = row_differs(c, (enum field)i, facts_get(old, (enum field)i),
			    facts_get(new, (enum field)i));
	}
	for (int i = 0; i < FIELD_N; i++) {
		const struct value *before = facts_get(old, (enum field)i);
		const struct value *after = facts_get(new, (enum field)i);

		if (differs[i]) {
			tell(c, (enum field)i, before, after, false);
		} else if (field_table[i].source == SOURCE_CERTIFICATE &&
			   before->kind != VALUE_MALFORMED && encoding_differs(c, (enum field)i) &&
			   !explained_elsewhere(differs, (enum field)i)) {
			tell(c, (enum field)i, before, after, true);
			differs[i] = true;
		}
	}
}

/* ---- what is left ------------------------------------------------------------------------ */

struct residual {
	struct value_builder old, new;
	size_t n;
};

static const struct value *
octets_value(struct arena *arena, const char *place, size_t index, struct span octets)
{
	struct hash hash;
	char text[2 * HASH_LEN + DIFFER_PATH_MAX];
	struct buf b = {0};
	const struct value *v;

	if (octets.len == 0)
		return value_null();
	hash = hash_sha256(octets.p, octets.len);
	hash_hex(&hash, text);
	if (index == SIZE_MAX)
		buf_printf(&b, "%s sha256:%s", place, text);
	else
		buf_printf(&b, "%s[%zu] sha256:%s", place, index, text);
	v = value_text_len(arena, b.data, b.len);
	buf_finish(&b);
	return v;
}

static void
leave(struct comparison *c, struct residual *r, const char *place, struct span old, struct span new)
{
	if (span_equal(old, new))
		return;
	value_add(&r->old, octets_value(c->arena, place, SIZE_MAX, old));
	value_add(&r->new, octets_value(c->arena, place, SIZE_MAX, new));
	r->n++;
}

/* Extensions of a that b has not, octet by octet, and that no row told. */
static void
leave_extensions(struct comparison *c, struct residual *r, const struct cert *a,
    const struct cert *b, struct value_builder *list)
{
	for (size_t i = 0; i < a->extensions_n; i++) {
		const struct extension *e = &a->extensions[i];

		if (c->covered_extension[e->kind] || c->covered_extension[EXTENSION_UNKNOWN] ||
		    has_counterpart(b, e, true))
			continue;
		value_add(
		    list, octets_value(c->arena, "tbsCertificate.extensions", e->index, e->whole));
		r->n++;
	}
}

static struct span
trailing(const struct cert *c)
{
	if (c->certificate.p == NULL)
		return c->der;
	return span_of(c->certificate.p + c->certificate.len, c->der.len - c->certificate.len);
}

static bool
anything_told(const struct comparison *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (field_table[c->out[i].field].source == SOURCE_CERTIFICATE)
			return true;
	}
	return false;
}

static void
compare_rest(struct comparison *c)
{
	struct residual r = {.old.arena = c->arena, .new.arena = c->arena};

	if (span_equal(c->old->der, c->new->der))
		return;
	for (int i = 0; i < CERT_PARTS; i++) {
		bool signature = i == CERT_SIGNATURE && !span_equal(c->old->tbs, c->new->tbs);

		if (i != CERT_EXTENSIONS && !c->covered[i] && !signature)
			leave(c, &r, cert_part_name((enum cert_part)i), c->old->part[i].whole,
			    c->new->part[i].whole);
	}
	leave_extensions(c, &r, c->old, c->new, &r.old);
	leave_extensions(c, &r, c->new, c->old, &r.new);
	leave(c, &r, "trailing octets", trailing(c->old), trailing(c->new));
	if (r.n == 0 && !anything_told(c))
		leave(c, &r, "certificate", c->old->der, c->new->der);
	if (r.n > 0)
		tell(c, FIELD_DER_RESIDUAL, value_list(&r.old), value_list(&r.new), false);
}

/* Rows that need to know every certificate of a chain (chain.h). */
static bool
is_judgement(enum field field)
{
	return field == FIELD_CHAIN_IN_ORDER || field == FIELD_CHAIN_MISSING ||
	       field == FIELD_CHAIN_ANCHOR || field == FIELD_CHAIN_SURPLUS;
}

size_t
diff_facts(const struct facts *old, const struct facts *new, struct arena *arena,
    struct difference out[FIELD_N])
{
	struct comparison c = {.old = facts_certificate(old),
	    .new = facts_certificate(new),
	    .arena = arena,
	    .out = out};

	bool both_judged = facts_get(old, FIELD_CHAIN_IN_ORDER)->kind != VALUE_NULL &&
			   facts_get(new, FIELD_CHAIN_IN_ORDER)->kind != VALUE_NULL;

	if (c.old != NULL && c.new != NULL) {
		compare_certificates(&c, old, new);
		compare_rest(&c);
	}
	for (int i = 0; i < FIELD_N; i++) {
		const struct value *before = facts_get(old, (enum field)i);
		const struct value *after = facts_get(new, (enum field)i);

		if (field_table[i].source != SOURCE_CERTIFICATE &&
		    !(is_judgement((enum field)i) && !both_judged) && !value_equal(before, after))
			tell(&c, (enum field)i, before, after, false);
	}
	return c.n;
}
