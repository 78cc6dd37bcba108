#include "zgrab2.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/base/base64.h"
#include "store/base/clock.h"
#include "store/base/text.h"
#include "store/record/json_tree.h"
#include "store/record/shape.h"

#define DEFAULT_PORT 25 /* of the module smtp, where an older zgrab2 names none */

/* ---- reading members ------------------------------------------------------------------------ */

/* A text that may hold NULs or be no text at all: "" then. */
static const char *
octets_of(const struct json_t *o, const char *name, size_t *len)
{
	const char *text = json_tree_octets(json_tree_member(o, name), len);

	return text != NULL ? text : "";
}

/* The word under `name`, fit for an evidence record; NULL where there is none or it is too long. */
static const char *
word_of(struct buf *word, const struct json_t *o, const char *name)
{
	size_t len;
	const char *text = octets_of(o, name, &len);

	if (len == 0 || len > LIMIT_WORD || memchr(text, '\0', len) != NULL)
		return NULL;
	buf_clear(word);
	text_escape(word, text, len);
	return word->len <= LIMIT_WORD ? buf_text(word) : NULL;
}

static bool
contains(const struct json_t *response, const char *what)
{
	size_t len;
	const char *text = octets_of(response, "error", &len);

	return len > 0 && memmem(text, len, what, strlen(what)) != NULL;
}

/* ---- replies -------------------------------------------------------------------------------- */

/* The next line of a reply, without CR LF: false at the end. */
static bool
next_line(const char **text, size_t *left, const char **line, size_t *len)
{
	const char *lf;

	if (*left == 0)
		return false;
	lf = memchr(*text, '\n', *left);
	*line = *text;
	*len = lf != NULL ? (size_t)(lf - *text) : *left;
	*left -= *len + (lf != NULL);
	*text += *len + (lf != NULL);
	if (*len > 0 && (*line)[*len - 1] == '\r')
		--*len;
	return true;
}

/* Whether a line is one of a reply (RFC 5321 section 4.2): its code, or 0. */
static int
code_of_line(const char *p, size_t len)
{
	if (len < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' ||
	    p[2] > '9' || (len > 3 && p[3] != ' ' && p[3] != '-'))
		return 0;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';
}

static int
code_of(const struct json_t *result, const char *name)
{
	size_t len;
	const char *text = octets_of(result, name, &len);

	return code_of_line(text, len < 4 ? len : 4);
}

/* The greeting as the collector keeps it: the code of each line, and the shape behind it. */
static void
take_greeting(struct zgrab2 *z, const struct json_t *result)
{
	const char *text, *line;
	size_t left, len;

	text = octets_of(result, "banner", &left);
	buf_clear(&z->greeting);
	while (next_line(&text, &left, &line, &len) && z->greeting.len + 5 <= LIMIT_GREETING) {
		size_t before;

		if (code_of_line(line, len) == 0)
			break;
		if (z->greeting.len > 0)
			buf_append_byte(&z->greeting, '\n');
		buf_append(&z->greeting, line, len < 4 || line[3] == ' ' ? 3 : 4);
		before = z->greeting.len;
		if (len > 4 && line[3] == ' ')
			buf_append_byte(&z->greeting, ' ');
		if (len > 4)
			shape_append(&z->greeting, line + 4, len - 4, z->host,
			    LIMIT_GREETING - z->greeting.len);
		if (z->greeting.len == before + 1 && line[3] == ' ')
			z->greeting.len = before;
	}
	if (z->greeting.len > 0)
		z->observation.evidence.greeting = buf_text(&z->greeting);
}

static bool
is_starttls(const char *p, size_t len)
{
	return len >= 8 && strncasecmp(p, "STARTTLS", 8) == 0 &&
	       (len == 8 || p[8] == ' ' || p[8] == '\t');
}

