#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_tree.h"
#include "store/base/base64.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/text.h"
#include "sts_answer.h"

/* What the texts and arrays of a record are borrowed from. */
struct document {
	struct json_t *root;
	char sni_sent[LIMIT_NAME + 1], domain[LIMIT_NAME + 1];
	struct hash *chain;
	const char **texts; /* ehlo, or records */
};

static int
normalise(const char *name, const char *text, char out[LIMIT_NAME + 1], struct err *err)
{
	struct err why = {0};

	if (host_normalise(text, out, &why) == 0)
		return 0;
	return err_set(err, ERR_INPUT, "member \"%s\": %s", name, why.text);
}

/* type, time, vantage: what every record but a certificate begins with. */
static int
parse_head(const struct json_t *o, struct series *s, int64_t *time_ms, struct err *err)
{
	const char *time, *vantage;

	if (json_tree_need_text(o, "time", &time, err) != 0 ||
	    json_tree_need_text(o, "vantage", &vantage, err) != 0)
		return ERR_INPUT;
	if (!clock_parse_iso(time, time_ms) || !observation_time_valid(*time_ms))
		return json_tree_wrong_value(
		    err, "time", "no ISO 8601 time with Z or an offset:", time);
	if (!vantage_valid(vantage))
		return json_tree_wrong_value(err, "vantage", "not 1 to 32 of a-z 0-9 -:", vantage);
	strcpy(s->vantage, vantage);
	return 0;
}

/* ---- observation ---------------------------------------------------------------------------- */

static int
parse_where(const struct json_t *o, struct series *s, struct err *err)
{
	const char *host, *address, *sni, *offer;
	int64_t port = 0;

	if (json_tree_need_text(o, "host", &host, err) != 0 ||
	    normalise("host", host, s->host, err) != 0 ||
	    json_tree_need_text(o, "address", &address, err) != 0 ||
	    json_tree_number(o, "port", 1, UINT16_MAX, &port, err) != 0 ||
	    json_tree_need_text(o, "sni", &sni, err) != 0 ||
	    json_tree_need_text(o, "offer", &offer, err) != 0)
		return ERR_INPUT;
	if (port == 0)
		return json_tree_wrong(err, "port", "missing");
	if (!ip_parse(&s->address, address))
		return json_tree_wrong_value(err, "address", "no address:", address);
	if (!sni_parse(sni, &s->sni))
		return json_tree_wrong_value(err, "sni", "no variant of SNI:", sni);
	if (!offer_parse(offer, &s->offer))
		return json_tree_wrong_value(err, "offer", "unknown:", offer);
	s->port = (uint16_t)port;
	return 0;
}

/* sni_name and domain: in the series for some variants, in the evidence for the others. */
static int
parse_names(const struct json_t *o, struct series *s, struct evidence *e, struct document *d,
    struct err *err)
{
	const char *name, *domain;

