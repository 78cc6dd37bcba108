/*
 * farm: mail servers by the thousand, for benchmarks and soaks: every address 127.x.y.z is one, and
 * its second octet says what it does: 127.200.y.z the first of behaviours[], 127.201.y.z the
 *second, …; all others are good servers.
 *
 *	farm PORT [THREADS [LATE_MS [GROUPS]]]
 *	farm --list		octet and name of each behaviour, one a line
 *
 * Says "ready"; SIGTERM ends it, and it prints what it saw, before that, with LATE_MS, a line
 * "late ADDRESS MS" for each time that it came to what a client had said so much later: the
 * machine's doing, and not the client's. SIGUSR1 is a roll-out: the good servers of a third octet,
 * 0 at first, the next one (below GROUPS) each time, have a new leaf from then on: "renewed 0".
 *
 * Loopback only. One epoll and one listening socket a thread, handshakes by libssl.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "farm_tls.h"

#define FIRST_OCTET 200
#define THREADS_MOST 16
#define TICK_MS 50
#define GAVE_UP_MS 3600000
#define GO "220 2.0.0 go ahead\r\n"
#define GREETING "220 farm.test ESMTP\r\n"
#define EHLO "250-farm.test\r\n250-8BITMIME\r\n250-SIZE 100000\r\n250 STARTTLS\r\n"

/* What comes instead of a dialogue, or after the reply to STARTTLS. */
enum then { THEN_TLS, THEN_CLOSE, THEN_MUTE, THEN_RESET, THEN_DRIP, THEN_FLOOD, THEN_JUNK };

static const struct behaviour {
	const char *name;
	const char *greeting, *ehlo, *starttls; /* NULL: as usual; greeting "": then at once */
	enum then then;
	enum farm_context context;
} good = {.name = "good"},
  behaviours[] = {
      {"drip", .greeting = "", .then = THEN_DRIP},
      {"421", .greeting = "421 4.7.0 try again later\r\n"},
      {"no-starttls", .ehlo = "250-farm.test\r\n250 8BITMIME\r\n"},
      {"garbage", .greeting = "\x16\x03\x01\x02\xff\xfe garbage \x80\r\nmore\r\n"},
      {"close", .then = THEN_CLOSE},
      {"endless", .greeting = "", .then = THEN_FLOOD},
      {"stall", .then = THEN_MUTE},
      {"giant", .context = FARM_GIANT},
      {"reset", .greeting = "", .then = THEN_RESET},
      {"silent", .greeting = "", .then = THEN_MUTE},
      {"454", .starttls = "454 4.7.0 TLS not available\r\n"},
      {"alert", .context = FARM_NOTHING},
      {"inject", .starttls = GO "250 2.1.0 injected\r\n"},
      {"tls12", .context = FARM_TLS12},
      {"big-ehlo", .ehlo = NULL}, /* filled in by make_big_ehlo() */
      {"450", .greeting = "450 4.3.2 not now\r\n"},
      {"554", .greeting = "554 5.7.1 not you\r\n"},
      {"junk", .then = THEN_JUNK},
      {"tickets", .context = FARM_TICKETS},
      {"fragments", .context = FARM_FRAGMENTED},
      {"helo-only", .ehlo = "502 5.5.2 what?\r\n"},
      {"renegotiate", .context = FARM_RENEGOTIATING},
};
#define BEHAVIOURS_N (sizeof(behaviours) / sizeof(behaviours[0]))

static SSL_CTX *contexts[FARM_CONTEXT_N];
static _Atomic(SSL_CTX *) renewed[256]; /* by third octet; NULL: as usual */
static char big_ehlo[32768];
static atomic_ulong accepted, handshakes, farewells;
static unsigned late_ms; /* 0: not looked at */

struct connection {
	int fd, epoll;
	const struct behaviour *behaviour;
	unsigned group; /* the third octet */
	SSL *ssl;
	bool finished;			/* the handshake */
	enum then now;			/* THEN_TLS: the dialogue */
	struct connection *prev, *next; /* of those that drip */
	struct connection **drips;
	size_t len;
	char line[512];
};

static void
make_big_ehlo(void)
{
	size_t len = 0;

	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(
		    big_ehlo + len, sizeof(big_ehlo) - len, "250-X-KEYWORD-%d\r\n", i);
	snprintf(big_ehlo + len, sizeof(big_ehlo) - len, "250 STARTTLS\r\n");
}

