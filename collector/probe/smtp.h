/*
 * smtp: the client's side of the dialogue from the greeting to the 220 that answers STARTTLS
 * (RFC 5321 sections 3.1, 3.2, 4.2; RFC 3207 section 4), as a pure function: octets in, a command
 * or a verdict out. No socket, no clock.
 *
 * It does not: send MAIL or RCPT; time anything out; see the end of the connection (the caller
 * does, and names the outcome); speak SMTP again after the handshake, but for QUIT.
 *
 * Servers are taken as they are: replies split anywhere, LF without CR, keywords of any case and
 * with parameters, HELO-only servers. What is no reply, or passes limits.h, is protocol-error.
 *
 * Ownership: struct smtp owns its buffers; names given to smtp_init() are borrowed and must live
 * as long.
 */
#ifndef MX509_SMTP_H
#define MX509_SMTP_H

#include "collector/limits.h"
#include "store/record/observation.h"

enum smtp_verdict {
	SMTP_MORE,	/* nothing to do until the server says more */
	SMTP_SEND,	/* send s->command, then feed what comes */
	SMTP_HANDSHAKE, /* STARTTLS is answered by 220, and nothing came behind it */
	SMTP_END, /* s->outcome; s->command is QUIT, or empty where it would not be understood */
};

enum smtp_state {
	SMTP_STATE_GREETING,
	SMTP_STATE_EHLO,
	SMTP_STATE_HELO,
	SMTP_STATE_STARTTLS,
	SMTP_STATE_OVER,
};

struct smtp {
	enum smtp_state state;
	const char *ehlo_domain, *host;
	struct buf line;      /* what has come of an unfinished line */
	unsigned reply_lines; /* lines of the reply under way */
	size_t octets;	      /* all that was fed */
	struct buf greeting;  /* its shape, lines parted by LF; empty until a line was whole */
	struct buf ehlo;      /* shapes of the keywords, each ended by NUL */
	size_t ehlo_n;
	bool ehlo_read; /* a 250 to EHLO has come */
	bool starttls;	/* among its keywords */
	/* at the end */
	enum outcome outcome;
	int code; /* of the reply that decided it, 0: none */
	unsigned flags;
	char command[LIMIT_NAME + 8];
};

/* ehlo_domain: what to say after EHLO. host: the MX's name, which shapes keep. */
void smtp_init(struct smtp *s, const char *ehlo_domain, const char *host);
void smtp_finish(struct smtp *s);

/*
 * All octets that one read delivered. A server that says more than the reply it owes speaks out
 * of turn: protocol-error, and after the 220 to STARTTLS with FLAG_INJECTION (CVE-2011-0411's
 * kind). After SMTP_HANDSHAKE and SMTP_END nothing more may be fed.
 */
enum smtp_verdict smtp_feed(struct smtp *s, const void *p, size_t len);

/* Whether the keyword at the start of an EHLO line is `keyword` (RFC 5321 section 4.1.1.1). */
bool smtp_is_keyword(const uint8_t *line, size_t len, const char *keyword);

#endif
