#include "probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/limits.h"
#include "smtp.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

enum state { CONNECT, DIALOGUE, HANDSHAKE, QUIT_SEND, QUIT_WAIT, OVER };

/* What a state wants next. */
enum want { WANT_NOTHING, WANT_READ, WANT_WRITE, WANT_STEP };

struct probe {
	const struct probe_settings *settings;
	struct series series;
	char server_name[LIMIT_NAME + 1];
	probe_done_fn *done;
	void *ctx;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	enum state state;
	struct smtp smtp;
	size_t sent; /* octets of smtp.command */
	struct tls *tls;
	bool hello_sent;   /* our ClientHello */
	bool server_spoke; /* something came after the 220 to STARTTLS */
	bool quit_over_tls;
	size_t farewell_octets;
	unsigned farewell_turns;
	/* the result */
	bool connected, local, starttls_known;
	enum outcome outcome;
	unsigned flags;
	int errnum, smtp_code;
	int32_t ms[MS_N];
	int64_t stage_ms; /* monotonic */
	int64_t began_ms, began_wall_ms, decided_wall_ms;
};

/* ---- the evidence -------------------------------------------------------------------------- */

/* The probe's outcome is clear: what comes after it is courtesy. */
static enum want
decide(struct probe *p, enum outcome outcome)
{
	int64_t now = clock_monotonic_ms(), wall = clock_now_ms();
	int64_t drift = (wall - p->began_wall_ms) - (now - p->began_ms);

	p->outcome = outcome;
	p->decided_wall_ms = wall;
	if (drift > LIMIT_CLOCK_DRIFT_MS || drift < -LIMIT_CLOCK_DRIFT_MS)
		p->flags |= FLAG_CLOCK_STEPPED;
	if (p->tls != NULL && tls_shown(p->tls)->chain_ms != 0)
		p->decided_wall_ms = tls_shown(p->tls)->chain_ms;
	p->state = OVER;
	return WANT_STEP;
}

static void
stage_done(struct probe *p, enum measure measure)
{
	int64_t now = clock_monotonic_ms();

	p->ms[measure] = (int32_t)(now - p->stage_ms);
	p->stage_ms = now;
}

static void
fill_tls(struct evidence *e, struct tls_shown *shown)
{
	e->sni_acknowledged = shown->sni_acknowledged;
	e->tls_version = shown->version;
	e->cipher = shown->cipher;
	e->group = shown->group;
	e->server_signature = shown->server_signature;
	if (shown->failure == TLS_FAILURE_ALERT)
		e->tls_alert = shown->alert;
	if (shown->chain_too_long)
		e->flags |= FLAG_CHAIN_TOO_LONG;
	if (shown->chain_unparsed)
		e->flags |= FLAG_CHAIN_UNPARSED;
}

static const char **
ehlo_lines(struct probe *p)
{
	const char **lines = NULL, *text = buf_text(&p->smtp.ehlo);

	if (p->smtp.ehlo_n > 0)
		lines = mem_zero(p->smtp.ehlo_n, sizeof(*lines));
	for (size_t i = 0; i < p->smtp.ehlo_n; i++) {
		lines[i] = text;
		text += strlen(text) + 1;
	}
	return lines;
}

static void
report(struct probe *p)
{
	static const struct wire_chain none;
	struct probe_result result = {.series = &p->series,
	    .connected = p->connected,
	    .local = p->local,
	    .errnum = p->errnum,
	    .chain = &none};
	struct evidence *e = &result.observation.evidence;
	const char **ehlo = p->smtp.ehlo_read ? ehlo_lines(p) : NULL;

	*e = (struct evidence){.outcome = p->outcome, .flags = p->flags, .tls_alert = -1};
	e->smtp_code = p->smtp_code;
	e->errno_name = p->errnum != 0 ? strerrorname_np(p->errnum) : NULL;
	/* Half a greeting differs from time to time. */
	if (p->ms[MS_GREETING] >= 0 && p->smtp.greeting.len > 0)
		e->greeting = buf_text(&p->smtp.greeting);
	e->ehlo = ehlo;
	e->ehlo_n = ehlo != NULL ? p->smtp.ehlo_n : 0;
	if (p->starttls_known)
		e->starttls_offered = p->smtp.starttls ? TRI_TRUE : TRI_FALSE;
	if (p->series.sni == SNI_HOSTNAME || p->series.sni == SNI_UNKNOWN)
		e->sni_sent = p->server_name;
	if (p->tls != NULL) {
		fill_tls(e, tls_shown(p->tls));
		result.chain = &tls_shown(p->tls)->chain;
		result.leaf_ends_s = tls_shown(p->tls)->leaf_ends_s;
	}
	result.observation.time_ms = p->decided_wall_ms;
	memcpy(result.observation.ms, p->ms, sizeof(p->ms));
	p->done(p->ctx, p, &result);
	free(ehlo);
}

