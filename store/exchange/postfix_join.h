/*
 * postfix_join: what several lines of a Postfix log say of one connection, put together: the reason
 * from before the summary, what was sent as SNI and whether mail went from behind it. TLS lines
 *bear no queue id, so lines belong together by machine, program, process and peer; where processes
 *are masked, by the peer alone.
 *
 * What comes out:
 *	a summary	with the reason that the verification failed before it, or else that of the
 *			delivery which then was not made; without a trust word (Postfix < 2.5) it
 *			reports nothing
 *	a failure	of verification without a summary (log level 0): Untrusted
 *	an error	of the handshake: tls-alert with the server's number, where the line of the
 *TLS library behind it tells one, io-timeout, connection-closed, else handshake-error a refusal
 *"TLS is required, but …": starttls-not-offered or starttls-rejected A connection that is reused
 *shows no certificate again: its line is left out where the log has told what was shown
 *(JOIN_REUSE_MS at most before), and taken else. Lines of smtpd(8), which is the server, are passed
 *over.
 *
 * SNI: a name, if a line tells it (log level 2: "SNI hostname: …"); else the peer's own, unnamed,
 * where DANE was in effect (Postfix then sends the TLSA base domain): "Matched DANE …", or
 *tls=dane, dane-only or halfdane of the delivery; else none, which is Postfix's default.
 *
 * Memory: JOIN_OPEN connections wait for more at most; the one that waited longest goes first.
 * Ownership: a finding is borrowed during the call. Threads: one.
 */
#ifndef MX509_POSTFIX_JOIN_H
#define MX509_POSTFIX_JOIN_H

#include "postfix_outcome.h"
#include "store/base/limits.h"

#define JOIN_OPEN 1024
#define JOIN_REUSE_MS INT64_C(900000)

struct join_finding {
	uint64_t line; /* of the file, for complaints */
	int64_t time_ms;
	char vantage[LIMIT_VANTAGE + 1];
	char host[LIMIT_NAME + 2]; /* as it stands there; cut if it is too long for one */
	char address[64];	   /* as it stands there; "" if there is none */
	unsigned port;		   /* 0: none */
	bool sends_sni;
	char sni[LIMIT_NAME + 2]; /* "": not named */
	struct postfix_outcome did;
	/* "": none */
	char status[16], protocol[LIMIT_WORD + 1], cipher[LIMIT_WORD + 1], group[LIMIT_WORD + 1],
	    signature[LIMIT_WORD + 1], reason[LIMIT_REASON + 1];
};

/* 0, or an error, which ends all. */
typedef int join_emit(void *ctx, const struct join_finding *finding, struct err *err);

/* Where a line stands, and what stood before its message. */
struct join_line {
	uint64_t number;
	int64_t time_ms;
	const char *vantage;
	const struct syslog_line *log;
};

struct join;
struct join *join_create(join_emit *emit, void *ctx);
void join_destroy(struct join *join); /* accepts NULL; what is open is lost */

int join_take(struct join *join, const struct join_line *line, const struct postfix_event *event,
    struct err *err);
/* All that is open: at the end. */
int join_finish(struct join *join, struct err *err);

/* Whether anything waits that a delivery could add to. */
bool join_waits(const struct join *join);

#endif
