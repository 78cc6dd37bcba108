/* One probe against one server on loopback: each outcome, from a real exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/limits.h"
#include "collector/probe/probe.h"
#include "server.h"
#include "store/base/clock.h"

#define EHLO_TLS "> 250-mx\r\n250 STARTTLS\r\n"
#define UP_TO_220 "> 220 mx ESMTP 4.96\r\n", "<", EHLO_TLS, "<", "> 220 go\r\n"
#define FAST_MS 300 /* the time-out of probes that are to run into it */

/* What a probe said, kept beyond its callback. */
struct result {
	struct loop *loop;
	int calls;
	struct evidence e;
	int32_t ms[MS_N];
	bool connected;
	struct buf der;
	size_t chain_n;
	char errno_name[64], greeting[256], version[64], cipher[64], group[64], signature[64];
};

static void
copy(char out[64], const char *text)
{
	snprintf(out, 64, "%s", text != NULL ? text : "-");
}

static void
on_done(void *ctx, struct probe *probe, const struct probe_result *p)
{
	struct result *r = ctx;
	const struct evidence *e = &p->observation.evidence;

	(void)probe;
	r->calls++;
	r->e = *e;
	r->connected = p->connected;
	memcpy(r->ms, p->observation.ms, sizeof(r->ms));
	buf_append(&r->der, p->chain->der.data, p->chain->der.len);
	r->chain_n = p->chain->n;
	copy(r->errno_name, e->errno_name);
	snprintf(r->greeting, sizeof(r->greeting), "%s", e->greeting != NULL ? e->greeting : "-");
	copy(r->version, e->tls_version);
	copy(r->cipher, e->cipher);
	copy(r->group, e->group);
	copy(r->signature, e->server_signature);
	loop_stop(r->loop);
}

struct how {
	enum sni sni;
	enum offer offer;
	int64_t timeout_ms; /* 0: enough */
	int64_t stall_ms;   /* not 0: we do nothing for so long, right after the start */
};

/* Called for an event and not by a timer: libuv looks at its timers next, and only then at what has
 * come meanwhile. */
struct stall {
	int fd[2];
	int64_t ms;
	struct loop_watch *watch;
};

static void
stall(void *ctx, unsigned events)
{
	struct stall *s = ctx;

	loop_watch_set(s->watch, 0);
	usleep((useconds_t)s->ms * 1000);
}

static void
stall_init(struct stall *s, struct loop *loop, int64_t ms)
{
	s->ms = ms;
	assert_int_equal(pipe(s->fd), 0);
	s->watch = loop_watch_create(loop, s->fd[0], stall, s, NULL);
	if (ms != 0) {
		assert_int_equal(write(s->fd[1], "x", 1), 1);
		loop_watch_set(s->watch, LOOP_READ);
	}
}

static void
stall_finish(struct stall *s)
{
	loop_watch_destroy(s->watch);
	close(s->fd[0]);
	close(s->fd[1]);
}

static struct result
probe(uint16_t port, struct how how)
{
	struct probe_settings settings = {.ehlo_domain = "probe.test", .timeout_ms = 10000};
	struct series series = {.kind = SERIES_PROBE,
	    .host = "mx.test",
	    .vantage = "t",
	    .port = port,
	    .sni = how.sni,
	    .offer = how.offer};
	struct result r = {0};
	struct stall stalled;

	if (how.timeout_ms != 0)
		settings.timeout_ms = how.timeout_ms;
	assert_int_equal(loop_create(&settings.loop, NULL), 0);
	settings.tls[how.offer] = tls_context_create(how.offer, NULL);
	assert_non_null(settings.tls[how.offer]);
	assert_true(ip_parse(&series.address, "127.0.0.1"));
	r.loop = settings.loop;
	probe_start(&settings, &series, how.sni == SNI_NONE ? NULL : "mx.test", -1, on_done, &r);
	stall_init(&stalled, settings.loop, how.stall_ms);
	loop_run(settings.loop);
	assert_int_equal(r.calls, 1);
	stall_finish(&stalled);
	loop_destroy(settings.loop);
	tls_context_destroy(settings.tls[how.offer]);
	return r;
}