static void
hang_up(struct probe *p)
{
	loop_watch_destroy(p->watch);
	p->watch = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void
release(struct probe *p)
{
	hang_up(p);
	loop_timer_destroy(p->timer);
	tls_destroy(p->tls);
	smtp_finish(&p->smtp);
	free(p);
}

/* ---- the states: each returns what it wants next ----------------------------------------------
 */

/* An error of the socket, named. Before the connection stands it says why there is none. */
static enum want
failed(struct probe *p, int errnum)
{
	p->errnum = errnum;
	switch (errnum) {
	case ECONNREFUSED:
		return decide(p, OUTCOME_CONNECTION_REFUSED);
	case ETIMEDOUT:
		return decide(p, p->connected ? OUTCOME_IO_TIMEOUT : OUTCOME_CONNECTION_TIMEOUT);
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENONET:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EACCES:
	case EPERM:
		return decide(p, p->connected ? OUTCOME_CONNECTION_CLOSED : OUTCOME_UNREACHABLE);
	default:
		return decide(p, OUTCOME_CONNECTION_CLOSED);
	}
}

static enum want
begin_stage(struct probe *p, enum want want)
{
	loop_timer_set(p->timer, p->settings->timeout_ms);
	return want;
}

static enum want
do_connect(struct probe *p)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0)
		return failed(p, error);
	p->connected = true;
	stage_done(p, MS_CONNECT);
	p->state = DIALOGUE;
	return begin_stage(p, WANT_READ);
}

static enum want
begin_handshake(struct probe *p)
{
	stage_done(p, MS_STARTTLS);
	p->tls = tls_create(p->settings->tls[p->series.offer], p->fd,
	    p->series.sni != SNI_NONE ? p->server_name : NULL);
	p->state = HANDSHAKE;
	return begin_stage(p, WANT_STEP);
}

static enum want
on_verdict(struct probe *p, enum smtp_verdict verdict, enum smtp_state before)
{
	if (before == SMTP_STATE_GREETING && verdict != SMTP_MORE && p->ms[MS_GREETING] < 0)
		stage_done(p, MS_GREETING);
	switch (verdict) {
	case SMTP_MORE:
		return WANT_READ;
	case SMTP_SEND:
		p->sent = 0;
		return begin_stage(p, WANT_STEP);
	case SMTP_HANDSHAKE:
		p->starttls_known = true;
		return begin_handshake(p);
	case SMTP_END:
		break;
	}
	p->smtp_code = p->smtp.code;
	p->flags |= p->smtp.flags;
	p->starttls_known = p->smtp.ehlo_read || p->smtp.outcome == OUTCOME_STARTTLS_NOT_OFFERED;
	decide(p, p->smtp.outcome);
	if (p->smtp.command[0] != '\0') {
		p->sent = 0;
		p->state = QUIT_SEND;
	}
	return WANT_STEP;
}

