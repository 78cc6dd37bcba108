/*
 * The SMTP dialogue against any octets in any splits. The first octet of an input chooses the
 * length of the parts that it is fed in; 0xff ends a turn, as the server's waiting for us would.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "collector/probe/smtp.h"
#include "store/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check(struct smtp *s, enum smtp_verdict v)
{
	uint32_t rune;

	require(s->greeting.len <= LIMIT_GREETING);
	require(s->ehlo_n <= LIMIT_EHLO_LINES);
	require(s->line.len <= LIMIT_SMTP_LINE + 1);
	for (size_t at = 0, n; at < s->greeting.len; at += n)
		require((n = text_utf8(s->greeting.data + at, s->greeting.len - at, &rune)) > 0);
	if (v == SMTP_SEND)
		require(strcmp(s->command, "EHLO probe.test\r\n") == 0 ||
			strcmp(s->command, "HELO probe.test\r\n") == 0 ||
			strcmp(s->command, "STARTTLS\r\n") == 0);
	if (v == SMTP_END)
		require(s->outcome != OUTCOME_SUCCESS && (unsigned)s->outcome < OUTCOME_N);
	if (v == SMTP_HANDSHAKE)
		require(s->starttls && s->flags == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum smtp_verdict v = SMTP_MORE;
	size_t part, at = 1;
	struct smtp s;

	if (len == 0)
		return 0;
	part = data[0] == 0 ? len : data[0];
	smtp_init(&s, "probe.test", "mx1.example.test");
	while (at < len && v != SMTP_END && v != SMTP_HANDSHAKE) {
		const uint8_t *turn = memchr(data + at, 0xff, len - at);
		size_t n = turn != NULL ? (size_t)(turn - data) - at : len - at;

		if (n > part)
			n = part;
		v = smtp_feed(&s, data + at, n);
		check(&s, v);
		at += n + (turn == data + at + n);
	}
	smtp_finish(&s);
	return 0;
}
