#include "fact.h"
#include "store/record/sts_policy.h"
#include "store/record/txt.h"

/* Rows of SOURCE_DNS: what a name held, and what came of fetching an MTA-STS policy. */

/* A record as it is; of a text the pieces joined, since they mean nothing by themselves. */
static const struct value *
record_value(struct arena *arena, const char *record)
{
	struct buf text = {0};
	const struct value *v;

	buf_append_byte(&text, '"');
	if (record[0] == '"' && txt_join(&text, record)) {
		buf_append_byte(&text, '"');
		record = buf_text(&text);
	}
	v = value_text(arena, record);
	buf_finish(&text);
	return v;
}

const struct value *
fact_dns_status(struct fact_input *in)
{
	return in->has_sts ? value_null()
			   : value_text_static(in->arena, dns_status_name(in->answer->status));
}

/* Of an answer that does not count nothing is known. */
const struct value *
fact_records(struct fact_input *in)
{
	struct value_builder b = {.arena = in->arena};

	if (in->has_sts) {
		for (size_t i = 0; i < in->sts.policy_n; i++)
			value_add(&b, value_text(in->arena, in->sts.policy[i]));
		return value_list(&b);
	}
	if (in->answer->status == DNS_BOGUS || in->answer->status == DNS_FAILED)
		return value_null();
	for (size_t i = 0; i < in->answer->records_n; i++)
		value_add(&b, record_value(in->arena, in->answer->records[i]));
	return value_set(&b);
}

const struct value *
fact_sts_id(struct fact_input *in)
{
	char id[STS_ID_MAX + 1];

	if (in->has_sts || sts_policy_id(in->answer->records, in->answer->records_n, id, NULL) <= 0)
		return value_null();
	return value_text(in->arena, id);
}

const struct value *
fact_sts_result(struct fact_input *in)
{
	return in->has_sts ? value_text_static(in->arena, sts_result_name(in->sts.result))
			   : value_null();
}

/* False: there is none. */
static bool
read_policy(const struct fact_input *in, struct sts_policy *policy)
{
	return in->has_sts && in->sts.result == STS_OK &&
	       sts_policy_parse(policy, in->sts.policy, in->sts.policy_n, NULL) == 0;
}

const struct value *
fact_sts_mode(struct fact_input *in)
{
	struct sts_policy policy;
	enum sts_mode mode;

	if (!read_policy(in, &policy))
		return value_null();
	mode = policy.mode;
	sts_policy_finish(&policy);
	return value_text_static(in->arena, sts_mode_name(mode));
}

const struct value *
fact_sts_mx(struct fact_input *in)
{
	struct value_builder b = {.arena = in->arena};
	struct sts_policy policy;

	if (!read_policy(in, &policy))
		return value_null();
	for (size_t i = 0; i < policy.mx_n; i++)
		value_add(&b, value_text(in->arena, policy.mx[i]));
	sts_policy_finish(&policy);
	return value_set(&b);
}

const struct value *
fact_sts_max_age(struct fact_input *in)
{
	struct sts_policy policy;
	int64_t max_age_s;

	if (!read_policy(in, &policy))
		return value_null();
	max_age_s = policy.max_age_s;
	sts_policy_finish(&policy);
	return value_number(in->arena, max_age_s);
}
