#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	int fd;
	SSL *ssl;
};

static ssize_t
peer_read(struct peer *p, void *data, size_t len)
{
	return p->ssl != NULL ? SSL_read(p->ssl, data, (int)len) : recv(p->fd, data, len, 0);
}

static void
peer_write(struct peer *p, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = p->ssl != NULL ? SSL_write(p->ssl, at, (int)len)
					   : send(p->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

static void
read_line(struct server *s, struct peer *p)
{
	char *line = s->lines[s->lines_n];
	size_t len = 0;

	if (s->lines_n == SERVER_LINES)
		abort();
	while (len + 1 < sizeof(s->lines[0]) && peer_read(p, line + len, 1) == 1)
		if (line[len++] == '\n')
			break;
	line[len] = '\0';
	s->lines_n++;
}

static void
read_hello(struct peer *p)
{
	uint8_t header[5], body[20000];

	if (recv(p->fd, header, 5, MSG_WAITALL) == 5)
		recv(p->fd, body, (size_t)(header[3] << 8 | header[4]), MSG_WAITALL);
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	snprintf(s->sni, sizeof(s->sni), "%s", name != NULL ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static void
accept_tls(struct server *s, struct peer *p)
{
	SSL_CTX_set_tlsext_servername_callback(s->ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(s->ctx, s);
	p->ssl = SSL_new(s->ctx);
	SSL_set_fd(p->ssl, p->fd);
	SSL_accept(p->ssl);
}

static void
step(struct server *s, struct peer *p, const char *text)
{
	struct linger reset = {.l_onoff = 1};
	char drop[512];

	if (strncmp(text, "> ", 2) == 0)
		peer_write(p, text + 2, strlen(text + 2));
	else if (strcmp(text, "<") == 0)
		read_line(s, p);
	else if (strncmp(text, "~ ", 2) == 0)
		usleep((useconds_t)atoi(text + 2) * 1000);
	else if (strcmp(text, "tls") == 0)
		accept_tls(s, p);
	else if (strcmp(text, "hello") == 0)
		read_hello(p);
	else if (strcmp(text, "raw") == 0)
		peer_write(p, s->raw.data, s->raw.len);
	else if (strcmp(text, "reset") == 0)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else if (strcmp(text, "hold") == 0)
		while (peer_read(p, drop, sizeof(drop)) > 0)
			;
	else
		abort();
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	struct peer p = {.fd = accept(s->listener, NULL, NULL)};

	for (unsigned i = 0; p.fd >= 0 && s->script[i] != NULL; i++)
		step(s, &p, s->script[i]);
	SSL_free(p.ssl);
	close(p.fd);
	return NULL;
}

void
server_start(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listener, (void *)&a, sizeof(a)) != 0 || listen(s->listener, 1) != 0 ||
	    getsockname(s->listener, (void *)&a, &len) != 0)
		abort();
	s->port = ntohs(a.sin_port);
	if (pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
}

void
server_join(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	buf_finish(&s->raw);
}

void
server_make_certificate(const char *type, EVP_PKEY **key, X509 **certificate)
{
	X509_NAME *name = X509_NAME_new();
	X509 *x = X509_new();

	if (strcmp(type, "RSA") == 0)
		*key = EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048);
	else if (strcmp(type, "EC") == 0)
		*key = EVP_PKEY_Q_keygen(NULL, NULL, type, "P-256");
	else
		*key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"mx.test", -1, -1, 0);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, *key);
	if (X509_sign(x, *key, strcmp(type, "ED25519") == 0 ? NULL : EVP_sha256()) == 0)
		abort();
	X509_NAME_free(name);
	*certificate = x;
}

SSL_CTX *
server_make_context(const char *const *types)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	for (; *types != NULL; types++) {
		EVP_PKEY *key;
		X509 *x;

		server_make_certificate(*types, &key, &x);
		if (SSL_CTX_use_certificate(ctx, x) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
			abort();
		X509_free(x);
		EVP_PKEY_free(key);
	}
	return ctx;
}
