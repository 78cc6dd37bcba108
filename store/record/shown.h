/*
 * shown: what evidence shows, as far as lifetimes tell states apart: the chain; of an imported log
 * line without one what it reports, with the kind of the server's signature; else the outcome
 * (CONTRACT "Time: the definitions"). Two records of the same chain are one state.
 */
#ifndef MX509_SHOWN_H
#define MX509_SHOWN_H

#include "evidence.h"

/* The chain id where there is a chain; else a hash of its own. evidence_is_observed() tells whether
 * it is a state at all. */
struct hash shown_by_probe(const struct evidence *e);

#endif