/* Sends what is left of the command; WANT_STEP when it is out. */
static enum want
send_command(struct probe *p)
{
	size_t len = strlen(p->smtp.command);

	while (p->sent < len) {
		ssize_t n = send(p->fd, p->smtp.command + p->sent, len - p->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? WANT_WRITE : WANT_NOTHING;
		p->sent += (size_t)n;
	}
	return WANT_STEP;
}

static enum want
do_dialogue(struct probe *p)
{
	enum smtp_state before = p->smtp.state;
	uint8_t octets[LIMIT_SMTP_READ];
	ssize_t n;

	if (p->sent < strlen(p->smtp.command)) {
		enum want want = send_command(p);

		/* What a server says before it closes is read before its closing is told. */
		if (want == WANT_NOTHING)
			p->sent = strlen(p->smtp.command);
		return want == WANT_WRITE ? WANT_WRITE : WANT_READ;
	}
	n = recv(p->fd, octets, sizeof(octets), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return WANT_READ;
	p->starttls_known = p->smtp.ehlo_read;
	if (n < 0)
		return failed(p, errno);
	if (n == 0)
		return decide(p, OUTCOME_CONNECTION_CLOSED);
	return on_verdict(p, smtp_feed(&p->smtp, octets, (size_t)n), before);
}

static bool
is_reply_code(int octet)
{
	return octet >= '0' && octet <= '9';
}

static enum want
injected(struct probe *p)
{
	p->flags |= FLAG_INJECTION;
	return decide(p, OUTCOME_PROTOCOL_ERROR);
}

/* Looks at the first octet that comes after the 220, without taking it. A server cannot speak TLS
 * before it has our ClientHello, and what it speaks then begins with a record of type alert or
 * handshake (RFC 8446 section 5.1). A digit begins an SMTP reply: somebody put it there.
 * WANT_NOTHING: nothing has come yet, or what has come is for TLS. */
static enum want
inspect_first_octet(struct probe *p)
{
	uint8_t octet;
	ssize_t n = recv(p->fd, &octet, 1, MSG_PEEK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? WANT_NOTHING : failed(p, errno);
	if (n == 0)
		return decide(p, OUTCOME_CONNECTION_CLOSED);
	if (!p->hello_sent || is_reply_code(octet))
		return injected(p);
	p->server_spoke = true;
	return WANT_NOTHING;
}

static enum want
handshake_failed(struct probe *p)
{
	const struct tls_shown *shown = tls_shown(p->tls);

	if (shown->failure == TLS_FAILURE_ALERT && shown->alert != 0)
		return decide(p, OUTCOME_TLS_ALERT);
	if (shown->failure == TLS_FAILURE_CLOSED && shown->errnum != 0)
		return failed(p, shown->errnum);
	/* What comes while the ClientHello goes out is read by libssl before we can look. */
	if (shown->failure == TLS_FAILURE_BROKEN && is_reply_code(shown->first_octet))
		return injected(p);
	if (shown->failure == TLS_FAILURE_BROKEN)
		return decide(p, OUTCOME_HANDSHAKE_ERROR);
	return decide(p, OUTCOME_CONNECTION_CLOSED);
}

static enum want
do_handshake(struct probe *p)
{
	enum want want = p->server_spoke ? WANT_NOTHING : inspect_first_octet(p);

	if (want != WANT_NOTHING)
		return want;
	p->hello_sent = true;
	switch (tls_handshake(p->tls)) {
	case TLS_WANT_READ:
		return WANT_READ;
	case TLS_WANT_WRITE:
		return WANT_WRITE;
	case TLS_FAILED:
		return handshake_failed(p);
	case TLS_DONE:
		break;
	}
	stage_done(p, MS_HANDSHAKE);
	decide(p, OUTCOME_SUCCESS);
	p->quit_over_tls = true;
	p->state = QUIT_SEND;
	return WANT_STEP;
}

/* RFC 5321 section 4.1.1.10: not to close before the reply to QUIT has come, within reason. */
static enum want
do_quit_send(struct probe *p)
{
	enum want want = WANT_STEP;

	loop_timer_set(p->timer, p->settings->timeout_ms < LIMIT_QUIT_WAIT_MS
				     ? p->settings->timeout_ms
				     : LIMIT_QUIT_WAIT_MS);
	if (p->quit_over_tls) {
		switch (tls_send(p->tls, "QUIT\r\n")) {
		case TLS_DONE:
			break;
		case TLS_WANT_READ:
			return WANT_READ;
		case TLS_WANT_WRITE:
			return WANT_WRITE;
		case TLS_FAILED:
			want = WANT_NOTHING;
		}
	} else {
		want = send_command(p);
	}
	if (want == WANT_WRITE)
		return want;
	/* Garbage and endless replies are not waited for. */
	if (want == WANT_NOTHING || p->outcome == OUTCOME_PROTOCOL_ERROR) {
		p->state = OVER;
		return WANT_STEP;
	}
	p->state = QUIT_WAIT;
	return WANT_READ;
}

static enum want
do_quit_wait(struct probe *p)
{
	bool over = ++p->farewell_turns > LIMIT_QUIT_TURNS;

	if (p->quit_over_tls) {
		enum tls_status status = tls_drain(p->tls, &p->farewell_octets);

		over |= status == TLS_DONE || status == TLS_FAILED;
	} else {
		uint8_t octets[LIMIT_SMTP_READ];
		ssize_t n = recv(p->fd, octets, sizeof(octets), 0);

		if (n > 0)
			p->farewell_octets += (size_t)n;
		over |= n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
			(n > 0 && memchr(octets, '\n', (size_t)n) != NULL);
	}
	if (!over && p->farewell_octets < LIMIT_QUIT_OCTETS)
		return WANT_READ;
	p->state = OVER;
	return WANT_STEP;
}

/* ---- the machine --------------------------------------------------------------------------- */

/* Goes on as far as it can; false: it came to its end, and the probe is gone. */
static bool
run(struct probe *p)
{
	enum want want = WANT_STEP;

	while (want == WANT_STEP) {
		switch (p->state) {
		case CONNECT:
			want = do_connect(p);
			break;
		case DIALOGUE:
			want = do_dialogue(p);
			break;
		case HANDSHAKE:
			want = do_handshake(p);
			break;
		case QUIT_SEND:
			want = do_quit_send(p);
			break;
		case QUIT_WAIT:
			want = do_quit_wait(p);
			break;
		case OVER:
			hang_up(p); /* who hears of it may call upon the address again */
			report(p);
			release(p);
			return false;
		}
	}
	loop_watch_set(p->watch, want == WANT_WRITE ? LOOP_WRITE : LOOP_READ);
	return true;
}

static void
on_events(void *ctx, unsigned events)
{
	(void)events;
	run(ctx);
}

/* What the server said in time may still wait to be read, if it was us who were late: a slow disk,
 * a reader of our output that stood still. True: the probe is over, or in a stage of its own. */
static bool
catch_up(struct probe *p)
{
	struct pollfd pollfd = {
	    .fd = p->fd, .events = p->state == CONNECT ? POLLOUT : (short)POLLIN};

	if (p->watch == NULL || p->state >= QUIT_SEND)
		return false;
	for (unsigned turn = 0; turn < LIMIT_LATE_TURNS && poll(&pollfd, 1, 0) > 0; turn++)
		if (!run(p) || loop_timer_is_set(p->timer))
			return true;
	return false;
}

static void
on_timeout(void *ctx)
{
	struct probe *p = ctx;

	if (catch_up(p))
		return;
	switch (p->state) {
	case CONNECT:
		p->errnum = p->local ? p->errnum : ETIMEDOUT;
		if (!p->local)
			decide(p, OUTCOME_CONNECTION_TIMEOUT);
		break;
	case HANDSHAKE:
		tls_abandon(p->tls);
		decide(p, OUTCOME_IO_TIMEOUT);
		break;
	case DIALOGUE:
		p->starttls_known = p->smtp.ehlo_read;
		decide(p, OUTCOME_IO_TIMEOUT);
		/* No reply will be waited for, but the server may log why we left. */
		send(p->fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
		break;
	case QUIT_SEND:
	case QUIT_WAIT:
	case OVER:
		break;
	}
	p->state = OVER;
	run(p);
}

static int
open_socket(struct probe *p)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(p->series.port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(p->series.port)};
	bool is4 = p->series.address.family == 4;
	int one = 1;

	memcpy(&v4.sin_addr, p->series.address.octets, 4);
	memcpy(&v6.sin6_addr, p->series.address.octets, 16);
	p->fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0) {
		p->local = errno != EAFNOSUPPORT;
		return errno;
	}
	/* Commands are single small segments; Nagle would hold back the second. */
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(p->fd, is4 ? (void *)&v4 : (void *)&v6, is4 ? sizeof(v4) : sizeof(v6)) != 0 &&
	    errno != EINPROGRESS)
		return errno;
	return 0;
}

/* A failure that is known at once is told from the loop all the same. */
static void
fail_soon(struct probe *p, int errnum)
{
	p->errnum = errnum;
	if (!p->local)
		failed(p, errnum);
	loop_timer_set(p->timer, 0);
}

struct probe *
probe_start(const struct probe_settings *settings, const struct series *series,
    const char *server_name, int32_t dns_ms, probe_done_fn *done, void *ctx)
{
	struct probe *p = mem_zero(1, sizeof(*p));
	int errnum;

	p->settings = settings;
	p->series = *series;
	if (server_name != NULL)
		strcpy(p->server_name, server_name);
	p->done = done;
	p->ctx = ctx;
	for (unsigned i = 0; i < MS_N; i++)
		p->ms[i] = -1;
	p->ms[MS_DNS] = dns_ms;
	p->began_ms = p->stage_ms = clock_monotonic_ms();
	p->began_wall_ms = clock_now_ms();
	p->timer = loop_timer_create(settings->loop, on_timeout, p);
	smtp_init(&p->smtp, settings->ehlo_domain, p->series.host);
	if ((errnum = open_socket(p)) == 0)
		p->watch = loop_watch_create(settings->loop, p->fd, on_events, p, NULL);
	if (errnum == 0 && p->watch == NULL) {
		p->local = true;
		errnum = EMFILE;
	}
	if (errnum != 0) {
		fail_soon(p, errnum);
		return p;
	}
	loop_watch_set(p->watch, LOOP_WRITE);
	loop_timer_set(p->timer, settings->timeout_ms);
	return p;
}

void
probe_abort(struct probe *probe)
{
	release(probe);
}