	if (json_tree_text(o, "sni_name", &name, err) != 0 ||
	    json_tree_text(o, "domain", &domain, err) != 0)
		return ERR_INPUT;
	if (name != NULL && s->sni == SNI_NONE)
		return json_tree_wrong(err, "sni_name", "must be null where sni is none");
	if (s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL) {
		if (name == NULL)
			return json_tree_wrong(err, "sni_name", "missing");
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
parse_outcome(const struct json_t *o, struct evidence *e, struct err *err)
{
	int64_t smtp_code = 0, tls_alert = -1;
	const char *outcome;

	if (json_tree_need_text(o, "outcome", &outcome, err) != 0 ||
	    json_tree_number(o, "smtp_code", 100, 999, &smtp_code, err) != 0 ||
	    json_tree_number(o, "tls_alert", 0, 255, &tls_alert, err) != 0 ||
	    json_tree_tristate(o, "sni_acknowledged", &e->sni_acknowledged, err) != 0 ||
	    json_tree_tristate(o, "starttls_offered", &e->starttls_offered, err) != 0)
		return ERR_INPUT;
	if (!outcome_parse(outcome, &e->outcome))
		return json_tree_wrong_value(err, "outcome", "unknown:", outcome);
	e->smtp_code = (int)smtp_code;
	e->tls_alert = (int)tls_alert;
	return 0;
}

static int
parse_reported(const struct json_t *o, struct evidence *e, struct err *err)
{
	const struct json_t *reported = json_tree_member(o, "reported");

	if (reported == NULL)
		return 0;
	if (!json_tree_is_object(reported))
		return json_tree_wrong(err, "reported", "not an object");
	if (json_tree_need_text(reported, "by", &e->reported_by, err) != 0 ||
	    json_tree_need_text(reported, "status", &e->reported_status, err) != 0)
		return ERR_INPUT;
	return json_tree_text(reported, "reason", &e->reported_reason, err);
}

static int
parse_chain(const struct json_t *o, struct evidence *e, struct document *d, struct err *err)
{
	const char **names = NULL;
	size_t n;
	int rc = json_tree_texts(o, "chain", LIMIT_CHAIN, &names, &n, err);

	d->chain = mem_zero(n, sizeof(*d->chain));
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!text_parse_hex(names[i], d->chain[i].bytes, HASH_LEN))
			rc = json_tree_wrong_value(err, "chain", "no SHA-256:", names[i]);
	free(names);
	e->chain = d->chain;
	e->chain_n = n;
	return rc;
}

static int
parse_flags(const struct json_t *o, struct evidence *e, struct err *err)
{
	const char **names = NULL;
	unsigned flag;
	size_t n;
	int rc = json_tree_texts(o, "flags", 32, &names, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (!flag_parse(names[i], &flag))
			rc = json_tree_wrong_value(err, "flags", "unknown:", names[i]);
		else
			e->flags |= flag;
	}
	free(names);
	return rc;
}

static int
parse_measures(const struct json_t *o, int32_t ms[MS_N], struct err *err)
{
	static const char *const names[MS_N] = {
	    "dns", "connect", "greeting", "starttls", "handshake"};
	const struct json_t *measures = json_tree_member(o, "ms");

	for (int i = 0; i < MS_N; i++) {
		int64_t v = -1;

		if (measures != NULL && !json_tree_is_object(measures))
			return json_tree_wrong(err, "ms", "not an object");
		if (measures != NULL &&
		    json_tree_number(measures, names[i], 0, INT32_MAX, &v, err) != 0)
			return ERR_INPUT;
		ms[i] = (int32_t)v;
	}
	return 0;
}

static int
parse_observation(const struct json_t *o, struct json_record *record, struct err *err)
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
	    (rc = json_tree_text(o, "errno", &e->errno_name, err)) != 0 ||
	    (rc = json_tree_text(o, "greeting", &e->greeting, err)) != 0 ||
	    (rc = json_tree_texts(o, "ehlo", LIMIT_EHLO_LINES, &d->texts, &e->ehlo_n, err)) != 0 ||
	    (rc = json_tree_text(o, "tls_version", &e->tls_version, err)) != 0 ||
	    (rc = json_tree_text(o, "cipher", &e->cipher, err)) != 0 ||
	    (rc = json_tree_text(o, "group", &e->group, err)) != 0 ||
	    (rc = json_tree_text(o, "server_signature", &e->server_signature, err)) != 0 ||
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
parse_dns(const struct json_t *o, struct json_record *record, struct err *err)
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
	    (rc = json_tree_need_text(o, "name", &name, err)) != 0 ||
	    (rc = normalise("name", name, s->host, err)) != 0 ||
	    (rc = json_tree_need_text(o, "rrtype", &rrtype, err)) != 0 ||
	    (rc = json_tree_need_text(o, "status", &status, err)) != 0 ||
	    (rc = json_tree_text(o, "rcode", &a->rcode, err)) != 0 ||
	    (rc = json_tree_number(o, "ttl", 0, UINT32_MAX, &ttl, err)) != 0 ||
	    (rc = json_tree_texts(
		 o, "records", LIMIT_DNS_RECORDS, &d->texts, &a->records_n, err)) != 0)
		return rc;
	if (!rrtype_parse(rrtype, &s->rrtype))
		return json_tree_wrong_value(err, "rrtype", "no type of record:", rrtype);
	if (s->rrtype == RRTYPE_STS)
		return json_tree_wrong_value(
		    err, "rrtype", "kept for records of \"type\":\"sts\":", rrtype);
	if (!dns_status_parse(status, &a->status))
		return json_tree_wrong_value(err, "status", "unknown:", status);
	if (a->records_n > 0)
		qsort(d->texts, a->records_n, sizeof(*d->texts), compare_texts);
	a->records = d->texts;
	a->ttl_s = (uint32_t)ttl;
	if (dns_answer_valid(a, &why) != 0)
		return err_set(err, ERR_INPUT, "member %s", why.text);
	return 0;
}

