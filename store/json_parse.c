#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "clock.h"
#include "json.h"
#include "mem.h"
#include "text.h"

/* What the texts and arrays of a record are borrowed from. */
struct document {
	json_t *root;
	char sni_sent[LIMIT_NAME + 1], domain[LIMIT_NAME + 1];
	struct hash *chain;
	const char **texts; /* ehlo, or records */
};

static int
wrong(struct err *err, const char *name, const char *what)
{
	return err_set(err, ERR_INPUT, "member \"%s\": %s", name, what);
}

/* A name for a message that came from the file. */
static int
wrong_value(struct err *err, const char *name, const char *what, const char *value)
{
	struct buf shown = {0};

	text_escape(&shown, value, strnlen(value, 80));
	err_set(err, ERR_INPUT, "member \"%s\": %s \"%s\"", name, what, buf_text(&shown));
	buf_finish(&shown);
	return ERR_INPUT;
}

/* A member that is absent is null. */
static json_t *
member(const json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	return v == NULL || json_is_null(v) ? NULL : v;
}

/* *text is NULL where it is null. */
static int
get_text(const json_t *o, const char *name, const char **text, struct err *err)
{
	json_t *v = member(o, name);

	*text = NULL;
	if (v == NULL)
		return 0;
	if (!json_is_string(v))
		return wrong(err, name, "not a text");
	*text = json_string_value(v);
	return 0;
}

static int
need_text(const json_t *o, const char *name, const char **text, struct err *err)
{
	if (get_text(o, name, text, err) != 0)
		return ERR_INPUT;
	return *text != NULL ? 0 : wrong(err, name, "missing");
}

/* *v is left alone where it is null. */
static int
get_number(
    const json_t *o, const char *name, int64_t least, int64_t most, int64_t *v, struct err *err)
{
	json_t *n = member(o, name);

	if (n == NULL)
		return 0;
	if (!json_is_integer(n) || json_integer_value(n) < least || json_integer_value(n) > most)
		return err_set(err, ERR_INPUT,
		    "member \"%s\": not a whole number from %lld to %lld", name, (long long)least,
		    (long long)most);
	*v = json_integer_value(n);
	return 0;
}

static int
get_tristate(const json_t *o, const char *name, enum tristate *v, struct err *err)
{
	json_t *b = member(o, name);

	*v = b == NULL ? TRI_NULL : json_is_true(b) ? TRI_TRUE : TRI_FALSE;
	return b == NULL || json_is_boolean(b) ? 0 : wrong(err, name, "neither true nor false");
}

static int
normalise(const char *name, const char *text, char out[LIMIT_NAME + 1], struct err *err)
{
	struct err why = {0};

	if (host_normalise(text, out, &why) == 0)
		return 0;
	return err_set(err, ERR_INPUT, "member \"%s\": %s", name, why.text);
}

/* An array of texts; *texts is allocated. */
static int
get_texts(
    const json_t *o, const char *name, size_t most, const char ***texts, size_t *n, struct err *err)
{
	json_t *list = member(o, name), *v;
	size_t i;

	*n = 0;
	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return wrong(err, name, "not a list");
	if (json_array_size(list) > most)
		return err_set(err, ERR_INPUT, "member \"%s\": more than %zu", name, most);
	*texts = mem_zero(json_array_size(list), sizeof(**texts));
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v))
			return wrong(err, name, "not a list of texts");
		(*texts)[(*n)++] = json_string_value(v);
	}
	return 0;
}

/* type, time, vantage: what every record but a certificate begins with. */
static int
parse_head(const json_t *o, struct series *s, int64_t *time_ms, struct err *err)
{
	const char *time, *vantage;

	if (need_text(o, "time", &time, err) != 0 || need_text(o, "vantage", &vantage, err) != 0)
		return ERR_INPUT;
	if (!clock_parse_iso(time, time_ms) || !observation_time_valid(*time_ms))
		return wrong_value(err, "time", "no ISO 8601 time with Z or an offset:", time);
	if (!vantage_valid(vantage))
		return wrong_value(err, "vantage", "not 1 to 32 of a-z 0-9 -:", vantage);
	strcpy(s->vantage, vantage);
	return 0;
}

