#include "key.h"

#include <string.h>

static void
add(struct key *key, const void *p, size_t len)
{
	memcpy(key->bytes + key->len, p, len);
	key->len += len;
}

static void
add_be(struct key *key, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		key->bytes[key->len++] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void
key_under(struct key *key, const char *name)
{
	size_t end = strlen(name);

	key->len = 0;
	while (end > 0) {
		size_t start = end;

		while (start > 0 && name[start - 1] != '.')
			start--;
		add(key, name + start, end - start);
		add_be(key, 0, 1);
		end = start > 0 ? start - 1 : 0;
	}
}

void
key_host(struct key *key, const char *host)
{
	key_under(key, host);
	add_be(key, 0, 1);
}

/* `tail` octets have to fit behind the name. */
static void
add_sni_name(struct key *key, const char *name, size_t tail)
{
	size_t len = strlen(name), room = KEY_MAX - key->len - tail;

	if (len + 1 <= room) {
		add(key, name, len + 1);
	} else {
		struct hash hash = hash_sha256(name, len);

		add(key, name, room - 1 - HASH_LEN);
		add_be(key, 1, 1);
		add(key, hash.bytes, HASH_LEN);
	}
}

void
key_series(struct key *key, const struct series *s)
{
	size_t vantage_len = strlen(s->vantage) + 1;

	key_host(key, s->host);
	add_be(key, s->kind, 1);
	if (s->kind == SERIES_PROBE) {
		add_be(key, s->address.family, 1);
		add(key, s->address.octets, ip_octets_len(&s->address));
		add_be(key, s->port, 2);
		add_be(key, s->sni, 1);
		add_sni_name(key, s->sni_name, 1 + vantage_len);
		add_be(key, s->offer, 1);
	} else {
		add_be(key, s->rrtype, 2);
	}
	add(key, s->vantage, vantage_len);
}

void
key_number(struct key *key, uint32_t number)
{
	key->len = 0;
	add_be(key, number, 4);
}

void
key_sequence(struct key *key, uint64_t sequence)
{
	key->len = 0;
	add_be(key, sequence, 8);
}

void
key_hash(struct key *key, const struct hash *hash)
{
	key->len = 0;
	add(key, hash->bytes, HASH_LEN);
}

void
key_day(struct key *key, uint32_t series, int64_t day, uint16_t chunk)
{
	key->len = 0;
	add_be(key, series, 4);
	add_be(key, (uint64_t)(day + KEY_DAY_BIAS), 4);
	add_be(key, chunk, 2);
}

void
key_date(struct key *key, int64_t day, uint32_t series)
{
	key->len = 0;
	add_be(key, (uint64_t)(day + KEY_DAY_BIAS), 4);
	add_be(key, series, 4);
}

void
key_address(struct key *key, const struct ip *address)
{
	key->len = 0;
	add_be(key, address->family, 1);
	add(key, address->octets, ip_octets_len(address));
}

void
key_address_series(struct key *key, const struct ip *address, uint16_t port, uint32_t series)
{
	key_address(key, address);
	add_be(key, port, 2);
	add_be(key, series, 4);
}

int
key_compare(const struct key *a, const struct key *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = memcmp(a->bytes, b->bytes, n);

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

bool
key_has_prefix(const void *key, size_t len, const struct key *prefix)
{
	return len >= prefix->len && memcmp(key, prefix->bytes, prefix->len) == 0;
}

bool
key_parse_day(const void *key, size_t len, uint32_t *series, int64_t *day, uint16_t *chunk)
{
	struct reader r = reader_of(key, len);

	*series = reader_u32be(&r);
	*day = (int64_t)reader_u32be(&r) - KEY_DAY_BIAS;
	*chunk = reader_u16be(&r);
	return !r.failed && reader_left(&r) == 0;
}

bool
key_parse_date(const void *key, size_t len, int64_t *day, uint32_t *series)
{
	struct reader r = reader_of(key, len);

	*day = (int64_t)reader_u32be(&r) - KEY_DAY_BIAS;
	*series = reader_u32be(&r);
	return !r.failed && reader_left(&r) == 0;
}

/* Labels, last first, up to an empty one. */
static bool
take_host(struct reader *r, char host[LIMIT_NAME + 1])
{
	size_t at = LIMIT_NAME; /* the name grows towards its front */

	for (;;) {
		size_t len = strnlen((const char *)r->p, reader_left(r));
		const uint8_t *label = reader_take(r, len + 1);

		if (label == NULL)
			return false;
		if (len == 0)
			break;
		if (len + 1 > at)
			return false;
		if (at < LIMIT_NAME)
			host[--at] = '.';
		at -= len;
		memcpy(host + at, label, len);
	}
	memmove(host, host + at, LIMIT_NAME - at);
	memset(host + LIMIT_NAME - at, 0, at + 1);
	return true;
}

static bool
take_text(struct reader *r, char *out, size_t size)
{
	size_t len = strnlen((const char *)r->p, reader_left(r));
	const uint8_t *p = reader_take(r, len + 1);

	if (p == NULL || len >= size)
		return false;
	memcpy(out, p, len + 1);
	return true;
}

bool
key_parse_series(const struct key *key, struct series *s)
{
	struct reader r = reader_of(key->bytes, key->len);
	const uint8_t *octets;
	struct key again;

	memset(s, 0, sizeof(*s));
	if (!take_host(&r, s->host))
		return false;
	s->kind = reader_byte(&r);
	if (s->kind == SERIES_PROBE) {
		s->address.family = reader_byte(&r);
		if ((octets = reader_take(&r, ip_octets_len(&s->address))) == NULL)
			return false;
		memcpy(s->address.octets, octets, ip_octets_len(&s->address));
		s->port = reader_u16be(&r);
		s->sni = reader_byte(&r);
		if (!take_text(&r, s->sni_name, sizeof(s->sni_name)))
			return false;
		s->offer = reader_byte(&r);
	} else {
		s->rrtype = reader_u16be(&r);
	}
	if (!take_text(&r, s->vantage, sizeof(s->vantage)) || reader_left(&r) > 0 || r.failed ||
	    series_valid(s, NULL) != 0)
		return false;
	key_series(&again, s);
	return key_compare(&again, key) == 0;
}
