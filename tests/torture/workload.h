/*
 * workload: batches of records that follow from a seed, a writer and a number alone, so that
 * whoever looks at a corpus afterwards knows what was submitted. Batch n of a writer holds
 *
 * - one observation of each of its LEDGER series, at LEDGER_TIME(n): in every state of the corpus
 *   these series are equally long, or a batch was torn;
 * - new series, late arrivals, repetitions of what batch n - 1 brought;
 * - certificates, some of which chains named before; one of many pages now and then; DNS answers.
 */
#ifndef MX509_WORKLOAD_H
#define MX509_WORKLOAD_H

#include "store/corpus/store.h"

#define LEDGER_N 8
#define LEDGER_TIME(n) (INT64_C(1773900000000) + (int64_t)(n)*600000)

/* Series i of the writer's ledger. */
struct series workload_ledger(unsigned writer, unsigned i);

int workload_add(
    struct store_batch *batch, uint64_t seed, unsigned writer, unsigned n, struct err *err);

#endif
