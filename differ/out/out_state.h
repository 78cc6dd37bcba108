/*
 * out_state: what `mxdiff show` says to people: a table of states, and one of what addresses do
 * without SNI or with an unknown name, as far as it is known. Rows are gathered first, so that
 * columns can be aligned.
 */
#ifndef MX509_OUT_STATE_H
#define MX509_OUT_STATE_H

#include "differ/time/fallback.h"
#include "out_table.h"

struct out_states {
	struct out_table states, fallbacks;
	struct out_style style;
	char vantage[LIMIT_VANTAGE + 1]; /* of the first row */
	bool vantages;			 /* there are others: they get a column */
};

/* `verdicts`: with a column of them. */
void out_states_init(struct out_states *out, const struct out_style *style, bool verdicts);
/* As of model_state(). */
int out_states_add(struct out_states *out, struct changes *changes, const struct series *series,
    const struct lifetime_sighting *last, int64_t after_ms, int64_t first_ms,
    const struct fallback *fallback, const struct judge_state *judged, struct err *err);
void out_states_print(struct buf *text, struct out_states *out);
void out_states_finish(struct out_states *out);

/* Pieces that other texts share: the common name of a subject or issuer, or the whole; "RSA 2048";
 * "Untrusted, certificate-expired", of the level verify. judged: NULL where there is none. */
void out_state_subject(struct buf *out, const struct value *subject);
void out_state_key(struct buf *out, const struct facts *facts);
void out_state_verdict(
    struct buf *out, const struct judge_state *judged, const struct facts *facts);

#endif
