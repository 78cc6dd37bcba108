#include "street.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/base/clock.h"

#define OPEN_MAX 128

struct visitor {
	int fd;
	unsigned house, call;
	bool greeted, later;
	size_t line_len;
	char line[512];
};

static void
must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static int
open_socket(const struct street_house *house, uint16_t *port, bool listens)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(a);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, house->address, &a.sin_addr);
	if (!listens) {
		must(connect(fd, (void *)&a, len) == 0 || errno == EINPROGRESS, "connect");
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(bind(fd, (void *)&a, len) == 0, "bind");
	must(listen(fd, house->full ? 0 : 64) == 0, "listen");
	must(getsockname(fd, (void *)&a, &len) == 0, "getsockname");
	*port = ntohs(a.sin_port);
	return fd;
}

static void
answer(struct visitor *v, const char *text)
{
	if (send(v->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return; /* it is gone: the next read tells */
}

static void
greet(struct visitor *v, const struct street_house *house)
{
	char text[128];

	snprintf(text, sizeof(text), "%s\r\n", v->later ? house->later : "220 mx ESMTP");
	answer(v, text);
	v->greeted = true;
}

/* False: it is over. */
static bool
hear(struct street *s, struct visitor *v)
{
	char octet;
	ssize_t n;

	while ((n = recv(v->fd, &octet, 1, 0)) == 1) {
		if (octet != '\n') {
			if (v->line_len < sizeof(v->line))
				v->line[v->line_len++] = octet;
			continue;
		}
		if (strncmp(v->line, "QUIT", 4) == 0) {
			s->calls[v->call].bye_ms = clock_monotonic_ms();
			answer(v, "221 bye\r\n");
		} else {
			answer(v, "250 mx\r\n");
		}
		v->line_len = 0;
	}
	return n < 0 && errno == EAGAIN;
}

static void
let_in(struct street *s, unsigned number, struct visitor *v)
{
	struct street_house *house = &s->houses[number];
	int fd = accept4(house->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	must(s->calls_n < STREET_CALLS, "too many calls");
	*v = (struct visitor){.fd = fd, .house = number, .call = s->calls_n};
	v->later = house->later != NULL && house->callers++ < house->later_n;
	s->calls[s->calls_n++] =
	    (struct street_call){.house = number, .begin_ms = clock_monotonic_ms()};
}

static void
see_off(struct street *s, struct visitor *v)
{
	s->calls[v->call].end_ms = clock_monotonic_ms();
	close(v->fd);
	*v = (struct visitor){.fd = -1};
}

static bool
is_due(const struct street *s, const struct visitor *v)
{
	int64_t hold_ms = s->houses[v->house].hold_ms;

	return v->fd >= 0 && !v->greeted && hold_ms >= 0 &&
	       clock_monotonic_ms() >= s->calls[v->call].begin_ms + hold_ms;
}

static void *
live(void *arg)
{
	struct street *s = arg;
	struct visitor visitors[OPEN_MAX];
	struct pollfd fds[1 + STREET_HOUSES + OPEN_MAX];

	for (unsigned i = 0; i < OPEN_MAX; i++)
		visitors[i] = (struct visitor){.fd = -1};
	for (;;) {
		fds[0] = (struct pollfd){.fd = s->stop[0], .events = POLLIN};
		for (unsigned i = 0; i < s->houses_n; i++)
			fds[1 + i] = (struct pollfd){
			    .fd = s->houses[i].full ? -1 : s->houses[i].listener, .events = POLLIN};
		for (unsigned i = 0; i < OPEN_MAX; i++)
			fds[1 + s->houses_n + i] =
			    (struct pollfd){.fd = visitors[i].fd, .events = POLLIN};
		poll(fds, 1 + s->houses_n + OPEN_MAX, 5);
		if (fds[0].revents != 0)
			break;
		for (unsigned i = 0; i < OPEN_MAX; i++) {
			struct visitor *v = &visitors[i];

			if (is_due(s, v))
				greet(v, &s->houses[v->house]);
			if (v->fd >= 0 && fds[1 + s->houses_n + i].revents != 0 && !hear(s, v))
				see_off(s, v);
		}
		for (unsigned house = 0, i = 0; house < s->houses_n; house++) {
			while (i < OPEN_MAX && visitors[i].fd >= 0)
				i++;
			if (i < OPEN_MAX && fds[1 + house].revents != 0)
				let_in(s, house, &visitors[i]);
		}
	}
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (visitors[i].fd >= 0)
			see_off(s, &visitors[i]);
	return NULL;
}

void
street_start(struct street *s)
{
	for (unsigned i = 0; i < s->houses_n; i++) {
		struct street_house *house = &s->houses[i];

		house->listener = open_socket(house, &s->port, true);
		/* The kernel takes one or two into its queue, and drops the SYNs of the others. */
		for (unsigned k = 0; house->full && k < 4; k++)
			house->fillers[k] = open_socket(house, &s->port, false);
	}
	must(pipe2(s->stop, O_CLOEXEC) == 0, "pipe");
	must(pthread_create(&s->thread, NULL, live, s) == 0, "pthread_create");
}

void
street_stop(struct street *s)
{
	must(write(s->stop[1], "x", 1) == 1, "write");
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->stop[1]);
	for (unsigned i = 0; i < s->houses_n; i++) {
		close(s->houses[i].listener);
		for (unsigned k = 0; s->houses[i].full && k < 4; k++)
			close(s->houses[i].fillers[k]);
	}
}

unsigned
street_most_at_once(const struct street *s, const char *prefix)
{
	unsigned most = 0;

	for (unsigned i = 0; i < s->calls_n; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < s->calls_n; k++) {
			const struct street_call *c = &s->calls[k];
			const char *address = s->houses[c->house].address;

			n += strncmp(address, prefix, strlen(prefix)) == 0 &&
			     strncmp(s->houses[s->calls[i].house].address, prefix,
				 strlen(prefix)) == 0 &&
			     c->begin_ms <= s->calls[i].begin_ms &&
			     c->end_ms > s->calls[i].begin_ms;
		}
		most = n > most ? n : most;
	}
	return most;
}

unsigned
street_calls_of(const struct street *s, unsigned house)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->calls_n; i++)
		n += s->calls[i].house == house;
	return n;
}
