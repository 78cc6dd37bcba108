#include "smtp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/record/shape.h"

void
smtp_init(struct smtp *s, const char *ehlo_domain, const char *host)
{
	*s = (struct smtp){.ehlo_domain = ehlo_domain, .host = host};
}

void
smtp_finish(struct smtp *s)
{
	if (s == NULL)
		return;
	buf_finish(&s->line);
	buf_finish(&s->greeting);
	buf_finish(&s->ehlo);
}

bool
smtp_is_keyword(const uint8_t *line, size_t len, const char *keyword)
{
	size_t n = strlen(keyword);

	return len >= n && strncasecmp((const char *)line, keyword, n) == 0 &&
	       (len == n || line[n] == ' ' || line[n] == '\t');
}

static enum smtp_verdict
end(struct smtp *s, enum outcome outcome, int code, const char *command)
{
	s->state = SMTP_STATE_OVER;
	s->outcome = outcome;
	s->code = code;
	snprintf(s->command, sizeof(s->command), "%s", command);
	return SMTP_END;
}

static enum smtp_verdict
broken(struct smtp *s, int code)
{
	return end(s, OUTCOME_PROTOCOL_ERROR, code, "QUIT\r\n");
}

static enum smtp_verdict
send_command(struct smtp *s, enum smtp_state state, const char *verb, const char *argument)
{
	s->state = state;
	snprintf(s->command, sizeof(s->command), "%s%s%s\r\n", verb, *argument != '\0' ? " " : "",
	    argument);
	return SMTP_SEND;
}

/* 4yz and 5yz; anything else is no answer to what was asked. */
static enum smtp_verdict
rejected(struct smtp *s, int code)
{
	if (code / 100 == 4)
		return end(s, OUTCOME_TEMPORARY_REJECT, code, "QUIT\r\n");
	if (code / 100 == 5)
		return end(s, OUTCOME_PERMANENT_REJECT, code, "QUIT\r\n");
	return broken(s, code);
}

static enum smtp_verdict
on_ehlo(struct smtp *s, int code)
{
	/* RFC 5321 section 3.2: a server that does not know EHLO says 50z. Some say 55z. */
	if (code / 100 == 5)
		return send_command(s, SMTP_STATE_HELO, "HELO", s->ehlo_domain);
	if (code != 250)
		return rejected(s, code);
	s->ehlo_read = true;
	if (!s->starttls)
		return end(s, OUTCOME_STARTTLS_NOT_OFFERED, code, "QUIT\r\n");
	return send_command(s, SMTP_STATE_STARTTLS, "STARTTLS", "");
}

static enum smtp_verdict
on_starttls(struct smtp *s, int code, size_t left)
{
	if (code != 220)
		return end(s, OUTCOME_STARTTLS_REJECTED, code, "QUIT\r\n");
	s->state = SMTP_STATE_OVER;
	if (left == 0)
		return SMTP_HANDSHAKE;
	/* RFC 3207 section 4: nothing that came in the clear may be used. A QUIT would be read as
	 * the ClientHello. */
	s->flags |= FLAG_INJECTION;
	return end(s, OUTCOME_PROTOCOL_ERROR, 0, "");
}

/* A whole reply; `left` octets of the same read stand behind it. */
static enum smtp_verdict
on_reply(struct smtp *s, int code, size_t left)
{
	s->reply_lines = 0;
	if (code == 421)
		return end(s, OUTCOME_RATE_LIMITED, code, "QUIT\r\n");
	switch (s->state) {
	case SMTP_STATE_GREETING:
		if (code != 220)
			return rejected(s, code);
		return send_command(s, SMTP_STATE_EHLO, "EHLO", s->ehlo_domain);
	case SMTP_STATE_EHLO:
		return on_ehlo(s, code);
	case SMTP_STATE_HELO:
		if (code != 250)
			return rejected(s, code);
		return end(s, OUTCOME_STARTTLS_NOT_OFFERED, code, "QUIT\r\n");
	case SMTP_STATE_STARTTLS:
		return on_starttls(s, code, left);
	case SMTP_STATE_OVER:
		break;
	}
	return broken(s, 0);
}

