#include "sts.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/limits.h"
#include "store/base/mem.h"
#include "store/base/text.h"
#include "store/record/sts_policy.h"
#include "tls.h"

#define HTTPS_PORT 443
#define REASON_MAX 256

struct sts_fetcher {
	struct loop *loop;
	char *roots;
	bool roots_dir;
	uint16_t port;
	int64_t timeout_ms;
	CURLM *multi;
	struct loop_timer *timer;   /* libcurl's */
	struct loop_timer *failing; /* for those that could not even be begun */
	struct sts_fetch *first;
};

struct sts_fetch {
	struct sts_fetch *prev, *next;
	struct sts_fetcher *fetcher;
	CURL *easy;
	struct curl_slist *resolve, *connect_to;
	char host[LIMIT_NAME + 16];
	struct ip *addresses;
	size_t addresses_n;
	struct sts_body body;
	bool too_large, broken;
	char error[CURL_ERROR_SIZE];
	sts_done_fn *done;
	void *ctx;
};

/* ---- what came ------------------------------------------------------------------------------ */

static bool
is_utf8(const struct buf *b)
{
	uint32_t rune;

	for (size_t at = 0, n; at < b->len; at += n)
		if ((n = text_utf8(b->data + at, b->len - at, &rune)) == 0 || rune == 0)
			return false;
	return true;
}

/* The lines of the body, fit to be kept: one behind the other in body->text, NUL after each. */
static size_t
cut(struct sts_body *body)
{
	const uint8_t *p = body->raw.data;
	size_t left = body->raw.len, n = 0, at = 0;

	while (left > 0) {
		const uint8_t *end = memchr(p, '\n', left);
		size_t len = end != NULL ? (size_t)(end - p) : left;
		size_t text = end != NULL && len > 0 && p[len - 1] == '\r' ? len - 1 : len;

		text_valid_utf8(&body->text, p, text);
		buf_append_byte(&body->text, '\0');
		n++;
		left -= len + (end != NULL);
		p += len + (end != NULL);
	}
	body->lines = mem_zero(n, sizeof(*body->lines));
	for (size_t i = 0; i < n; i++) {
		body->lines[i] = (const char *)body->text.data + at;
		at += strlen(body->lines[i]) + 1;
	}
	return n;
}

void
sts_judge(struct sts_answer *answer, struct sts_body *body, char reason[REASON_MAX])
{
	struct sts_policy policy;
	struct err err = {0};

	*answer = (struct sts_answer){.result = STS_OK};
	answer->policy_n = cut(body);
	answer->policy = body->lines;
	if (answer->policy_n > LIMIT_STS_LINES || body->text.len > LIMIT_STS_OCTETS) {
		err_set(&err, ERR_LIMIT, "it has more than %d lines, or %d octets", LIMIT_STS_LINES,
		    LIMIT_STS_OCTETS);
		answer->policy_n = 0; /* the store would not take it */
	} else if (!is_utf8(&body->raw)) {
		err_set(&err, ERR_INPUT, "it is not UTF-8 (RFC 8461 section 3.2)");
	} else if (sts_policy_parse(&policy, answer->policy, answer->policy_n, &err) == 0) {
		sts_policy_finish(&policy);
	}
	if (err.code == 0)
		return;
	snprintf(reason, REASON_MAX, "%.255s", err.text);
	answer->result = STS_POLICY_INVALID;
	answer->error = reason;
}

void
sts_body_finish(struct sts_body *body)
{
	buf_finish(&body->raw);
	buf_finish(&body->text);
	free(body->lines);
	*body = (struct sts_body){0};
}

static bool
is_text_plain(const char *type)
{
	static const char wanted[] = "text/plain";
	size_t n = strlen(wanted);

	if (type == NULL)
		return false;
	type += strspn(type, " \t");
	return strncasecmp(type, wanted, n) == 0 && strchr("; \t", type[n]) != NULL;
}

