#include "series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "key.h"
#include "store/base/names.h"

static const char *const sni_names[SNI_N] = {
    [SNI_NONE] = "none",
    [SNI_HOSTNAME] = "hostname",
    [SNI_NEXTHOP] = "nexthop",
    [SNI_UNKNOWN] = "unknown",
    [SNI_LITERAL] = "literal",
};

static const char *const offer_names[OFFER_N] = {
    [OFFER_DEFAULT] = "default",
    [OFFER_RSA] = "rsa",
    [OFFER_ECDSA] = "ecdsa",
    [OFFER_TLS1_0] = "tls1.0",
    [OFFER_TLS1_1] = "tls1.1",
    [OFFER_TLS1_2] = "tls1.2",
    [OFFER_TLS1_3] = "tls1.3",
};

static const struct {
	uint16_t number;
	const char *name;
} rrtypes[] = {{1, "A"}, {5, "CNAME"}, {15, "MX"}, {16, "TXT"}, {28, "AAAA"}, {52, "TLSA"}};

const char *
sni_name(enum sni v)
{
	return names_get(sni_names, SNI_N, v);
}

bool
sni_parse(const char *text, enum sni *v)
{
	unsigned i;

	if (!names_find(sni_names, SNI_N, text, &i))
		return false;
	*v = i;
	return true;
}

const char *
offer_name(enum offer v)
{
	return names_get(offer_names, OFFER_N, v);
}

bool
offer_parse(const char *text, enum offer *v)
{
	unsigned i;

	if (!names_find(offer_names, OFFER_N, text, &i))
		return false;
	*v = i;
	return true;
}

const char *
rrtype_name(uint16_t rrtype, char *buf)
{
	for (size_t i = 0; i < sizeof(rrtypes) / sizeof(rrtypes[0]); i++)
		if (rrtypes[i].number == rrtype)
			return rrtypes[i].name;
	snprintf(buf, 16, "TYPE%u", rrtype);
	return buf;
}

bool
rrtype_parse(const char *text, uint16_t *rrtype)
{
	unsigned long v;
	char *end;

	for (size_t i = 0; i < sizeof(rrtypes) / sizeof(rrtypes[0]); i++) {
		if (strcmp(rrtypes[i].name, text) == 0) {
			*rrtype = rrtypes[i].number;
			return true;
		}
	}
	if (strncmp(text, "TYPE", 4) != 0 || text[4] < '1' || text[4] > '9')
		return false;
	v = strtoul(text + 4, &end, 10);
	if (*end != '\0' || v > UINT16_MAX)
		return false;
	*rrtype = (uint16_t)v;
	return true;
}

bool
vantage_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= LIMIT_VANTAGE && name[n] == '\0';
}

static int
probe_valid(const struct series *s, struct err *err)
{
	bool named = s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL;

	if (s->address.family != 4 && s->address.family != 6)
		return err_set(err, ERR_INPUT, "address: neither IPv4 nor IPv6");
	if (s->port == 0)
		return err_set(err, ERR_INPUT, "port: 0 is none");
	if ((unsigned)s->sni >= SNI_N)
		return err_set(err, ERR_INPUT, "sni: unknown variant %d", (int)s->sni);
	if ((unsigned)s->offer >= OFFER_N)
		return err_set(err, ERR_INPUT, "offer: unknown offer %d", (int)s->offer);
	if (!named && s->sni_name[0] != '\0')
		return err_set(
		    err, ERR_INPUT, "sni_name: belongs to no series of sni %s", sni_name(s->sni));
	if (named && !host_valid(s->sni_name))
		return err_set(err, ERR_INPUT, "sni_name: not a lower-case A-label host name");
	return 0;
}

int
series_valid(const struct series *s, struct err *err)
{
	if (!host_valid(s->host))
		return err_set(err, ERR_INPUT, "host: not a lower-case A-label host name");
	if (!vantage_valid(s->vantage))
		return err_set(err, ERR_INPUT, "vantage: not 1 to 32 of a-z 0-9 -");
	switch (s->kind) {
	case SERIES_PROBE:
		return probe_valid(s, err);
	case SERIES_DNS:
		if (s->rrtype == 0)
			return err_set(err, ERR_INPUT, "rrtype: 0 is none");
		return 0;
	}
	return err_set(err, ERR_INPUT, "kind: unknown kind of series %d", (int)s->kind);
}

int
series_compare(const struct series *a, const struct series *b)
{
	struct key x, y;

	key_series(&x, a);
	key_series(&y, b);
	return key_compare(&x, &y);
}

void
series_describe(struct buf *out, const struct series *s)
{
	char text[IP_TEXT_MAX];

	if (s->kind == SERIES_DNS) {
		buf_printf(out, "%s %s", s->host,
		    s->rrtype == RRTYPE_STS ? "MTA-STS" : rrtype_name(s->rrtype, text));
		return;
	}
	ip_format(&s->address, text);
	buf_printf(out, "%s [%s]", s->host, text);
	if (s->port != 25)
		buf_printf(out, ":%u", s->port);
	buf_printf(out, " sni=%s", sni_name(s->sni));
	if (s->sni_name[0] != '\0')
		buf_printf(out, ":%s", s->sni_name);
	if (s->offer != OFFER_DEFAULT)
		buf_printf(out, " offer=%s", offer_name(s->offer));
}

/*
 * kind u8; host, NUL; vantage, NUL; then of a probe: family u8, 4 or 16 octets, port u16be, sni u8,
 * sni_name, NUL, offer u8; of DNS: rrtype u16be.
 */
void
series_encode(struct buf *out, const struct series *s)
{
	buf_append_byte(out, (uint8_t)s->kind);
	buf_append(out, s->host, strlen(s->host) + 1);
	buf_append(out, s->vantage, strlen(s->vantage) + 1);
	if (s->kind == SERIES_DNS) {
		buf_append_u16be(out, s->rrtype);
		return;
	}
	buf_append_byte(out, s->address.family);
	buf_append(out, s->address.octets, ip_octets_len(&s->address));
	buf_append_u16be(out, s->port);
	buf_append_byte(out, (uint8_t)s->sni);
	buf_append(out, s->sni_name, strlen(s->sni_name) + 1);
	buf_append_byte(out, (uint8_t)s->offer);
}

static void
take_text(struct reader *r, char *out, size_t size)
{
	size_t len = strnlen((const char *)r->p, reader_left(r));
	const uint8_t *p = reader_take(r, len + 1);

	if (p == NULL || len >= size)
		r->failed = true;
	else
		memcpy(out, p, len + 1);
}

int
series_decode(struct series *s, const void *p, size_t len, struct err *err)
{
	struct reader r = reader_of(p, len);
	const uint8_t *octets;

	memset(s, 0, sizeof(*s));
	s->kind = reader_byte(&r);
	take_text(&r, s->host, sizeof(s->host));
	take_text(&r, s->vantage, sizeof(s->vantage));
	if (s->kind == SERIES_DNS) {
		s->rrtype = reader_u16be(&r);
	} else {
		s->address.family = reader_byte(&r);
		octets = reader_take(&r, ip_octets_len(&s->address));
		if (octets != NULL)
			memcpy(s->address.octets, octets, ip_octets_len(&s->address));
		s->port = reader_u16be(&r);
		s->sni = reader_byte(&r);
		take_text(&r, s->sni_name, sizeof(s->sni_name));
		s->offer = reader_byte(&r);
	}
	if (r.failed || reader_left(&r) > 0 || series_valid(s, NULL) != 0)
		return err_set(err, ERR_DAMAGED, "a record of a series cannot be read");
	return 0;
}
