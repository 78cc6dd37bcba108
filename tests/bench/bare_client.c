/*
 * bare_client: the least that a client must do for what mxcollect does: TCP, SMTP to STARTTLS, a
 * whole TLS handshake by libssl with one SSL_CTX for all, X25519 first, every chain accepted
 *unseen; QUIT, and its reply awaited. The limit that mxcollect is measured against.
 *
 *	bare_client PORT ADDRESS N CONCURRENCY [HOLD_S]
 *
 * N probes of addresses from ADDRESS on. Prints a line: probes that succeeded, microseconds of CPU
 *a probe; with HOLD_S, what is still under way after so many seconds, and octets of memory for
 *each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum state { GREETING, EHLO, STARTTLS, HANDSHAKE, QUIT };

struct probe {
	int fd;
	enum state state;
	SSL *ssl;
	size_t len;
	char reply[1024];
};

static struct {
	SSL_CTX *ctx;
	int epoll;
	uint32_t first;
	uint16_t port;
	unsigned n, started, good, bad, shaking;
} run;

static int
accept_all(X509_STORE_CTX *ctx, void *arg)
{
	(void)ctx;
	(void)arg;
	return 1;
}

static void
begin(struct probe *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(run.port)};
	struct epoll_event event = {EPOLLIN | EPOLLET, {.ptr = p}};
	int one = 1;

	*p = (struct probe){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
	to.sin_addr.s_addr = htonl(run.first + run.started++);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (p->fd < 0 ||
	    (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)) {
		perror("bare_client: connect");
		exit(1);
	}
	epoll_ctl(run.epoll, EPOLL_CTL_ADD, p->fd, &event);
}

static void
end(struct probe *p, bool good)
{
	*(good ? &run.good : &run.bad) += 1;
	run.shaking -= p->ssl != NULL;
	SSL_free(p->ssl);
	close(p->fd);
	p->fd = -1;
	if (run.started < run.n)
		begin(p);
}

/* 1: a whole reply has come; 0: not yet; -1: the end. */
static int
read_reply(struct probe *p)
{
	for (;;) {
		char *line = p->reply, *lf;
		ssize_t n;

		while ((lf = memchr(line, '\n', p->len - (size_t)(line - p->reply))) != NULL) {
			if (lf - line > 3 && line[3] == ' ') {
				p->len = 0;
				return p->reply[0] == '2' ? 1 : -1;
			}
			line = lf + 1;
		}
		n = recv(p->fd, p->reply + p->len, sizeof(p->reply) - p->len, 0);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		p->len += (size_t)n;
	}
}

static bool
is_waiting(struct probe *p, int rc)
{
	rc = SSL_get_error(p->ssl, rc);
	return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE;
}

/* True: the next state can go on at once. */
static bool
say(struct probe *p, const char *command, enum state next)
{
	send(p->fd, command, strlen(command), MSG_NOSIGNAL);
	p->state = next;
	return true;
}

static bool
start_tls(struct probe *p)
{
	p->ssl = SSL_new(run.ctx);
	SSL_set_fd(p->ssl, p->fd);
	SSL_set_tlsext_host_name(p->ssl, "mx.farm.test");
	SSL_set_connect_state(p->ssl);
	p->state = HANDSHAKE;
	run.shaking++;
	return true;
}

static bool
step(struct probe *p)
{
	char reply[256];
	int rc;

	ERR_clear_error();
	switch (p->state) {
	case GREETING:
	case EHLO:
	case STARTTLS:
		if ((rc = read_reply(p)) < 0)
			end(p, false);
		if (rc <= 0)
			return false;
		if (p->state == GREETING)
			return say(p, "EHLO bench.test\r\n", EHLO);
		return p->state == EHLO ? say(p, "STARTTLS\r\n", STARTTLS) : start_tls(p);
	case HANDSHAKE:
		if ((rc = SSL_do_handshake(p->ssl)) != 1) {
			if (!is_waiting(p, rc))
				end(p, false);
			return false;
		}
		SSL_write(p->ssl, "QUIT\r\n", 6);
		p->state = QUIT;
		return true;
	case QUIT:
		rc = SSL_read(p->ssl, reply, sizeof(reply));
		if (rc > 0 || !is_waiting(p, rc))
			end(p, rc > 0);
		return false;
	}
	return false;
}

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static long
resident_octets(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
		exit(1);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static SSL_CTX *
make_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_cert_verify_callback(ctx, accept_all, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	return ctx;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[256];
	unsigned concurrency;
	struct probe *probes;
	double before_us;
	time_t until = 0;
	long before;

	if (argc < 5) {
		fprintf(stderr, "usage: bare_client PORT ADDRESS N CONCURRENCY [HOLD_S]\n");
		return 2;
	}
	run.port = (uint16_t)atoi(argv[1]);
	run.first = ntohl(inet_addr(argv[2]));
	run.n = (unsigned)atoi(argv[3]);
	concurrency = (unsigned)atoi(argv[4]);
	if (argc > 5)
		until = time(NULL) + atoi(argv[5]);
	run.ctx = make_context();
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	probes = calloc(concurrency, sizeof(*probes));
	before_us = cpu_us();
	before = resident_octets();
	for (unsigned i = 0; i < concurrency && i < run.n; i++)
		begin(&probes[i]);
	while (run.good + run.bad < run.n &&
	       (until == 0 || (run.shaking < run.n && time(NULL) < until))) {
		int n = epoll_wait(run.epoll, events, 256, 100);

		for (int i = 0; i < n; i++)
			while (step(events[i].data.ptr))
				;
	}
	if (until != 0) {
		printf("%u held %ld octets\n", run.shaking,
		    (resident_octets() - before) / (run.shaking + !run.shaking));
	} else {
		printf("%u good %.1f us\n", run.good, (cpu_us() - before_us) / run.n);
	}
	return run.bad != 0;
}
