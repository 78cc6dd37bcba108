#include "workload.h"

#include <stdio.h>
#include <string.h>

#include "store/base/clock.h"

#define LARGE_EVERY 8
#define LARGE_OCTETS 20000

/* splitmix64: numbers of chance that are the same on every machine. */
struct chance {
	uint64_t state;
};

static uint64_t
chance_next(struct chance *c)
{
	uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static struct chance
chance_of(uint64_t seed, unsigned writer, unsigned n)
{
	struct chance c = {seed * 1000003 + writer};

	c.state = chance_next(&c) + n;
	return c;
}

struct adder {
	struct store_batch *batch;
	uint64_t seed;
	unsigned writer, n;
	struct chance chance;
	struct err *err;
};

static struct series
series_of(const struct adder *a, const char *kind, unsigned number)
{
	struct series s = {.kind = SERIES_PROBE, .port = 25, .sni = (enum sni)(number % 3)};

	snprintf(s.host, sizeof(s.host), "%s%u.w%u.test", kind, number, a->writer);
	snprintf(s.vantage, sizeof(s.vantage), "v%u", number % 2);
	s.address.family = 4;
	s.address.octets[0] = 192;
	s.address.octets[1] = (uint8_t)a->writer;
	s.address.octets[2] = (uint8_t)(number >> 8);
	s.address.octets[3] = (uint8_t)number;
	if (s.sni == SNI_NEXTHOP)
		snprintf(s.sni_name, sizeof(s.sni_name), "n%u.test", number);
	return s;
}

struct series
workload_ledger(unsigned writer, unsigned i)
{
	const struct adder a = {.writer = writer};

	return series_of(&a, "ledger", i);
}

/* The certificate that batch n brings. It looks a little like one: half of it repeats. */
static void
certificate_of(const struct adder *a, unsigned n, struct buf *der)
{
	struct chance c = chance_of(a->seed ^ 0xce27, a->writer, n);
	size_t len =
	    n % LARGE_EVERY == LARGE_EVERY - 1 ? LARGE_OCTETS : 300 + chance_next(&c) % 1200;

	buf_clear(der);
	buf_append_text(der, "\x30\x82 certificate of the torture, issued to ");
	while (der->len < len)
		buf_printf(
		    der, "CN=%016llx, O=Torture and Sons; ", (unsigned long long)chance_next(&c));
	der->len = len;
}

static struct hash
certificate_name(const struct adder *a, unsigned n)
{
	struct buf der = {0};
	struct hash name;

	certificate_of(a, n, &der);
	name = hash_sha256(der.data, der.len);
	buf_finish(&der);
	return name;
}

static int
add_certificate(struct adder *a)
{
	struct buf der = {0};
	int rc;

	certificate_of(a, a->n, &der);
	rc = store_batch_certificate(a->batch, der.data, der.len, NULL, a->err);
	buf_finish(&der);
	return rc;
}

/* As batch n would bring it: a chain of its certificate and of the one that comes next. */
static int
add_observation(struct adder *a, const struct series *s, int64_t time_ms, unsigned n)
{
	static const char *const ehlo[] = {"PIPELINING", "STARTTLS"};
	struct hash chain[2] = {certificate_name(a, n / 2), certificate_name(a, n / 2 + 1)};
	struct observation o = {.time_ms = time_ms, .ms = {-1, (int32_t)n % 50, 2, 3, 40}};
	char greeting[64];

	snprintf(greeting, sizeof(greeting), "220 %.40s ESMTP", s->host);
	o.evidence = (struct evidence){.outcome = n % 5 == 4 ? OUTCOME_IO_TIMEOUT : OUTCOME_SUCCESS,
	    .tls_alert = -1,
	    .starttls_offered = TRI_TRUE,
	    .greeting = greeting,
	    .ehlo = ehlo,
	    .ehlo_n = 2,
	    .chain = chain,
	    .chain_n = n % 5 == 4 ? 0 : 2};
	return store_batch_observation(a->batch, s, &o, NULL, a->err);
}

static int
add_ledger(struct adder *a, unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < LEDGER_N; i++) {
		struct series s = workload_ledger(a->writer, i);

		rc = add_observation(a, &s, LEDGER_TIME(n), n);
	}
	return rc;
}

static int
add_new_series(struct adder *a)
{
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < 3; i++) {
		struct series s = series_of(a, "new", a->n * 3 + i);

		rc = add_observation(a, &s, LEDGER_TIME(a->n) + (int64_t)i * 1000, a->n);
	}
	return rc;
}

/* To series of this batch and of those before, on a day within the last forty. */
static int
add_late(struct adder *a)
{
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < 8; i++) {
		struct series s =
		    series_of(a, "new", (unsigned)(chance_next(&a->chance) % (a->n * 3 + 3)));
		int64_t back = (int64_t)(chance_next(&a->chance) % (40 * CLOCK_DAY_MS));

		rc = add_observation(
		    a, &s, LEDGER_TIME(a->n) - back, (unsigned)(chance_next(&a->chance) % 64));
	}
	return rc;
}

static int
add_dns(struct adder *a)
{
	const char *records[] = {"10 mx1.test", "20 mx2.test"};
	struct dns_answer answer = {.time_ms = LEDGER_TIME(a->n),
	    .ttl_s = 300 + a->n % 3,
	    .status = (enum dns_status)(a->n % 4),
	    .rcode = "NOERROR",
	    .records = records,
	    .records_n = 1 + a->n % 2};
	struct series s = {.kind = SERIES_DNS, .rrtype = 15};

	strcpy(s.vantage, "v0");
	snprintf(s.host, sizeof(s.host), "d%u.w%u.test", a->n % 4, a->writer);
	return store_batch_dns(a->batch, &s, &answer, a->err);
}

int
workload_add(struct store_batch *batch, uint64_t seed, unsigned writer, unsigned n, struct err *err)
{
	struct adder a = {.batch = batch,
	    .seed = seed,
	    .writer = writer,
	    .n = n,
	    .chance = chance_of(seed, writer, n),
	    .err = err};
	int rc = 0;

	if (n > 0)
		rc = add_ledger(&a, n - 1);
	if (rc >= 0)
		rc = add_ledger(&a, n);
	if (rc >= 0)
		rc = add_certificate(&a);
	if (rc >= 0)
		rc = add_new_series(&a);
	if (rc >= 0)
		rc = add_late(&a);
	if (rc >= 0)
		rc = add_dns(&a);
	return rc < 0 ? rc : 0;
}
