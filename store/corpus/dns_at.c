#include "dns_at.h"

#include <string.h>

#include "timeline_back.h"

static int
newest(struct timeline_back *t, struct dns_answer *answer, struct err *err)
{
	struct sighting s;
	int rc;

	while ((rc = timeline_back_next(t, &s, err)) > 0) {
		if ((rc = store_dns_answer(t->view, s.evidence, answer, err)) != 0)
			return rc;
		if (answer->status != DNS_FAILED) {
			answer->time_ms = s.time_ms;
			answer->ttl_s = s.ttl_s;
			return 1;
		}
		dns_answer_finish(answer);
	}
	return rc;
}

int
dns_at(struct store_view *view, const struct dns_question *question, int64_t at_ms,
    struct dns_answer *answer, struct err *err)
{
	struct series series = {.kind = SERIES_DNS, .rrtype = question->rrtype};
	int64_t to_ms = at_ms < INT64_MAX ? at_ms + 1 : at_ms;
	struct timeline_back t;
	uint32_t number;
	int rc;

	if (strlen(question->name) > LIMIT_NAME || strlen(question->vantage) > LIMIT_VANTAGE)
		return 0;
	strcpy(series.host, question->name);
	strcpy(series.vantage, question->vantage);
	if ((rc = store_series_number(view, &series, &number, err)) <= 0 ||
	    (rc = timeline_back_init(&t, view, number, SERIES_DNS, INT64_MIN, to_ms, err)) != 0)
		return rc;
	rc = newest(&t, answer, err);
	timeline_back_finish(&t);
	return rc;
}