static struct result
play(struct server *s, const char *const *script, struct how how)
{
	struct result r;

	s->script = script;
	server_start(s);
	r = probe(s->port, how);
	server_join(s);
	return r;
}

static void
finish(struct result *r)
{
	buf_finish(&r->der);
}

/* ---- before TLS ---------------------------------------------------------------------------- */

static const struct plain {
	const char *script[10];
	enum outcome outcome;
	int code;
	unsigned flags;
	const char *errno_name; /* those that may come */
	enum tristate offered;
	const char *last_line; /* that the server must have got */
	int64_t timeout_ms;
} plain[] = {
    {{"> 421 busy\r\n", "<"}, OUTCOME_RATE_LIMITED, 421, 0, "-", TRI_NULL, "QUIT\r\n"},
    {{"> 554 no\r\n", "<", "> 221 bye\r\n"}, OUTCOME_PERMANENT_REJECT, 554, 0, "-", TRI_NULL,
	"QUIT\r\n"},
    {{"> 450 later\r\n", "<", "> 221 bye\r\n"}, OUTCOME_TEMPORARY_REJECT, 450, 0, "-", TRI_NULL,
	"QUIT\r\n"},
    {{"> 220 mx\r\n", "<", "> 250 mx\r\n", "<", "> 221 bye\r\n"}, OUTCOME_STARTTLS_NOT_OFFERED, 250,
	0, "-", TRI_FALSE, "QUIT\r\n"},
    {{"> 220 mx\r\n", "<", "> 502 what\r\n", "<", "> 250 mx\r\n", "<", "> 221 bye\r\n"},
	OUTCOME_STARTTLS_NOT_OFFERED, 250, 0, "-", TRI_FALSE, "QUIT\r\n"},
    {{"> 220 mx\r\n", "<", EHLO_TLS, "<", "> 454 no\r\n", "<", "> 221 bye\r\n"},
	OUTCOME_STARTTLS_REJECTED, 454, 0, "-", TRI_TRUE, "QUIT\r\n"},
    {{"> \001\002\003\r\n", "<"}, OUTCOME_PROTOCOL_ERROR, 0, 0, "-", TRI_NULL, "QUIT\r\n"},
    {{"> 220 mx\r\n", "<", EHLO_TLS, "<", "> 220 go\r\n250 x\r\n", "hold"}, OUTCOME_PROTOCOL_ERROR,
	0, FLAG_INJECTION, "-", TRI_TRUE, "STARTTLS\r\n"},
    {{UP_TO_220, "~ 100", "> 250 injected\r\n", "hold"}, OUTCOME_PROTOCOL_ERROR, 0, FLAG_INJECTION,
	"-", TRI_TRUE, "STARTTLS\r\n"},
    {{"~ 0"}, OUTCOME_CONNECTION_CLOSED, 0, 0, "-", TRI_NULL, NULL},
    {{"> 220 mx\r\n", "<", "> 250-mx\r\n"}, OUTCOME_CONNECTION_CLOSED, 0, 0, "-", TRI_NULL,
	"EHLO probe.test\r\n"},
    /* Our ClientHello may still reach it, or be answered by a reset. */
    {{UP_TO_220}, OUTCOME_CONNECTION_CLOSED, 0, 0, "- ECONNRESET", TRI_TRUE, "STARTTLS\r\n"},
    {{UP_TO_220, "hello"}, OUTCOME_CONNECTION_CLOSED, 0, 0, "-", TRI_TRUE, "STARTTLS\r\n"},
    {{"~ 50", "reset"}, OUTCOME_CONNECTION_CLOSED, 0, 0, "ECONNRESET", TRI_NULL, NULL},
    {{"hold"}, OUTCOME_IO_TIMEOUT, 0, 0, "-", TRI_NULL, NULL, FAST_MS},
    {{"> 220 m", "~ 100", "> x", "~ 100", "> x", "~ 100", "> x", "hold"}, OUTCOME_IO_TIMEOUT, 0, 0,
	"-", TRI_NULL, NULL, FAST_MS},
    {{"> 220 mx\r\n", "<", EHLO_TLS, "hold"}, OUTCOME_IO_TIMEOUT, 0, 0, "-", TRI_TRUE,
	"EHLO probe.test\r\n", FAST_MS},
    {{UP_TO_220, "hold"}, OUTCOME_IO_TIMEOUT, 0, 0, "-", TRI_TRUE, "STARTTLS\r\n", FAST_MS},
};

