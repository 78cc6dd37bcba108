/*
 * sts_answer: what came of fetching a domain's MTA-STS policy over HTTPS (RFC 8461 section 3.3):
 * the policy as it was received, or why there is none, in RFC 8460's words.
 *
 * It is kept as an answer of DNS is, in a series of kind DNS whose name is the domain and whose
 * type is RRTYPE_STS, one of those that nobody will ever assign (RFC 6895 section 3.1): so every
 * corpus, journal and filter that knows DNS answers knows these. rcode holds the result; the
 * records hold "0000 ERROR" where there is one, and the policy's lines, each behind its number
 * from "0001 ", so that they stay in order.
 *
 * Ownership: texts are borrowed. sts_answer_read() borrows from the dns_answer, and allocates the
 * list of lines alone.
 */
#ifndef MX509_STS_ANSWER_H
#define MX509_STS_ANSWER_H

#include "dns_answer.h"
#include "series.h"

enum sts_result { /* RFC 8460 section 4.3.2 */
	STS_OK,
	STS_FETCH_ERROR,    /* "sts-policy-fetch-error": no answer, or none that counts */
	STS_WEBPKI_INVALID, /* its certificate does not verify */
	STS_POLICY_INVALID, /* it is no policy */
	STS_RESULT_N
};
const char *sts_result_name(enum sts_result v);
bool sts_result_parse(const char *text, enum sts_result *v);

struct sts_answer {
	enum sts_result result;
	const char *error;	   /* for a person; NULL where there is none */
	const char *const *policy; /* lines less their ends, printable (text_valid_utf8()) */
	size_t policy_n;
	void *owned;
};

/* As a series' answer: what is to be stored. *out is owned; its time is not set. ERR_INPUT,
 * ERR_LIMIT: the store takes no such thing (limits.h). */
int sts_answer_write(struct dns_answer *out, const struct sts_answer *sts, struct err *err);

/* The other way round. ERR_INPUT: it is none. */
int sts_answer_read(struct sts_answer *out, const struct dns_answer *answer, struct err *err);
void sts_answer_finish(struct sts_answer *sts); /* accepts NULL */

#endif