/* ---- observation ---------------------------------------------------------------------------- */

static int
parse_where(const json_t *o, struct series *s, struct err *err)
{
	const char *host, *address, *sni, *offer;
	int64_t port = 0;

	if (need_text(o, "host", &host, err) != 0 || normalise("host", host, s->host, err) != 0 ||
	    need_text(o, "address", &address, err) != 0 ||
	    get_number(o, "port", 1, UINT16_MAX, &port, err) != 0 ||
	    need_text(o, "sni", &sni, err) != 0 || need_text(o, "offer", &offer, err) != 0)
		return ERR_INPUT;
	if (port == 0)
		return wrong(err, "port", "missing");
	if (!ip_parse(&s->address, address))
		return wrong_value(err, "address", "no address:", address);
	if (!sni_parse(sni, &s->sni))
		return wrong_value(err, "sni", "no variant of SNI:", sni);
	if (!offer_parse(offer, &s->offer))
		return wrong_value(err, "offer", "unknown:", offer);
	s->port = (uint16_t)port;
	return 0;
}

/* sni_name and domain: in the series for some variants, in the evidence for the others. */
static int
parse_names(
    const json_t *o, struct series *s, struct evidence *e, struct document *d, struct err *err)
{
	const char *name, *domain;

	if (get_text(o, "sni_name", &name, err) != 0 || get_text(o, "domain", &domain, err) != 0)
		return ERR_INPUT;
	if (name != NULL && s->sni == SNI_NONE)
		return wrong(err, "sni_name", "must be null where sni is none");
	if (s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL) {
		if (name == NULL)
			return wrong(err, "sni_name", "missing");
		if (normalise("sni_name", name, s->sni_name, err) != 0)
			return ERR_INPUT;
	} else if (name != NULL) {
		if (normalise("sni_name", name, d->sni_sent, err) != 0)
			return ERR_INPUT;
		e->sni_sent = d->sni_sent;
	}
	if (domain != NULL && normalise("domain", domain, d->domain, err) != 0)
		return ERR_INPUT;
	if (domain != NULL || s->sni == SNI_NEXTHOP)
		e->domain = d->domain;
	if (s->sni == SNI_NEXTHOP && strcmp(d->domain, s->sni_name) == 0)
		e->domain = NULL;
	return 0;
}

static int
parse_outcome(const json_t *o, struct evidence *e, struct err *err)
{
	int64_t smtp_code = 0, tls_alert = -1;
	const char *outcome;

	if (need_text(o, "outcome", &outcome, err) != 0 ||
	    get_number(o, "smtp_code", 100, 999, &smtp_code, err) != 0 ||
	    get_number(o, "tls_alert", 0, 255, &tls_alert, err) != 0 ||
	    get_tristate(o, "sni_acknowledged", &e->sni_acknowledged, err) != 0 ||
	    get_tristate(o, "starttls_offered", &e->starttls_offered, err) != 0)
		return ERR_INPUT;
	if (!outcome_parse(outcome, &e->outcome))
		return wrong_value(err, "outcome", "unknown:", outcome);
	e->smtp_code = (int)smtp_code;
	e->tls_alert = (int)tls_alert;
	return 0;
}

static int
parse_reported(const json_t *o, struct evidence *e, struct err *err)
{
	json_t *reported = member(o, "reported");

	if (reported == NULL)
		return 0;
	if (!json_is_object(reported))
		return wrong(err, "reported", "not an object");
	if (need_text(reported, "by", &e->reported_by, err) != 0 ||
	    need_text(reported, "status", &e->reported_status, err) != 0)
		return ERR_INPUT;
	return get_text(reported, "reason", &e->reported_reason, err);
}