static void
drop(struct connection *c)
{
	if (c->drips != NULL) {
		*(c->prev != NULL ? &c->prev->next : c->drips) = c->next;
		if (c->next != NULL)
			c->next->prev = c->prev;
	}
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

/* Small replies fit into the socket's buffer. */
static bool
say(struct connection *c, const char *text)
{
	size_t len = strlen(text);

	if (c->ssl != NULL)
		return SSL_write(c->ssl, text, (int)len) > 0;
	return send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool
flood(struct connection *c)
{
	static const char lines[] = "220-line\r\n220-line\r\n220-line\r\n220-line\r\n";

	while (send(c->fd, lines, sizeof(lines) - 1, MSG_NOSIGNAL) > 0)
		;
	return errno == EAGAIN;
}

static SSL_CTX *
context_of(const struct connection *c)
{
	SSL_CTX *context = c->behaviour == &good ? renewed[c->group] : NULL;

	return context != NULL ? context : contexts[c->behaviour->context];
}

/* False: the connection is to be closed. */
static bool
begin(struct connection *c, enum then then)
{
	struct linger reset = {.l_onoff = 1};

	c->now = then;
	switch (then) {
	case THEN_TLS:
		c->ssl = SSL_new(context_of(c));
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_accept_state(c->ssl);
		return true;
	case THEN_RESET:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	case THEN_FLOOD:
		return flood(c);
	case THEN_CLOSE:
		return false;
	case THEN_MUTE:
	case THEN_DRIP:
	case THEN_JUNK:
		break;
	}
	return true;
}

static bool
on_line(struct connection *c)
{
	const struct behaviour *b = c->behaviour;

	if (strncasecmp(c->line, "EHLO", 4) == 0)
		return say(c, strcmp(b->name, "big-ehlo") == 0 ? big_ehlo
			      : b->ehlo != NULL		       ? b->ehlo
							       : EHLO);
	if (strncasecmp(c->line, "HELO", 4) == 0)
		return say(c, "250 farm.test\r\n");
	if (strncasecmp(c->line, "QUIT", 4) == 0) {
		farewells++;
		say(c, "221 2.0.0 bye\r\n");
		return false;
	}
	if (strncasecmp(c->line, "STARTTLS", 8) != 0 || c->ssl != NULL)
		return say(c, "502 5.5.1 what?\r\n");
	if (!say(c, b->starttls != NULL ? b->starttls : GO))
		return false;
	return (b->starttls != NULL && b->starttls[0] != '2') || begin(c, b->then);
}

/* The commands that stand in c->line, whole. */
static bool
on_octets(struct connection *c)
{
	char *lf;

	while ((lf = memchr(c->line, '\n', c->len)) != NULL) {
		size_t used = (size_t)(lf - c->line) + 1;

		if (!on_line(c))
			return false;
		memmove(c->line, c->line + used, c->len -= used);
	}
	return c->len < sizeof(c->line);
}

static bool
do_handshake(struct connection *c)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1) {
		c->finished = true;
		handshakes++;
		if (c->behaviour->context == FARM_RENEGOTIATING) {
			SSL_renegotiate(c->ssl);
			SSL_do_handshake(c->ssl);
		}
		return true;
	}
	rc = SSL_get_error(c->ssl, rc);
	return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE;
}

/* A record that is none, once the ClientHello has come: before it, it would be an injection. */
static void
after_hello(struct connection *c)
{
	static const char junk[] = "\x16\x03\x03\x00\x08\x63junk...";

	if (c->now != THEN_JUNK)
		return;
	send(c->fd, junk, sizeof(junk) - 1, MSG_NOSIGNAL);
	c->now = THEN_MUTE;
}

/* How long the kernel has held what the client waits for an answer to: since its last octets came,
 * or, when it is only now let in, since the connection stood. */
static unsigned
waited_ms(const struct connection *c, bool let_in)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int unread = 0;

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	if (let_in && info.tcpi_state == TCP_CLOSE_WAIT)
		return GAVE_UP_MS; /* it did not wait any longer */
	if (let_in)
		return info.tcpi_last_ack_recv;
	return ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0 ? info.tcpi_last_data_recv : 0;
}

static void
note_if_late(const struct connection *c, bool let_in)
{
	struct sockaddr_in own = {0};
	char address[INET_ADDRSTRLEN];
	socklen_t len = sizeof(own);
	unsigned waited;

	if (late_ms == 0 || (waited = waited_ms(c, let_in)) < late_ms ||
	    getsockname(c->fd, (struct sockaddr *)&own, &len) != 0)
		return;
	inet_ntop(AF_INET, &own.sin_addr, address, sizeof(address));
	printf("late %s %u\n", address, waited);
}

