/*
 * state: what a series can be in, as CONTRACT defines it for lifetimes: a chain; or an observed
 * state without one (its outcome); or what an imported log reported, with the kind of the
 * server's signature; of a name the records with what validation said of them; of an MTA-STS policy
 * the policy, or why there is none. Each distinct state of a run gets a small number, and each
 * evidence record is looked up in the store once, however many observations show it.
 *
 * What is not observed has a state as well (its outcome): it is where a series went that is gone.
 *
 * Not thread-safe; borrows the view that it was made with.
 */
#ifndef MX509_STATE_H
#define MX509_STATE_H

#include "store/corpus/store.h"

struct state {
	struct hash id;	  /* names the state in every store: the chain id, or of its words */
	struct hash leaf; /* SHA-256 of its first certificate, if has_chain */
	char
	    *words; /* not escaped: "starttls-not-offered", "Untrusted, RSA-PSS"; NULL of a chain */
	enum outcome outcome; /* of a chain: that of one of its probes */
	bool observed;	      /* says something about the certificate */
	bool has_chain;	      /* the id is the chain id */
};

struct states;
struct states *states_create(struct store_view *view);
void states_destroy(struct states *states); /* accepts NULL */

/* *number is the state's; the same for every evidence that shows the same. */
int states_of_evidence(struct states *states, enum series_kind kind, uint32_t evidence,
    uint32_t *number, struct err *err);
/* Whether the clock was set during a probe (FLAG_CLOCK_STEPPED); of an evidence looked up before.
 */
bool states_clock_stepped(const struct states *states, uint32_t evidence);
const struct state *states_get(const struct states *states, uint32_t number);

#endif
