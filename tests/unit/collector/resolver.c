#include "resolver.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CLASS_IN 1
#define TTL 300
#define MESSAGE_MAX 65000

static void
append_u16(struct buf *out, unsigned v)
{
	buf_append_u16be(out, (uint16_t)v);
}

static void
append_name(struct buf *out, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		buf_append_byte(out, (uint8_t)len);
		buf_append(out, name, len);
		name += len + (name[len] == '.');
	}
	buf_append_byte(out, 0);
}

static void
add(struct resolver_reply *reply, const char *owner, uint16_t rrtype, struct buf *rdata)
{
	append_name(&reply->records, owner);
	append_u16(&reply->records, rrtype);
	append_u16(&reply->records, CLASS_IN);
	append_u16(&reply->records, 0);
	append_u16(&reply->records, TTL);
	append_u16(&reply->records, (unsigned)rdata->len);
	buf_append(&reply->records, rdata->data, rdata->len);
	reply->n++;
	buf_finish(rdata);
}

void
resolver_add_a(struct resolver_reply *reply, const char *owner, const char *address)
{
	struct buf rdata = {0};
	struct in_addr in;

	if (inet_pton(AF_INET, address, &in) == 1)
		buf_append(&rdata, &in, sizeof(in));
	add(reply, owner, RDATA_A, &rdata);
}

void
resolver_add_cname(struct resolver_reply *reply, const char *owner, const char *target)
{
	struct buf rdata = {0};

	append_name(&rdata, target);
	add(reply, owner, RDATA_CNAME, &rdata);
}

void
resolver_add_mx(
    struct resolver_reply *reply, const char *owner, unsigned preference, const char *exchange)
{
	struct buf rdata = {0};

	append_u16(&rdata, preference);
	append_name(&rdata, exchange);
	add(reply, owner, RDATA_MX, &rdata);
}

void
resolver_add_txt(struct resolver_reply *reply, const char *owner, const char *pieces)
{
	struct buf rdata = {0};

	while (*pieces != '\0') {
		size_t len = strcspn(pieces, "|");

		buf_append_byte(&rdata, (uint8_t)len);
		buf_append(&rdata, pieces, len);
		pieces += len + (pieces[len] == '|');
	}
	add(reply, owner, RDATA_TXT, &rdata);
}

/* The name of the question, in small letters; how long the question is. */
static size_t
read_question(const uint8_t *p, size_t len, char name[256], uint16_t *rrtype)
{
	size_t at = 12, out = 0;

	while (at < len && p[at] != 0 && at + 1 + p[at] < len && out + p[at] + 1 < 255) {
		if (out > 0)
			name[out++] = '.';
		for (unsigned i = 1; i <= p[at]; i++) {
			char c = (char)p[at + i];

			name[out++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
		at += 1u + p[at];
	}
	name[out] = '\0';
	if (at + 5 > len)
		return 0;
	*rrtype = (uint16_t)(p[at + 1] << 8 | p[at + 2]);
	return at + 5 - 12;
}

static void
reply_to(struct resolver *resolver, const uint8_t *p, size_t len, const struct sockaddr_in *peer)
{
	struct resolver_reply reply = {0};
	struct buf out = {0};
	uint16_t rrtype = 0;
	char name[256];
	size_t question = len > 12 ? read_question(p, len, name, &rrtype) : 0;
	int rcode = question > 0 ? resolver->answer(&reply, name, rrtype) : RESOLVER_MUTE;

	if (rcode != RESOLVER_MUTE) {
		buf_append(&out, p, 2);
		append_u16(&out, 0x8180u | (unsigned)rcode); /* an answer; recursion available */
		append_u16(&out, 1);
		append_u16(&out, reply.n);
		append_u16(&out, 0);
		append_u16(&out, 0);
		buf_append(&out, p + 12, question);
		buf_append(&out, reply.records.data, reply.records.len);
		if (out.len <= MESSAGE_MAX)
			sendto(
			    resolver->fd, out.data, out.len, 0, (const void *)peer, sizeof(*peer));
	}
	buf_finish(&reply.records);
	buf_finish(&out);
}

static void *
serve(void *arg)
{
	struct resolver *resolver = arg;
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	uint8_t octets[4096];
	ssize_t n;

	/* resolver_stop() sends nothing: an empty message ends it. */
	while (
	    (n = recvfrom(resolver->fd, octets, sizeof(octets), 0, (void *)&peer, &peer_len)) > 0) {
		reply_to(resolver, octets, (size_t)n, &peer);
		peer_len = sizeof(peer);
	}
	return NULL;
}

void
resolver_start(struct resolver *resolver, resolver_fn *answer)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t len = sizeof(here);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	resolver->answer = answer;
	resolver->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(resolver->fd >= 0);
	assert_int_equal(bind(resolver->fd, (void *)&here, sizeof(here)), 0);
	assert_int_equal(getsockname(resolver->fd, (void *)&here, &len), 0);
	snprintf(
	    resolver->address, sizeof(resolver->address), "127.0.0.1@%u", ntohs(here.sin_port));
	assert_int_equal(pthread_create(&resolver->thread, NULL, serve, resolver), 0);
}

void
resolver_stop(struct resolver *resolver)
{
	struct sockaddr_in here = {0};
	socklen_t len = sizeof(here);

	assert_int_equal(getsockname(resolver->fd, (void *)&here, &len), 0);
	sendto(resolver->fd, "", 0, 0, (void *)&here, sizeof(here));
	pthread_join(resolver->thread, NULL);
	close(resolver->fd);
}