static void
test_outcomes_before_tls(void **state)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		const struct plain *p = &plain[i];
		struct server s = {0};
		struct result r = play(
		    &s, p->script, (struct how){.sni = SNI_HOSTNAME, .timeout_ms = p->timeout_ms});

		if (r.e.outcome != p->outcome)
			fail_msg("script %zu: %s", i, outcome_name(r.e.outcome));
		assert_int_equal(r.e.smtp_code, p->code);
		assert_int_equal(r.e.flags, p->flags);
		assert_int_equal(r.e.tls_alert, -1);
		assert_int_equal(r.e.starttls_offered, p->offered);
		assert_non_null(strstr(p->errno_name, r.errno_name));
		assert_true(r.connected);
		assert_int_equal(r.chain_n, 0);
		assert_true(r.ms[MS_CONNECT] >= 0);
		assert_int_equal(r.ms[MS_HANDSHAKE], -1);
		if (p->last_line != NULL)
			assert_string_equal(s.lines[s.lines_n - 1], p->last_line);
		finish(&r);
	}
}

/* A server that spoke in time is not silent because we were late. */
static void
test_late_reader(void **state)
{
	static const char *const script[] = {"~ 100", "> 554 no\r\n", "<", "> 221 bye\r\n", NULL};
	struct server s = {0};
	struct result r =
	    play(&s, script, (struct how){.timeout_ms = FAST_MS, .stall_ms = 2 * FAST_MS});

	assert_int_equal(r.e.outcome, OUTCOME_PERMANENT_REJECT);
	assert_int_equal(r.e.smtp_code, 554);
	finish(&r);
}

static void
test_connection_refused(void **state)
{
	struct server s = {.script = (const char *const[]){NULL}};
	struct result r;

	server_start(&s);
	r = probe(s.port, (struct how){0});
	server_join(&s); /* nobody listens on that port any more */
	finish(&r);
	r = probe(s.port, (struct how){0});
	assert_int_equal(r.e.outcome, OUTCOME_CONNECTION_REFUSED);
	assert_string_equal(r.errno_name, "ECONNREFUSED");
	assert_false(r.connected);
	assert_int_equal(r.ms[MS_CONNECT], -1);
	finish(&r);
}

/* The reply to QUIT is courtesy: it is waited for, but no longer than that, and not for ever while
 * something comes. */