static void
take_ehlo(struct zgrab2 *z, const struct json_t *result)
{
	struct evidence *e = &z->observation.evidence;
	size_t left, len, n = 0, at = 0;
	const char *text, *line;
	bool first = true;

	text = octets_of(result, "ehlo", &left);
	buf_clear(&z->ehlo);
	if (code_of(result, "ehlo") != 250)
		return;
	e->starttls_offered = TRI_FALSE;
	for (; next_line(&text, &left, &line, &len); first = false) {
		size_t before = z->ehlo.len;

		if (first || len <= 4 || code_of_line(line, len) != 250)
			continue;
		if (is_starttls(line + 4, len - 4))
			e->starttls_offered = TRI_TRUE;
		if (n == LIMIT_EHLO_LINES)
			continue;
		shape_append(&z->ehlo, line + 4, len - 4, z->host, LIMIT_EHLO_LINE);
		if (z->ehlo.len == before)
			continue;
		buf_append_byte(&z->ehlo, '\0');
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		z->keywords[i] = (const char *)z->ehlo.data + at;
		at += strlen(z->keywords[i]) + 1;
	}
	e->ehlo = n > 0 ? z->keywords : NULL;
	e->ehlo_n = n;
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static int
take_certificate(struct zgrab2 *z, const struct json_t *certificate, struct err *err)
{
	size_t len;
	const char *raw = octets_of(certificate, "raw", &len);

	if (len == 0)
		return err_set(err, ERR_INPUT, "a certificate without \"raw\"");
	if (z->chain_n == LIMIT_CHAIN)
		return err_set(err, ERR_LIMIT, "more than %d certificates", LIMIT_CHAIN);
	if (!base64_decode(&z->ders, raw, len))
		return err_set(err, ERR_INPUT, "member \"raw\" of a certificate: no base64");
	z->ends[z->chain_n++] = z->ders.len;
	return 0;
}

static int
take_chain(struct zgrab2 *z, const struct json_t *handshake, struct err *err)
{
	const struct json_t *all = json_tree_member(handshake, "server_certificates");
	const struct json_t *leaf = json_tree_member(all, "certificate");
	const struct json_t *chain = json_tree_member(all, "chain");
	size_t len;
	int rc = 0;

	buf_clear(&z->ders);
	z->chain_n = 0;
	/* Where the server sent none, the Go struct stands there all the same, empty. */
	octets_of(leaf, "raw", &len);
	if (len > 0)
		rc = take_certificate(z, leaf, err);
	for (size_t i = 0; rc == 0 && i < json_tree_len(chain); i++)
		rc = take_certificate(z, json_tree_at(chain, i), err);
	return rc;
}

static const char *
version_of(struct zgrab2 *z, const struct json_t *hello)
{
	const struct json_t *selected =
	    json_tree_member(json_tree_member(hello, "supported_versions"), "selected_version");
	const char *name = word_of(
	    &z->version, selected != NULL ? selected : json_tree_member(hello, "version"), "name");

	return name != NULL && strcmp(name, "TLSv1.0") == 0 ? "TLSv1" : name;
}

static const char *
group_of(struct zgrab2 *z, const struct json_t *handshake, const struct json_t *hello)
{
	const struct json_t *params =
	    json_tree_member(json_tree_member(handshake, "server_key_exchange"), "ecdh_params");
	const char *name = word_of(&z->group, json_tree_member(params, "curve_id"), "name");

	return name != NULL ? name
			    : word_of(&z->group, json_tree_member(hello, "key_share"), "name");
}

static const char *
signature_of(const struct json_t *handshake)
{
	const struct json_t *signature =
	    json_tree_member(json_tree_member(handshake, "server_key_exchange"), "signature");
	size_t len;
	const char *type = octets_of(signature, "type", &len);

	return strcmp(type, "rsa") == 0 ? "RSA" : strcmp(type, "ecdsa") == 0 ? "ECDSA" : NULL;
}

/* The ClientHello says which name was sent, if it stands there; else zgrab2 sends the domain. */
static int
take_sni(struct zgrab2 *z, const struct json_t *handshake, struct err *err)
{
	const struct json_t *hello = json_tree_member(handshake, "client_hello");
	struct series *s = &z->series;
	struct err why = {0};
	const char *name = z->has_domain ? z->host : "";
	size_t len;

	if (hello != NULL)
		name = octets_of(hello, "server_name", &len);
	if (*name == '\0') {
		s->sni = SNI_NONE;
		return 0;
	}
	if (host_normalise(name, z->sni_sent, &why) != 0)
		return err_set(err, ERR_INPUT, "member \"server_name\": %s", why.text);
	s->sni = strcmp(z->sni_sent, z->host) == 0 ? SNI_HOSTNAME : SNI_LITERAL;
	if (s->sni == SNI_HOSTNAME)
		z->observation.evidence.sni_sent = z->sni_sent;
	else
		strcpy(s->sni_name, z->sni_sent);
	return 0;
}

/* ---- the outcome ---------------------------------------------------------------------------- */

/* An alert of the server's, by its number, or by Go's words for it in zgrab2's error text. */
static int
alert_of(const struct json_t *response, const struct json_t *handshake)
{
	static const struct {
		const char *words;
		int number;
	} alerts[] = {
	    {"handshake failure", 40},
	    {"protocol version not supported", 70},
	    {"unrecognized name", 112},
	    {"internal error", 80},
	    {"insufficient security level", 71},
	    {"illegal parameter", 47},
	    {"unexpected message", 10},
	    {"access denied", 49},
	    {"error decoding message", 50},
	    {"bad certificate", 42},
	    {"certificate required", 116},
	    {"missing extension", 109},
	    {"no application protocol", 120},
	};
	int64_t number = -1;

	if (!contains(response, "remote error"))
		return -1;
	if (json_tree_number(handshake, "alert", 0, 255, &number, NULL) == 0 && number >= 0)
		return (int)number;
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
		if (contains(response, alerts[i].words))
			return alerts[i].number;
	return -1;
}

static enum outcome
rejected(int code)
{
	return code == 421  ? OUTCOME_RATE_LIMITED
	       : code < 500 ? OUTCOME_TEMPORARY_REJECT
			    : OUTCOME_PERMANENT_REJECT;
}

/* By what the server said before TLS. False: it refused nothing. */
static bool
outcome_of_replies(struct evidence *e, const struct json_t *result)
{
	static const char *const before[] = {"banner", "ehlo", "helo"};
	int code = code_of(result, "starttls");

	if (code != 0) {
		if (code / 100 == 2)
			return false;
		e->outcome = code == 421 ? OUTCOME_RATE_LIMITED : OUTCOME_STARTTLS_REJECTED;
		e->smtp_code = code;
		return true;
	}
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		code = code_of(result, before[i]);
		if (code < 400)
			continue;
		e->outcome = rejected(code);
		e->smtp_code = code;
		return true;
	}
	return false;
}

