/*
 * fact: how each row of the field table is read; private to the table (facts.c, diff.c). A reader
 * gets the arena and what there is, and returns a value: VALUE_NULL for what is not there,
 * VALUE_MALFORMED for what cannot be read.
 */
#ifndef MX509_FACT_H
#define MX509_FACT_H

#include "differ/certificate/cert.h"
#include "differ/certificate/chain.h"
#include "differ/certificate/key.h"
#include "facts.h"
#include "store/record/sts_answer.h"

struct fact_input {
	struct arena *arena;
	const struct cert *cert;	 /* of rows of SOURCE_CERTIFICATE */
	const struct evidence *evidence; /* of all others but */
	const struct dns_answer *answer; /* of those of SOURCE_DNS */
	struct sts_answer sts;		 /* what it holds, if has_sts */
	bool has_sts;
	struct chain chain;   /* judged, of what was shown */
	struct key_facts key; /* read at most once */
	bool has_key;
};

typedef const struct value *fact_reader(struct fact_input *in);

#define FIELD(id, name, source, severity, title, doc, covers, reader) fact_reader reader;
#include "fields.def"
#undef FIELD

#endif
