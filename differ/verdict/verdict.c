#include "verdict.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/mem.h"

#define SLOTS (2 * VERDICT_KEPT) /* a power of two */

struct kept {
	struct hash key;
	bool used;
	struct verify_result result;
};

struct verdict_engine {
	struct verdict_rules rules;
	bool has_roots;
	struct roots roots;
	struct verify *verify; /* NULL until it is needed */
	struct kept *kept;     /* open addressing */
	size_t kept_n;
	struct verdict_count count;
	struct buf scratch;
};

/* ---- roots ------------------------------------------------------------------------------- */

static int
find_roots(struct verdict_engine *e, struct err *err)
{
	int rc = 0;

	if (!e->has_roots) {
		const char *path = e->rules.roots != NULL ? e->rules.roots : ROOTS_DEFAULT;

		if ((rc = roots_init(&e->roots, path, err)) < 0)
			roots_finish(&e->roots);
		else
			e->has_roots = true;
	}
	return rc;
}

int
verdict_engine_create(
    struct verdict_engine **engine, const struct verdict_rules *rules, struct err *err)
{
	struct verdict_engine *e = mem_zero(1, sizeof(*e));
	int rc = 0;

	e->rules = *rules;
	if (rules->roots != NULL) {
		e->rules.roots = mem_strdup(rules->roots);
		rc = find_roots(e, err);
	}
	if (rc < 0) {
		verdict_engine_destroy(e);
		e = NULL;
	}
	*engine = e;
	return rc;
}

void
verdict_engine_destroy(struct verdict_engine *e)
{
	if (e == NULL)
		return;
	verify_destroy(e->verify);
	if (e->has_roots)
		roots_finish(&e->roots);
	free((char *)e->rules.roots);
	free(e->kept);
	buf_finish(&e->scratch);
	free(e);
}

const struct hash *
verdict_roots(struct verdict_engine *e, struct err *err)
{
	return find_roots(e, err) < 0 ? NULL : roots_hash(&e->roots, err);
}

struct verdict_count
verdict_engine_count(const struct verdict_engine *e)
{
	return e->count;
}

/* ---- what was verified ------------------------------------------------------------------- */

static void
append_name(struct buf *out, const char *name)
{
	size_t len = name != NULL ? strlen(name) + 1 : 0;

	buf_append_varint(out, len);
	if (len > 0)
		buf_append(out, name, len - 1);
}

static struct hash
key_of(struct verdict_engine *e, const struct verdict_question *q, bool tlsa)
{
	struct buf *b = &e->scratch;
	int64_t day = clock_day_of_ms(q->time_ms);

	buf_clear(b);
	for (size_t i = 0; i < q->evidence->chain_n; i++)
		buf_append(b, q->evidence->chain[i].bytes, HASH_LEN);
	buf_append_varint(b, zigzag(day));
	append_name(b, q->host);
	append_name(b, q->nexthop);
	if (tlsa) {
		append_name(b, q->dns.base);
		for (size_t i = 0; i < q->dns.records_n; i++)
			append_name(b, q->dns.records[i]);
	}
	return hash_sha256(b->data, b->len);
}

static struct kept *
find_kept(struct verdict_engine *e, const struct hash *key)
{
	size_t at;

	if (e->kept == NULL)
		e->kept = mem_zero(SLOTS, sizeof(*e->kept));
	if (e->kept_n == VERDICT_KEPT) {
		memset(e->kept, 0, SLOTS * sizeof(*e->kept));
		e->kept_n = 0;
	}
	memcpy(&at, key->bytes, sizeof(at));
	for (;; at++) {
		struct kept *k = &e->kept[at & (SLOTS - 1)];

		if (!k->used || hash_compare(&k->key, key) == 0)
			return k;
	}
}

static int
verify(struct verdict_engine *e, const struct verdict_question *q, bool tlsa,
    struct verify_result *result, struct err *err)
{
	struct verify_request request = {.chain = q->certificates,
	    .chain_n = q->evidence->chain_n,
	    .time_ms = q->time_ms,
	    .host = q->host,
	    .nexthop = q->nexthop,
	    .base = q->dns.base != NULL ? q->dns.base : q->host};
	struct tlsa records = {0};
	int rc;

