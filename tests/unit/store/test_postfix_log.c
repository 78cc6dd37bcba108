/*
 * What the lines of Postfix's logs say: each form of each version, what syslog puts before it, and
 * what several lines together say of one connection. Where the collection of lines with labels is
 * beside the checkout, all of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "store/exchange/postfix_join.h"

#define PEER "mx.example.org[192.0.2.1]:25"

static const char *const kinds[] = {
    [POSTFIX_OTHER] = "other",
    [POSTFIX_SUMMARY] = "tls-summary",
    [POSTFIX_VERIFY_FAILED] = "cert-verify-failed",
    [POSTFIX_PEERNAME_FAILED] = "cert-peername-failed",
    [POSTFIX_HANDSHAKE_ERROR] = "handshake-error",
    [POSTFIX_LIBRARY_PROBLEM] = "tls-library-problem",
    [POSTFIX_SETUP] = "setup",
    [POSTFIX_VERIFY_DEPTH] = "verify-depth",
    [POSTFIX_MATCHED_NAME] = "matched-name",
    [POSTFIX_COMMON_NAME] = "common-name",
    [POSTFIX_MATCHED_DANE] = "matched-dane",
    [POSTFIX_MATCHED_OTHER] = "matched-other",
    [POSTFIX_PEER_CERTIFICATE] = "peer-cert",
    [POSTFIX_SNI_SENT] = "sni-sent",
    [POSTFIX_REUSED_SESSION] = "reused-session",
    [POSTFIX_NOT_DELIVERED] = "cert-not-trusted",
    [POSTFIX_DELIVERY] = "delivery",
};

static const char *const fields[POSTFIX_FIELD_N] = {
    [POSTFIX_STATUS] = "tls_status",
    [POSTFIX_USAGE] = "established_or_reused",
    [POSTFIX_DIRECTION] = "direction",
    [POSTFIX_HOST] = "peer_host",
    [POSTFIX_ADDRESS] = "peer_ip",
    [POSTFIX_PORT] = "peer_port",
    [POSTFIX_SNI] = "sni",
    [POSTFIX_PROTOCOL] = "protocol",
    [POSTFIX_CIPHER] = "cipher",
    [POSTFIX_USED_BITS] = "used_bits",
    [POSTFIX_ALGORITHM_BITS] = "alg_bits",
    [POSTFIX_KEY_EXCHANGE] = "key_exchange",
    [POSTFIX_KEY_EXCHANGE_PARAMETER] = "key_exchange_param",
    [POSTFIX_SERVER_SIGNATURE] = "server_signature",
    [POSTFIX_SERVER_SIGNATURE_PARAMETER] = "server_signature_param",
    [POSTFIX_SERVER_DIGEST] = "server_digest",
    [POSTFIX_CLIENT_SIGNATURE] = "client_signature",
    [POSTFIX_CLIENT_SIGNATURE_PARAMETER] = "client_signature_param",
    [POSTFIX_CLIENT_DIGEST] = "client_digest",
    [POSTFIX_PURPOSE] = "purpose",
    [POSTFIX_DEPTH] = "depth",
    [POSTFIX_VERIFY] = "verify",
    [POSTFIX_NAME] = "subject_or_name",
    [POSTFIX_ISSUER] = "issuer",
    [POSTFIX_FINGERPRINT] = "fingerprint",
    [POSTFIX_KEY_FINGERPRINT] = "pkey_fingerprint",
    [POSTFIX_QUEUE_ID] = "queue_id",
    [POSTFIX_RELAY] = "relay",
    [POSTFIX_TLS_FEATURE] = "tls_feature",
    [POSTFIX_DSN] = "dsn",
    [POSTFIX_REASON] = "reason",
};

static void
append(struct buf *out, const char *name, struct syslog_text t)
{
	if (t.len > 0)
		buf_printf(out, "%s%s=%.*s", out->len > 0 ? "|" : "", name, (int)t.len, t.p);
}

/* "tls-summary|tls_status=Untrusted|…" */
static void
tell(struct buf *out, const char *message, size_t len)
{
	struct postfix_event e;
	struct syslog_text t = {message, len};

	postfix_parse(&e, t);
	if (e.kind != POSTFIX_OTHER)
		assert_true(postfix_is_likely(t));
	buf_clear(out);
	buf_append_text(out, kinds[e.kind]);
	for (int i = 0; i < POSTFIX_FIELD_N; i++)
		append(out, fields[i], e.at[i]);
	if (e.cut)
		buf_append_text(out, "|cut");
}

