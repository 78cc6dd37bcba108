/*
 * A server's TLS records, whatever they are, against a whole handshake of ours: the first octet of
 * an input chooses the offer, the rest is all that the server ever says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/probe/tls.h"

#define OCTETS_MOST 65536 /* what a socket takes at once */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check(struct tls *tls, enum offer offer, size_t len)
{
	const struct tls_shown *shown = tls_shown(tls);

	require(shown->failure != TLS_FAILURE_NONE);
	require(shown->failure != TLS_FAILURE_ALERT || (shown->alert >= 0 && shown->alert <= 255));
	require(shown->chain.n <= LIMIT_CHAIN && shown->chain.der.len <= len);
	require(shown->chain.n == 0 || (shown->version != NULL && shown->chain_ms != 0));
	/* Nobody who has no key gets as far as a signature, nor shows a chain under TLS 1.3. */
	require(shown->server_signature == NULL);
	require(offer != OFFER_TLS1_3 || shown->chain.n == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct tls_context *contexts[OFFER_N];
	enum offer offer = len > 0 ? data[0] % OFFER_N : 0;
	enum tls_status status;
	struct tls *tls;
	int fd[2];

	if (len == 0 || len > OCTETS_MOST)
		return 0;
	if (contexts[offer] == NULL)
		contexts[offer] = tls_context_create(offer, NULL);
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	require(write(fd[1], data + 1, len - 1) == (ssize_t)len - 1);
	shutdown(fd[1], SHUT_WR);
	tls = tls_create(contexts[offer], fd[0], "mx1.example.test");
	status = tls_handshake(tls);
	require(status == TLS_FAILED);
	check(tls, offer, len);
	tls_destroy(tls);
	close(fd[0]);
	close(fd[1]);
	return 0;
}