/* By zgrab2's word, and the system's in its error text. False: it says nothing of the server. */
static bool
outcome_of_status(struct evidence *e, const struct json_t *response, const char *status)
{
	static const struct {
		const char *words, *errno_name;
		enum outcome outcome;
	} reasons[] = {
	    {"connection refused", "ECONNREFUSED", OUTCOME_CONNECTION_REFUSED},
	    {"no route to host", "EHOSTUNREACH", OUTCOME_UNREACHABLE},
	    {"network is unreachable", "ENETUNREACH", OUTCOME_UNREACHABLE},
	    {"connection reset", "ECONNRESET", OUTCOME_CONNECTION_CLOSED},
	    {"broken pipe", "EPIPE", OUTCOME_CONNECTION_CLOSED},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (contains(response, reasons[i].words)) {
			e->errno_name = reasons[i].errno_name;
			e->outcome = reasons[i].outcome;
			return true;
		}
	/* zgrab2 has these words of ours; "success" of a dialogue without TLS is none here. */
	return outcome_parse(status, &e->outcome) && e->outcome != OUTCOME_SUCCESS;
}

/* 1, or 0: the module says nothing about the server's TLS. */
static int
take_outcome(struct zgrab2 *z, const struct json_t *response, const struct json_t *tls)
{
	const struct json_t *result = json_tree_member(response, "result");
	const struct json_t *handshake = json_tree_member(tls, "handshake_log");
	struct evidence *e = &z->observation.evidence;
	size_t len;
	const char *status = octets_of(response, "status", &len);
	bool failed = strcmp(status, "success") != 0 && strcmp(status, "application-error") != 0 &&
		      strcmp(status, "post-tls-application-error") != 0;

	e->tls_alert = alert_of(response, handshake);
	if (e->tls_alert >= 0) {
		e->outcome = OUTCOME_TLS_ALERT;
		return 1;
	}
	if (handshake != NULL && !failed) {
		e->outcome = z->chain_n > 0 ? OUTCOME_SUCCESS : OUTCOME_HANDSHAKE_ERROR;
		return 1;
	}
	if (handshake == NULL && outcome_of_replies(e, result))
		return 1;
	if (failed && outcome_of_status(e, response, status))
		return 1;
	if (handshake != NULL || z->chain_n > 0) {
		e->outcome = OUTCOME_HANDSHAKE_ERROR;
		return 1;
	}
	if (!failed && e->starttls_offered == TRI_FALSE) {
		e->outcome = OUTCOME_STARTTLS_NOT_OFFERED;
		e->smtp_code = 250;
		return 1;
	}
	return 0;
}

/* ---- a module ------------------------------------------------------------------------------- */

static int
take_where(struct zgrab2 *z, const struct json_t *response, struct err *err)
{
	struct series *s = &z->series;
	int64_t port = 0;
	const char *time;

	*s = (struct series){.kind = SERIES_PROBE, .address = z->address};
	strcpy(s->host, z->host);
	strcpy(s->vantage, z->vantage);
	if (json_tree_number(response, "port", 0, UINT16_MAX, &port, err) != 0 ||
	    (port == 0 && json_tree_number(z->root, "port", 0, UINT16_MAX, &port, err) != 0) ||
	    json_tree_need_text(response, "timestamp", &time, err) != 0)
		return ERR_INPUT;
	s->port = port != 0 ? (uint16_t)port : DEFAULT_PORT;
	if (!clock_parse_iso(time, &z->observation.time_ms))
		return json_tree_wrong_value(
		    err, "timestamp", "no ISO 8601 time with Z or an offset:", time);
	return 0;
}

static int
take_module(struct zgrab2 *z, const struct json_t *response, struct err *err)
{
	const struct json_t *result = json_tree_member(response, "result");
	const struct json_t *tls = json_tree_member(result, "tls");
	const struct json_t *handshake = json_tree_member(tls, "handshake_log");
	const struct json_t *hello = json_tree_member(handshake, "server_hello");
	struct evidence *e = &z->observation.evidence;
	int rc;

	z->observation = (struct observation){.ms = {-1, -1, -1, -1, -1}};
	e->tls_alert = -1;
	if ((rc = take_where(z, response, err)) != 0 || (rc = take_sni(z, handshake, err)) != 0 ||
	    (rc = take_chain(z, handshake, err)) != 0)
		return rc;
	take_greeting(z, result);
	take_ehlo(z, result);
	e->tls_version = version_of(z, hello);
	e->cipher = word_of(&z->cipher, json_tree_member(hello, "cipher_suite"), "name");
	e->group = group_of(z, handshake, hello);
	e->server_signature = signature_of(handshake);
	return take_outcome(z, response, tls);
}

static bool
is_smtp(const struct json_t *response, const char *module)
{
	size_t len;
	const char *protocol = octets_of(response, "protocol", &len);

	return strcmp(len > 0 ? protocol : module, "smtp") == 0;
}

int
zgrab2_next(struct zgrab2 *z, struct err *err)
{
	const struct json_t *data = json_tree_member(z->root, "data");

	while ((z->module = json_tree_next(data, z->module)) != NULL) {
		const struct json_t *response = json_tree_member(data, z->module);
		int rc;

		if (is_smtp(response, z->module) && (rc = take_module(z, response, err)) != 0)
			return rc;
	}
	return 0;
}

static int
take_target(struct zgrab2 *z, struct err *err)
{
	const char *ip, *domain;
	struct err why = {0};

	if (!json_tree_is_object(z->root))
		return err_set(err, ERR_INPUT, "not a JSON object");
	if (json_tree_text(z->root, "ip", &ip, err) != 0 ||
	    json_tree_text(z->root, "domain", &domain, err) != 0)
		return ERR_INPUT;
	if (ip == NULL && domain == NULL)
		return err_set(
		    err, ERR_INPUT, "no line of zgrab2's: neither \"ip\" nor \"domain\"");
	/* The name was not found: no address was asked. */
	if (ip == NULL && json_tree_member(z->root, "data") == NULL)
		return 0;
	if (ip == NULL)
		return json_tree_wrong(err, "ip", "missing: which address was it?");
	if (!ip_parse(&z->address, ip))
		return json_tree_wrong_value(err, "ip", "no address:", ip);
	z->has_domain = domain != NULL && *domain != '\0';
	if (!z->has_domain)
		ip_reverse_name(&z->address, z->host);
	else if (host_normalise(domain, z->host, &why) != 0)
		return err_set(err, ERR_INPUT, "member \"domain\": %s", why.text);
	return 0;
}

int
zgrab2_open(struct zgrab2 *z, const char *line, size_t len, const char *vantage, struct err *err)
{
	int rc = ERR_INPUT;

	memset(z, 0, sizeof(*z));
	z->vantage = vantage;
	if ((z->root = json_tree_load(line, len, true, err)) != NULL)
		rc = take_target(z, err);
	if (rc != 0)
		zgrab2_close(z);
	return rc;
}

void
zgrab2_close(struct zgrab2 *z)
{
	json_tree_free(z->root);
	buf_finish(&z->ders);
	buf_finish(&z->greeting);
	buf_finish(&z->ehlo);
	buf_finish(&z->version);
	buf_finish(&z->cipher);
	buf_finish(&z->group);
	z->root = NULL;
}
