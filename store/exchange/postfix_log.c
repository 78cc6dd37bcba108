#include "postfix_log.h"

#include <string.h>

/* ---- texts ---------------------------------------------------------------------------------- */

static struct syslog_text
from(struct syslog_text t, size_t n)
{
	return (struct syslog_text){t.p + n, t.len - n};
}

static bool
starts(struct syslog_text t, const char *what)
{
	size_t n = strlen(what);

	return t.len >= n && memcmp(t.p, what, n) == 0;
}

/* Whether it starts with `what`, which is then taken. */
static bool
take(struct syslog_text *t, const char *what)
{
	if (!starts(*t, what))
		return false;
	*t = from(*t, strlen(what));
	return true;
}

/* What stands before the first of `what`, which is taken with it; false if there is none. */
static bool
until(struct syslog_text *t, const char *what, struct syslog_text *out)
{
	const char *at = memmem(t->p, t->len, what, strlen(what));

	if (at == NULL)
		return false;
	*out = (struct syslog_text){t->p, (size_t)(at - t->p)};
	*t = from(*t, out->len + strlen(what));
	return true;
}

/* Up to one of the octets of `ends`, which stays. */
static struct syslog_text
span(struct syslog_text *t, const char *ends)
{
	struct syslog_text out = {.p = t->p};

	while (out.len < t->len && (t->p[out.len] == '\0' || strchr(ends, t->p[out.len]) == NULL))
		out.len++;
	*t = from(*t, out.len);
	return out;
}

static bool
is_digits(struct syslog_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return t.len > 0;
}

static struct syslog_text
trimmed(struct syslog_text t)
{
	while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* ---- the peer ------------------------------------------------------------------------------- */

struct syslog_text
postfix_peer(struct postfix_event *e, struct syslog_text t)
{
	struct syslog_text rest = t, host = span(&rest, "[ ,:"), inner, port;

	/* A host that is an IPv6 address has colons of its own. */
	if (rest.len > 0 && rest.p[0] == ':') {
		struct syslog_text whole = t, long_host = span(&whole, "[ ,");

		if (whole.len > 0 && whole.p[0] == '[') {
			host = long_host;
			rest = whole;
		}
	}
	e->at[POSTFIX_HOST] = host;
	if (rest.len == 0 || rest.p[0] != '[')
		return rest;
	inner = from(rest, 1);
	e->at[POSTFIX_ADDRESS] = span(&inner, "]");
	if (inner.len == 0)
		return inner;
	rest = from(inner, 1);
	if (rest.len == 0 || rest.p[0] != ':')
		return rest;
	inner = from(rest, 1);
	port = span(&inner, ": ,)\t");
	if (!is_digits(port))
		return rest;
	e->at[POSTFIX_PORT] = port;
	return inner;
}

/* The peer, and ": " behind it. */
static bool
peer_colon(struct postfix_event *e, struct syslog_text *t)
{
	*t = postfix_peer(e, *t);
	if (!take(t, ":")) {
		e->cut = t->len == 0;
		return false;
	}
	take(t, " ");
	return true;
}

/* ---- the summary ---------------------------------------------------------------------------- */

/* " (P-256)", " (2048 bits)" */
static void
parameter(struct syslog_text *t, struct syslog_text *out)
{
	struct syslog_text rest = *t;

	if (take(&rest, " (") && until(&rest, ")", out))
		*t = rest;
}

/* What TLS 1.3 says behind the cipher, in whatever order. */
static void
tail(struct postfix_event *e, struct syslog_text t)
{
	static const struct {
		const char *word;
		enum postfix_field field, parameter;
	} parts[] = {
	    {" key-exchange ", POSTFIX_KEY_EXCHANGE, POSTFIX_KEY_EXCHANGE_PARAMETER},
	    {" server-signature ", POSTFIX_SERVER_SIGNATURE, POSTFIX_SERVER_SIGNATURE_PARAMETER},
	    {" server-digest ", POSTFIX_SERVER_DIGEST, POSTFIX_FIELD_N},
	    {" client-signature ", POSTFIX_CLIENT_SIGNATURE, POSTFIX_CLIENT_SIGNATURE_PARAMETER},
	    {" client-digest ", POSTFIX_CLIENT_DIGEST, POSTFIX_FIELD_N},
	};
	size_t i;

	do {
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			if (!take(&t, parts[i].word))
				continue;
			e->at[parts[i].field] = span(&t, " ");
			if (parts[i].parameter != POSTFIX_FIELD_N)
				parameter(&t, &e->at[parts[i].parameter]);
			break;
		}
	} while (i < sizeof(parts) / sizeof(parts[0]));
}

