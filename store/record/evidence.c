#include "evidence.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "members.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/names.h"
#include "store/base/text.h"

static const char *const outcome_names[OUTCOME_N] = {
    [OUTCOME_SUCCESS] = "success",
    [OUTCOME_CONNECTION_REFUSED] = "connection-refused",
    [OUTCOME_CONNECTION_TIMEOUT] = "connection-timeout",
    [OUTCOME_CONNECTION_CLOSED] = "connection-closed",
    [OUTCOME_IO_TIMEOUT] = "io-timeout",
    [OUTCOME_PROTOCOL_ERROR] = "protocol-error",
    [OUTCOME_HANDSHAKE_ERROR] = "handshake-error",
    [OUTCOME_TLS_ALERT] = "tls-alert",
    [OUTCOME_STARTTLS_NOT_OFFERED] = "starttls-not-offered",
    [OUTCOME_STARTTLS_REJECTED] = "starttls-rejected",
    [OUTCOME_RATE_LIMITED] = "rate-limited",
    [OUTCOME_TEMPORARY_REJECT] = "temporary-reject",
    [OUTCOME_PERMANENT_REJECT] = "permanent-reject",
    [OUTCOME_UNREACHABLE] = "unreachable",
};

static const char *const flag_names[] = {
    "injection",
    "chain-too-long",
    "chain-unparsed",
    "clock-stepped",
};
#define FLAG_COUNT (sizeof(flag_names) / sizeof(flag_names[0]))

/* On disk: only append, and keep the order of the encoder. */
enum tag {
	TAG_OUTCOME = 1,
	TAG_FLAGS,
	TAG_SMTP_CODE,
	TAG_TLS_ALERT,
	TAG_SNI_ACKNOWLEDGED,
	TAG_STARTTLS_OFFERED,
	TAG_ERRNO_NAME,
	TAG_GREETING,
	TAG_EHLO,
	TAG_TLS_VERSION,
	TAG_CIPHER,
	TAG_GROUP,
	TAG_SERVER_SIGNATURE,
	TAG_REPORTED_BY,
	TAG_REPORTED_STATUS,
	TAG_REPORTED_REASON,
	TAG_SNI_SENT,
	TAG_DOMAIN,
	TAG_CHAIN,
};

/* The members that are one text each. */
static const struct {
	uint8_t tag;
	size_t offset, limit;
	const char *name;
} texts[] = {
    {TAG_ERRNO_NAME, offsetof(struct evidence, errno_name), LIMIT_WORD, "errno"},
    {TAG_GREETING, offsetof(struct evidence, greeting), LIMIT_GREETING, "greeting"},
    {TAG_TLS_VERSION, offsetof(struct evidence, tls_version), LIMIT_WORD, "tls_version"},
    {TAG_CIPHER, offsetof(struct evidence, cipher), LIMIT_WORD, "cipher"},
    {TAG_GROUP, offsetof(struct evidence, group), LIMIT_WORD, "group"},
    {TAG_SERVER_SIGNATURE, offsetof(struct evidence, server_signature), LIMIT_WORD,
	"server_signature"},
    {TAG_REPORTED_BY, offsetof(struct evidence, reported_by), LIMIT_WORD, "reported.by"},
    {TAG_REPORTED_STATUS, offsetof(struct evidence, reported_status), LIMIT_WORD,
	"reported.status"},
    {TAG_REPORTED_REASON, offsetof(struct evidence, reported_reason), LIMIT_REASON,
	"reported.reason"},
    {TAG_SNI_SENT, offsetof(struct evidence, sni_sent), LIMIT_NAME, "sni_name"},
    {TAG_DOMAIN, offsetof(struct evidence, domain), LIMIT_NAME, "domain"},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

static const char **
text_slot(const struct evidence *e, size_t i)
{
	return (const char **)((char *)(uintptr_t)e + texts[i].offset);
}

const char *
outcome_name(enum outcome v)
{
	return names_get(outcome_names, OUTCOME_N, v);
}

bool
outcome_parse(const char *text, enum outcome *v)
{
	unsigned i;

	if (!names_find(outcome_names, OUTCOME_N, text, &i))
		return false;
	*v = i;
	return true;
}

const char *
flag_name(unsigned one_flag)
{
	for (unsigned i = 0; i < FLAG_COUNT; i++)
		if (one_flag == 1u << i)
			return flag_names[i];
	return "?";
}

bool
flag_parse(const char *text, unsigned *one_flag)
{
	unsigned i;

	if (!names_find(flag_names, FLAG_COUNT, text, &i))
		return false;
	*one_flag = 1u << i;
	return true;
}

/* Postfix names the group and no signature of a TLS 1.3 session that was resumed: the server showed
 * no certificate, the word is that of the connection before (tls_get_signature_params()). */
static bool
is_resumed(const struct evidence *e)
{
	return e->reported_by != NULL && strcmp(e->reported_by, "postfix") == 0 &&
	       e->group != NULL && e->server_signature == NULL && e->tls_version != NULL &&
	       strcmp(e->tls_version, "TLSv1.3") == 0;
}

bool
evidence_is_observed(const struct evidence *e)
{
	if (e->chain_n > 0)
		return true;
	if (e->reported_status != NULL)
		return !is_resumed(e);
	switch (e->outcome) {
	case OUTCOME_STARTTLS_NOT_OFFERED:
	case OUTCOME_TLS_ALERT:
		return true;
	case OUTCOME_STARTTLS_REJECTED:
		return e->smtp_code >= 500 && e->smtp_code <= 599;
	default:
		return false;
	}
}

static int
text_ok(const char *name, const char *text, size_t limit, struct err *err)
{
	size_t len = strnlen(text, limit + 1);
	uint32_t rune;

	if (len > limit)
		return err_set(err, ERR_LIMIT, "%s: longer than %zu octets", name, limit);
	for (size_t at = 0, n; at < len; at += n)
		if ((n = text_utf8((const uint8_t *)text + at, len - at, &rune)) == 0)
			return err_set(err, ERR_INPUT, "%s: not UTF-8", name);
	return 0;
}

static int
texts_ok(const struct evidence *e, struct err *err)
{
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		const char *text = *text_slot(e, i);

		if (text != NULL && text_ok(texts[i].name, text, texts[i].limit, err) != 0)
			return ERR_INPUT;
	}
	if (e->ehlo_n > LIMIT_EHLO_LINES)
		return err_set(err, ERR_LIMIT, "ehlo: more than %d lines", LIMIT_EHLO_LINES);
	for (size_t i = 0; i < e->ehlo_n; i++)
		if (text_ok("ehlo", e->ehlo[i], LIMIT_EHLO_LINE, err) != 0)
			return ERR_INPUT;
	return 0;
}

