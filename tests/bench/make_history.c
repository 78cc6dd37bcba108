/*
 * make_history DIR SERIES DAYS: a store of so many series, probed every hour for so many days up to
 * now, written through store.h, for the figures that tests/bench prints.
 *
 * Operators have 1 to 100 addresses; each operator's addresses share a certificate, which is
 * renewed at one moment for each operator within the days: so that some of them roll out on the
 * last day. One probe in fifty is lost.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/hash.h"
#include "store/corpus/store.h"

#define HOUR_MS INT64_C(3600000)
#define BATCH 200000
#define LOST_ONE_IN 50

/* A certificate with what differs from one to the next: a serial number, a key, validity in days
 * after 1 January 2026. Nobody signed it; nobody checks it here. */
struct der {
	uint8_t bytes[512];
	size_t len;
};

static void
put(struct der *d, const void *p, size_t len)
{
	memcpy(d->bytes + d->len, p, len);
	d->len += len;
}

static void
wrap(struct der *d, uint8_t tag, const struct der *inside)
{
	uint8_t head[4] = {tag, (uint8_t)inside->len};
	size_t n = 2;

	if (inside->len > 255) {
		head[1] = 0x82;
		head[2] = (uint8_t)(inside->len >> 8);
		head[3] = (uint8_t)inside->len;
		n = 4;
	} else if (inside->len > 127) {
		head[1] = 0x81;
		head[2] = (uint8_t)inside->len;
		n = 3;
	}
	put(d, head, n);
	put(d, inside->bytes, inside->len);
}

static void
put_name(struct der *d, const char *common_name)
{
	static const uint8_t type[] = {0x06, 0x03, 0x55, 0x04, 0x03};
	struct der text = {.len = 0}, attribute = {.len = 0}, one = {.len = 0}, set = {.len = 0};

	put(&text, common_name, strlen(common_name));
	put(&attribute, type, sizeof(type));
	wrap(&attribute, 0x0c, &text);
	wrap(&one, 0x30, &attribute);
	wrap(&set, 0x31, &one);
	wrap(d, 0x30, &set);
}

static void
put_time(struct der *d, int64_t time_ms)
{
	char iso[CLOCK_TEXT_MAX], text[16];
	struct der inside = {.len = 0};

	clock_format_s(time_ms, iso); /* 2026-03-19T06:10:00Z */
	snprintf(text, sizeof(text), "%.2s%.2s%.2s%.2s%.2s%.2sZ", iso + 2, iso + 5, iso + 8,
	    iso + 11, iso + 14, iso + 17);
	put(&inside, text, 13);
	wrap(d, 0x17, &inside);
}

