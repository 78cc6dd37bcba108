#include "chain.h"

#include <stdlib.h>

#include "cert.h"
#include "extension.h"
#include "name.h"
#include "store/base/hash.h"
#include "store/base/mem.h"

/* What of a certificate links it to others. */
struct link {
	struct cert cert;
	const struct value *subject_key_id, *authority_key_id; /* null if none, or unreadable */
	bool readable;					       /* issuer and subject are */
	bool reached; /* it may be on some path from the leaf */
	bool copy;    /* of one that stands before it */
};

struct links {
	struct link *list;
	size_t n;
};

static const struct value *
key_id(struct arena *arena, const struct cert *c, enum extension_kind kind)
{
	const struct extension *e = c->known[kind];
	const struct value *v;

	if (e == NULL || e->part.state != PART_OK)
		return value_null();
	v = extension_value(arena, e);
	return v->kind == VALUE_OBJECT ? value_member(v, "key_id") : v;
}

static void
read_link(struct arena *arena, const struct links *before, struct span der, struct link *out)
{
	for (size_t i = 0; i < before->n; i++)
		out->copy |= span_equal(before->list[i].cert.der, der);
	cert_init(&out->cert, der.p, der.len, false);
	out->readable = out->cert.part[CERT_ISSUER].state == PART_OK &&
			out->cert.part[CERT_SUBJECT].state == PART_OK;
	out->subject_key_id = key_id(arena, &out->cert, EXTENSION_SUBJECT_KEY_ID);
	out->authority_key_id = key_id(arena, &out->cert, EXTENSION_AUTHORITY_KEY_ID);
}

/* Whether a may have been issued by b. */
static bool
may_be_issued_by(const struct link *a, const struct link *b)
{
	if (!a->readable || !b->readable || b->copy ||
	    !span_equal(a->cert.part[CERT_ISSUER].whole, b->cert.part[CERT_SUBJECT].whole))
		return false;
	return a->authority_key_id->kind != VALUE_TEXT || b->subject_key_id->kind != VALUE_TEXT ||
	       value_equal(a->authority_key_id, b->subject_key_id);
}

/* The nearest behind it, else from the start; links->n if there is none. */
static size_t
issuer_of(const struct links *links, size_t i, const bool *taken)
{
	for (size_t k = 1; k < links->n; k++) {
		size_t other = (i + k) % links->n;

		if (!taken[other] && may_be_issued_by(&links->list[i], &links->list[other]))
			return other;
	}
	return links->n;
}

/* All that could be on some path, so that of two cross-signed ones neither is surplus. */
static void
reach(struct links *links, size_t from)
{
	size_t *todo = mem_alloc(links->n * sizeof(*todo)), n = 0;

	links->list[from].reached = true;
	todo[n++] = from;
	while (n > 0) {
		size_t i = todo[--n];

		for (size_t k = 0; k < links->n; k++) {
			if (links->list[k].reached ||
			    !may_be_issued_by(&links->list[i], &links->list[k]))
				continue;
			links->list[k].reached = true;
			todo[n++] = k;
		}
	}
	free(todo);
}

static const struct value *
surplus_value(struct arena *arena, const struct links *links)
{
	struct value_builder b = {.arena = arena};

	for (size_t i = 0; i < links->n; i++) {
		const struct link *link = &links->list[i];
		struct value_builder one = {.arena = arena};
		struct hash hash;

		if (link->reached)
			continue;
		hash = hash_sha256(link->cert.der.p, link->cert.der.len);
		value_add_member(&one, "subject",
		    link->readable ? name_value(arena, link->cert.subject)
				   : value_malformed(arena, "no names to judge it by"));
		value_add_member(&one, "sha256", value_hex(arena, hash.bytes, HASH_LEN));
		value_add(&b, value_object(&one));
	}
	return value_set(&b);
}

/* Along the path from the leaf. */
static void
follow(struct arena *arena, const struct links *links, struct chain *out)
{
	bool *taken = mem_zero(links->n, sizeof(*taken)), ascends = true;
	size_t at = 0, next, steps = 0;

	taken[0] = true;
	while ((next = issuer_of(links, at, taken)) < links->n) {
		ascends = ascends && next > at;
		taken[next] = true;
		at = next;
		steps++;
	}
	out->in_order = value_bool(arena, ascends);
	if (!may_be_issued_by(&links->list[at], &links->list[at])) {
		const struct value *name = name_value(arena, links->list[at].cert.issuer);

		if (steps == 0)
			out->missing = name;
		else
			out->anchor = name;
	} else {
		out->anchor = name_value(arena, links->list[at].cert.subject);
	}
	free(taken);
}

void
chain_judge(struct arena *arena, const struct span *certificates, size_t n, struct chain *out)
{
	struct links links = {.list = NULL};

	*out = (struct chain){value_null(), value_null(), value_null(), value_null()};
	if (n == 0 || n > DIFFER_CHAIN_MAX)
		return;
	for (size_t i = 0; i < n; i++) {
		if (certificates[i].len == 0)
			return;
	}
	links.list = mem_zero(n, sizeof(*links.list));
	for (; links.n < n; links.n++)
		read_link(arena, &links, certificates[links.n], &links.list[links.n]);
	if (links.list[0].readable) {
		reach(&links, 0);
		out->surplus = surplus_value(arena, &links);
		follow(arena, &links, out);
	}
	for (size_t i = 0; i < n; i++)
		cert_finish(&links.list[i].cert);
	free(links.list);
}