static void
test_farewell_limits(void **state)
{
	static const char *const silent[] = {"> 554 no\r\n", "<", "hold", NULL};
	static const char *const talks[] = {"> 554 no\r\n", "<", "raw", "hold", NULL};
	struct server s = {0};
	struct result r;
	int64_t began_ms = clock_monotonic_ms(), took_ms;

	r = play(&s, silent, (struct how){.sni = SNI_NONE});
	took_ms = clock_monotonic_ms() - began_ms;
	assert_int_equal(r.e.outcome, OUTCOME_PERMANENT_REJECT);
	assert_true(took_ms >= LIMIT_QUIT_WAIT_MS && took_ms < 3 * LIMIT_QUIT_WAIT_MS);
	finish(&r);

	/* A reply that does not end: at the limit of octets nobody waits for its end. */
	s = (struct server){0};
	for (unsigned i = 0; i <= LIMIT_QUIT_OCTETS; i++)
		buf_append_byte(&s.raw, 'x');
	began_ms = clock_monotonic_ms();
	r = play(&s, talks, (struct how){.sni = SNI_NONE});
	assert_int_equal(r.e.outcome, OUTCOME_PERMANENT_REJECT);
	assert_true(clock_monotonic_ms() - began_ms < LIMIT_QUIT_WAIT_MS);
	finish(&r);
	buf_finish(&s.raw);

	/* One octet less, and it might still come. */
	s = (struct server){0};
	for (unsigned i = 1; i < LIMIT_QUIT_OCTETS; i++)
		buf_append_byte(&s.raw, 'x');
	began_ms = clock_monotonic_ms();
	r = play(&s, talks, (struct how){.sni = SNI_NONE});
	assert_true(clock_monotonic_ms() - began_ms >= LIMIT_QUIT_WAIT_MS);
	finish(&r);
	buf_finish(&s.raw);
}

/* ---- TLS with a server that does it well ----------------------------------------------------- */

#define WHOLE                                                \
	{                                                    \
		UP_TO_220, "tls", "<", "> 221 bye\r\n", NULL \
	}
static const char *const whole[] = WHOLE;

/* The DER of all that the context presents, leaf first. */
static void
expect_chain(const struct result *r, SSL_CTX *ctx)
{
	struct buf expected = {0};
	unsigned char *der = NULL;
	STACK_OF(X509) *more = NULL;
	int len = i2d_X509(SSL_CTX_get0_certificate(ctx), &der);

	buf_append(&expected, der, (size_t)len);
	OPENSSL_free(der);
	SSL_CTX_get0_chain_certs(ctx, &more);
	for (int i = 0; i < sk_X509_num(more); i++) {
		der = NULL;
		len = i2d_X509(sk_X509_value(more, i), &der);
		buf_append(&expected, der, (size_t)len);
		OPENSSL_free(der);
	}
	assert_int_equal(r->chain_n, 1 + (more != NULL ? sk_X509_num(more) : 0));
	assert_int_equal(r->der.len, expected.len);
	assert_memory_equal(r->der.data, expected.data, expected.len);
	buf_finish(&expected);
}

static void
test_success(void **state)
{
	static const char *const types[] = {"EC", NULL};
	struct server s = {.ctx = server_make_context(types)};
	EVP_PKEY *key;
	struct result r;
	X509 *issuer;

	server_make_certificate("RSA", &key, &issuer);
	SSL_CTX_add0_chain_cert(s.ctx, issuer);
	EVP_PKEY_free(key);
	r = play(&s, whole, (struct how){.sni = SNI_HOSTNAME});
	assert_int_equal(r.e.outcome, OUTCOME_SUCCESS);
	assert_int_equal(r.e.smtp_code, 0);
	assert_int_equal(r.e.flags, 0);
	assert_string_equal(r.greeting, "220 mx ESMTP *");
	assert_int_equal(r.e.ehlo_n, 1);
	assert_int_equal(r.e.starttls_offered, TRI_TRUE);
	assert_string_equal(r.version, "TLSv1.3");
	assert_string_equal(r.cipher, "TLS_AES_256_GCM_SHA384");
	assert_string_equal(r.group, "X25519");
	assert_string_equal(r.signature, "ECDSA");
	assert_int_equal(r.e.sni_acknowledged, TRI_TRUE);
	assert_string_equal(s.sni, "mx.test");
	assert_string_equal(s.lines[s.lines_n - 1], "QUIT\r\n");
	expect_chain(&r, s.ctx);
	for (unsigned m = MS_CONNECT; m < MS_N; m++)
		assert_in_range(r.ms[m], 0, 10000);
	finish(&r);
	SSL_CTX_free(s.ctx);
}

