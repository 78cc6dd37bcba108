#include "facts.h"

#include <stdlib.h>
#include <string.h>

#include "fact.h"
#include "field.h"
#include "store/base/mem.h"

/* ---- the table --------------------------------------------------------------------------- */

const struct field_row field_table[FIELD_N] = {
#define FIELD(id, name, source, severity, title, doc, covers, reader) \
	[FIELD_##id] = {name, source, severity, title, doc},
#include "fields.def"
#undef FIELD
};

const struct field_reading field_reading[FIELD_N] = {
#define PART(p)                                           \
	{                                                 \
		.part = p, .extension = EXTENSION_UNKNOWN \
	}
#define READS(kind)                                                    \
	{                                                              \
		.part = CERT_EXTENSIONS, .extension = EXTENSION_##kind \
	}
#define NOTHING                                                    \
	{                                                          \
		.part = CERT_PARTS, .extension = EXTENSION_UNKNOWN \
	}
#define FIELD(id, name, source, severity, title, doc, covers, reader) [FIELD_##id] = covers,
#include "fields.def"
#undef FIELD
#undef PART
#undef READS
#undef NOTHING
};

static fact_reader *const readers[FIELD_N] = {
#define FIELD(id, name, source, severity, title, doc, covers, reader) [FIELD_##id] = reader,
#include "fields.def"
#undef FIELD
};

bool
field_parse(const char *name, enum field *field)
{
	for (int i = 0; i < FIELD_N; i++) {
		if (strcmp(field_table[i].name, name) == 0) {
			*field = (enum field)i;
			return true;
		}
	}
	return false;
}

static const char *const severities[] = {"info", "notice", "warning", "critical"};

const char *
severity_name(enum severity s)
{
	return severities[s];
}

bool
severity_parse(const char *text, enum severity *s)
{
	for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
		if (strcmp(severities[i], text) == 0) {
			*s = (enum severity)i;
			return true;
		}
	}
	return false;
}

/* ---- facts ------------------------------------------------------------------------------- */

struct facts {
	struct arena arena;
	struct cert cert;
	struct fact_input input;
	const struct value *values[FIELD_N]; /* NULL: not read yet */
	bool has_cert;
};

static struct facts *
facts_create(const void *der, size_t len, bool aux)
{
	struct facts *facts = mem_zero(1, sizeof(*facts));

	facts->input.arena = &facts->arena;
	if (der != NULL) {
		const char *copy = arena_text(&facts->arena, der, len);

		cert_init(&facts->cert, copy, len, aux);
		facts->input.cert = &facts->cert;
		facts->has_cert = true;
	}
	return facts;
}

struct facts *
facts_of_certificate(const void *der, size_t len)
{
	return facts_create(der != NULL ? der : "", len, false);
}

struct facts *
facts_of_trusted_certificate(const void *der, size_t len)
{
	return facts_create(der != NULL ? der : "", len, true);
}

struct facts *
facts_of_evidence(const struct evidence *evidence, const struct span *certificates)
{
	bool has_leaf = certificates != NULL && evidence->chain_n > 0 && certificates[0].len > 0;
	struct facts *facts = has_leaf ? facts_create(certificates[0].p, certificates[0].len, false)
				       : facts_create(NULL, 0, false);

	facts->input.evidence = evidence;
	chain_judge(&facts->arena, certificates, certificates != NULL ? evidence->chain_n : 0,
	    &facts->input.chain);
	for (int i = 0; i < FIELD_N; i++) {
		if (field_table[i].source != SOURCE_CERTIFICATE &&
		    field_table[i].source != SOURCE_DNS)
			facts->values[i] = readers[i](&facts->input);
	}
	facts->input.evidence = NULL;
	return facts;
}

struct facts *
facts_of_answer(const struct dns_answer *answer)
{
	struct facts *facts = facts_create(NULL, 0, false);
	struct fact_input *in = &facts->input;

	in->answer = answer;
	in->has_sts = sts_answer_read(&in->sts, answer, NULL) == 0;
	for (int i = 0; i < FIELD_N; i++)
		if (field_table[i].source == SOURCE_DNS)
			facts->values[i] = readers[i](in);
	if (in->has_sts)
		sts_answer_finish(&in->sts);
	in->answer = NULL;
	return facts;
}

void
facts_destroy(struct facts *facts)
{
	if (facts == NULL)
		return;
	if (facts->has_cert)
		cert_finish(&facts->cert);
	arena_finish(&facts->arena);
	free(facts);
}

const struct value *
facts_get(const struct facts *facts, enum field field)
{
	struct facts *mine = (struct facts *)(uintptr_t)facts; /* read once, then kept */

	if (mine->values[field] == NULL) {
		bool has = field_table[field].source == SOURCE_CERTIFICATE && mine->has_cert;

		mine->values[field] = has ? readers[field](&mine->input) : value_null();
	}
	return mine->values[field];
}

const struct cert *
facts_certificate(const struct facts *facts)
{
	return facts->has_cert ? &facts->cert : NULL;
}
