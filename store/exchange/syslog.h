/*
 * syslog: what stands before the message in a line of a log: when, on which machine, which program,
 * which process. A pure parser that copies nothing: texts point into the line.
 *
 *	Mar 19 20:17:12 mail postfix/smtp[4711]: …		RFC 3164 section 4.1.2; no year, no
 *zone Mar 19 2026 20:17:12 mail postfix/smtp[4711]: …		with a year, as some write it
 *	2026-03-19T20:17:12.003+01:00 mail postfix/smtp[4711]: …	RFC 3339 (rsyslog, Postfix's
 *own) 2026-03-19T20:17:12+0100 INFO    postfix/smtp[4711]: …	a severity, no machine (containers)
 *	<22>1 2026-03-19T20:17:12Z mail postfix/smtp 4711 - - …	RFC 5424 section 6
 *	posttls-finger: …					what a program writes itself
 * The colon behind the program may lack; blanks may be tabs; a process may be masked ("XXXXX"); the
 * signs of a quotation ("> ") and the name that docker compose puts before it ("mail  | ") are
 * passed over. What has none of this is all message.
 */
#ifndef MX509_SYSLOG_H
#define MX509_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a line; p is NULL where it is not there. */
struct syslog_text {
	const char *p;
	size_t len;
};

/* Which program, as far as it matters to who reads TLS of a mail client. */
enum syslog_program {
	SYSLOG_UNNAMED, /* none is named */
	SYSLOG_CLIENT,	/* smtp, lmtp, posttls-finger, under whatever syslog_name */
	SYSLOG_PROXY,	/* tlsproxy: handshakes for smtp, in a process of its own */
	SYSLOG_OTHER
};

struct syslog_line {
	bool has_time;
	int year; /* 0: the stamp has none */
	int month, day, hour, minute, second, millis;
	bool has_zone;
	int64_t zone_ms; /* east of UTC */
	struct syslog_text machine, name, process;
	enum syslog_program program;
	struct syslog_text message;
	bool indented; /* by blanks, as a line that goes on */
};

void syslog_parse(struct syslog_line *out, const char *line, size_t len);

#endif
