#include "outlet.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/options.h"

#define CHUNK 4096 /* PIPE_BUF: a pipe that is ready takes as much without blocking */
#define NAP_MAX_MS 50

struct line_end {
	bool inside;	     /* a line was begun */
	int64_t patience_ms; /* monotonic; 0: no signal came yet */
};

/* Whether to stop here. */
static bool
must_stop(struct line_end *l)
{
	if (!options_interrupted())
		return false;
	if (l->patience_ms == 0)
		l->patience_ms = clock_monotonic_ms() + OUTLET_PATIENCE_MS;
	return !l->inside || clock_monotonic_ms() > l->patience_ms;
}

int
outlet_sleep(int ms)
{
	struct pollfd p = {.fd = STDOUT_FILENO};
	int n = poll(&p, 1, ms);

	return n > 0 && (p.revents & (POLLERR | POLLNVAL)) != 0 ? OUTLET_CLOSED : OUTLET_DONE;
}

/* After a signal only to the end of the line. */
static size_t
how_much(const uint8_t *p, size_t len)
{
	const uint8_t *lf = options_interrupted() ? memchr(p, '\n', len) : NULL;

	return lf != NULL ? (size_t)(lf - p) + 1 : len;
}

static int
send_chunk(struct line_end *l, const uint8_t *p, size_t len, struct err *err)
{
	while (len > 0) {
		struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
		ssize_t n;

		if (must_stop(l))
			return OUTLET_INTERRUPTED;
		if (poll(&ready, 1, 200) <= 0)
			continue;
		if ((ready.revents & (POLLERR | POLLNVAL)) != 0)
			return OUTLET_CLOSED;
		n = write(STDOUT_FILENO, p, how_much(p, len));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 && errno == EPIPE)
			return OUTLET_CLOSED;
		if (n < 0)
			return err_system(err, errno, "standard output: cannot be written");
		p += n;
		len -= (size_t)n;
		l->inside = p[-1] != '\n';
	}
	return OUTLET_DONE;
}

int
outlet_send(const struct spool *spool, struct err *err)
{
	struct line_end l = {0};
	uint8_t chunk[CHUNK];
	int rc = OUTLET_DONE;

	for (uint64_t at = 0; rc == OUTLET_DONE && at < spool->len; at += CHUNK) {
		size_t n = spool->len - at < CHUNK ? (size_t)(spool->len - at) : CHUNK;

		rc = spool_read(spool, at, chunk, n, err);
		if (rc == 0)
			rc = send_chunk(&l, chunk, n, err);
	}
	return rc;
}

int
outlet_drain(struct err *err)
{
	struct stat st;
	int nap_ms = 1, left = 0;

	if (fstat(STDOUT_FILENO, &st) != 0 || !S_ISFIFO(st.st_mode))
		return OUTLET_DONE;
	for (;; nap_ms = 2 * nap_ms < NAP_MAX_MS ? 2 * nap_ms : NAP_MAX_MS) {
		if (ioctl(STDOUT_FILENO, FIONREAD, &left) != 0)
			return err_system(err, errno, "standard output");
		if (left == 0)
			return OUTLET_DONE;
		if (options_interrupted())
			return OUTLET_INTERRUPTED;
		if (outlet_sleep(nap_ms) == OUTLET_CLOSED)
			return OUTLET_CLOSED;
	}
}