#define WHO "peer_host=mx.example.org|peer_ip=192.0.2.1|peer_port=25"
#define TLS13 "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
#define DID13 "protocol=TLSv1.3|cipher=TLS_AES_256_GCM_SHA384|used_bits=256|alg_bits=256"
#define MADE "established_or_reused=established|direction=to|"

static const struct {
	const char *message, *says;
} messages[] = {
    {"Untrusted TLS connection established to " PEER ": " TLS13
     " key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256",
	"tls-summary|tls_status=Untrusted|" MADE WHO "|" DID13
	"|key_exchange=X25519|server_signature=RSA-PSS|server_signature_param=2048 bits|"
	"server_digest=SHA256"},
    {"Verified TLS connection reused to " PEER ": " TLS13
     " key-exchange ECDHE (prime256v1) server-signature ECDSA (prime256v1) server-digest SHA384 "
     "client-signature ECDSA (P-256) client-digest SHA256",
	"tls-summary|tls_status=Verified|established_or_reused=reused|direction=to|" WHO "|" DID13
	"|key_exchange=ECDHE|key_exchange_param=prime256v1|server_signature=ECDSA|"
	"server_signature_param=prime256v1|server_digest=SHA384|client_signature=ECDSA|"
	"client_signature_param=P-256|client_digest=SHA256"},
    {"Trusted TLS connection established to mx[2001:db8::1]:25: " TLS13
     " key-exchange DHE (2048 bits) server-signature ED25519",
	"tls-summary|tls_status=Trusted|" MADE
	"peer_host=mx|peer_ip=2001:db8::1|peer_port=25|" DID13
	"|key_exchange=DHE|key_exchange_param=2048 bits|server_signature=ED25519"},
    {"Verified TLS connection established to " PEER ": " TLS13
     " key-exchange X25519MLKEM768 server-signature ECDSA (prime256v1 raw public key) "
     "server-digest SHA256",
	"tls-summary|tls_status=Verified|" MADE WHO "|" DID13
	"|key_exchange=X25519MLKEM768|server_signature=ECDSA|"
	"server_signature_param=prime256v1 raw public key|server_digest=SHA256"},
    {"Verified TLS connection established to " PEER ": " TLS13
     " server-signature Ed448 (raw public key)",
	"tls-summary|tls_status=Verified|" MADE WHO "|" DID13
	"|server_signature=Ed448|server_signature_param=raw public key"},
    {"Anonymous TLS connection established to 2001:db8::2[2001:db8::2]:25: TLSv1.2 with cipher "
     "ADH-AES256-GCM-SHA384 (256/256 bits)",
	"tls-summary|tls_status=Anonymous|" MADE
	"peer_host=2001:db8::2|peer_ip=2001:db8::2|peer_port=25|protocol=TLSv1.2|"
	"cipher=ADH-AES256-GCM-SHA384|used_bits=256|alg_bits=256"},
    {"TLS connection established to mx.example.org: TLSv1 with cipher AES256-SHA (256/256 bits)",
	"tls-summary|" MADE
	"peer_host=mx.example.org|protocol=TLSv1|cipher=AES256-SHA|used_bits=256|alg_bits=256"},
    {"Trusted TLS connection established to mx.example.org[private/lmtp]: TLSv1 with cipher "
     "AES256-SHA (256/256 bits)",
	"tls-summary|tls_status=Trusted|" MADE
	"peer_host=mx.example.org|peer_ip=private/lmtp|protocol=TLSv1|cipher=AES256-SHA|"
	"used_bits=256|alg_bits=256"},
    {"Untrusted TLS connection established from c.example[192.0.2.9] to mx.example.org: " TLS13,
	"tls-summary|tls_status=Untrusted|established_or_reused=established|direction=from|"
	"peer_host=c.example|peer_ip=192.0.2.9|sni=mx.example.org|" DID13},
    {"Trusted TLS connection established to mx.example.org",
	"tls-summary|tls_status=Trusted|" MADE "peer_host=mx.example.org|cut"},
    {"certificate verification failed for " PEER ": untrusted issuer /C=US/O=Example/CN=Root: X",
	"cert-verify-failed|" WHO "|reason=untrusted issuer /C=US/O=Example/CN=Root: X"},
    {"certificate verification failed for " PEER ": external policy failure (NAME)",
	"cert-verify-failed|" WHO "|reason=external policy failure (NAME)"},
    {"server certificate verification failed for " PEER ": num=62:hostname mismatch",
	"cert-verify-failed|" WHO "|purpose=server|reason=num=62:hostname mismatch"},
    {"CA certificate verification failed for " PEER ": certificate has expired",
	"cert-verify-failed|" WHO "|purpose=CA|reason=certificate has expired"},
    {PEER ": re-using session with untrusted certificate, look for details earlier in the log",
	"cert-verify-failed|" WHO
	"|reason=re-using session with untrusted certificate, look for details earlier in the log"},
    {PEER ": re-using session with untrusted peer credential, look for details earlier in the log",
	"cert-verify-failed|" WHO
	"|reason=re-using session with untrusted peer credential, look for details earlier in the "
	"log"},
    {"certificate peer name verification failed for mx.example.org: CommonName mis-match: a.b",
	"cert-peername-failed|peer_host=mx.example.org|reason=CommonName mis-match: a.b"},
    {"setting up TLS connection to " PEER, "setup|" WHO},
    {PEER ": depth=2 verify=1 subject=/C=DE/O=A\\xC3\\xBC depth=9/CN=Root",
	"verify-depth|" WHO
	"|depth=2|verify=1|subject_or_name=/C=DE/O=A\\xC3\\xBC depth=9/CN=Root"},
    {PEER ": certificate verification depth=1 verify=0 subject=/CN=Root",
	"verify-depth|" WHO "|depth=1|verify=0|subject_or_name=/CN=Root"},
    {PEER ": depth=0 verify=0", "verify-depth|" WHO "|depth=0|verify=0"},
    {PEER ": verify=1 raw public key", "verify-depth|" WHO "|verify=1"},
    {PEER ": Matched subjectAltName: *.example.org",
	"matched-name|" WHO "|subject_or_name=*.example.org"},
    {PEER ": subjectAltName: a.example.org", "matched-name|" WHO "|subject_or_name=a.example.org"},
    {PEER ": matched peername: mx.example.org",
	"matched-name|" WHO "|subject_or_name=mx.example.org"},
    {PEER " CommonName mx.example.org", "common-name|" WHO "|subject_or_name=mx.example.org"},
    {PEER " Matched CommonName mx.example.org",
	"common-name|" WHO "|subject_or_name=mx.example.org"},
    {PEER ": Matched DANE EE certificate at depth 0: 3 0 1 ABCD...EF01",
	"matched-dane|" WHO
	"|subject_or_name=Matched DANE EE certificate at depth 0: 3 0 1 ABCD...EF01"},
    {PEER ": Matched DANE raw public key: 3 1 1 ABCD",
	"matched-dane|" WHO "|subject_or_name=Matched DANE raw public key: 3 1 1 ABCD"},
    {PEER ": Matched trust anchor at depth 2",
	"matched-other|" WHO "|subject_or_name=Matched trust anchor at depth 2"},
    {PEER ": depth=0 matched end entity certificate sha256 digest AB:CD",
	"matched-other|" WHO
	"|subject_or_name=depth=0 matched end entity certificate sha256 digest AB:CD"},
    {PEER ": subject_CN=a, issuer_CN=b, issuer_CN=c, fingerprint=AA:BB, pkey_fingerprint=CC:DD",
	"peer-cert|" WHO
	"|subject_or_name=a|issuer=b, issuer_CN=c|fingerprint=AA:BB|pkey_fingerprint=CC:DD"},
    {PEER ": subject_CN=mx.example.org, issuer=R3, cert fingerprint=AA:BB, pkey fingerprint=CC:DD",
	"peer-cert|" WHO
	"|subject_or_name=mx.example.org|issuer=R3|fingerprint=AA:BB|pkey_fingerprint=CC:DD"},
    {PEER ": subject_CN=mx.example.org, issuer=R3",
	"peer-cert|" WHO "|subject_or_name=mx.example.org|issuer=R3"},
    {PEER ": subject_CN=, issuer_CN= fingerprint=AA, pkey_fingerprint=CC",
	"peer-cert|" WHO "|issuer= fingerprint=AA|pkey_fingerprint=CC"},
    {PEER ": raw public key fingerprint=CC:DD", "peer-cert|" WHO "|pkey_fingerprint=CC:DD"},
    {PEER ": SNI hostname: mx.example.org", "sni-sent|" WHO "|sni=mx.example.org"},
    {PEER ": Reusing old session", "reused-session|" WHO},
    {PEER ": TLS cipher list \"aNULL:-aNULL\"", "other"},
    {"SSL_connect error to " PEER ": -1", "handshake-error|direction=connect|" WHO "|reason=-1"},
    {"SSL_connect error to " PEER ": Connection reset by peer",
	"handshake-error|direction=connect|" WHO "|reason=Connection reset by peer"},
    {"SSL_accept error from c.example[192.0.2.9]: 0",
	"handshake-error|direction=accept|peer_host=c.example|peer_ip=192.0.2.9|reason=0"},
    {"warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:a.c:3:",
	"tls-library-problem|reason=error:0A00010B:SSL routines::wrong version number:a.c:3:"},
    {"7EE668039: Server certificate not verified",
	"cert-not-trusted|queue_id=7EE668039|reason=Server certificate not verified"},
    {"4ZxABCzzZZ1: to=<u@example.com>, orig_to=<v@a>, relay=" PEER
     ", conn_use=2, delay=3.6, delays=0.08/0.02/0.85/0.14, tls=dane/!requiretls:nocertmatch, "
     "dsn=4.7.5, status=deferred (Server certificate not verified)",
	"delivery|tls_status=deferred|" WHO "|queue_id=4ZxABCzzZZ1|relay=" PEER
	"|tls_feature=dane/!requiretls:nocertmatch|dsn=4.7.5|reason=Server certificate not "
	"verified"},
    {"7EE668039: to=<u@example.com>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, "
     "status=deferred (connect to " PEER ": Connection refused)",
	"delivery|tls_status=deferred|peer_host=none|queue_id=7EE668039|relay=none|dsn=4.4.1|"
	"reason=connect to " PEER ": Connection refused"},
    {"Untrusted TLS connection", "other|cut"},
    {"server certificate verification", "other|cut"},
    {"connect to " PEER ": Connection timed out", "other"},
    {"disconnect from unknown[192.0.2.9] ehlo=2", "other"},
    {"", "other"},
    {"[", "other"},
    {"a[", "other"},
    {"a[]:", "other"},
};

