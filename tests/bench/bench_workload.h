/*
 * What a collector brings in 30 days of hourly probes: hosts of 5 addresses under 2 kinds of SNI,
 * one after the other, then the next hour. What they show changes every few hundred hours, and one
 * probe in 200 times out. The same on every machine.
 */
#ifndef MX509_BENCH_WORKLOAD_H
#define MX509_BENCH_WORKLOAD_H

#include "store/record/observation.h"

#define WORKLOAD_SERIES 10 /* of a host */
#define WORKLOAD_HOURS 720

struct workload {
	size_t series_n, n; /* observations */
	struct series *series;
	char (*greeting)[64]; /* of a host */
};

/* About so many observations: whole hosts. */
void workload_init(struct workload *w, size_t about);
/* So many hosts, each series so often. */
void workload_init_hosts(struct workload *w, size_t hosts, size_t times);
void workload_finish(struct workload *w);

/* The i-th in order of arrival. Its texts and chain are valid until the next call. */
struct bench_probe {
	uint32_t series;
	uint32_t shown; /* a number for its evidence */
	struct observation observation;
	struct hash chain[2];
};
void workload_at(const struct workload *w, size_t i, struct bench_probe *probe);

#endif