/* Behind the peer: "TLSv1.3 with cipher NAME (256/256 bits)" and the tail. */
static void
negotiated(struct postfix_event *e, struct syslog_text t)
{
	struct syslog_text protocol, cipher, used, bits;

	e->cut = true;
	if (!until(&t, " with cipher ", &protocol))
		return;
	e->at[POSTFIX_PROTOCOL] = protocol;
	cipher = span(&t, " ");
	if (cipher.len > 0)
		e->at[POSTFIX_CIPHER] = cipher;
	if (!take(&t, " (") || !until(&t, "/", &used) || !until(&t, " bits)", &bits))
		return;
	e->at[POSTFIX_USED_BITS] = used;
	e->at[POSTFIX_ALGORITHM_BITS] = bits;
	e->cut = false;
	tail(e, t);
}

/* t is what follows "TLS connection ". */
static void
summary(struct postfix_event *e, struct syslog_text status, struct syslog_text t)
{
	e->at[POSTFIX_USAGE] = span(&t, " ");
	take(&t, " ");
	e->at[POSTFIX_DIRECTION] = span(&t, " ");
	take(&t, " ");
	if (status.len > 0)
		e->at[POSTFIX_STATUS] = status;
	e->kind = POSTFIX_SUMMARY;
	t = postfix_peer(e, t);
	if (take(&t, " to "))
		e->at[POSTFIX_SNI] = span(&t, ":");
	if (!take(&t, ":")) {
		e->cut = true;
		return;
	}
	take(&t, " ");
	negotiated(e, t);
}

/* ---- other lines that begin with words of their own ----------------------------------------- */

static void
verify_failed(
    struct postfix_event *e, enum postfix_kind kind, const char *purpose, struct syslog_text t)
{
	e->kind = kind;
	if (purpose != NULL)
		e->at[POSTFIX_PURPOSE] = (struct syslog_text){purpose, strlen(purpose)};
	if (!peer_colon(e, &t))
		return;
	e->cut = t.len == 0;
	e->at[POSTFIX_REASON] = trimmed(t);
}

static void
handshake_error(struct postfix_event *e, const char *direction, struct syslog_text t)
{
	verify_failed(e, POSTFIX_HANDSHAKE_ERROR, NULL, t);
	e->at[POSTFIX_DIRECTION] = (struct syslog_text){direction, strlen(direction)};
}

static bool
by_words(struct postfix_event *e, struct syslog_text t)
{
	static const char failed[] = "certificate verification failed for ";
	static const char *const trust[] = {"Anonymous", "Untrusted", "Trusted", "Verified"};
	static const char *const purposes[] = {"CA", "client", "server"};
	struct syslog_text rest = t, word = span(&rest, " ");

	if (take(&t, "TLS connection ")) {
		summary(e, (struct syslog_text){0}, t);
		return true;
	}
	for (size_t i = 0; i < 4; i++) {
		struct syslog_text line = rest;

		if (word.len == strlen(trust[i]) && starts(word, trust[i]) &&
		    take(&line, " TLS connection ")) {
			summary(e, word, line);
			return true;
		}
	}
	if (take(&t, failed)) {
		verify_failed(e, POSTFIX_VERIFY_FAILED, NULL, t);
		return true;
	}
	for (size_t i = 0; i < 3; i++) {
		struct syslog_text line = rest;

		if (word.len == strlen(purposes[i]) && starts(word, purposes[i]) &&
		    take(&line, " ") && take(&line, failed)) {
			verify_failed(e, POSTFIX_VERIFY_FAILED, purposes[i], line);
			return true;
		}
	}
	if (take(&t, "certificate peer name verification failed for ")) {
		verify_failed(e, POSTFIX_PEERNAME_FAILED, NULL, t);
	} else if (take(&t, "SSL_connect error to ")) {
		handshake_error(e, "connect", t);
	} else if (take(&t, "SSL_accept error from ")) {
		handshake_error(e, "accept", t);
	} else if (take(&t, "warning: TLS library problem: ") ||
		   take(&t, "TLS library problem: ")) {
		e->kind = POSTFIX_LIBRARY_PROBLEM;
		e->at[POSTFIX_REASON] = trimmed(t);
	} else if (take(&t, "setting up TLS connection to ")) {
		e->kind = POSTFIX_SETUP;
		postfix_peer(e, t);
	} else {
		return false;
	}
	return true;
}

/* ---- lines that begin with the peer --------------------------------------------------------- */

static void
verify_depth(struct postfix_event *e, struct syslog_text t)
{
	struct syslog_text ignored;

	e->kind = POSTFIX_VERIFY_DEPTH;
	if (take(&t, "depth="))
		e->at[POSTFIX_DEPTH] = span(&t, " ");
	if (take(&t, " verify=") || take(&t, "verify="))
		e->at[POSTFIX_VERIFY] = span(&t, " ");
	if (until(&t, "subject=", &ignored))
		e->at[POSTFIX_NAME] = trimmed(t);
}

