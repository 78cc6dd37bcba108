#include "verdict.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/mem.h"

#define FREE UINT32_MAX

/* What was verified. The key is kept whole: two that are equal in XXH3 alone are not the same. */
struct kept {
	uint64_t quick;
	uint8_t *key;
	size_t key_len;
	bool known; /* all certificates are */
	struct verify_result result;
};

struct verdict_engine {
	struct verdict_rules rules;
	bool has_roots;
	struct roots roots;
	struct verify *verify; /* NULL until it is needed */
	struct kept *kept;
	size_t kept_n, kept_cap;
	uint32_t *slots; /* open addressing, of indexes in kept[] */
	size_t slots_n;
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

static void
forget(struct verdict_engine *e)
{
	for (size_t i = 0; i < e->kept_n; i++)
		free(e->kept[i].key);
	for (size_t i = 0; i < e->slots_n; i++)
		e->slots[i] = FREE;
	e->kept_n = 0;
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
	forget(e);
	free(e->kept);
	free(e->slots);
	buf_finish(&e->scratch);
	free(e);
}

int
verdict_has_roots(struct verdict_engine *e, struct err *err)
{
	return find_roots(e, err);
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

/* Into e->scratch. However many TLSA records there are, a key is no longer than names are. */
static void
make_key(struct verdict_engine *e, const struct verdict_question *q, bool tlsa)
{
	struct buf *b = &e->scratch;

	if (tlsa) {
		struct hash records;

		buf_clear(b);
		for (size_t i = 0; i < q->dns.records_n; i++)
			append_name(b, q->dns.records[i]);
		records = hash_sha256(b->data, b->len);
		buf_clear(b);
		buf_append(b, records.bytes, HASH_LEN);
		append_name(b, q->dns.base);
	} else {
		buf_clear(b);
	}
	for (size_t i = 0; i < q->evidence->chain_n; i++)
		buf_append(b, q->evidence->chain[i].bytes, HASH_LEN);
	buf_append_varint(b, zigzag(clock_day_of_ms(q->time_ms)));
	append_name(b, q->host);
	append_name(b, q->nexthop);
	buf_append_byte(b, tlsa);
}

static uint32_t *
find_slot(const struct verdict_engine *e, uint64_t quick, const void *key, size_t len)
{
	for (uint64_t at = quick;; at++) {
		uint32_t *slot = &e->slots[at & (e->slots_n - 1)];
		const struct kept *k;

		if (*slot == FREE)
			return slot;
		k = &e->kept[*slot];
		if (k->quick == quick && k->key_len == len && memcmp(k->key, key, len) == 0)
			return slot;
	}
}

static void
grow_slots(struct verdict_engine *e)
{
	free(e->slots);
	e->slots_n = e->slots_n > 0 ? 2 * e->slots_n : 64;
	e->slots = mem_alloc(e->slots_n * sizeof(*e->slots));
	for (size_t i = 0; i < e->slots_n; i++)
		e->slots[i] = FREE;
	for (size_t i = 0; i < e->kept_n; i++) {
		const struct kept *k = &e->kept[i];

		*find_slot(e, k->quick, k->key, k->key_len) = (uint32_t)i;
	}
}

/* What is kept under the key in e->scratch; *is_new where it is to be filled yet. */
static struct kept *
find_kept(struct verdict_engine *e, bool *is_new)
{
	uint64_t quick = hash_quick(e->scratch.data, e->scratch.len);
	uint32_t *slot;

	if (e->kept_n == VERDICT_KEPT)
		forget(e);
	if (2 * (e->kept_n + 1) > e->slots_n)
		grow_slots(e);
	slot = find_slot(e, quick, e->scratch.data, e->scratch.len);
	*is_new = *slot == FREE;
	if (*is_new) {
		if (e->kept_n == e->kept_cap) {
			e->kept_cap = e->kept_cap > 0 ? 2 * e->kept_cap : 32;
			e->kept = mem_grow(e->kept, e->kept_cap, sizeof(*e->kept));
		}
		*slot = (uint32_t)e->kept_n;
		e->kept[e->kept_n++] = (struct kept){.quick = quick,
		    .key = mem_dup(e->scratch.data, e->scratch.len),
		    .key_len = e->scratch.len};
	}
	return &e->kept[*slot];
}

/* 1: all are known; 0; <0. */
static int
find_certificates(const struct verdict_question *q, struct span *certificates, struct err *err)
{
	size_t n = q->evidence->chain_n;
	int rc = 0;

	if (q->certificates != NULL)
		memcpy(certificates, q->certificates, n * sizeof(*certificates));
	else if (q->fetch != NULL)
		rc = q->fetch(q->fetch_ctx, q->evidence, certificates, err);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		if (certificates[i].len == 0)
			return 0;
	return rc < 0 ? rc : 1;
}

static int
verify(struct verdict_engine *e, const struct verdict_question *q, bool tlsa, struct kept *k,
    struct err *err)
{
	struct verify_request request = {.chain_n = q->evidence->chain_n,
	    .time_ms = q->time_ms,
	    .host = q->host,
	    .nexthop = q->nexthop,
	    .base = q->dns.base != NULL ? q->dns.base : q->host};
	struct span *certificates = mem_zero(request.chain_n, sizeof(*certificates));
	struct tlsa records = {0};
	int rc = find_certificates(q, certificates, err);

	k->known = rc > 0;
	k->result = (struct verify_result){.from_ms = INT64_MIN, .until_ms = INT64_MAX};
	if (tlsa && rc > 0) {
		tlsa_read(&records, q->dns.records, q->dns.records_n);
		request.tlsa = &records;
	}
	request.chain = certificates;
	if (rc > 0 && (rc = find_roots(e, err)) >= 0 &&
	    (e->verify != NULL || (rc = verify_create(&e->verify, &e->roots, err)) >= 0)) {
		e->count.verified++;
		rc = verify_chain(e->verify, &request, &k->result, err);
	}
	tlsa_finish(&records);
	free(certificates);
	return rc < 0 ? rc : 0;
}

/* 1; 0: a certificate is not known; <0. */
static int
verified(struct verdict_engine *e, const struct verdict_question *q,
    const struct verify_result **result, struct err *err)
{
	bool tlsa = conclude_wants_tlsa(&q->dns), is_new;
	struct kept *k;
	int rc;

	make_key(e, q, tlsa);
	k = find_kept(e, &is_new);
	if (is_new || q->time_ms < k->result.from_ms || q->time_ms >= k->result.until_ms) {
		if ((rc = verify(e, q, tlsa, k, err)) < 0) {
			forget(e); /* there is no answer under that key */
			return rc;
		}
	}
	*result = &k->result;
	return k->known;
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

bool
verdict_can_be(const struct verdict_question *q)
{
	return q->offer < OFFER_TLS1_0 && q->evidence->reported_by == NULL &&
	       conclude_kind(q->evidence) != CONCLUDE_NOTHING;
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
	if (!verdict_can_be(q))
		return 0;
	if (in.kind == CONCLUDE_TLS) {
		e->count.asked++;
		if ((rc = verified(e, q, &result, err)) <= 0)
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