/* What libcurl says may quote a certificate. */
static void
say(char reason[REASON_MAX], const struct sts_fetch *f, CURLcode code)
{
	snprintf(
	    reason, REASON_MAX, "%s", f->error[0] != '\0' ? f->error : curl_easy_strerror(code));
	for (char *p = reason; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static bool
is_verification(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR ||
	       code == CURLE_SSL_INVALIDCERTSTATUS;
}

/* What it comes to; reason: where answer->error stands. */
static void
conclude(struct sts_fetch *f, CURLcode code, struct sts_answer *answer, char reason[REASON_MAX])
{
	char *type = NULL;
	long status = 0;

	*answer = (struct sts_answer){.result = STS_FETCH_ERROR, .error = reason};
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
	if (is_verification(code)) {
		answer->result = STS_WEBPKI_INVALID;
		say(reason, f, code);
	} else if (f->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		snprintf(
		    reason, REASON_MAX, "the policy has more than %d octets", LIMIT_STS_OCTETS);
	} else if (code != CURLE_OK) {
		say(reason, f, code);
	} else if (status != 200) {
		snprintf(reason, REASON_MAX, "HTTP status %ld%s", status,
		    status >= 300 && status < 400 ? ": a redirect is not followed (RFC 8461 "
						    "section 3.3)"
						  : "");
	} else if (!is_text_plain(type)) {
		answer->result = STS_POLICY_INVALID;
		snprintf(reason, REASON_MAX, "its media type is not text/plain");
	} else {
		sts_judge(answer, &f->body, reason);
	}
}

/* ---- libcurl's callbacks -------------------------------------------------------------------- */

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct sts_fetch *f = ctx;

	if (f->body.raw.len + size * n > LIMIT_STS_OCTETS) {
		f->too_large = true;
		return 0;
	}
	buf_append(&f->body.raw, data, size * n);
	return size * n;
}

static CURLcode
on_ssl_context(CURL *easy, void *ssl, void *ctx)
{
	struct sts_fetch *f = ctx;

	(void)easy;
	return tls_verify_host(ssl, f->host) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static bool
is_given(const struct sts_fetch *f, const struct sockaddr *to)
{
	for (size_t i = 0; i < f->addresses_n; i++) {
		const struct ip *ip = &f->addresses[i];
		const void *octets =
		    to->sa_family == AF_INET
			? (const void *)&((const struct sockaddr_in *)to)->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)to)->sin6_addr;

		if (to->sa_family == (ip->family == 4 ? AF_INET : AF_INET6) &&
		    memcmp(ip->octets, octets, ip_octets_len(ip)) == 0)
			return true;
	}
	return false;
}

/* The last gate: nothing is connected to but what was given. */
static curl_socket_t
on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	if (purpose != CURLSOCKTYPE_IPCXN || !is_given(ctx, &to->addr))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void
fetch_destroy(struct sts_fetch *f)
{
	*(f->prev != NULL ? &f->prev->next : &f->fetcher->first) = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	if (f->easy != NULL)
		curl_multi_remove_handle(f->fetcher->multi, f->easy);
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->resolve);
	curl_slist_free_all(f->connect_to);
	sts_body_finish(&f->body);
	free(f->addresses);
	free(f);
}

static void
finish(struct sts_fetch *f, CURLcode code)
{
	struct sts_answer answer;
	char reason[REASON_MAX] = "";

	conclude(f, code, &answer, reason);
	f->done(f->ctx, &answer);
	fetch_destroy(f);
}

static struct sts_fetch *
find_broken(const struct sts_fetcher *fetcher)
{
	struct sts_fetch *f = fetcher->first;

	while (f != NULL && !f->broken)
		f = f->next;
	return f;
}

static void
take_finished(struct sts_fetcher *fetcher)
{
	struct sts_fetch *f;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		finish(f, message->data.result);
	}
}

static void
on_failing(void *ctx)
{
	struct sts_fetch *f;

	while ((f = find_broken(ctx)) != NULL)
		finish(f, CURLE_FAILED_INIT);
}

/* What is watched, as libcurl keeps it for us beside its socket. */
struct watched {
	struct sts_fetcher *fetcher;
	struct loop_watch *watch;
	curl_socket_t fd;
};

static void
on_events(void *ctx, unsigned events)
{
	struct watched *w = ctx;
	struct sts_fetcher *fetcher = w->fetcher;
	int running, what = ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
			    ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(fetcher->multi, w->fd, what, &running);
	take_finished(fetcher);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *beside)
{
	struct sts_fetcher *fetcher = ctx;
	struct watched *w = beside;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			loop_watch_destroy(w->watch);
			free(w);
		}
		return 0;
	}
	if (w == NULL) {
		w = mem_zero(1, sizeof(*w));
		w->fetcher = fetcher;
		w->fd = fd;
		w->watch = loop_watch_create(fetcher->loop, fd, on_events, w, NULL);
		if (w->watch == NULL) {
			free(w);
			return -1;
		}
		curl_multi_assign(fetcher->multi, fd, w);
	}
	loop_watch_set(w->watch, ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0u) |
				     ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0u));
	return 0;
}

static void
on_timer(void *ctx)
{
	struct sts_fetcher *fetcher = ctx;
	int running;

	curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_finished(fetcher);
}

static int
on_timeout(CURLM *multi, long in_ms, void *ctx)
{
	struct sts_fetcher *fetcher = ctx;

	(void)multi;
	if (in_ms < 0)
		loop_timer_stop(fetcher->timer);
	else
		loop_timer_set(fetcher->timer, in_ms);
	return 0;
}

/* ---- a fetch -------------------------------------------------------------------------------- */