int
evidence_valid(const struct evidence *e, struct err *err)
{
	if ((unsigned)e->outcome >= OUTCOME_N)
		return err_set(err, ERR_INPUT, "outcome: unknown outcome %d", (int)e->outcome);
	if ((e->flags & ~(unsigned)FLAG_ALL) != 0)
		return err_set(err, ERR_INPUT, "flags: unknown flag %#x", e->flags);
	if (e->smtp_code != 0 && (e->smtp_code < 100 || e->smtp_code > 999))
		return err_set(err, ERR_INPUT, "smtp_code: %d is no reply code", e->smtp_code);
	if (e->tls_alert < -1 || e->tls_alert > 255)
		return err_set(err, ERR_INPUT, "tls_alert: %d is none", e->tls_alert);
	if ((unsigned)e->sni_acknowledged > TRI_TRUE || (unsigned)e->starttls_offered > TRI_TRUE)
		return err_set(err, ERR_INPUT, "sni_acknowledged, starttls_offered: no such value");
	if (texts_ok(e, err) != 0)
		return ERR_INPUT;
	if ((e->reported_by == NULL) != (e->reported_status == NULL) ||
	    (e->reported_by == NULL && e->reported_reason != NULL))
		return err_set(err, ERR_INPUT, "reported: \"by\" and \"status\" belong together");
	if (e->sni_sent != NULL && !host_valid(e->sni_sent))
		return err_set(err, ERR_INPUT, "sni_name: not a lower-case A-label host name");
	if (e->domain != NULL && e->domain[0] != '\0' && !host_valid(e->domain))
		return err_set(err, ERR_INPUT, "domain: not a lower-case A-label host name");
	if (e->chain_n > LIMIT_CHAIN)
		return err_set(err, ERR_LIMIT, "chain: more than %d certificates", LIMIT_CHAIN);
	return 0;
}

/* What a decoded record owns: one block for its bytes and its list, one for the chain. */
struct owned {
	struct hash *chain;
	const char **ehlo;
	uint8_t bytes[];
};

static struct owned *
owned_of(const void *p, size_t len)
{
	struct owned *owned = mem_alloc(sizeof(*owned) + len);

	*owned = (struct owned){0};
	if (len > 0)
		memcpy(owned->bytes, p, len);
	return owned;
}

void
evidence_finish(struct evidence *e)
{
	if (e == NULL)
		return;
	if (e->owned != NULL) {
		struct owned *owned = e->owned;

		free(owned->chain);
		free(owned->ehlo);
		free(owned);
	}
	*e = (struct evidence){.tls_alert = -1};
}