static int
parse_chain(const json_t *o, struct evidence *e, struct document *d, struct err *err)
{
	const char **names = NULL;
	size_t n;
	int rc = get_texts(o, "chain", LIMIT_CHAIN, &names, &n, err);

	d->chain = mem_zero(n, sizeof(*d->chain));
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!text_parse_hex(names[i], d->chain[i].bytes, HASH_LEN))
			rc = wrong_value(err, "chain", "no SHA-256:", names[i]);
	free(names);
	e->chain = d->chain;
	e->chain_n = n;
	return rc;
}

static int
parse_flags(const json_t *o, struct evidence *e, struct err *err)
{
	const char **names = NULL;
	unsigned flag;
	size_t n;
	int rc = get_texts(o, "flags", 32, &names, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (!flag_parse(names[i], &flag))
			rc = wrong_value(err, "flags", "unknown:", names[i]);
		else
			e->flags |= flag;
	}
	free(names);
	return rc;
}

static int
parse_measures(const json_t *o, int32_t ms[MS_N], struct err *err)
{
	static const char *const names[MS_N] = {
	    "dns", "connect", "greeting", "starttls", "handshake"};
	json_t *measures = member(o, "ms");

	for (int i = 0; i < MS_N; i++) {
		int64_t v = -1;

		if (measures != NULL && !json_is_object(measures))
			return wrong(err, "ms", "not an object");
		if (measures != NULL && get_number(measures, names[i], 0, INT32_MAX, &v, err) != 0)
			return ERR_INPUT;
		ms[i] = (int32_t)v;
	}
	return 0;
}

static int
parse_observation(const json_t *o, struct json_record *record, struct err *err)
{
	struct observation *observation = &record->observation;
	struct evidence *e = &observation->evidence;
	struct document *d = record->document;
	struct err why = {0};
	int rc;

	record->type = JSON_RECORD_OBSERVATION;
	record->series.kind = SERIES_PROBE;
	if ((rc = parse_head(o, &record->series, &observation->time_ms, err)) != 0 ||
	    (rc = parse_where(o, &record->series, err)) != 0 ||
	    (rc = parse_names(o, &record->series, e, d, err)) != 0 ||
	    (rc = parse_outcome(o, e, err)) != 0 ||
	    (rc = get_text(o, "errno", &e->errno_name, err)) != 0 ||
	    (rc = get_text(o, "greeting", &e->greeting, err)) != 0 ||
	    (rc = get_texts(o, "ehlo", LIMIT_EHLO_LINES, &d->texts, &e->ehlo_n, err)) != 0 ||
	    (rc = get_text(o, "tls_version", &e->tls_version, err)) != 0 ||
	    (rc = get_text(o, "cipher", &e->cipher, err)) != 0 ||
	    (rc = get_text(o, "group", &e->group, err)) != 0 ||
	    (rc = get_text(o, "server_signature", &e->server_signature, err)) != 0 ||
	    (rc = parse_chain(o, e, d, err)) != 0 || (rc = parse_reported(o, e, err)) != 0 ||
	    (rc = parse_flags(o, e, err)) != 0 ||
	    (rc = parse_measures(o, observation->ms, err)) != 0)
		return rc;
	e->ehlo = d->texts;
	if (observation_valid(&record->series, observation, &why) != 0)
		return err_set(err, ERR_INPUT, "member %s", why.text);
	return 0;
}

/* ---- DNS, certificate ----------------------------------------------------------------------- */

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
parse_dns(const json_t *o, struct json_record *record, struct err *err)
{
	struct dns_answer *a = &record->answer;
	struct series *s = &record->series;
	struct document *d = record->document;
	const char *name, *rrtype, *status;
	struct err why = {0};
	int64_t ttl = 0;
	int rc;

	record->type = JSON_RECORD_DNS;
	s->kind = SERIES_DNS;
	if ((rc = parse_head(o, s, &a->time_ms, err)) != 0 ||
	    (rc = need_text(o, "name", &name, err)) != 0 ||
	    (rc = normalise("name", name, s->host, err)) != 0 ||
	    (rc = need_text(o, "rrtype", &rrtype, err)) != 0 ||
	    (rc = need_text(o, "status", &status, err)) != 0 ||
	    (rc = get_text(o, "rcode", &a->rcode, err)) != 0 ||
	    (rc = get_number(o, "ttl", 0, UINT32_MAX, &ttl, err)) != 0 ||
	    (rc = get_texts(o, "records", LIMIT_DNS_RECORDS, &d->texts, &a->records_n, err)) != 0)
		return rc;
	if (!rrtype_parse(rrtype, &s->rrtype))
		return wrong_value(err, "rrtype", "no type of record:", rrtype);
	if (!dns_status_parse(status, &a->status))
		return wrong_value(err, "status", "unknown:", status);
	if (a->records_n > 0)
		qsort(d->texts, a->records_n, sizeof(*d->texts), compare_texts);
	a->records = d->texts;
	a->ttl_s = (uint32_t)ttl;
	if (dns_answer_valid(a, &why) != 0)
		return err_set(err, ERR_INPUT, "member %s", why.text);
	return 0;
}