static void
make_certificate(struct der *out, const char *name, uint32_t number, int64_t from_ms)
{
	static const uint8_t version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
	static const uint8_t ecdsa[] = {
	    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	static const uint8_t key[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
	    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	static const uint8_t signature[] = {0x03, 0x02, 0x00, 0x00};
	struct der tbs = {.len = 0}, all = {.len = 0}, part = {.len = 0}, bits = {.len = 0};
	uint8_t serial[5] = {0x11, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
	    (uint8_t)(number >> 8), (uint8_t)number};

	put(&tbs, version, sizeof(version));
	put(&part, serial, sizeof(serial));
	wrap(&tbs, 0x02, &part);
	put(&tbs, ecdsa, sizeof(ecdsa));
	put_name(&tbs, "Bench CA");
	part.len = 0;
	put_time(&part, from_ms);
	put_time(&part, from_ms + 90 * CLOCK_DAY_MS);
	wrap(&tbs, 0x30, &part);
	put_name(&tbs, name);
	part.len = 0;
	put(&part, key, sizeof(key));
	put(&bits, "\0\4", 2);
	for (int i = 0; i < 16; i++)
		put(&bits, serial + 1, 4);
	wrap(&part, 0x03, &bits);
	wrap(&tbs, 0x30, &part);
	wrap(&all, 0x30, &tbs);
	put(&all, ecdsa, sizeof(ecdsa));
	put(&all, signature, sizeof(signature));
	out->len = 0;
	wrap(out, 0x30, &all);
}

struct maker {
	struct store *store;
	struct store_batch *batch;
	unsigned seed;
	uint32_t certificates;
	int64_t begin_ms, end_ms;
	struct err err;
};

static int
flush(struct maker *m, bool more)
{
	if (store_batch_commit(&m->batch, NULL, &m->err) < 0)
		return -1;
	return more ? store_batch_begin(m->store, &m->batch, &m->err) : 0;
}

/* An operator's certificate before and after its renewal. */
struct operator
{
	char domain[32];
	unsigned addresses;
	int64_t renewed_ms;
	struct hash leaf[2];
};

static int
begin_operator(struct maker *m, uint32_t number, struct operator* o)
{
	struct der der;

	snprintf(o->domain, sizeof(o->domain), "op%u.test", number);
	o->addresses = 1 + (unsigned)(rand_r(&m->seed) % 10) * (unsigned)(rand_r(&m->seed) % 12);
	o->renewed_ms =
	    m->begin_ms + (int64_t)(rand_r(&m->seed) % 100000) * (m->end_ms - m->begin_ms) / 100000;
	for (int i = 0; i < 2; i++) {
		make_certificate(&der, o->domain, ++m->certificates,
		    i > 0 ? o->renewed_ms : m->begin_ms - 30 * CLOCK_DAY_MS);
		if (store_batch_certificate(m->batch, der.bytes, der.len, &o->leaf[i], &m->err) < 0)
			return -1;
	}
	return 0;
}

static int
make_series(struct maker *m, const struct operator* o, unsigned at, uint32_t number)
{
	static const char *const ehlo[] = {"SIZE *", "STARTTLS"};
	struct series series = {
	    .kind = SERIES_PROBE, .port = 25, .sni = SNI_NONE, .vantage = "bench"};
	struct evidence shown = {.tls_alert = -1,
	    .smtp_code = 220,
	    .starttls_offered = TRI_TRUE,
	    .greeting = "220 * ESMTP",
	    .ehlo = ehlo,
	    .ehlo_n = 2,
	    .tls_version = "TLSv1.3",
	    .cipher = "TLS_AES_256_GCM_SHA384",
	    .group = "X25519",
	    .server_signature = "ECDSA",
	    .chain_n = 1};
	const struct evidence lost = {.outcome = OUTCOME_CONNECTION_TIMEOUT, .tls_alert = -1};
	char address[32];
	int64_t time_ms = m->begin_ms + rand_r(&m->seed) % HOUR_MS;

	snprintf(series.host, sizeof(series.host), "mx%u.%s", at / 4, o->domain);
	snprintf(address, sizeof(address), "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255,
	    number & 255);
	if (!ip_parse(&series.address, address))
		return -1;
	for (; time_ms < m->end_ms; time_ms += HOUR_MS - 30000 + rand_r(&m->seed) % 60000) {
		struct observation observation = {
		    .time_ms = time_ms, .ms = {-1, 12 + rand_r(&m->seed) % 8, 25, 30, 41}};

		shown.chain = &o->leaf[time_ms >= o->renewed_ms];
		observation.evidence = rand_r(&m->seed) % LOST_ONE_IN == 0 ? lost : shown;
		if (store_batch_observation(m->batch, &series, &observation, NULL, &m->err) < 0)
			return -1;
		if (store_batch_len(m->batch) >= BATCH && flush(m, true) < 0)
			return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct maker m = {.seed = 1};
	struct operator o = {.addresses = 0};
	unsigned series_n = argc == 4 ? (unsigned)atoi(argv[2]) : 0, at = 0;
	int days = argc == 4 ? atoi(argv[3]) : 0, rc = -1;
	uint32_t operators = 0;

	if (series_n == 0 || days <= 0) {
		fprintf(stderr, "usage: make_history DIR SERIES DAYS\n");
		return 2;
	}
	m.end_ms = clock_now_ms();
	m.begin_ms = m.end_ms - days * CLOCK_DAY_MS;
	if (store_open(&m.store, argv[1], STORE_WRITE, &m.err) < 0 ||
	    store_batch_begin(m.store, &m.batch, &m.err) < 0)
		goto out;
	for (unsigned i = 0; i < series_n; i++, at++) {
		if (at == o.addresses) {
			at = 0;
			if (begin_operator(&m, ++operators, &o) < 0)
				goto out;
		}
		if (make_series(&m, &o, at, i) < 0)
			goto out;
	}
	rc = flush(&m, false);
out:
	if (m.err.code != 0)
		fprintf(stderr, "make_history: %s\n", m.err.text);
	store_batch_abort(&m.batch);
	store_close(m.store);
	return rc < 0 ? 2 : 0;
}