void
evidence_set_chain(struct evidence *e, const void *names, size_t n)
{
	struct owned *owned = e->owned;

	if (owned == NULL)
		e->owned = owned = owned_of(NULL, 0);
	free(owned->chain);
	owned->chain = mem_dup(names, n * HASH_LEN);
	e->chain = owned->chain;
	e->chain_n = n;
}

/* All but the chain. */
static void
encode_members(struct buf *out, const struct evidence *e)
{
	size_t i = 0;

	buf_append_byte(out, MEMBERS_EVIDENCE);
	members_put_number(out, TAG_OUTCOME, e->outcome);
	if (e->flags != 0)
		members_put_number(out, TAG_FLAGS, e->flags);
	if (e->smtp_code != 0)
		members_put_number(out, TAG_SMTP_CODE, (uint64_t)e->smtp_code);
	if (e->tls_alert >= 0)
		members_put_number(out, TAG_TLS_ALERT, (uint64_t)e->tls_alert);
	if (e->sni_acknowledged != TRI_NULL)
		members_put_number(out, TAG_SNI_ACKNOWLEDGED, e->sni_acknowledged);
	if (e->starttls_offered != TRI_NULL)
		members_put_number(out, TAG_STARTTLS_OFFERED, e->starttls_offered);
	for (; i < TEXT_COUNT && texts[i].tag < TAG_EHLO; i++)
		members_put_text(out, texts[i].tag, *text_slot(e, i));
	members_put_list(out, TAG_EHLO, e->ehlo, e->ehlo_n);
	for (; i < TEXT_COUNT; i++)
		members_put_text(out, texts[i].tag, *text_slot(e, i));
}

void
evidence_encode(struct buf *out, const struct evidence *e)
{
	encode_members(out, e);
	if (e->chain_n > 0) {
		struct hash id = hash_chain(e->chain, e->chain_n);

		members_put(out, TAG_CHAIN, id.bytes, HASH_LEN);
	}
}

void
evidence_encode_shown(struct buf *out, const struct evidence *e)
{
	encode_members(out, e);
	if (e->chain_n > 0)
		members_put(out, TAG_CHAIN, e->chain, e->chain_n * HASH_LEN);
}

static bool
decode_text(struct evidence *e, struct member *m)
{
	for (size_t i = 0; i < TEXT_COUNT; i++)
		if (texts[i].tag == m->tag)
			return (*text_slot(e, i) = members_text(m)) != NULL;
	return false;
}

static bool
decode_list(struct evidence *e, struct member *m)
{
	struct owned *owned = e->owned;

	e->ehlo_n = members_list_len(m);
	owned->ehlo = mem_zero(e->ehlo_n, sizeof(*owned->ehlo));
	e->ehlo = owned->ehlo;
	return members_list(m, owned->ehlo, e->ehlo_n);
}

static bool
decode_member(struct evidence *e, struct member *m, bool *has_chain, struct hash *chain_id)
{
	uint64_t v = 0;

	if (m->tag == TAG_CHAIN) {
		const uint8_t *p = reader_take(&m->value, HASH_LEN);

		if (p == NULL || reader_left(&m->value) > 0)
			return false;
		memcpy(chain_id->bytes, p, HASH_LEN);
		*has_chain = true;
		return true;
	}
	if (m->tag == TAG_EHLO)
		return decode_list(e, m);
	if (m->tag > TAG_STARTTLS_OFFERED)
		return decode_text(e, m);
	if (!members_number(m, &v) || v > UINT16_MAX)
		return false;
	switch (m->tag) {
	case TAG_OUTCOME:
		e->outcome = v;
		break;
	case TAG_FLAGS:
		e->flags = (unsigned)v;
		break;
	case TAG_SMTP_CODE:
		e->smtp_code = (int)v;
		break;
	case TAG_TLS_ALERT:
		e->tls_alert = (int)v;
		break;
	case TAG_SNI_ACKNOWLEDGED:
		e->sni_acknowledged = v;
		break;
	case TAG_STARTTLS_OFFERED:
		e->starttls_offered = v;
		break;
	}
	return true;
}

int
evidence_decode(struct evidence *e, bool *has_chain, struct hash *chain_id, const void *p,
    size_t len, struct err *err)
{
	struct owned *owned = owned_of(p, len);
	struct reader r = reader_of(owned->bytes, len);
	struct member m;
	uint8_t last = 0;
	int more = -1;

	*e = (struct evidence){.tls_alert = -1, .owned = owned};
	*has_chain = false;
	if (reader_byte(&r) == MEMBERS_EVIDENCE)
		while ((more = members_next(&r, &last, &m)) > 0)
			if (!decode_member(e, &m, has_chain, chain_id))
				break;
	if (more != 0 || evidence_valid(e, NULL) != 0) {
		evidence_finish(e);
		return err_set(err, ERR_DAMAGED, "a record of evidence cannot be read");
	}
	return 0;
}