static void
test_no_sni(void **state)
{
	static const char *const types[] = {"RSA", NULL};
	struct server s = {.ctx = server_make_context(types)};
	struct result r = play(&s, whole, (struct how){.sni = SNI_NONE});

	assert_int_equal(r.e.outcome, OUTCOME_SUCCESS);
	assert_int_equal(r.e.sni_acknowledged, TRI_NULL);
	assert_string_equal(s.sni, "");
	assert_string_equal(r.signature, "RSA-PSS");
	expect_chain(&r, s.ctx);
	finish(&r);
	SSL_CTX_free(s.ctx);
}

/* Old servers: versions and key exchanges that nobody should use are seen all the same. */
static const struct legacy {
	int version;
	const char *suites, *type, *version_name, *cipher, *group, *signature;
} legacy[] = {
    {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "RSA", "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256",
	"X25519", "RSA-PSS"},
    {TLS1_2_VERSION, "AES128-SHA", "RSA", "TLSv1.2", "AES128-SHA", "-", "-"},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", "EC", "TLSv1.2", "ECDHE-ECDSA-AES128-SHA", "X25519",
	"ECDSA"},
    {TLS1_1_VERSION, "ECDHE-RSA-AES128-SHA", "RSA", "TLSv1.1", "ECDHE-RSA-AES128-SHA", "X25519",
	"RSA"},
    {TLS1_VERSION, "AES256-SHA", "RSA", "TLSv1", "AES256-SHA", "-", "-"},
    {TLS1_3_VERSION, NULL, "ED25519", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519", "Ed25519"},
};

static void
test_legacy(void **state)
{
	for (size_t i = 0; i < sizeof(legacy) / sizeof(legacy[0]); i++) {
		const char *const types[] = {legacy[i].type, NULL};
		struct server s = {.ctx = server_make_context(types)};
		struct result r;

		SSL_CTX_set_max_proto_version(s.ctx, legacy[i].version);
		if (legacy[i].suites != NULL)
			assert_int_equal(SSL_CTX_set_cipher_list(s.ctx, legacy[i].suites), 1);
		SSL_CTX_set_security_level(s.ctx, 0);
		r = play(&s, whole, (struct how){.sni = SNI_HOSTNAME});
		assert_int_equal(r.e.outcome, OUTCOME_SUCCESS);
		assert_string_equal(r.version, legacy[i].version_name);
		assert_string_equal(r.cipher, legacy[i].cipher);
		assert_string_equal(r.group, legacy[i].group);
		assert_string_equal(r.signature, legacy[i].signature);
		assert_int_equal(r.e.sni_acknowledged, TRI_TRUE);
		expect_chain(&r, s.ctx);
		finish(&r);
		SSL_CTX_free(s.ctx);
	}
}