/* Reads all that there is: the events are edges. */
static bool
on_readable(struct connection *c)
{
	char scratch[4096];

	for (;;) {
		bool plain = c->ssl == NULL, muted = c->now != THEN_TLS;
		char *to = muted ? scratch : c->line + c->len;
		size_t room = muted ? sizeof(scratch) : sizeof(c->line) - c->len;
		ssize_t n;

		if (!plain && !c->finished) {
			if (!do_handshake(c))
				return false;
			if (!c->finished)
				return true;
		}
		ERR_clear_error();
		n = plain ? recv(c->fd, to, room, 0) : SSL_read(c->ssl, to, (int)room);
		if (n <= 0 && plain)
			return n < 0 && errno == EAGAIN;
		if (n <= 0)
			return SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ;
		if (muted) {
			after_hello(c);
			continue;
		}
		c->len += (size_t)n;
		if (!on_octets(c))
			return false;
	}
}

static void
add_to_drips(struct connection *c, struct connection **drips)
{
	c->drips = drips;
	c->next = *drips;
	if (c->next != NULL)
		c->next->prev = c;
	*drips = c;
}

static void
take(int epoll, int fd, struct connection **drips)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = c}};
	struct sockaddr_in own = {0};
	socklen_t len = sizeof(own);
	unsigned octet;
	int one = 1;

	getsockname(fd, (struct sockaddr *)&own, &len);
	octet = ntohl(own.sin_addr.s_addr) >> 16 & 255;
	c->group = ntohl(own.sin_addr.s_addr) >> 8 & 255;
	accepted++;
	c->fd = fd;
	c->epoll = epoll;
	c->now = THEN_TLS;
	c->behaviour = octet >= FIRST_OCTET && octet < FIRST_OCTET + BEHAVIOURS_N
			   ? &behaviours[octet - FIRST_OCTET]
			   : &good;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	note_if_late(c, true);
	if (c->behaviour->then == THEN_DRIP)
		add_to_drips(c, drips);
	if (c->behaviour->greeting != NULL && c->behaviour->greeting[0] == '\0'
		? !begin(c, c->behaviour->then)
		: !say(c, c->behaviour->greeting != NULL ? c->behaviour->greeting : GREETING))
		drop(c);
}

static void
take_all(int epoll, int listener, struct connection **drips)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		take(epoll, fd, drips);
}

static void
drip(struct connection *drips)
{
	for (struct connection *c = drips; c != NULL; c = c->next)
		send(c->fd, "2", 1, MSG_NOSIGNAL);
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* Whole 127/8 without a socket for each address; nobody from outside reaches it. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 || listen(fd, 65535) != 0) {
		perror("farm: cannot listen on loopback");
		exit(1);
	}
	return fd;
}

static void *
serve(void *arg)
{
	int listener = *(int *)arg, epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[256], event = {EPOLLIN, {.ptr = NULL}};
	struct connection *drips = NULL;

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, drips != NULL ? TICK_MS : -1);

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c != NULL && (events[i].events & EPOLLIN) != 0)
				note_if_late(c, false);
			if (c == NULL)
				take_all(epoll, listener, &drips);
			else if ((c->now == THEN_FLOOD && !flood(c)) || !on_readable(c))
				drop(c);
		}
		drip(drips);
	}
	return NULL;
}

static int
list(void)
{
	for (size_t i = 0; i < BEHAVIOURS_N; i++)
		printf("%zu %s\n", FIRST_OCTET + i, behaviours[i].name);
	return 0;
}

int
main(int argc, char **argv)
{
	int listeners[THREADS_MOST], threads = argc > 2 ? atoi(argv[2]) : 1, number;
	struct rlimit limit;
	pthread_t thread;
	sigset_t end;
	unsigned group = 0, groups = argc > 4 ? (unsigned)atoi(argv[4]) : 1;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc < 2 || threads < 1 || threads > THREADS_MOST || groups < 1) {
		fprintf(stderr, "usage: farm PORT [THREADS [LATE_MS [GROUPS]]] | --list\n");
		return 2;
	}
	late_ms = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	make_big_ehlo();
	farm_tls_create(contexts);
	signal(SIGPIPE, SIG_IGN); /* libssl writes without MSG_NOSIGNAL */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &end, NULL);
	for (int i = 0; i < threads; i++)
		listeners[i] = listen_on((uint16_t)atoi(argv[1]));
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, serve, &listeners[i]) != 0)
			return 1;
	puts("ready");
	fflush(stdout);
	while (sigwait(&end, &number) == 0 && number == SIGUSR1) {
		renewed[group % groups] = farm_tls_renewed(); /* connections may have the old one */
		printf("renewed %u\n", group++ % groups);
		fflush(stdout);
	}
	printf("%lu accepted, %lu handshakes, %lu farewells\n", accepted, handshakes, farewells);
	return 0;
}