/* Names are not escaped, so that one may hold what looks like the next part: the last one counts
 * that leaves the form whole. */
static bool
until_last(struct syslog_text *t, const char *what, struct syslog_text *out)
{
	size_t n = strlen(what);

	for (size_t i = t->len; i >= n; i--) {
		if (memcmp(t->p + i - n, what, n) != 0)
			continue;
		*out = (struct syslog_text){t->p, i - n};
		*t = from(*t, i);
		return true;
	}
	return false;
}

/* "subject_CN=…, issuer_CN=…, fingerprint=…, pkey_fingerprint=…" of 2.11 to 3.8; "issuer=…[, cert
 * fingerprint=…][, pkey fingerprint=…]" since; posttls-finger keeps the older one. */
static void
peer_certificate(struct postfix_event *e, struct syslog_text t)
{
	static const char *const keys[] = {", pkey_fingerprint=", ", pkey fingerprint="};
	static const char *const certificates[] = {
	    ", fingerprint=", ", fingerprint ", ", cert fingerprint="};
	struct syslog_text left = t, head;

	e->kind = POSTFIX_PEER_CERTIFICATE;
	for (size_t i = 0; i < 2; i++) {
		if (until_last(&left, keys[i], &head)) {
			e->at[POSTFIX_KEY_FINGERPRINT] = trimmed(left);
			t = left = head;
			break;
		}
	}
	for (size_t i = 0; i < 3; i++) {
		if (until_last(&left, certificates[i], &head)) {
			e->at[POSTFIX_FINGERPRINT] = trimmed(left);
			t = head;
			break;
		}
	}
	if (until(&t, ", issuer_CN=", &head) || until(&t, ", issuer=", &head)) {
		e->at[POSTFIX_NAME] = head;
		e->at[POSTFIX_ISSUER] = trimmed(t);
	} else {
		e->at[POSTFIX_NAME] = trimmed(t);
	}
}

static bool
named(struct postfix_event *e, enum postfix_kind kind, struct syslog_text t)
{
	e->kind = kind;
	e->at[POSTFIX_NAME] = trimmed(t);
	return true;
}

static bool
by_peer(struct postfix_event *e, struct syslog_text t)
{
	static const char resumed[] = "re-using session with untrusted ";

	t = postfix_peer(e, t);
	if (e->at[POSTFIX_ADDRESS].p == NULL)
		return false;
	if (take(&t, " CommonName ") || take(&t, " Matched CommonName "))
		return named(e, POSTFIX_COMMON_NAME, t);
	if (!take(&t, ": "))
		return false;
	if (starts(t, resumed)) {
		e->kind = POSTFIX_VERIFY_FAILED;
		e->at[POSTFIX_REASON] = trimmed(t);
		return true;
	}
	take(&t, "certificate verification "); /* 2.5 to 2.7 */
	if (starts(t, "depth=") || starts(t, "verify=")) {
		bool matched = memmem(t.p, t.len, " matched ", 9) != NULL &&
			       memmem(t.p, t.len, " verify=", 8) == NULL;

		if (matched)
			return named(e, POSTFIX_MATCHED_OTHER, t);
		verify_depth(e, t);
		return true;
	}
	if (take(&t, "Matched subjectAltName: ") || take(&t, "subjectAltName: ") ||
	    take(&t, "matched peername: "))
		return named(e, POSTFIX_MATCHED_NAME, t);
	if (take(&t, "Matched CommonName ") || take(&t, "CommonName "))
		return named(e, POSTFIX_COMMON_NAME, t);
	if (starts(t, "Matched DANE "))
		return named(e, POSTFIX_MATCHED_DANE, t);
	if (starts(t, "Matched "))
		return named(e, POSTFIX_MATCHED_OTHER, t);
	if (take(&t, "subject_CN=")) {
		peer_certificate(e, t);
		return true;
	}
	if (take(&t, "raw public key fingerprint=") || take(&t, "pkey_fingerprint=")) {
		e->kind = POSTFIX_PEER_CERTIFICATE;
		e->at[POSTFIX_KEY_FINGERPRINT] = trimmed(t);
		return true;
	}
	if (take(&t, "SNI hostname: ")) {
		e->kind = POSTFIX_SNI_SENT;
		e->at[POSTFIX_SNI] = trimmed(t);
		return true;
	}
	if (starts(t, "Reusing old session")) {
		e->kind = POSTFIX_REUSED_SESSION;
		return true;
	}
	return false;
}

/* ---- lines that begin with a queue id ------------------------------------------------------- */

/* The value of " name=" up to a comma or the end; not looked for in the text of the reply. */
static void
attribute(struct syslog_text t, const char *name, struct syslog_text *out)
{
	const char *at = memmem(t.p, t.len, name, strlen(name));
	struct syslog_text rest;

	if (at == NULL)
		return;
	rest = from(t, (size_t)(at - t.p) + strlen(name));
	*out = span(&rest, ",");
}