/* A server with two certificates shows the one that the offer asks for. */
static void
test_offers(void **state)
{
	static const char *const both[] = {"EC", "RSA", NULL};
	static const struct {
		enum offer offer;
		int max;
		const char *version, *signature;
	} cases[] = {
	    {OFFER_RSA, TLS1_3_VERSION, "TLSv1.3", "RSA-PSS"},
	    {OFFER_ECDSA, TLS1_3_VERSION, "TLSv1.3", "ECDSA"},
	    {OFFER_RSA, TLS1_2_VERSION, "TLSv1.2", "RSA-PSS"},
	    {OFFER_ECDSA, TLS1_2_VERSION, "TLSv1.2", "ECDSA"},
	    {OFFER_ECDSA, TLS1_VERSION, "TLSv1", "ECDSA"},
	    {OFFER_TLS1_0, TLS1_3_VERSION, "TLSv1", NULL},
	    {OFFER_TLS1_1, TLS1_3_VERSION, "TLSv1.1", NULL},
	    {OFFER_TLS1_2, TLS1_3_VERSION, "TLSv1.2", NULL},
	    {OFFER_TLS1_3, TLS1_3_VERSION, "TLSv1.3", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server s = {.ctx = server_make_context(both)};
		struct result r;

		SSL_CTX_set_max_proto_version(s.ctx, cases[i].max);
		r = play(&s, whole, (struct how){.sni = SNI_HOSTNAME, .offer = cases[i].offer});
		assert_int_equal(r.e.outcome, OUTCOME_SUCCESS);
		assert_string_equal(r.version, cases[i].version);
		if (cases[i].signature != NULL)
			assert_string_equal(r.signature, cases[i].signature);
		finish(&r);
		SSL_CTX_free(s.ctx);
	}
}

/* ---- TLS with a server that does it badly ---------------------------------------------------- */

static void
put_record(struct buf *out, uint8_t type, const void *p, size_t len)
{
	const uint8_t *at = p;

	while (len > 0) {
		size_t n = len < 16384 ? len : 16384;

		buf_append_byte(out, type);
		buf_append_u16be(out, 0x0303);
		buf_append_u16be(out, (uint16_t)n);
		buf_append(out, at, n);
		at += n;
		len -= n;
	}
}

/* A TLS 1.2 ServerHello, and a Certificate whose message has `len` octets in all but the header:
 * one certificate of zeros that is no DER. */
static void
put_server_hello(struct buf *out)
{
	struct buf m = {0};

	buf_append(&m, "\x02\0\0\x26\x03\x03", 6);
	for (int i = 0; i < 32; i++)
		buf_append_byte(&m, (uint8_t)i);
	buf_append(&m, "\0\xc0\x2f\0", 4); /* no session, ECDHE-RSA-AES128-GCM-SHA256 */
	put_record(out, 22, m.data, m.len);
	buf_finish(&m);
}

static void
put_u24(struct buf *b, size_t v)
{
	buf_append_byte(b, (uint8_t)(v >> 16));
	buf_append_u16be(b, (uint16_t)v);
}

static void
put_certificate(struct buf *out, size_t len)
{
	struct buf m = {0};

	buf_append_byte(&m, 11);
	put_u24(&m, len);
	put_u24(&m, len - 3);
	put_u24(&m, len - 6);
	memset(buf_reserve(&m, len - 6), 0, len - 6);
	m.len += len - 6;
	put_record(out, 22, m.data, m.len);
	buf_finish(&m);
}

static const char *const raw[] = {UP_TO_220, "hello", "raw", "hold", NULL};

static struct result
play_certificate(size_t len)
{
	struct server s = {0};

	put_server_hello(&s.raw);
	put_certificate(&s.raw, len);
	return play(&s, raw, (struct how){.sni = SNI_HOSTNAME});
}

static void
test_certificate_that_is_none(void **state)
{
	struct result r = play_certificate(106);

	assert_int_equal(r.e.outcome, OUTCOME_HANDSHAKE_ERROR);
	assert_int_equal(r.e.flags, FLAG_CHAIN_UNPARSED);
	assert_int_equal(r.chain_n, 1);
	assert_int_equal(r.der.len, 100);
	assert_int_equal(r.der.data[99], 0);
	assert_string_equal(r.version, "TLSv1.2");
	assert_string_equal(r.cipher, "ECDHE-RSA-AES128-GCM-SHA256");
	assert_int_equal(r.e.sni_acknowledged, TRI_FALSE);
	finish(&r);
}

static void
test_chain_limit(void **state)
{
	struct result r = play_certificate(LIMIT_TLS_CERTIFICATE_MESSAGE);

	assert_int_equal(r.e.flags, FLAG_CHAIN_UNPARSED);
	assert_int_equal(r.der.len, LIMIT_TLS_CERTIFICATE_MESSAGE - 6);
	finish(&r);
	r = play_certificate(LIMIT_TLS_CERTIFICATE_MESSAGE + 1);
	assert_int_equal(r.e.outcome, OUTCOME_HANDSHAKE_ERROR);
	assert_int_equal(r.e.flags, FLAG_CHAIN_TOO_LONG);
	assert_int_equal(r.chain_n, 0);
	finish(&r);
}

static void
test_alert(void **state)
{
	struct server s = {0};
	struct result r;

	buf_append(&s.raw, "\x15\x03\x03\0\2\2\x70", 7); /* fatal unrecognized_name */
	r = play(&s, raw, (struct how){.sni = SNI_HOSTNAME});
	assert_int_equal(r.e.outcome, OUTCOME_TLS_ALERT);
	assert_int_equal(r.e.tls_alert, 112);
	assert_int_equal(r.chain_n, 0);
	finish(&r);
}

/* A chain is kept though the server breaks off after it. */
static void
test_chain_before_a_failure(void **state)
{
	static const char *const types[] = {"RSA", NULL};
	SSL_CTX *ctx = server_make_context(types);
	struct server s = {0};
	unsigned char *der = NULL;
	int len = i2d_X509(SSL_CTX_get0_certificate(ctx), &der);
	struct buf m = {0};
	struct result r;

	put_server_hello(&s.raw);
	buf_append_byte(&m, 11);
	put_u24(&m, (size_t)len + 6);
	put_u24(&m, (size_t)len + 3);
	put_u24(&m, (size_t)len);
	buf_append(&m, der, (size_t)len);
	put_record(&s.raw, 22, m.data, m.len);
	buf_append(&s.raw, "\x15\x03\x03\0\2\2\x50", 7); /* fatal internal_error */
	r = play(&s, raw, (struct how){.sni = SNI_NONE});
	assert_int_equal(r.e.outcome, OUTCOME_TLS_ALERT);
	assert_int_equal(r.e.tls_alert, 80);
	assert_int_equal(r.e.flags, 0);
	expect_chain(&r, ctx);
	finish(&r);
	OPENSSL_free(der);
	buf_finish(&m);
	SSL_CTX_free(ctx);
}

static void
test_garbage_instead_of_tls(void **state)
{
	struct server s = {0};
	struct result r;

	buf_append(&s.raw, "\x16\xff\xff\xff\xff garbage", 13);
	r = play(&s, raw, (struct how){.sni = SNI_NONE});
	assert_int_equal(r.e.outcome, OUTCOME_HANDSHAKE_ERROR);
	assert_int_equal(r.e.flags, 0);
	finish(&r);
}

/* The abort of a run frees a probe wherever it is. */
static void
test_abort(void **state)
{
	struct probe_settings settings = {.ehlo_domain = "probe.test", .timeout_ms = 10000};
	struct series series = {.kind = SERIES_PROBE, .host = "mx.test", .vantage = "t"};
	struct server s = {.script = (const char *const[]){"hold", NULL}};
	struct result r = {0};

	assert_int_equal(loop_create(&settings.loop, NULL), 0);
	assert_true(ip_parse(&series.address, "127.0.0.1"));
	server_start(&s);
	series.port = s.port;
	probe_abort(probe_start(&settings, &series, NULL, -1, on_done, &r));
	loop_run(settings.loop);
	assert_int_equal(r.calls, 0);
	loop_destroy(settings.loop);
	shutdown(s.listener, SHUT_RDWR);
	server_join(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_outcomes_before_tls),
	    cmocka_unit_test(test_connection_refused),
	    cmocka_unit_test(test_late_reader),
	    cmocka_unit_test(test_farewell_limits),
	    cmocka_unit_test(test_success),
	    cmocka_unit_test(test_no_sni),
	    cmocka_unit_test(test_legacy),
	    cmocka_unit_test(test_offers),
	    cmocka_unit_test(test_certificate_that_is_none),
	    cmocka_unit_test(test_chain_limit),
	    cmocka_unit_test(test_alert),
	    cmocka_unit_test(test_chain_before_a_failure),
	    cmocka_unit_test(test_garbage_instead_of_tls),
	    cmocka_unit_test(test_abort),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