static void
test_messages(void **state)
{
	struct buf said = {0};

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		tell(&said, messages[i].message, strlen(messages[i].message));
		assert_string_equal(buf_text(&said), messages[i].says);
	}
	buf_finish(&said);
}

/* "2026-03-19T20:17:12.003+60|mail|postfix/smtp[4711]|client|message" */
static void
tell_prefix(struct buf *out, const char *line)
{
	static const char *const programs[] = {"unnamed", "client", "proxy", "other"};
	struct syslog_line l;

	syslog_parse(&l, line, strlen(line));
	buf_clear(out);
	if (l.has_time)
		buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03d", l.year, l.month, l.day,
		    l.hour, l.minute, l.second, l.millis);
	if (l.has_zone)
		buf_printf(out, "%+d", (int)(l.zone_ms / 60000));
	buf_printf(out, "|%.*s|%.*s[%.*s]|%s|%.*s%s", (int)l.machine.len,
	    l.machine.p != NULL ? l.machine.p : "", (int)l.name.len,
	    l.name.p != NULL ? l.name.p : "", (int)l.process.len,
	    l.process.p != NULL ? l.process.p : "", programs[l.program], (int)l.message.len,
	    l.message.p, l.indented ? "|indented" : "");
}

static void
test_prefixes(void **state)
{
	static const struct {
		const char *line, *says;
	} lines[] = {
	    {"Mar 19 20:17:12 mail postfix/smtp[4711]: x: y",
		"0000-03-19T20:17:12.000|mail|postfix/smtp[4711]|client|x: y"},
	    {"Aug  4 19:19:02 mail postfix-inbound/submission/smtpd[7]: x",
		"0000-08-04T19:19:02.000|mail|postfix-inbound/submission/smtpd[7]|other|x"},
	    {"Mar 19 2026 20:17:12.5 a.b postfix/lmtp[XXXXX]: x",
		"2026-03-19T20:17:12.500|a.b|postfix/lmtp[XXXXX]|client|x"},
	    {"May 31 12:08:46\tpostfix/smtp[27167]\tx",
		"0000-05-31T12:08:46.000||postfix/smtp[27167]|client|x"},
	    {"2026-03-19T20:17:12.003+01:00 mail postfix/tlsproxy[1]: x",
		"2026-03-19T20:17:12.003+60|mail|postfix/tlsproxy[1]|proxy|x"},
	    {"2026-03-19T20:17:12-0730 INFO    postfix/smtp[1]: x",
		"2026-03-19T20:17:12.000-450||postfix/smtp[1]|client|x"},
	    {"2026-03-19 20:17:12,25 mail postfix/smtp[1]: x",
		"2026-03-19T20:17:12.250|mail|postfix/smtp[1]|client|x"},
	    {"<22>Mar 19 20:17:12 mail postfix/smtp[1]: x",
		"0000-03-19T20:17:12.000|mail|postfix/smtp[1]|client|x"},
	    {"<22>1 2026-03-19T20:17:12Z mail postfix/smtp 4711 - [a b=\"]\"] x",
		"2026-03-19T20:17:12.000+0|mail|postfix/smtp[4711]|client|x"},
	    {"mail_1  | Mar 19 20:17:12 mail postfix/smtp[1]: x",
		"0000-03-19T20:17:12.000|mail|postfix/smtp[1]|client|x"},
	    {"> Mar 19 20:17:12 mail postfix/smtp[1]: [ID 197553 mail.info] x",
		"0000-03-19T20:17:12.000|mail|postfix/smtp[1]|client|x"},
	    {"postfix/smtp[process-id]: x", "||postfix/smtp[process-id]|client|x"},
	    {"posttls-finger: x", "||posttls-finger[]|client|x"},
	    {"warning: x", "||[]|unnamed|warning: x"},
	    {"\tserver-digest SHA256", "||[]|unnamed|server-digest SHA256|indented"},
	    {"Mar 32 20:17:12 mail postfix/smtp[1]: x",
		"||[]|unnamed|Mar 32 20:17:12 mail postfix/smtp[1]: x"},
	    {"2026-13-01T00:00:00Z a b: x", "||[]|unnamed|2026-13-01T00:00:00Z a b: x"},
	    {"<22>1 - - - - - -", "||-[]|other|"},
	    {"", "||[]|unnamed|"},
	    {"<", "||[]|unnamed|<"},
	};
	struct buf said = {0};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		tell_prefix(&said, lines[i].line);
		assert_string_equal(buf_text(&said), lines[i].says);
	}
	buf_finish(&said);
}

