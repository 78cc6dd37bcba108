/*
 * json: records as JSON lines (CONTRACT "Records as JSON"), in and out. What is
 * written is UTF-8 on one line that ends in LF. What is read comes from strangers: bounded by
 * limits.h (json_tree.h), names normalised, unknown members ignored, a wrong or missing one is
 * ERR_INPUT and named. An optional member that is absent is null. Of a DNS record a ttl of null is
 * 0; its records are sorted.
 *
 * An observation that was written and is read again is the same in every member.
 */
#ifndef MX509_JSON_H
#define MX509_JSON_H

#include "observation.h"

void json_observation(
    struct buf *line, const struct series *series, const struct observation *observation);
void json_certificate(struct buf *line, const struct hash *name, const void *der, size_t len);
/* "dns", or "sts" where the series is of RRTYPE_STS. */
void json_dns(struct buf *line, const struct series *series, const struct dns_answer *answer);

enum json_type { JSON_RECORD_OBSERVATION, JSON_RECORD_CERTIFICATE, JSON_RECORD_DNS };

struct json_record {
	enum json_type type;
	struct series series;		/* observation, dns */
	struct observation observation; /* observation */
	struct dns_answer answer;	/* dns, and sts as sts_answer.h writes it */
	struct buf der;			/* certificate; checked against its sha256 */
	void *document;			/* what the texts above are borrowed from */
};

/* line need not end in LF or NUL. On error nothing is to be finished. */
int json_parse(struct json_record *record, const char *line, size_t len, struct err *err);
void json_record_finish(struct json_record *record);

#endif
