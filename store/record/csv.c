#include "csv.h"

#include <string.h>

#include "store/base/clock.h"
#include "store/base/text.h"

static const char *const columns[] = {"time", "vantage", "domain", "host", "address", "port", "sni",
    "sni_name", "offer", "sni_acknowledged", "outcome", "smtp_code", "tls_alert", "errno",
    "greeting", "ehlo", "starttls_offered", "tls_version", "cipher", "group", "server_signature",
    "chain_id", "chain_length", "chain", "reported_by", "reported_status", "reported_reason",
    "flags", "ms_dns", "ms_connect", "ms_greeting", "ms_starttls", "ms_handshake"};

void
csv_heading(struct buf *out)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		buf_append_text(out, columns[i]);
	}
	buf_append_byte(out, '\n');
}

/* Each cell but a row's first follows a comma. */
static void
put_text(struct buf *out, const char *text)
{
	buf_append_byte(out, ',');
	if (text != NULL)
		text_csv(out, text, strlen(text));
}

static void
put_number(struct buf *out, int64_t v, bool is_null)
{
	buf_append_byte(out, ',');
	if (!is_null)
		buf_printf(out, "%lld", (long long)v);
}

static void
put_tristate(struct buf *out, enum tristate v)
{
	put_text(out, v == TRI_NULL ? NULL : v == TRI_TRUE ? "true" : "false");
}

static void
put_list(struct buf *out, const char *const *texts, size_t n)
{
	struct buf cell = {0};

	for (size_t i = 0; i < n; i++)
		buf_printf(&cell, "%s%s", i > 0 ? "; " : "", texts[i]);
	put_text(out, buf_text(&cell));
	buf_finish(&cell);
}

static void
put_flags(struct buf *out, unsigned flags)
{
	const char *names[32];
	size_t n = 0;

	for (unsigned bit = 1; bit <= flags && bit != 0; bit <<= 1)
		if ((flags & bit) != 0)
			names[n++] = flag_name(bit);
	put_list(out, names, n);
}

static void
put_where(struct buf *out, const struct series *s, const struct observation *o)
{
	char time[CLOCK_TEXT_MAX], address[IP_TEXT_MAX];

	clock_format_ms(o->time_ms, time);
	ip_format(&s->address, address);
	text_csv(out, time, strlen(time));
	put_text(out, s->vantage);
	put_text(out, observation_domain(s, &o->evidence));
	put_text(out, s->host);
	put_text(out, address);
	put_number(out, s->port, false);
	put_text(out, sni_name(s->sni));
	put_text(out, observation_sni_name(s, &o->evidence));
	put_text(out, offer_name(s->offer));
}

static void
put_chain(struct buf *out, const struct evidence *e)
{
	struct hash id;

	buf_append_byte(out, ',');
	if (e->chain_n > 0) {
		id = hash_chain(e->chain, e->chain_n);
		buf_append_hex(out, id.bytes, HASH_LEN);
	}
	put_number(out, (int64_t)e->chain_n, false);
	buf_append_byte(out, ',');
	for (size_t i = 0; i < e->chain_n; i++) {
		if (i > 0)
			buf_append_byte(out, ' ');
		buf_append_hex(out, e->chain[i].bytes, HASH_LEN);
	}
}

void
csv_observation(struct buf *out, const struct series *s, const struct observation *o)
{
	const struct evidence *e = &o->evidence;

	put_where(out, s, o);
	put_tristate(out, e->sni_acknowledged);
	put_text(out, outcome_name(e->outcome));
	put_number(out, e->smtp_code, e->smtp_code == 0);
	put_number(out, e->tls_alert, e->tls_alert < 0);
	put_text(out, e->errno_name);
	put_text(out, e->greeting);
	put_list(out, e->ehlo, e->ehlo_n);
	put_tristate(out, e->starttls_offered);
	put_text(out, e->tls_version);
	put_text(out, e->cipher);
	put_text(out, e->group);
	put_text(out, e->server_signature);
	put_chain(out, e);
	put_text(out, e->reported_by);
	put_text(out, e->reported_status);
	put_text(out, e->reported_reason);
	put_flags(out, e->flags);
	for (int i = 0; i < MS_N; i++)
		put_number(out, o->ms[i], o->ms[i] < 0);
	buf_append_byte(out, '\n');
}