/* ---- several lines -------------------------------------------------------------------------- */

static int
note(void *ctx, const struct join_finding *f, struct err *err)
{
	struct buf *out = ctx;

	buf_printf(
	    out, "%llu %s [%s]:%u", (unsigned long long)f->line, f->host, f->address, f->port);
	if (f->sends_sni)
		buf_printf(out, " sni=%s", f->sni);
	if (f->did.outcome != OUTCOME_SUCCESS)
		buf_printf(out, " %s", outcome_name(f->did.outcome));
	if (f->did.smtp_code != 0)
		buf_printf(out, " %d", f->did.smtp_code);
	if (f->did.tls_alert >= 0)
		buf_printf(out, " alert %d", f->did.tls_alert);
	if (f->did.errno_name != NULL)
		buf_printf(out, " %s", f->did.errno_name);
	if (f->status[0] != '\0')
		buf_printf(out, " %s", f->status);
	if (f->group[0] != '\0')
		buf_printf(out, " %s", f->group);
	if (f->signature[0] != '\0')
		buf_printf(out, " %s", f->signature);
	if (f->reason[0] != '\0')
		buf_printf(out, " (%s)", f->reason);
	buf_append_byte(out, '\n');
	return 0;
}

/* Lines a second apart. */
static void
join(struct buf *out, const char *const *lines, size_t n)
{
	struct join *j = join_create(note, out);
	struct err err = {0};

	buf_clear(out);
	for (size_t i = 0; i < n; i++) {
		struct syslog_line l;
		struct postfix_event e;
		struct join_line line = {i + 1, (int64_t)i * 1000, "here", &l};

		syslog_parse(&l, lines[i], strlen(lines[i]));
		postfix_parse(&e, l.message);
		assert_int_equal(join_take(j, &line, &e, &err), 0);
	}
	assert_int_equal(join_finish(j, &err), 0);
	assert_false(join_waits(j));
	join_destroy(j);
}

