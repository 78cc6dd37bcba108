/*
 * The bare engines under a corpus: a record for each series and day, appended to by reading and
 * writing it again, and nothing else: no evidence, no names, no checksums, no journal. What they
 * cost is what the store's layout cannot be had below.
 */
#ifndef MX509_BENCH_PEERS_H
#define MX509_BENCH_PEERS_H

#include "bench_workload.h"

struct peer {
	const char *name;
	void (*open)(const char *dir);
	void (*begin)(void);
	void (*put)(const struct bench_probe *probe);
	void (*commit)(void);
	void (*close)(void);
};

extern const struct peer peer_lmdb;
extern const struct peer *const peer_sqlite; /* NULL: built without it */

#endif
