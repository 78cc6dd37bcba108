#include <string.h>

#include "out_policy.h"
#include "store/base/clock.h"

static struct value *
time_text(struct arena *a, int64_t time_ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_ms(time_ms, text);
	return value_text(a, text);
}

static struct value *
word(struct arena *a, const char *text)
{
	return value_text(a, text);
}

static const char *
variant_text(const struct policy_variant *v)
{
	return v->sni == SNI_LITERAL ? v->name : sni_name(v->sni);
}

static const struct value *
level_model(struct arena *a, const struct conclude_level *l)
{
	struct value_builder b = {.arena = a};

	if (!l->known)
		return value_null();
	value_add_member(&b, "word", word(a, level_word_name(l->word)));
	value_add_member(&b, "delivers", value_bool(a, l->delivers));
	value_add_member(&b, "reason", word(a, level_reason_name(l->reason)));
	return value_object(&b);
}

static struct value *
cell_model(struct arena *a, const struct policy_variant *v, const struct policy_cell *c)
{
	struct value_builder b = {.arena = a}, levels = {.arena = a};

	for (unsigned i = 0; i <= LEVEL_SECURE; i++)
		value_add_member(&levels, level_name((enum level)i), level_model(a, &c->levels[i]));
	value_add_member(&b, "sni", word(a, sni_name(v->sni)));
	value_add_member(&b, "sni_name", word(a, v->sni == SNI_LITERAL ? v->name : NULL));
	value_add_member(&b, "time", time_text(a, c->seen_ms));
	value_add_member(
	    &b, "leaf", c->has_leaf ? value_hex(a, c->leaf.bytes, HASH_LEN) : value_null());
	value_add_member(&b, "levels", value_object(&levels));
	return value_object(&b);
}

static struct value *
addresses_model(struct arena *a, const struct policy *p)
{
	struct value_builder list = {.arena = a};

	for (size_t i = 0; i < p->addresses_n; i++) {
		const struct policy_address *at = &p->addresses[i];
		struct value_builder b = {.arena = a}, cells = {.arena = a};
		char address[IP_TEXT_MAX];

		ip_format(&at->address, address);
		for (size_t v = 0; v < p->variants_n; v++)
			if (at->cells[v].known)
				value_add(&cells, cell_model(a, &p->variants[v], &at->cells[v]));
		value_add_member(&b, "host", word(a, at->host));
		value_add_member(&b, "address", word(a, address));
		value_add_member(&b, "port", value_number(a, at->port));
		value_add_member(&b, "secure", value_bool(a, at->secure));
		value_add_member(&b, "variants", value_list(&cells));
		value_add(&list, value_object(&b));
	}
	return value_list(&list);
}

/* {"verify":{"hostname":{"known":5,"delivers":5,"word":"Verified"}}} */
static struct value *
levels_model(struct arena *a, const struct policy *p)
{
	struct value_builder b = {.arena = a};

	for (unsigned level = 0; level <= LEVEL_SECURE; level++) {
		struct value_builder row = {.arena = a};

		for (size_t v = 0; v < p->variants_n; v++) {
			struct policy_count c = policy_count(p, (enum level)level, v);
			struct value_builder cell = {.arena = a};

			value_add_member(&cell, "known", value_number(a, (int64_t)c.known));
			value_add_member(&cell, "delivers", value_number(a, (int64_t)c.delivers));
			value_add_member(&cell, "word",
			    word(a, c.delivers > 0 ? level_word_name(c.least) : NULL));
			value_add_member(&row, variant_text(&p->variants[v]), value_object(&cell));
		}
		value_add_member(&b, level_name((enum level)level), value_object(&row));
	}
	return value_object(&b);
}

static struct value *
lines_model(struct arena *a, const struct policy *p)
{
	struct value_builder list = {.arena = a};
	struct policy_lines lines;

	policy_lines(&lines, p);
	for (size_t i = 0; i < lines.n; i++) {
		const struct policy_line *l = &lines.line[i];
		struct value_builder b = {.arena = a};

		value_add_member(&b, "level", word(a, level_name(l->level)));
		value_add_member(&b, "servername",
		    word(a, l->level == LEVEL_DANE || l->level == LEVEL_DANE_ONLY ||
				    p->variants[l->variant].sni == SNI_NONE
				? NULL
				: variant_text(&p->variants[l->variant])));
		value_add_member(&b, "postfix", word(a, l->postfix));
		value_add_member(&b, "exim", word(a, l->exim));
		value_add_member(&b, "note", word(a, l->note));
		value_add(&list, value_object(&b));
	}
	policy_lines_finish(&lines);
	return value_list(&list);
}

static struct value *
advice_model(struct arena *a, const struct policy *p)
{
	struct value_builder list = {.arena = a};
	struct policy_advice advice;

	policy_advice(&advice, p);
	for (size_t i = 0; i < advice.n; i++) {
		struct value_builder b = {.arena = a};

		value_add_member(&b, "what", word(a, policy_what_name(advice.items[i].what)));
		value_add_member(&b, "text", word(a, advice.items[i].text));
		value_add_member(&b, "records", word(a, advice.items[i].records));
		value_add_member(&b, "policy", word(a, advice.items[i].policy));
		value_add(&list, value_object(&b));
	}
	policy_advice_finish(&advice);
	return value_list(&list);
}

struct value *
out_policy_model(
    struct arena *a, const struct route *r, struct verdict_engine *engine, struct err *err)
{
	const struct hash *roots = verdict_roots(engine, err);
	struct value_builder b = {.arena = a};
	int64_t oldest_ms = 0, newest_ms = 0;
	bool any = route_ages(r, &oldest_ms, &newest_ms);

	if (roots == NULL)
		return NULL;
	value_add_member(&b, "type", word(a, "policy"));
	value_add_member(&b, "domain", word(a, r->domain));
	value_add_member(&b, "at", time_text(a, r->policy.at_ms));
	value_add_member(&b, "vantage", word(a, r->vantage));
	value_add_member(&b, "mx", word(a, dns_status_name(r->mx_status)));
	value_add_member(&b, "hosts", value_number(a, (int64_t)r->hosts_n));
	value_add_member(&b, "known", value_number(a, (int64_t)policy_known(&r->policy)));
	value_add_member(&b, "oldest", any ? time_text(a, oldest_ms) : value_null());
	value_add_member(&b, "newest", any ? time_text(a, newest_ms) : value_null());
	value_add_member(&b, "roots", value_hex(a, roots->bytes, HASH_LEN));
	value_add_member(&b, "levels", levels_model(a, &r->policy));
	value_add_member(&b, "addresses", addresses_model(a, &r->policy));
	value_add_member(&b, "lines", lines_model(a, &r->policy));
	value_add_member(&b, "advice", advice_model(a, &r->policy));
	return value_object(&b);
}