#define L "Mar 19 20:17:12 mail postfix/smtp[1]: "
#define M "Mar 19 20:17:12 mail postfix/smtp[2]: "
#define X "Mar 19 20:17:12 mail postfix/smtp[XXXXX]: "
#define P "Mar 19 20:17:12 mail postfix/tlsproxy[9]: "
#define OTHER "mx2.example.org[192.0.2.2]:25"
#define FAILED "certificate verification failed for " PEER ": self-signed certificate"
#define UP " TLS connection established to " PEER ": " TLS13
#define SENT(relay, tls)                                                      \
	"4ABCDEF: to=<a@b.c>, relay=" relay ", delay=1, delays=1/0/0/0, " tls \
	"dsn=2.0.0, status=sent (250 ok)"

static void
test_joins(void **state)
{
	static const struct {
		const char *lines[6], *says;
	} cases[] = {
	    {{L FAILED,
		 L "Untrusted" UP " key-exchange X25519 server-signature RSA-PSS (2048 bits)",
		 L "4ABCDEF: Server certificate not verified"},
		"2 mx.example.org [192.0.2.1]:25 Untrusted X25519 RSA-PSS (self-signed "
		"certificate)\n"},
	    /* of two processes at once, and masked */
	    {{L FAILED, M "Verified" UP, L "Untrusted" UP},
		"2 mx.example.org [192.0.2.1]:25 Verified\n"
		"3 mx.example.org [192.0.2.1]:25 Untrusted (self-signed certificate)\n"},
	    {{X FAILED, X "Verified TLS connection established to " OTHER ": " TLS13,
		 X "Untrusted" UP},
		"2 mx2.example.org [192.0.2.2]:25 Verified\n"
		"3 mx.example.org [192.0.2.1]:25 Untrusted (self-signed certificate)\n"},
	    /* log level 0 */
	    {{L FAILED, L "4ABCDEF: Server certificate not verified"},
		"1 mx.example.org [192.0.2.1]:25 Untrusted (self-signed certificate)\n"},
	    /* by tlsproxy for smtp */
	    {{P FAILED, L "Untrusted" UP},
		"2 mx.example.org [192.0.2.1]:25 Untrusted (self-signed certificate)\n"},
	    /* what the delivery says */
	    {{L "Trusted" UP,
		 L "4ABCDEF: to=<a@b.c>, relay=" PEER
		   ", delay=1, dsn=4.7.5, status=deferred (Server certificate not verified)"},
		"1 mx.example.org [192.0.2.1]:25 Trusted (Server certificate not verified)\n"},
	    {{L "Verified" UP, L SENT(PEER, "tls=dane, ")},
		"1 mx.example.org [192.0.2.1]:25 sni= Verified\n"},
	    {{L "Verified" UP, L SENT(PEER, "tls=!dane-only:halfdane/requiretls?, ")},
		"1 mx.example.org [192.0.2.1]:25 sni= Verified\n"},
	    {{L "Untrusted" UP, L SENT(PEER, "tls=dane:encrypt, ")},
		"1 mx.example.org [192.0.2.1]:25 Untrusted\n"},
	    {{L "Verified" UP, M SENT(PEER, "tls=dane, ")},
		"1 mx.example.org [192.0.2.1]:25 Verified\n"},
	    {{L "TLS connection established to mx.example.org: TLSv1 with cipher A (1/1 bits)",
		 L SENT("mx.example.org[192.0.2.1]", "")},
		"1 mx.example.org [192.0.2.1]:0\n"},
	    /* what log level 2 says of SNI */
	    {{L "setting up TLS connection to " PEER, L PEER ": SNI hostname: example.org",
		 L "Verified" UP},
		"3 mx.example.org [192.0.2.1]:25 sni=example.org Verified\n"},
	    {{L PEER ": Matched DANE EE certificate at depth 0: 3 1 1 AB", L "Verified" UP},
		"2 mx.example.org [192.0.2.1]:25 sni= Verified\n"},
	    {{L "setting up TLS connection to " PEER}, ""},
	    /* reused: told of once */
	    {{L "Verified" UP, M "Verified TLS connection reused to " PEER ": " TLS13},
		"1 mx.example.org [192.0.2.1]:25 Verified\n"},
	    {{L "Verified TLS connection reused to " PEER ": " TLS13},
		"1 mx.example.org [192.0.2.1]:25 Verified\n"},
	    /* groups */
	    {{L "Verified" UP " key-exchange ECDHE (P-256) server-signature ED25519"},
		"1 mx.example.org [192.0.2.1]:25 Verified P-256 ED25519\n"},
	    {{L "Verified" UP " key-exchange DHE (3072 bits) server-signature ECDSA (P-384)"},
		"1 mx.example.org [192.0.2.1]:25 Verified ffdhe3072 ECDSA\n"},
	    /* handshakes that failed */
	    {{L "SSL_connect error to " PEER ": -1", L
		 "warning: TLS library problem: error:0A000410:SSL routines::sslv3 alert handshake "
		 "failure:../ssl/record/rec_layer_s3.c:1584:SSL alert number 40:"},
		"1 mx.example.org [192.0.2.1]:25 tls-alert alert 40\n"},
	    {{L "SSL_connect error to " PEER ": -1",
		 L "warning: TLS library problem: error:0A00010B:"},
		"1 mx.example.org [192.0.2.1]:25 handshake-error\n"},
	    {{L "SSL_connect error to " PEER ": lost connection"},
		"1 mx.example.org [192.0.2.1]:25 connection-closed\n"},
	    {{L "SSL_connect error to " PEER ": Connection timed out"},
		"1 mx.example.org [192.0.2.1]:25 io-timeout ETIMEDOUT\n"},
	    /* no TLS */
	    {{L "4ABCDEF: to=<a@b.c>, relay=" PEER ", delay=1, dsn=4.7.4, status=deferred (TLS is "
		"required, but was not offered by host " PEER ")"},
		"1 mx.example.org [192.0.2.1]:25 starttls-not-offered\n"},
	    {{L "4ABCDEF: TLS is required, but was not offered by host " PEER},
		"1 mx.example.org [192.0.2.1]:25 starttls-not-offered\n"},
	    {{L "4ABCDEF: TLS is required, but host " PEER " refused to start TLS: 454 4.7.0 no"},
		"1 mx.example.org [192.0.2.1]:25 starttls-rejected 454\n"},
	    {{L "4ABCDEF: Sender requested REQUIRETLS, but REQUIRETLS support was not offered by "
		"host " PEER},
		""},
	    /* the server's side */
	    {{"Mar 19 20:17:12 mail postfix/smtpd[1]: Untrusted TLS connection established from "
	      "c.example[192.0.2.9]: " TLS13,
		 "Untrusted TLS connection established from c.example[192.0.2.9]: " TLS13,
		 "certificate verification failed for c.example[192.0.2.9]: self-signed "
		 "certificate"},
		""},
	};
	struct buf said = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = 0;

		while (n < 6 && cases[i].lines[n] != NULL)
			n++;
		join(&said, cases[i].lines, n);
		assert_string_equal(buf_text(&said), cases[i].says);
	}
	buf_finish(&said);
}

