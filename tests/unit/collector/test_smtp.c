/* The dialogue as a function of octets: every split of every transcript gives the same verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/probe/smtp.h"

#define EHLO_TLS "250-mx.example.test greets you\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
#define TURNS 5

/* What the server says in its turns; each turn but the last is answered by a command. */
struct transcript {
	const char *name;
	const char *turns[TURNS];
	const char *commands[TURNS]; /* what we must have said after each */
	enum smtp_verdict verdict;   /* of the last turn */
	enum outcome outcome;	     /* where that is SMTP_END */
	int code;
	unsigned flags;
};

#define EHLO "EHLO probe.test\r\n"
#define HELO "HELO probe.test\r\n"
#define STARTTLS "STARTTLS\r\n"

static const struct transcript transcripts[] = {
    {"plain", {"220 mx ESMTP\r\n", EHLO_TLS, "220 go\r\n"}, {EHLO, STARTTLS}, SMTP_HANDSHAKE},
    {"greeting of many lines", {"220-a\r\n220-b 1\r\n220-\r\n220 c\r\n", EHLO_TLS, "220 go\r\n"},
	{EHLO, STARTTLS}, SMTP_HANDSHAKE},
    {"code alone", {"220\r\n", EHLO_TLS, "220\r\n"}, {EHLO, STARTTLS}, SMTP_HANDSHAKE},
    {"LF alone", {"220 mx\n", "250-mx\n250 STARTTLS\n", "220 go\n"}, {EHLO, STARTTLS},
	SMTP_HANDSHAKE},
    {"lower case, parameters",
	{"220 mx\r\n", "250-mx\r\n250-starttls x=y\r\n250 HELP\r\n", "220 go\r\n"},
	{EHLO, STARTTLS}, SMTP_HANDSHAKE},
    {"keyword is a whole word", {"220 mx\r\n", "250-mx\r\n250-STARTTLSX\r\n250 X-STARTTLS\r\n"},
	{EHLO}, SMTP_END, OUTCOME_STARTTLS_NOT_OFFERED, 250},
    {"first line is no keyword", {"220 mx\r\n", "250 STARTTLS\r\n"}, {EHLO}, SMTP_END,
	OUTCOME_STARTTLS_NOT_OFFERED, 250},
    {"HELO only", {"220 mx\r\n", "502 what\r\n", "250 mx\r\n"}, {EHLO, HELO}, SMTP_END,
	OUTCOME_STARTTLS_NOT_OFFERED, 250},
    {"neither", {"220 mx\r\n", "500 what\r\n", "550-no\r\n550 no\r\n"}, {EHLO, HELO}, SMTP_END,
	OUTCOME_PERMANENT_REJECT, 550},
    {"421 greeting", {"421 busy\r\n"}, {0}, SMTP_END, OUTCOME_RATE_LIMITED, 421},
    {"421 to EHLO", {"220 mx\r\n", "421-busy\r\n421 busy\r\n"}, {EHLO}, SMTP_END,
	OUTCOME_RATE_LIMITED, 421},
    {"421 to HELO", {"220 mx\r\n", "502 x\r\n", "421 x\r\n"}, {EHLO, HELO}, SMTP_END,
	OUTCOME_RATE_LIMITED, 421},
    {"421 to STARTTLS", {"220 mx\r\n", EHLO_TLS, "421 x\r\n"}, {EHLO, STARTTLS}, SMTP_END,
	OUTCOME_RATE_LIMITED, 421},
    {"450 greeting", {"450 later\r\n"}, {0}, SMTP_END, OUTCOME_TEMPORARY_REJECT, 450},
    {"554 greeting", {"554-no\r\n554 never\r\n"}, {0}, SMTP_END, OUTCOME_PERMANENT_REJECT, 554},
    {"451 to EHLO", {"220 mx\r\n", "451 x\r\n"}, {EHLO}, SMTP_END, OUTCOME_TEMPORARY_REJECT, 451},
    {"454 to STARTTLS", {"220 mx\r\n", EHLO_TLS, "454 x\r\n"}, {EHLO, STARTTLS}, SMTP_END,
	OUTCOME_STARTTLS_REJECTED, 454},
    {"502 to STARTTLS", {"220 mx\r\n", EHLO_TLS, "502 x\r\n"}, {EHLO, STARTTLS}, SMTP_END,
	OUTCOME_STARTTLS_REJECTED, 502},
    {"250 to STARTTLS", {"220 mx\r\n", EHLO_TLS, "250 x\r\n"}, {EHLO, STARTTLS}, SMTP_END,
	OUTCOME_STARTTLS_REJECTED, 250},
    {"250 greeting", {"250 mx\r\n"}, {0}, SMTP_END, OUTCOME_PROTOCOL_ERROR, 250},
    {"354 to EHLO", {"220 mx\r\n", "354 go on\r\n"}, {EHLO}, SMTP_END, OUTCOME_PROTOCOL_ERROR, 354},
    {"no code", {"SSH-2.0-x\r\n"}, {0}, SMTP_END, OUTCOME_PROTOCOL_ERROR},
    {"two digits", {"22 mx\r\n"}, {0}, SMTP_END, OUTCOME_PROTOCOL_ERROR},
    {"no space", {"2200 mx\r\n"}, {0}, SMTP_END, OUTCOME_PROTOCOL_ERROR},
    {"1yz", {"120 soon\r\n"}, {0}, SMTP_END, OUTCOME_PROTOCOL_ERROR},
    {"empty line", {"\r\n"}, {0}, SMTP_END, OUTCOME_PROTOCOL_ERROR},
    {"garbage in EHLO", {"220 mx\r\n", "250-mx\r\n\001\002\003\r\n"}, {EHLO}, SMTP_END,
	OUTCOME_PROTOCOL_ERROR},
    {"last code counts", {"220-mx\r\n421 but no\r\n"}, {0}, SMTP_END, OUTCOME_RATE_LIMITED, 421},
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Feeds one turn in parts: up to `split`, then the rest; or each octet alone. */
static enum smtp_verdict
feed(struct smtp *s, const char *text, size_t split)
{
	size_t len = strlen(text), part = split == SIZE_MAX ? 1 : split, at = 0;
	enum smtp_verdict v = SMTP_MORE;

	while (at < len) {
		size_t n = part > 0 && at + part < len ? part : len - at;

		assert_int_equal(v, SMTP_MORE);
		v = smtp_feed(s, text + at, n);
		at += n;
		if (split != SIZE_MAX)
			part = len;
		if (v != SMTP_MORE)
			break;
	}
	return v;
}

static void
play(const struct transcript *t, size_t split)
{
	enum smtp_verdict v = SMTP_MORE;
	struct smtp s;

	smtp_init(&s, "probe.test", "mx.example.test");
	for (unsigned i = 0; i < TURNS && t->turns[i] != NULL; i++) {
		v = feed(&s, t->turns[i], split);
		if (t->commands[i] != NULL) {
			assert_int_equal(v, SMTP_SEND);
			assert_string_equal(s.command, t->commands[i]);
		}
	}
	assert_int_equal(v, t->verdict);
	if (v == SMTP_END) {
		assert_int_equal(s.outcome, t->outcome);
		assert_int_equal(s.code, t->code);
		assert_int_equal(s.flags, t->flags);
		assert_string_equal(s.command, "QUIT\r\n");
	}
	smtp_finish(&s);
}

static void
test_transcripts_at_every_split(void **state)
{
	for (size_t i = 0; i < N(transcripts); i++) {
		play(&transcripts[i], SIZE_MAX);
		for (size_t split = 0; split < 80; split++)
			play(&transcripts[i], split);
	}
}

/* To the 220 that answers STARTTLS. */
static void
begin(struct smtp *s)
{
	smtp_init(s, "probe.test", "mx.example.test");
	assert_int_equal(smtp_feed(s, "220 mx\r\n", 8), SMTP_SEND);
	assert_int_equal(smtp_feed(s, EHLO_TLS, strlen(EHLO_TLS)), SMTP_SEND);
	assert_string_equal(s->command, STARTTLS);
}

static void
test_injection(void **state)
{
	static const char *const behind[] = {"250 ok\r\n", "2", "\r\n", "\x16\x03\x01"};

	for (size_t i = 0; i < N(behind); i++) {
		struct buf b = {0};
		struct smtp s;

		begin(&s);
		buf_printf(&b, "220 go\r\n%s", behind[i]);
		assert_int_equal(smtp_feed(&s, b.data, b.len), SMTP_END);
		assert_int_equal(s.outcome, OUTCOME_PROTOCOL_ERROR);
		assert_int_equal(s.flags, FLAG_INJECTION);
		assert_string_equal(s.command, ""); /* it would be read as a ClientHello */
		buf_finish(&b);
		smtp_finish(&s);
	}
}

static void
test_out_of_turn(void **state)
{
	struct smtp s;

	smtp_init(&s, "probe.test", "mx");
	assert_int_equal(smtp_feed(&s, "220 mx\r\n250 x\r\n", 15), SMTP_END);
	assert_int_equal(s.outcome, OUTCOME_PROTOCOL_ERROR);
	assert_int_equal(s.flags, 0);
	smtp_finish(&s);
	smtp_init(&s, "probe.test", "mx");
	assert_int_equal(smtp_feed(&s, "220 mx\r\n421 no\r\n", 16), SMTP_END);
	assert_int_equal(s.outcome, OUTCOME_RATE_LIMITED);
	assert_int_equal(s.code, 421);
	smtp_finish(&s);
}

/* A line of n octets after "220 ", with CR LF. */
static enum smtp_verdict
greet_with_line(size_t n, bool ended)
{
	struct buf b = {0};
	enum smtp_verdict v;
	struct smtp s;

	buf_append_text(&b, "220 ");
	while (b.len < n)
		buf_append_byte(&b, 'x');
	if (ended)
		buf_append_text(&b, "\r\n");
	smtp_init(&s, "probe.test", "mx");
	v = smtp_feed(&s, b.data, b.len);
	if (v == SMTP_END)
		assert_int_equal(s.outcome, OUTCOME_PROTOCOL_ERROR);
	smtp_finish(&s);
	buf_finish(&b);
	return v;
}

static void
test_line_limit(void **state)
{
	assert_int_equal(greet_with_line(LIMIT_SMTP_LINE, true), SMTP_SEND);
	assert_int_equal(greet_with_line(LIMIT_SMTP_LINE + 1, true), SMTP_END);
	assert_int_equal(greet_with_line(LIMIT_SMTP_LINE + 1, false), SMTP_MORE); /* a CR? */
	assert_int_equal(greet_with_line(LIMIT_SMTP_LINE + 2, false), SMTP_END);
	assert_int_equal(greet_with_line(100000, false), SMTP_END);
}

static enum smtp_verdict
reply_of_lines(bool ehlo, unsigned lines)
{
	struct buf b = {0};
	enum smtp_verdict v;
	struct smtp s;

	smtp_init(&s, "probe.test", "mx");
	if (ehlo)
		assert_int_equal(smtp_feed(&s, "220 mx\r\n", 8), SMTP_SEND);
	for (unsigned i = 1; i < lines; i++)
		buf_append_text(&b, ehlo ? "250-X\r\n" : "220-x\r\n");
	buf_append_text(&b, ehlo ? "250 STARTTLS\r\n" : "220 x\r\n");
	v = smtp_feed(&s, b.data, b.len);
	if (v == SMTP_SEND && ehlo) {
		assert_int_equal(s.ehlo_n, LIMIT_EHLO_LINES);
		assert_true(s.starttls);
	}
	smtp_finish(&s);
	buf_finish(&b);
	return v;
}

static void
test_line_count_limits(void **state)
{
	assert_int_equal(reply_of_lines(false, LIMIT_SMTP_GREETING_LINES), SMTP_SEND);
	assert_int_equal(reply_of_lines(false, LIMIT_SMTP_GREETING_LINES + 1), SMTP_END);
	assert_int_equal(reply_of_lines(true, LIMIT_SMTP_REPLY_LINES), SMTP_SEND);
	assert_int_equal(reply_of_lines(true, LIMIT_SMTP_REPLY_LINES + 1), SMTP_END);
}

static void
test_octets_limit(void **state)
{
	static char line[1024];
	enum smtp_verdict v = SMTP_MORE;
	struct smtp s;
	size_t fed = 0;

	memset(line, 'x', sizeof(line));
	memcpy(line, "220-", 4);
	line[sizeof(line) - 1] = '\n';
	smtp_init(&s, "probe.test", "mx");
	for (; fed < LIMIT_SMTP_OCTETS; fed += sizeof(line))
		assert_int_equal(smtp_feed(&s, line, sizeof(line)), SMTP_MORE);
	assert_int_equal(fed, LIMIT_SMTP_OCTETS);
	v = smtp_feed(&s, "2", 1);
	assert_int_equal(v, SMTP_END);
	assert_int_equal(s.outcome, OUTCOME_PROTOCOL_ERROR);
	assert_true(s.greeting.len <= LIMIT_GREETING);
	smtp_finish(&s);
}

static void
test_what_is_kept(void **state)
{
	static const char greeting[] = "220-mx1.example.test ESMTP 4.96 Tue, 24 Nov 2026\r\n"
				       "220 ready\r\n";
	static const char ehlo[] = "250-mx1.example.test Hello client [192.0.2.1]\r\n"
				   "250-SIZE 52428800\r\n250-AUTH PLAIN\tLOGIN\r\n250-\r\n"
				   "250 STARTTLS\r\n";
	const char *line;
	struct smtp s;

	smtp_init(&s, "probe.test", "mx1.example.test");
	assert_int_equal(smtp_feed(&s, greeting, strlen(greeting)), SMTP_SEND);
	assert_string_equal(
	    buf_text(&s.greeting), "220-mx1.example.test ESMTP * Tue, * Nov *\n220 ready");
	assert_int_equal(smtp_feed(&s, ehlo, strlen(ehlo)), SMTP_SEND);
	assert_int_equal(s.ehlo_n, 3);
	line = (const char *)s.ehlo.data;
	assert_string_equal(line, "SIZE *");
	line += strlen(line) + 1;
	assert_string_equal(line, "AUTH PLAIN LOGIN");
	line += strlen(line) + 1;
	assert_string_equal(line, "STARTTLS");
	smtp_finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_transcripts_at_every_split),
	    cmocka_unit_test(test_injection),
	    cmocka_unit_test(test_out_of_turn),
	    cmocka_unit_test(test_line_limit),
	    cmocka_unit_test(test_line_count_limits),
	    cmocka_unit_test(test_octets_limit),
	    cmocka_unit_test(test_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