/* "+HOST:PORT:ADDRESS,[ADDRESS]": forgotten again after a while. */
static void
set_addresses(struct sts_fetch *f)
{
	struct buf line = {0};
	char text[IP_TEXT_MAX];

	buf_printf(&line, "+%s:%u:", f->host, f->fetcher->port);
	for (size_t i = 0; i < f->addresses_n; i++) {
		ip_format(&f->addresses[i], text);
		buf_printf(
		    &line, f->addresses[i].family == 6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", text);
	}
	f->resolve = curl_slist_append(NULL, buf_text(&line));
	buf_clear(&line);
	buf_printf(&line, "%s:%d:%s:%u", f->host, HTTPS_PORT, f->host, f->fetcher->port);
	f->connect_to = curl_slist_append(NULL, buf_text(&line));
	buf_finish(&line);
}

static int64_t
whole_time_ms(const struct sts_fetcher *fetcher)
{
	return 2 * fetcher->timeout_ms < LIMIT_STS_MS ? 2 * fetcher->timeout_ms : LIMIT_STS_MS;
}

#define SET(option, value) good &= curl_easy_setopt(f->easy, option, value) == CURLE_OK

static bool
set_manners(struct sts_fetch *f)
{
	bool good = true;

	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, ""); /* not even the environment's */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_USERAGENT, "mxcollect/" MX509_VERSION);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)f->fetcher->timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)whole_time_ms(f->fetcher));
	SET(CURLOPT_MAXFILESIZE, (long)LIMIT_STS_OCTETS);
	return good;
}

static bool
set_trust(struct sts_fetch *f)
{
	const struct sts_fetcher *fetcher = f->fetcher;
	bool good = true;

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
	SET(CURLOPT_SSL_CTX_DATA, f);
	if (fetcher->roots != NULL) {
		SET(CURLOPT_CAINFO, fetcher->roots_dir ? NULL : fetcher->roots);
		SET(CURLOPT_CAPATH, fetcher->roots_dir ? fetcher->roots : NULL);
	}
	return good;
}

static bool
set_all(struct sts_fetch *f)
{
	char url[LIMIT_NAME + 64];
	bool good = true;

	snprintf(url, sizeof(url), "https://%s/.well-known/mta-sts.txt", f->host);
	set_addresses(f);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_RESOLVE, f->resolve);
	SET(CURLOPT_CONNECT_TO, f->connect_to);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, f);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_ERRORBUFFER, f->error);
	SET(CURLOPT_PRIVATE, f);
	return good && set_manners(f) && set_trust(f);
}

struct sts_fetch *
sts_fetch_start(struct sts_fetcher *fetcher, const char *domain, const struct ip *addresses,
    size_t n, sts_done_fn *done, void *ctx)
{
	struct sts_fetch *f = mem_zero(1, sizeof(*f));

	f->fetcher = fetcher;
	f->done = done;
	f->ctx = ctx;
	f->addresses = mem_dup(addresses, n * sizeof(*addresses));
	f->addresses_n = n;
	snprintf(f->host, sizeof(f->host), "mta-sts.%s", domain);
	if ((f->next = fetcher->first) != NULL)
		f->next->prev = f;
	fetcher->first = f;
	f->easy = curl_easy_init();
	/* What cannot even be begun is told from the loop. */
	if (f->easy == NULL || !set_all(f) ||
	    curl_multi_add_handle(fetcher->multi, f->easy) != CURLM_OK) {
		f->broken = true;
		loop_timer_set(fetcher->failing, 0);
	}
	return f;
}

void
sts_fetch_abort(struct sts_fetch *fetch)
{
	fetch_destroy(fetch);
}

/* ---- the fetcher ---------------------------------------------------------------------------- */

int
sts_fetcher_create(
    struct sts_fetcher **out, struct loop *loop, const struct sts_options *options, struct err *err)
{
	struct sts_fetcher *fetcher;
	bool dir = false;
	int rc = 0;

	*out = NULL;
	if (options->roots != NULL && (rc = tls_roots_valid(options->roots, &dir, err)) != 0)
		return rc;
	tls_init();
	unsetenv("SSLKEYLOGFILE"); /* libcurl would write the secrets of its connections there */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_SYSTEM, "cannot set up libcurl");
	fetcher = mem_zero(1, sizeof(*fetcher));
	fetcher->loop = loop;
	fetcher->roots = options->roots != NULL ? mem_strdup(options->roots) : NULL;
	fetcher->roots_dir = dir;
	fetcher->port = options->port;
	fetcher->timeout_ms = options->timeout_ms;
	fetcher->timer = loop_timer_create(loop, on_timer, fetcher);
	fetcher->failing = loop_timer_create(loop, on_failing, fetcher);
	fetcher->multi = curl_multi_init();
	if (fetcher->multi == NULL) {
		sts_fetcher_destroy(fetcher);
		return err_set(err, ERR_SYSTEM, "cannot set up libcurl");
	}
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	*out = fetcher;
	return 0;
}

void
sts_fetcher_destroy(struct sts_fetcher *fetcher)
{
	if (fetcher == NULL)
		return;
	if (fetcher->multi != NULL)
		curl_multi_cleanup(fetcher->multi);
	loop_timer_destroy(fetcher->timer);
	loop_timer_destroy(fetcher->failing);
	free(fetcher->roots);
	free(fetcher);
	curl_global_cleanup();
}