static int
parse_certificate(const json_t *o, struct json_record *record, struct err *err)
{
	const char *sha256, *der;
	struct hash name, found;

	record->type = JSON_RECORD_CERTIFICATE;
	if (need_text(o, "sha256", &sha256, err) != 0 || need_text(o, "der", &der, err) != 0)
		return ERR_INPUT;
	if (!text_parse_hex(sha256, name.bytes, HASH_LEN))
		return wrong_value(err, "sha256", "no SHA-256:", sha256);
	if (!base64_decode(&record->der, der, strlen(der)))
		return wrong(err, "der", "no base64");
	found = hash_sha256(record->der.data, record->der.len);
	if (hash_compare(&name, &found) != 0)
		return wrong(err, "sha256", "not the SHA-256 of \"der\"");
	return 0;
}

/* ---- a line --------------------------------------------------------------------------------- */

static int
parse_record(const json_t *root, struct json_record *record, struct err *err)
{
	const char *type;

	if (!json_is_object(root))
		return err_set(err, ERR_INPUT, "not a JSON object");
	if (need_text(root, "type", &type, err) != 0)
		return ERR_INPUT;
	if (strcmp(type, "observation") == 0)
		return parse_observation(root, record, err);
	if (strcmp(type, "dns") == 0)
		return parse_dns(root, record, err);
	if (strcmp(type, "certificate") == 0)
		return parse_certificate(root, record, err);
	return wrong_value(err, "type", "none of observation, certificate, dns:", type);
}

/* Whether there are few enough of what separates and opens values, outside of texts: a line of
 * nothing but empty objects would take a hundred times its length in memory. */
static bool
is_moderate(const char *line, size_t len)
{
	size_t values = 0;
	bool in_text = false;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '"')
			in_text = !in_text;
		else if (in_text)
			i += line[i] == '\\';
		else
			values += line[i] == ',' || line[i] == '[' || line[i] == '{';
	}
	return values <= LIMIT_JSON_VALUES;
}

int
json_parse(struct json_record *record, const char *line, size_t len, struct err *err)
{
	struct buf shown = {0};
	struct document *d;
	json_error_t why;
	int rc;

	memset(record, 0, sizeof(*record));
	record->observation.evidence.tls_alert = -1;
	if (len > LIMIT_JSON_LINE)
		return err_set(err, ERR_INPUT, "longer than %u octets", LIMIT_JSON_LINE);
	if (!is_moderate(line, len))
		return err_set(err, ERR_INPUT, "more than %d values", LIMIT_JSON_VALUES);
	record->document = d = mem_zero(1, sizeof(*d));
	d->root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (d->root == NULL) {
		text_escape(&shown, why.text, strlen(why.text));
		rc = err_set(err, ERR_INPUT, "no JSON: %s", buf_text(&shown));
		buf_finish(&shown);
	} else {
		rc = parse_record(d->root, record, err);
	}
	if (rc != 0)
		json_record_finish(record);
	return rc;
}

void
json_record_finish(struct json_record *record)
{
	struct document *d = record->document;

	if (d != NULL) {
		json_decref(d->root);
		free(d->chain);
		free(d->texts);
		free(d);
	}
	buf_finish(&record->der);
	memset(record, 0, sizeof(*record));
}