	if (tlsa) {
		tlsa_read(&records, q->dns.records, q->dns.records_n);
		request.tlsa = &records;
	}
	if ((rc = find_roots(e, err)) >= 0 &&
	    (e->verify != NULL || (rc = verify_create(&e->verify, &e->roots, err)) >= 0)) {
		e->count.verified++;
		rc = verify_chain(e->verify, &request, result, err);
	}
	tlsa_finish(&records);
	return rc;
}

static int
verified(struct verdict_engine *e, const struct verdict_question *q,
    const struct verify_result **result, struct err *err)
{
	bool tlsa = conclude_wants_tlsa(&q->dns);
	struct hash key = key_of(e, q, tlsa);
	struct kept *k = find_kept(e, &key);
	int rc;

	if (!k->used || q->time_ms < k->result.from_ms || q->time_ms >= k->result.until_ms) {
		if ((rc = verify(e, q, tlsa, &k->result, err)) < 0)
			return rc;
		e->kept_n += !k->used;
		k->used = true;
		k->key = key;
	}
	*result = &k->result;
	return 0;
}

/* ---- verdicts ---------------------------------------------------------------------------- */

static bool
is_version(const char *version, const char *const *of, size_t n)
{
	for (size_t i = 0; version != NULL && i < n; i++)
		if (strcmp(version, of[i]) == 0)
			return true;
	return false;
}

static bool
has_all_certificates(const struct verdict_question *q)
{
	for (size_t i = 0; i < q->evidence->chain_n; i++)
		if (q->certificates == NULL || q->certificates[i].len == 0)
			return false;
	return true;
}

int
verdict_of(struct verdict_engine *e, const struct verdict_question *q, struct verdict *verdict,
    struct err *err)
{
	static const char *const old[] = {"TLSv1", "TLSv1.1"}, *const none[] = {"SSLv3", "SSLv2"};
	const struct verify_result *result = NULL;
	struct conclude_input in = {.kind = conclude_kind(q->evidence),
	    .old_tls = is_version(q->evidence->tls_version, old, 2),
	    .no_tls = is_version(q->evidence->tls_version, none, 2),
	    .has_nexthop = q->nexthop != NULL,
	    .host = q->host,
	    .dns = &q->dns,
	    .sts = &q->sts,
	    .postfix = &e->rules.postfix};
	int rc;

	*verdict = (struct verdict){0};
	if (in.kind == CONCLUDE_NOTHING || q->offer >= OFFER_TLS1_0 ||
	    q->evidence->reported_by != NULL)
		return 0;
	if (in.kind == CONCLUDE_TLS) {
		if (!has_all_certificates(q))
			return 0;
		e->count.asked++;
		if ((rc = verified(e, q, &result, err)) < 0)
			return rc;
		verdict->error = result->error[1];
	}
	in.verified = result;
	conclude(&in, verdict->levels);
	return 1;
}

bool
verdict_lost(const struct verdict *old, const struct verdict *new, enum level level)
{
	const struct conclude_level *o = &old->levels[level], *n = &new->levels[level];

	if (level == LEVEL_FINGERPRINT || !o->known || !n->known)
		return false;
	return (o->delivers && !n->delivers) ||
	       (o->word == WORD_VERIFIED && n->word <= WORD_UNTRUSTED);
}

static struct value *
level_value(struct arena *a, const struct conclude_level *l)
{
	struct value_builder b = {.arena = a};
	const char *word = level_word_name(l->word), *reason = level_reason_name(l->reason);

	value_add_member(&b, "word", word != NULL ? value_text_static(a, word) : value_null());
	value_add_member(&b, "delivers", value_bool(a, l->delivers));
	value_add_member(
	    &b, "reason", reason != NULL ? value_text_static(a, reason) : value_null());
	return value_object(&b);
}

struct value *
verdict_value(
    struct arena *a, struct verdict_engine *e, const struct verdict *verdict, struct err *err)
{
	struct value_builder b = {.arena = a}, levels = {.arena = a};
	const struct hash *roots = verdict_roots(e, err);

	if (roots == NULL)
		return NULL;
	for (unsigned i = 0; i < LEVEL_N; i++) {
		const struct conclude_level *l = &verdict->levels[i];

		if (i < LEVEL_STS_TESTING || l->defined)
			value_add_member(&levels, level_name((enum level)i),
			    l->known ? level_value(a, l) : value_null());
	}
	value_add_member(&b, "roots", value_hex(a, roots->bytes, HASH_LEN));
	value_add_member(&b, "postfix", value_text(a, e->rules.postfix.text));
	value_add_member(&b, "levels", value_object(&levels));
	return value_object(&b);
}
