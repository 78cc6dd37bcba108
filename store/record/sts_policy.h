/*
 * sts_policy: what an MTA-STS policy says (RFC 8461 section 3.2), whether an MX is among those that
 * it names (section 4.1), and the TXT record that announces it (section 3.1). Pure: nothing is
 * fetched here, nothing looked up.
 *
 * By the letter of the grammar: names of fields in lower case, no empty line, no field twice (the
 * first one counts; `mx` may come often), unknown fields well-formed and ignored. What the RFC
 * leaves open: a max_age above a year is a year.
 *
 * Ownership: a struct sts_policy owns its patterns. An error is ERR_INPUT and names the line.
 */
#ifndef MX509_STS_POLICY_H
#define MX509_STS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

#define STS_MAX_AGE_S 31557600 /* RFC 8461 section 3.2 */
#define STS_ID_MAX 32	       /* section 3.1 */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE, STS_MODE_N };
const char *sts_mode_name(enum sts_mode mode);

struct sts_policy {
	enum sts_mode mode;
	int64_t max_age_s;
	char **mx; /* patterns in lower case, in their order: "mx.example.org", "*.example.org" */
	size_t mx_n;
};

/* Lines without their ends (LF or CRLF), as those of a struct sts_answer. */
int sts_policy_parse(
    struct sts_policy *policy, const char *const *lines, size_t n, struct err *err);
void sts_policy_finish(struct sts_policy *policy); /* accepts NULL */

/* Whether the name of an MX record (as host.h has it) matches one of the patterns; a wildcard
 * stands for exactly one label, the left-most. */
bool sts_policy_matches(const struct sts_policy *policy, const char *host);

/* The id that the TXT records of _mta-sts.DOMAIN announce, records in presentation form, pieces
 * joined: 1; 0 if none begins with "v=STSv1;"; ERR_INPUT if more than one does, or it is not
 * well-formed. In both of the latter cases there is no policy. */
int sts_policy_id(const char *const *records, size_t n, char id[STS_ID_MAX + 1], struct err *err);

#endif
