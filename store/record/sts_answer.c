#include "sts_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/names.h"

#define NUMBER_LEN 5 /* "0001 " */

static const char *const result_names[STS_RESULT_N] = {
    [STS_OK] = "ok",
    [STS_FETCH_ERROR] = "sts-policy-fetch-error",
    [STS_WEBPKI_INVALID] = "sts-webpki-invalid",
    [STS_POLICY_INVALID] = "sts-policy-invalid",
};

const char *
sts_result_name(enum sts_result v)
{
	return names_get(result_names, STS_RESULT_N, v);
}

bool
sts_result_parse(const char *text, enum sts_result *v)
{
	unsigned i;

	if (!names_find(result_names, STS_RESULT_N, text, &i))
		return false;
	*v = i;
	return true;
}

static int
check(const struct sts_answer *sts, struct err *err)
{
	size_t octets = 0;

	if ((unsigned)sts->result >= STS_RESULT_N)
		return err_set(err, ERR_INPUT, "result: unknown result %d", (int)sts->result);
	if (sts->result == STS_OK && sts->error != NULL)
		return err_set(err, ERR_INPUT, "error: there is none where the result is ok");
	if (sts->error != NULL && strnlen(sts->error, LIMIT_REASON + 1) > LIMIT_REASON)
		return err_set(err, ERR_LIMIT, "error: longer than %d octets", LIMIT_REASON);
	if (sts->policy_n > LIMIT_STS_LINES)
		return err_set(err, ERR_LIMIT, "policy: more than %d lines", LIMIT_STS_LINES);
	for (size_t i = 0; i < sts->policy_n; i++)
		octets += strlen(sts->policy[i]) + 1;
	if (octets > LIMIT_STS_OCTETS)
		return err_set(err, ERR_LIMIT, "policy: more than %d octets", LIMIT_STS_OCTETS);
	return 0;
}

static char *
numbered(size_t number, const char *text)
{
	size_t size = NUMBER_LEN + strlen(text) + 1;
	char *record = mem_zero(size, 1);

	snprintf(record, size, "%04zu %s", number, text);
	return record;
}

int
sts_answer_write(struct dns_answer *out, const struct sts_answer *sts, struct err *err)
{
	struct dns_answer answer = {
	    .status = DNS_UNVALIDATED, .rcode = sts_result_name(sts->result)};
	struct buf encoded = {0};
	char **records;
	size_t n = 0;
	int rc = check(sts, err);

	*out = (struct dns_answer){0};
	if (rc != 0)
		return rc;
	records = mem_zero(sts->policy_n + 1, sizeof(*records));
	if (sts->error != NULL)
		records[n++] = numbered(0, sts->error);
	for (size_t i = 0; i < sts->policy_n; i++)
		records[n++] = numbered(i + 1, sts->policy[i]);
	answer.records = (const char *const *)records;
	answer.records_n = n;
	if ((rc = dns_answer_valid(&answer, err)) == 0) {
		dns_answer_encode(&encoded, &answer);
		rc = dns_answer_decode(out, encoded.data, encoded.len, err);
	}
	for (size_t i = 0; i < n; i++)
		free(records[i]);
	free(records);
	buf_finish(&encoded);
	return rc;
}

/* The text behind the number, if it is this one. */
static const char *
behind(const char *record, size_t number)
{
	char expected[24];

	snprintf(expected, sizeof(expected), "%04zu ", number);
	return strncmp(record, expected, NUMBER_LEN) == 0 ? record + NUMBER_LEN : NULL;
}

int
sts_answer_read(struct sts_answer *out, const struct dns_answer *a, struct err *err)
{
	const char **lines = mem_zero(a->records_n, sizeof(*lines));
	size_t from = 0;
	int rc = 0;

	*out = (struct sts_answer){.policy = lines, .owned = lines};
	if (a->status != DNS_UNVALIDATED || a->rcode == NULL ||
	    !sts_result_parse(a->rcode, &out->result))
		rc = ERR_INPUT;
	if (rc == 0 && a->records_n > 0 && (out->error = behind(a->records[0], 0)) != NULL)
		from = 1;
	for (size_t i = from; rc == 0 && i < a->records_n; i++, out->policy_n++)
		if ((lines[i - from] = behind(a->records[i], i - from + 1)) == NULL)
			rc = ERR_INPUT;
	if (rc == 0)
		rc = check(out, NULL);
	if (rc == 0)
		return 0;
	sts_answer_finish(out);
	return err_set(
	    err, ERR_INPUT, "rrtype: TYPE%d is kept for policies of MTA-STS", RRTYPE_STS);
}

void
sts_answer_finish(struct sts_answer *sts)
{
	if (sts == NULL)
		return;
	free(sts->owned);
	*sts = (struct sts_answer){0};
}