/* Keeps what the evidence holds of the line. */
static void
keep(struct smtp *s, const uint8_t *p, size_t len)
{
	if (s->state == SMTP_STATE_GREETING && s->greeting.len + 5 <= LIMIT_GREETING) {
		if (s->greeting.len > 0)
			buf_append_byte(&s->greeting, '\n');
		buf_append(&s->greeting, p, len < 4 || p[3] == ' ' ? 3 : 4);
		if (len > 4) {
			size_t before = s->greeting.len;

			if (p[3] == ' ')
				buf_append_byte(&s->greeting, ' ');
			shape_append(&s->greeting, p + 4, len - 4, s->host,
			    LIMIT_GREETING - s->greeting.len);
			if (p[3] == ' ' && s->greeting.len == before + 1)
				s->greeting.len = before;
		}
	} else if (s->state == SMTP_STATE_EHLO && s->reply_lines > 1 && len > 4) {
		size_t before = s->ehlo.len;

		s->starttls |= smtp_is_keyword(p + 4, len - 4, "STARTTLS");
		if (s->ehlo_n == LIMIT_EHLO_LINES)
			return;
		shape_append(&s->ehlo, p + 4, len - 4, s->host, LIMIT_EHLO_LINE);
		if (s->ehlo.len == before)
			return;
		buf_append_byte(&s->ehlo, '\0');
		s->ehlo_n++;
	}
}

/* RFC 5321 section 4.2: three digits, then SP or "-"; the code alone is a last line too. */
static int
reply_code(const uint8_t *p, size_t len)
{
	if (len < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' ||
	    p[2] > '9' || (len > 3 && p[3] != ' ' && p[3] != '-'))
		return 0;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';
}

/* One line without its LF. The last line's code is the reply's, should they differ. */
static enum smtp_verdict
on_line(struct smtp *s, const uint8_t *p, size_t len, size_t left)
{
	unsigned most =
	    s->state == SMTP_STATE_GREETING ? LIMIT_SMTP_GREETING_LINES : LIMIT_SMTP_REPLY_LINES;
	int code;

	if (len > 0 && p[len - 1] == '\r')
		len--;
	code = reply_code(p, len);
	if (len > LIMIT_SMTP_LINE || code == 0 || ++s->reply_lines > most)
		return broken(s, 0);
	keep(s, p, len);
	if (len > 3 && p[3] == '-')
		return SMTP_MORE;
	return on_reply(s, code, left);
}

/* What stands behind a reply that is followed by a command of ours: the server speaks out of
 * turn, unless it says good-bye. */
static enum smtp_verdict
out_of_turn(struct smtp *s, const uint8_t *p, size_t len)
{
	if (len >= 3 && memcmp(p, "421", 3) == 0)
		return end(s, OUTCOME_RATE_LIMITED, 421, "QUIT\r\n");
	return broken(s, 0);
}

enum smtp_verdict
smtp_feed(struct smtp *s, const void *data, size_t data_len)
{
	const uint8_t *p = data, *last = p + data_len;

	s->octets += data_len;
	while (p < last) {
		const uint8_t *lf = memchr(p, '\n', (size_t)(last - p));
		size_t len = (size_t)((lf != NULL ? lf : last) - p);
		enum smtp_verdict verdict;

		/* One octet more for the CR. */
		if (s->line.len + len > LIMIT_SMTP_LINE + 1)
			return broken(s, 0);
		if (lf == NULL || s->line.len > 0)
			buf_append(&s->line, p, len);
		if (lf == NULL)
			break;
		if (s->line.len > 0)
			verdict = on_line(s, s->line.data, s->line.len, (size_t)(last - lf) - 1);
		else
			verdict = on_line(s, p, len, (size_t)(last - lf) - 1);
		buf_clear(&s->line);
		p = lf + 1;
		if (verdict == SMTP_SEND && p < last)
			return out_of_turn(s, p, (size_t)(last - p));
		if (verdict != SMTP_MORE)
			return verdict;
	}
	return s->octets > LIMIT_SMTP_OCTETS ? broken(s, 0) : SMTP_MORE;
}