static int
count(void *ctx, const struct join_finding *f, struct err *err)
{
	++*(size_t *)ctx;
	return 0;
}

/* However many wait, those that waited longest are told. */
static void
test_join_is_bounded(void **state)
{
	size_t n = 0, all = 3 * JOIN_OPEN;
	struct join *j = join_create(count, &n);
	struct err err = {0};
	char text[256];

	for (size_t i = 0; i < all; i++) {
		struct syslog_line l;
		struct postfix_event e;
		struct join_line line = {i + 1, (int64_t)i, "here", &l};

		snprintf(text, sizeof(text),
		    "Mar 19 20:17:12 mail postfix/smtp[%zu]: Verified TLS connection established "
		    "to "
		    "mx%zu.example.org[192.0.2.1]:25: " TLS13,
		    i, i);
		syslog_parse(&l, text, strlen(text));
		postfix_parse(&e, l.message);
		assert_int_equal(join_take(j, &line, &e, &err), 0);
		assert_true(n + JOIN_OPEN >= i + 1);
	}
	assert_int_equal(n, all - JOIN_OPEN);
	assert_int_equal(join_finish(j, &err), 0);
	assert_int_equal(n, all);
	join_destroy(j);
	join_destroy(NULL);
}

/* ---- the collection ------------------------------------------------------------------------- */

