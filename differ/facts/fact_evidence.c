#include "fact.h"

static const struct value *
tristate(const struct fact_input *in, enum tristate v)
{
	return v == TRI_NULL ? value_null() : value_bool(in->arena, v == TRI_TRUE);
}

const struct value *
fact_chain_length(struct fact_input *in)
{
	return value_number(in->arena, (int64_t)in->evidence->chain_n);
}

const struct value *
fact_intermediates(struct fact_input *in)
{
	struct value_builder b = {.arena = in->arena};

	for (size_t i = 1; i < in->evidence->chain_n; i++)
		value_add(&b, value_hex(in->arena, in->evidence->chain[i].bytes, HASH_LEN));
	return value_list(&b);
}

const struct value *
fact_chain_in_order(struct fact_input *in)
{
	return in->chain.in_order;
}

const struct value *
fact_chain_missing(struct fact_input *in)
{
	return in->chain.missing;
}

const struct value *
fact_chain_anchor(struct fact_input *in)
{
	return in->chain.anchor;
}

const struct value *
fact_chain_surplus(struct fact_input *in)
{
	return in->chain.surplus;
}

const struct value *
fact_tls_version(struct fact_input *in)
{
	return value_text(in->arena, in->evidence->tls_version);
}

const struct value *
fact_cipher(struct fact_input *in)
{
	return value_text(in->arena, in->evidence->cipher);
}

const struct value *
fact_group(struct fact_input *in)
{
	return value_text(in->arena, in->evidence->group);
}

const struct value *
fact_server_signature(struct fact_input *in)
{
	return value_text(in->arena, in->evidence->server_signature);
}

const struct value *
fact_sni_acknowledged(struct fact_input *in)
{
	return tristate(in, in->evidence->sni_acknowledged);
}

const struct value *
fact_outcome(struct fact_input *in)
{
	return value_text_static(in->arena, outcome_name(in->evidence->outcome));
}

const struct value *
fact_smtp_code(struct fact_input *in)
{
	int code = in->evidence->smtp_code;

	return code == 0 ? value_null() : value_number(in->arena, code);
}

const struct value *
fact_tls_alert(struct fact_input *in)
{
	int alert = in->evidence->tls_alert;

	return alert < 0 ? value_null() : value_number(in->arena, alert);
}

const struct value *
fact_starttls_offered(struct fact_input *in)
{
	return tristate(in, in->evidence->starttls_offered);
}

const struct value *
fact_greeting(struct fact_input *in)
{
	return value_text(in->arena, in->evidence->greeting);
}

const struct value *
fact_ehlo(struct fact_input *in)
{
	struct value_builder b = {.arena = in->arena};

	if (in->evidence->ehlo == NULL)
		return value_null();
	for (size_t i = 0; i < in->evidence->ehlo_n; i++)
		value_add(&b, value_text(in->arena, in->evidence->ehlo[i]));
	return value_set(&b);
}

/* {"by", "status", "reason"}, as in the record. */
const struct value *
fact_reported(struct fact_input *in)
{
	struct value_builder b = {.arena = in->arena};

	if (in->evidence->reported_by == NULL)
		return value_null();
	value_add_member(&b, "by", value_text(in->arena, in->evidence->reported_by));
	value_add_member(&b, "status", value_text(in->arena, in->evidence->reported_status));
	value_add_member(&b, "reason", value_text(in->arena, in->evidence->reported_reason));
	return value_object(&b);
}