/* t is what follows "QID: ". The address of the recipient is hostile: what follows it counts. */
static void
delivery(struct postfix_event *e, struct syslog_text t)
{
	struct syslog_text head, state = t;
	const char *relay;

	if ((relay = memmem(t.p, t.len, ">, relay=", 9)) == NULL)
		return;
	state = from(t, (size_t)(relay - t.p) + 1);
	if (!until(&state, ", status=", &head))
		return;
	e->kind = POSTFIX_DELIVERY;
	attribute(head, ", relay=", &e->at[POSTFIX_RELAY]);
	attribute(head, ", tls=", &e->at[POSTFIX_TLS_FEATURE]);
	attribute(head, ", dsn=", &e->at[POSTFIX_DSN]);
	postfix_peer(e, e->at[POSTFIX_RELAY]);
	e->at[POSTFIX_STATUS] = span(&state, " ");
	if (take(&state, " (")) {
		state = trimmed(state);
		if (state.len > 0 && state.p[state.len - 1] == ')')
			state.len--;
		e->at[POSTFIX_REASON] = state;
	}
}

static bool
is_queue_id(struct syslog_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!(t.p[i] >= '0' && t.p[i] <= '9') && !(t.p[i] >= 'A' && t.p[i] <= 'Z') &&
		    !(t.p[i] >= 'a' && t.p[i] <= 'z'))
			return false;
	return t.len >= 5 || (t.len > 0 && t.p[0] == 'X');
}

/* What smtp(8) says of a server that it gave up. */
static bool
is_not_delivered(struct syslog_text t)
{
	return starts(t, "Server certificate not ") || starts(t, "TLS is required, but ") ||
	       starts(t, "Cannot start TLS: ") || starts(t, "Sender requested REQUIRETLS, but ");
}

static bool
by_queue_id(struct postfix_event *e, struct syslog_text t)
{
	struct syslog_text id;

	if (!until(&t, ": ", &id) || !is_queue_id(id))
		return false;
	if (starts(t, "to=<")) {
		delivery(e, t);
	} else if (is_not_delivered(t)) {
		e->kind = POSTFIX_NOT_DELIVERED;
		e->at[POSTFIX_REASON] = trimmed(t);
	}
	if (e->kind != POSTFIX_OTHER)
		e->at[POSTFIX_QUEUE_ID] = id;
	return e->kind != POSTFIX_OTHER;
}

/* ---- folded lines --------------------------------------------------------------------------- */

static const char *const beginnings[] = {"Anonymous TLS connection ", "Untrusted TLS connection ",
    "Trusted TLS connection ", "Verified TLS connection ", "TLS connection ",
    "certificate verification failed for ", "CA certificate verification failed for ",
    "client certificate verification failed for ", "server certificate verification failed for ",
    "SSL_connect error to "};

static bool
is_beginning(struct syslog_text t)
{
	t = trimmed(t);
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (t.len > 0 && t.len < strlen(beginnings[i]) &&
		    memcmp(t.p, beginnings[i], t.len) == 0)
			return true;
	return false;
}

bool
postfix_goes_on(const struct postfix_event *e, struct syslog_text t)
{
	static const char *const words[] = {"key-exchange ", "server-signature ", "server-digest ",
	    "client-signature ", "client-digest ", "("};

	if (e->cut)
		return true;
	if (e->kind != POSTFIX_SUMMARY)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (starts(t, words[i]))
			return true;
	return false;
}

/* ---- the message ---------------------------------------------------------------------------- */

void
postfix_parse(struct postfix_event *e, struct syslog_text t)
{
	*e = (struct postfix_event){0};
	t = trimmed(t);
	if (by_words(e, t))
		return;
	if (by_queue_id(e, t))
		return;
	if (by_peer(e, t))
		return;
	*e = (struct postfix_event){.cut = is_beginning(t)};
}

bool
postfix_is_likely(struct syslog_text t)
{
	struct syslog_text word = span(&t, " [");

	if (t.len == 0)
		return is_beginning(word);
	if (word.len == 0 || t.p[0] == '[') /* the peer; not that of "connect to host[…]" */
		return true;
	if (word.p[word.len - 1] == ':')
		return starts(t, " to=<") || starts(t, " Server certificate not ") ||
		       starts(t, " TLS ") || starts(t, " Cannot start TLS") ||
		       starts(t, " Sender requested ");
	return starts(t, " TLS") || starts(t, " connection") || starts(t, " certificate") ||
	       starts(t, " verification") || starts(t, " peer name ") || starts(t, " error") ||
	       starts(t, " up TLS ") || starts(t, " library ");
}
