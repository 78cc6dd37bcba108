#include "syslog.h"

#include <string.h>
#include <strings.h>

/* What is left of a line. */
struct rest {
	const char *p, *end;
};

#define WORDS_MOST 3	/* between the stamp and the program: machine, severity, facility */
#define COMPOSE_MOST 64 /* octets of the name that docker compose puts before a line */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
skip_blanks(struct rest *r)
{
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
}

static bool
take(struct rest *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* Exactly n digits, as a number; false and nothing taken if they are not there. */
static bool
digits(struct rest *r, int n, int *v)
{
	if (r->end - r->p < n)
		return false;
	*v = 0;
	for (int i = 0; i < n; i++) {
		if (!is_digit(r->p[i]))
			return false;
		*v = *v * 10 + r->p[i] - '0';
	}
	r->p += n;
	return true;
}

static struct syslog_text
word(struct rest *r)
{
	struct syslog_text t = {.p = r->p};

	while (r->p < r->end && !is_blank(*r->p))
		r->p++;
	t.len = (size_t)(r->p - t.p);
	return t;
}

/* ---- the stamp ------------------------------------------------------------------------------ */

static bool
is_time(const struct syslog_line *l)
{
	return l->month >= 1 && l->month <= 12 && l->day >= 1 && l->day <= 31 && l->hour <= 23 &&
	       l->minute <= 59 && l->second <= 60;
}

static void
fraction(struct rest *r, struct syslog_line *l)
{
	int scale = 100;

	if (r->end - r->p < 2 || (*r->p != '.' && *r->p != ',') || !is_digit(r->p[1]))
		return;
	for (r->p++; r->p < r->end && is_digit(*r->p); r->p++, scale /= 10)
		l->millis += (*r->p - '0') * scale;
}

/* "20:17:12", "20:17:12.003" */
static bool
clock_time(struct rest *r, struct syslog_line *l)
{
	if (!digits(r, 2, &l->hour) || !take(r, ':') || !digits(r, 2, &l->minute) ||
	    !take(r, ':') || !digits(r, 2, &l->second))
		return false;
	fraction(r, l);
	return true;
}

/* "Z", "+01:00", "-0730", or nothing. */
static bool
zone(struct rest *r, struct syslog_line *l)
{
	int sign = r->p < r->end && *r->p == '-' ? -1 : 1, hour, minute;

	if (take(r, 'Z') || take(r, 'z')) {
		l->has_zone = true;
		return true;
	}
	if (!take(r, '+') && !take(r, '-'))
		return true;
	if (!digits(r, 2, &hour) || hour > 23)
		return false;
	take(r, ':');
	if (!digits(r, 2, &minute) || minute > 59)
		return false;
	l->has_zone = true;
	l->zone_ms = sign * (hour * INT64_C(3600000) + minute * INT64_C(60000));
	return true;
}

static bool
iso_stamp(struct rest *r, struct syslog_line *l)
{
	if (!digits(r, 4, &l->year) || !take(r, '-') || !digits(r, 2, &l->month) || !take(r, '-') ||
	    !digits(r, 2, &l->day) || (!take(r, 'T') && !take(r, 't') && !take(r, ' ')) ||
	    !clock_time(r, l) || !zone(r, l))
		return false;
	return l->year > 0;
}

static int
month_of(const char *p)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(p, names + (size_t)i * 3, 3) == 0)
			return i + 1;
	return 0;
}

/* "Mar 19 20:17:12", "Mar  9 2026 20:17:12" */
static bool
bsd_stamp(struct rest *r, struct syslog_line *l)
{
	if (r->end - r->p < 15 || !is_blank(r->p[3]) || (l->month = month_of(r->p)) == 0)
		return false;
	r->p += 4;
	skip_blanks(r);
	if (!digits(r, 2, &l->day) && !digits(r, 1, &l->day))
		return false;
	if (r->p == r->end || !is_blank(*r->p))
		return false;
	skip_blanks(r);
	if (r->end - r->p > 4 && is_blank(r->p[4]) && digits(r, 4, &l->year))
		skip_blanks(r);
	return clock_time(r, l);
}

static bool
stamp(struct rest *r, struct syslog_line *l)
{
	struct syslog_line found = {0};
	struct rest at = *r;

	if (at.p == at.end || !(is_digit(*at.p) ? iso_stamp(&at, &found) : bsd_stamp(&at, &found)))
		return false;
	if (!is_time(&found) || (at.p < at.end && !is_blank(*at.p) && *at.p != ':'))
		return false;
	take(&at, ':');
	*l = found;
	l->has_time = true;
	*r = at;
	return true;
}

/* ---- machine and program -------------------------------------------------------------------- */

static bool
same(struct syslog_text t, const char *text)
{
	return t.len == strlen(text) && memcmp(t.p, text, t.len) == 0;
}

/* By the last part of its name: "postfix-inbound/submission/smtp" is smtp. */
static enum syslog_program
program_of(struct syslog_text name)
{
	for (size_t i = name.len; i > 0; i--) {
		if (name.p[i - 1] == '/') {
			name = (struct syslog_text){name.p + i, name.len - i};
			break;
		}
	}
	if (same(name, "smtp") || same(name, "lmtp") || same(name, "posttls-finger"))
		return SYSLOG_CLIENT;
	return same(name, "tlsproxy") ? SYSLOG_PROXY : SYSLOG_OTHER;
}

