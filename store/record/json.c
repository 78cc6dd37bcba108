#include "json.h"

#include <string.h>

#include "store/base/base64.h"
#include "store/base/clock.h"
#include "store/base/text.h"
#include "sts_answer.h"

static void
put_text(struct buf *out, const char *text)
{
	if (text == NULL)
		buf_append_text(out, "null");
	else
		text_json(out, text, strlen(text));
}

/* ,"name": */
static void
put_name(struct buf *out, const char *name)
{
	buf_append_text(out, ",\"");
	buf_append_text(out, name);
	buf_append_text(out, "\":");
}

static void
put_member(struct buf *out, const char *name, const char *text)
{
	put_name(out, name);
	put_text(out, text);
}

static void
put_number(struct buf *out, const char *name, int64_t v, bool is_null)
{
	put_name(out, name);
	if (is_null)
		buf_append_text(out, "null");
	else
		buf_printf(out, "%lld", (long long)v);
}

static void
put_tristate(struct buf *out, const char *name, enum tristate v)
{
	put_name(out, name);
	buf_append_text(out, v == TRI_NULL ? "null" : v == TRI_TRUE ? "true" : "false");
}

static void
put_texts(struct buf *out, const char *name, const char *const *texts, size_t n)
{
	put_name(out, name);
	buf_append_byte(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		put_text(out, texts[i]);
	}
	buf_append_byte(out, ']');
}

static void
put_head(struct buf *out, const char *type, int64_t time_ms, const char *vantage)
{
	char time[CLOCK_TEXT_MAX];

	clock_format_ms(time_ms, time);
	buf_printf(out, "{\"type\":\"%s\"", type);
	put_member(out, "time", time);
	put_member(out, "vantage", vantage);
}

static void
put_series(struct buf *out, const struct series *s, const struct evidence *e)
{
	char address[IP_TEXT_MAX];

	ip_format(&s->address, address);
	put_member(out, "domain", observation_domain(s, e));
	put_member(out, "host", s->host);
	put_member(out, "address", address);
	put_number(out, "port", s->port, false);
	put_member(out, "sni", sni_name(s->sni));
	put_member(out, "sni_name", observation_sni_name(s, e));
	put_member(out, "offer", offer_name(s->offer));
}

static void
put_chain(struct buf *out, const struct evidence *e)
{
	put_name(out, "chain");
	buf_append_byte(out, '[');
	for (size_t i = 0; i < e->chain_n; i++) {
		buf_append_text(out, i > 0 ? ",\"" : "\"");
		buf_append_hex(out, e->chain[i].bytes, HASH_LEN);
		buf_append_byte(out, '"');
	}
	buf_append_byte(out, ']');
}

static void
put_reported(struct buf *out, const struct evidence *e)
{
	put_name(out, "reported");
	if (e->reported_by == NULL) {
		buf_append_text(out, "null");
		return;
	}
	buf_append_text(out, "{\"by\":");
	put_text(out, e->reported_by);
	put_member(out, "status", e->reported_status);
	put_member(out, "reason", e->reported_reason);
	buf_append_byte(out, '}');
}

static void
put_flags(struct buf *out, unsigned flags)
{
	const char *names[32];
	size_t n = 0;

	for (unsigned bit = 1; bit <= flags && bit != 0; bit <<= 1)
		if ((flags & bit) != 0)
			names[n++] = flag_name(bit);
	put_texts(out, "flags", names, n);
}

static const char *const measure_names[MS_N] = {
    [MS_DNS] = "dns",
    [MS_CONNECT] = "connect",
    [MS_GREETING] = "greeting",
    [MS_STARTTLS] = "starttls",
    [MS_HANDSHAKE] = "handshake",
};

static void
put_measures(struct buf *out, const int32_t ms[MS_N])
{
	struct buf members = {0};

	for (int i = 0; i < MS_N; i++)
		put_number(&members, measure_names[i], ms[i], ms[i] < 0);
	put_name(out, "ms");
	buf_append_byte(out, '{');
	buf_append(out, members.data + 1, members.len - 1); /* less the first comma */
	buf_append_byte(out, '}');
	buf_finish(&members);
}

void
json_observation(struct buf *line, const struct series *s, const struct observation *observation)
{
	const struct evidence *e = &observation->evidence;

	put_head(line, "observation", observation->time_ms, s->vantage);
	put_series(line, s, e);
	put_tristate(line, "sni_acknowledged", e->sni_acknowledged);
	put_member(line, "outcome", outcome_name(e->outcome));
	put_number(line, "smtp_code", e->smtp_code, e->smtp_code == 0);
	put_number(line, "tls_alert", e->tls_alert, e->tls_alert < 0);
	put_member(line, "errno", e->errno_name);
	put_member(line, "greeting", e->greeting);
	put_texts(line, "ehlo", e->ehlo, e->ehlo_n);
	put_tristate(line, "starttls_offered", e->starttls_offered);
	put_member(line, "tls_version", e->tls_version);
	put_member(line, "cipher", e->cipher);
	put_member(line, "group", e->group);
	put_member(line, "server_signature", e->server_signature);
	put_chain(line, e);
	put_reported(line, e);
	put_flags(line, e->flags);
	put_measures(line, observation->ms);
	buf_append_text(line, "}\n");
}

void
json_certificate(struct buf *line, const struct hash *name, const void *der, size_t len)
{
	buf_append_text(line, "{\"type\":\"certificate\",\"sha256\":\"");
	buf_append_hex(line, name->bytes, HASH_LEN);
	buf_append_text(line, "\",\"der\":\"");
	base64_encode(line, der, len, 0);
	buf_append_text(line, "\"}\n");
}

static void
put_sts(struct buf *line, const struct series *s, int64_t time_ms, const struct sts_answer *sts)
{
	put_head(line, "sts", time_ms, s->vantage);
	put_member(line, "domain", s->host);
	put_member(line, "result", sts_result_name(sts->result));
	put_member(line, "error", sts->error);
	put_texts(line, "policy", sts->policy, sts->policy_n);
	buf_append_text(line, "}\n");
}

void
json_dns(struct buf *line, const struct series *s, const struct dns_answer *a)
{
	struct sts_answer sts;
	char rrtype[16];

	if (s->rrtype == RRTYPE_STS && sts_answer_read(&sts, a, NULL) == 0) {
		put_sts(line, s, a->time_ms, &sts);
		sts_answer_finish(&sts);
		return;
	}
	put_head(line, "dns", a->time_ms, s->vantage);
	put_member(line, "name", s->host);
	put_member(line, "rrtype", rrtype_name(s->rrtype, rrtype));
	put_member(line, "status", dns_status_name(a->status));
	put_member(line, "rcode", a->rcode);
	put_number(line, "ttl", a->ttl_s, false);
	put_texts(line, "records", a->records, a->records_n);
	buf_append_text(line, "}\n");
}