static char *
read_all(const char *folder, const char *name)
{
	char path[1024], *text;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if ((f = fopen(path, "r")) == NULL)
		return NULL;
	text = calloc(1, 1 << 20);
	n = fread(text, 1, (1 << 20) - 1, f);
	assert_true(n > 0 && n < (1 << 20) - 1);
	fclose(f);
	return text;
}

static char *
next(char **at, char end)
{
	char *p = *at, *stop = p != NULL ? strchr(p, end) : NULL;

	if (p == NULL)
		return NULL;
	if (stop != NULL)
		*stop = '\0';
	*at = stop != NULL ? stop + 1 : NULL;
	return p;
}

static void
expect(struct buf *wrong, const char *number, const char *column, struct syslog_text t,
    const char *label)
{
	if (t.len != strlen(label) || (t.len > 0 && memcmp(t.p, label, t.len) != 0))
		buf_printf(wrong, "line %s: %s is \"%.*s\", not \"%s\"\n", number, column,
		    (int)t.len, t.p != NULL ? t.p : "", label);
}

/* Each column of each line. */
static void
test_labels(void **state)
{
	const char *folder = getenv("MX509_POSTFIX_LOGS");
	char *labels = folder != NULL ? read_all(folder, "labels.tsv") : NULL;
	char *samples = folder != NULL ? read_all(folder, "samples.log") : NULL;
	char *label_at = labels, *sample_at = samples, *row, *columns[40];
	struct buf wrong = {0};
	size_t n = 0, rows = 0;

	if (labels == NULL || samples == NULL)
		skip();
	for (row = next(&label_at, '\n'); (columns[n] = next(&row, '\t')) != NULL; n++)
		assert_true(n < 39);
	while ((row = next(&label_at, '\n')) != NULL && *row != '\0') {
		char *line = next(&sample_at, '\n'), *number = next(&row, '\t');
		struct syslog_line l;
		struct postfix_event e;

		rows++;
		syslog_parse(&l, line, strlen(line));
		postfix_parse(&e, l.message);
		for (size_t i = 1; i < n; i++) {
			const char *label = next(&row, '\t');

			if (label == NULL)
				label = "";
			if (strcmp(columns[i], "event") == 0)
				expect(&wrong, number, columns[i],
				    (struct syslog_text){kinds[e.kind], strlen(kinds[e.kind])},
				    label);
			if (strcmp(columns[i], "log_host") == 0)
				expect(&wrong, number, columns[i], l.machine, label);
			if (strcmp(columns[i], "program") == 0)
				expect(&wrong, number, columns[i], l.name, label);
			if (strcmp(columns[i], "pid") == 0)
				expect(&wrong, number, columns[i], l.process, label);
			if (strcmp(columns[i], "timestamp") == 0 &&
			    l.has_time != (label[0] != '\0'))
				buf_printf(&wrong, "line %s: timestamp\n", number);
			for (int k = 0; k < POSTFIX_FIELD_N; k++)
				if (strcmp(columns[i], fields[k]) == 0 &&
				    !(e.kind == POSTFIX_DELIVERY && /* the relay's parts */
					(k == POSTFIX_HOST || k == POSTFIX_ADDRESS ||
					    k == POSTFIX_PORT)))
					expect(&wrong, number, columns[i], e.at[k], label);
		}
	}
	assert_string_equal(buf_text(&wrong), "");
	assert_true(rows > 100);
	buf_finish(&wrong);
	free(labels);
	free(samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_joins),
	    cmocka_unit_test(test_join_is_bounded),
	    cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