/* "postfix/smtp[4711]:" into its parts; false if the word is no program. */
static bool
program(struct syslog_text w, struct syslog_line *l)
{
	const char *open = w.len > 0 ? memchr(w.p, '[', w.len) : NULL;
	bool colon = w.len > 0 && w.p[w.len - 1] == ':';
	size_t len = w.len - colon;

	if (open == NULL) {
		if (!colon || len == 0)
			return false;
		l->name = (struct syslog_text){w.p, len};
	} else {
		if (w.p[len - 1] != ']' || open == w.p || (size_t)(open - w.p) + 1 > len - 1)
			return false;
		l->name = (struct syslog_text){w.p, (size_t)(open - w.p)};
		l->process = (struct syslog_text){open + 1, (size_t)(w.p + len - 1 - open - 1)};
	}
	l->program = program_of(l->name);
	return true;
}

/* Without a stamp any word with a colon could be meant: only names that Postfix gives itself. */
static bool
is_postfix(const struct syslog_line *l)
{
	return same(l->name, "posttls-finger") ||
	       (l->process.p != NULL && memchr(l->name.p, '/', l->name.len) != NULL);
}

static bool
is_severity(struct syslog_text w)
{
	static const char *const words[] = {"debug", "info", "information", "notice", "warn",
	    "warning", "err", "error", "crit", "critical", "alert", "emerg", "fatal"};

	if (w.len > 2 && w.p[0] == '[' && w.p[w.len - 1] == ']')
		w = (struct syslog_text){w.p + 1, w.len - 2};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (w.len == strlen(words[i]) && strncasecmp(w.p, words[i], w.len) == 0)
			return true;
	return false;
}

/* The words behind the stamp up to the program's; nothing is taken if there is none. */
static void
names(struct rest *r, struct syslog_line *l)
{
	struct rest at = *r;
	struct syslog_text machine = {0};

	for (int i = 0; i <= WORDS_MOST; i++) {
		struct syslog_text w;

		skip_blanks(&at);
		w = word(&at);
		if (w.len == 0)
			return;
		if (program(w, l)) {
			l->machine = machine;
			*r = at;
			return;
		}
		if (machine.p == NULL && !is_severity(w))
			machine = w;
	}
}

/* ---- RFC 5424 ------------------------------------------------------------------------------- */

/* "[id name=\"value\"][id]" or "-" */
static bool
structured_data(struct rest *r)
{
	bool quoted = false;

	if (take(r, '-'))
		return true;
	if (r->p == r->end || *r->p != '[')
		return false;
	while (take(r, '[')) {
		for (; r->p < r->end && (quoted || *r->p != ']'); r->p++) {
			if (*r->p == '"')
				quoted = !quoted;
			else if (*r->p == '\\' && r->end - r->p > 1)
				r->p++;
		}
		if (!take(r, ']'))
			return false;
	}
	return true;
}

/* Behind "<22>1 ": TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG */
static bool
rfc5424(struct rest *r, struct syslog_line *l)
{
	struct syslog_text words[4];
	struct rest at = *r;

	if (!stamp(&at, l) && !take(&at, '-'))
		return false;
	for (int i = 0; i < 4; i++) {
		skip_blanks(&at);
		words[i] = word(&at);
		if (words[i].len == 0)
			return false;
	}
	skip_blanks(&at);
	if (!structured_data(&at))
		return false;
	if (!same(words[0], "-"))
		l->machine = words[0];
	l->name = words[1];
	if (!same(words[2], "-"))
		l->process = words[2];
	l->program = program_of(l->name);
	if (at.end - at.p >= 4 && memcmp(at.p, " \xef\xbb\xbf", 4) == 0)
		at.p += 4;
	*r = at;
	return true;
}

/* "<22>"; whether it is the version 1 that follows. */
static bool
priority(struct rest *r)
{
	struct rest at = *r;
	int version;

	if (!take(&at, '<'))
		return false;
	while (at.p < at.end && is_digit(*at.p))
		at.p++;
	if (!take(&at, '>'))
		return false;
	*r = at;
	if (!digits(&at, 1, &version) || version != 1 || !take(&at, ' '))
		return false;
	*r = at;
	return true;
}

/* ---- the line ------------------------------------------------------------------------------- */

/* "mail_1  | " */
static void
skip_compose(struct rest *r)
{
	size_t left = (size_t)(r->end - r->p), most = left < COMPOSE_MOST ? left : COMPOSE_MOST;
	const char *bar = memmem(r->p, most, " | ", 3);
	struct rest at = {bar != NULL ? bar + 3 : NULL, r->end};
	struct syslog_line ignored;

	if (bar != NULL && stamp(&at, &ignored))
		r->p = bar + 3;
}

/* "[ID 197553 mail.info] ", as Solaris writes it. */
static void
skip_message_id(struct rest *r)
{
	const char *end;

	if (r->end - r->p < 4 || memcmp(r->p, "[ID ", 4) != 0 ||
	    (end = memchr(r->p, ']', (size_t)(r->end - r->p))) == NULL)
		return;
	r->p = end + 1;
	skip_blanks(r);
}

void
syslog_parse(struct syslog_line *l, const char *line, size_t len)
{
	struct rest r = {line, line + len}, bare;

	*l = (struct syslog_line){0};
	while (r.p < r.end && (is_blank(*r.p) || *r.p == '>'))
		r.p++;
	bare = r;
	if (priority(&r)) {
		if (!rfc5424(&r, l))
			r = bare;
	} else {
		if (!stamp(&r, l)) {
			skip_compose(&r);
			stamp(&r, l);
		}
		names(&r, l);
		if (!l->has_time && l->name.p != NULL && !is_postfix(l)) {
			*l = (struct syslog_line){0};
			r = bare;
		}
	}
	skip_blanks(&r);
	skip_message_id(&r);
	l->message = (struct syslog_text){r.p, (size_t)(r.end - r.p)};
	l->indented = bare.p > line && !l->has_time && l->name.p == NULL;
}
