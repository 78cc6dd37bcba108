#include "postfix_outcome.h"

#include <string.h>

static bool
is(struct syslog_text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.p, word, t.len) == 0;
}

/* What begins so, which is then taken. */
static bool
begins(struct syslog_text *t, const char *what)
{
	size_t n = strlen(what);

	if (t->len < n || memcmp(t->p, what, n) != 0)
		return false;
	*t = (struct syslog_text){t->p + n, t->len - n};
	return true;
}

/* At most `most` digits as a number; -1: none. */
static int
number(struct syslog_text t, size_t most)
{
	int v = -1;

	for (size_t i = 0; i < t.len && i < most && t.p[i] >= '0' && t.p[i] <= '9'; i++)
		v = (v < 0 ? 0 : v) * 10 + t.p[i] - '0';
	return v;
}

/* "lost connection", "Connection reset by peer", "-1" */
void
postfix_outcome_of_error(struct postfix_outcome *o, struct syslog_text reason)
{
	static const struct {
		const char *text, *name;
		enum outcome outcome;
	} rows[] = {
	    {"lost connection", NULL, OUTCOME_CONNECTION_CLOSED},
	    {"Connection reset by peer", "ECONNRESET", OUTCOME_CONNECTION_CLOSED},
	    {"Broken pipe", "EPIPE", OUTCOME_CONNECTION_CLOSED},
	    {"Connection timed out", "ETIMEDOUT", OUTCOME_IO_TIMEOUT},
	    {"Operation timed out", "ETIMEDOUT", OUTCOME_IO_TIMEOUT},
	    {"No route to host", "EHOSTUNREACH", OUTCOME_UNREACHABLE},
	};

	*o = (struct postfix_outcome){.outcome = OUTCOME_HANDSHAKE_ERROR, .tls_alert = -1};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!is(reason, rows[i].text))
			continue;
		o->outcome = rows[i].outcome;
		o->errno_name = rows[i].name;
	}
}

/* "…:SSL alert number 40:": an alert that the server sent. */
void
postfix_outcome_of_library(struct postfix_outcome *o, struct syslog_text problem)
{
	static const char words[] = "SSL alert number ";
	const char *at =
	    problem.len > 0 ? memmem(problem.p, problem.len, words, strlen(words)) : NULL;
	size_t before;
	int alert;

	if (at == NULL)
		return;
	before = (size_t)(at - problem.p) + strlen(words);
	alert = number((struct syslog_text){problem.p + before, problem.len - before}, 4);
	if (alert < 0 || alert > 255)
		return;
	o->outcome = OUTCOME_TLS_ALERT;
	o->tls_alert = alert;
}

bool
postfix_outcome_of_refusal(
    struct postfix_outcome *o, struct postfix_event *peer, struct syslog_text t)
{
	int code;

	*o = (struct postfix_outcome){.outcome = OUTCOME_STARTTLS_NOT_OFFERED,
	    .tls_alert = -1,
	    .starttls_offered = TRI_FALSE};
	*peer = (struct postfix_event){0};
	if (begins(&t, "TLS is required, but was not offered by host ") ||
	    begins(&t, "Sender requested REQUIRETLS, but TLS service was not offered by host ")) {
		postfix_peer(peer, t);
		return true;
	}
	if (!begins(&t, "TLS is required, but host "))
		return false;
	t = postfix_peer(peer, t);
	if (!begins(&t, " refused to start TLS: ") || (code = number(t, 3)) < 100)
		return false;
	o->smtp_code = code;
	o->outcome = code == 421 ? OUTCOME_RATE_LIMITED : OUTCOME_STARTTLS_REJECTED;
	o->starttls_offered = TRI_TRUE;
	return true;
}

bool
postfix_outcome_is_distrust(struct syslog_text t)
{
	return begins(&t, "Server certificate not ") || begins(&t, "Sender requested REQUIRETLS") ||
	       begins(&t, "Sender requires verified TLS");
}

bool
postfix_outcome_is_dane(struct syslog_text level)
{
	const char *slash, *colon;

	if (level.len == 0)
		return false;
	if ((slash = memchr(level.p, '/', level.len)) != NULL)
		level.len = (size_t)(slash - level.p);
	begins(&level, "!");
	if ((colon = memchr(level.p, ':', level.len)) != NULL) {
		size_t n = (size_t)(colon - level.p) + 1;

		level = (struct syslog_text){level.p + n, level.len - n};
	}
	return is(level, "dane") || is(level, "dane-only") || is(level, "halfdane");
}