/* What is parsed is kept as an answer: sts_answer.h. */
static int
parse_sts(const struct json_t *o, struct json_record *record, struct err *err)
{
	struct document *d = record->document;
	struct series *s = &record->series;
	struct sts_answer sts = {0};
	const char *domain, *result;
	struct err why = {0};
	int64_t time_ms;
	int rc;

	record->type = JSON_RECORD_DNS;
	s->kind = SERIES_DNS;
	s->rrtype = RRTYPE_STS;
	if ((rc = parse_head(o, s, &time_ms, err)) != 0 ||
	    (rc = json_tree_need_text(o, "domain", &domain, err)) != 0 ||
	    (rc = normalise("domain", domain, s->host, err)) != 0 ||
	    (rc = json_tree_need_text(o, "result", &result, err)) != 0 ||
	    (rc = json_tree_text(o, "error", &sts.error, err)) != 0 ||
	    (rc = json_tree_texts(o, "policy", LIMIT_STS_LINES, &d->texts, &sts.policy_n, err)) !=
		0)
		return rc;
	if (!sts_result_parse(result, &sts.result))
		return json_tree_wrong_value(err, "result", "unknown:", result);
	sts.policy = d->texts;
	if (sts_answer_write(&record->answer, &sts, &why) != 0)
		return err_set(err, ERR_INPUT, "member %s", why.text);
	record->answer.time_ms = time_ms;
	return 0;
}

static int
parse_certificate(const struct json_t *o, struct json_record *record, struct err *err)
{
	const char *sha256, *der;
	struct hash name, found;

	record->type = JSON_RECORD_CERTIFICATE;
	if (json_tree_need_text(o, "sha256", &sha256, err) != 0 ||
	    json_tree_need_text(o, "der", &der, err) != 0)
		return ERR_INPUT;
	if (!text_parse_hex(sha256, name.bytes, HASH_LEN))
		return json_tree_wrong_value(err, "sha256", "no SHA-256:", sha256);
	if (!base64_decode(&record->der, der, strlen(der)))
		return json_tree_wrong(err, "der", "no base64");
	found = hash_sha256(record->der.data, record->der.len);
	if (hash_compare(&name, &found) != 0)
		return json_tree_wrong(err, "sha256", "not the SHA-256 of \"der\"");
	return 0;
}

/* ---- a line --------------------------------------------------------------------------------- */

static int
parse_record(const struct json_t *root, struct json_record *record, struct err *err)
{
	const char *type;

	if (!json_tree_is_object(root))
		return err_set(err, ERR_INPUT, "not a JSON object");
	if (json_tree_need_text(root, "type", &type, err) != 0)
		return ERR_INPUT;
	if (strcmp(type, "observation") == 0)
		return parse_observation(root, record, err);
	if (strcmp(type, "dns") == 0)
		return parse_dns(root, record, err);
	if (strcmp(type, "sts") == 0)
		return parse_sts(root, record, err);
	if (strcmp(type, "certificate") == 0)
		return parse_certificate(root, record, err);
	return json_tree_wrong_value(
	    err, "type", "none of observation, certificate, dns, sts:", type);
}

int
json_parse(struct json_record *record, const char *line, size_t len, struct err *err)
{
	struct document *d;
	int rc;

	memset(record, 0, sizeof(*record));
	record->observation.evidence.tls_alert = -1;
	record->document = d = mem_zero(1, sizeof(*d));
	d->root = json_tree_load(line, len, false, err);
	rc = d->root != NULL ? parse_record(d->root, record, err) : ERR_INPUT;
	if (rc != 0)
		json_record_finish(record);
	return rc;
}

void
json_record_finish(struct json_record *record)
{
	struct document *d = record->document;

	if (d != NULL) {
		json_tree_free(d->root);
		free(d->chain);
		free(d->texts);
		free(d);
	}
	dns_answer_finish(&record->answer); /* owned where it was an sts */
	buf_finish(&record->der);
	memset(record, 0, sizeof(*record));
}
