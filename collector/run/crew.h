/*
 * crew: the threads that make probes, each with an event loop and TLS contexts of its own. The
 * first member works on the conductor's loop; so a crew of one has no thread but the caller's.
 *
 * Jobs are handed out by number of those under way, and come back to the conductor's loop. What a
 * probe learnt has then been handed to the record (record.h), which takes it from any thread. All
 * functions are the conductor's.
 */
#ifndef MX509_CREW_H
#define MX509_CREW_H

#include "collector/probe/probe.h"
#include "record.h"

struct crew;

/* One probe: where it goes, and how it ended. The caller's memory; its members are the crew's from
 * crew_probe() until it is done. */
struct crew_job {
	struct crew_job *prev, *next;
	struct crew_member *member;
	struct probe *probe;
	struct series series;
	const char *server_name; /* the SNI to send; NULL for none */
	int32_t dns_ms;
	/* the result */
	enum outcome outcome;
	bool connected;
	bool aborted; /* by crew_abort(): nothing was learnt */
	bool local;   /* this machine could not even begin: errnum */
	int errnum;
	/* else: */
	int64_t time_ms; /* of the observation */
	struct record_shown shown;
	int64_t leaf_ends_s; /* tls.h; 0: unknown */
};

struct crew_settings {
	struct loop *loop; /* the conductor's */
	unsigned threads;  /* at least 1 */
	bool offers[OFFER_N];
	const char *ehlo_domain;
	int64_t timeout_ms;
	struct record *record;
	void (*done)(void *ctx, struct crew_job *job);
	/* Before the conductor goes back to sleep, after some were done. */
	void (*rest)(void *ctx);
	void *ctx;
};

int crew_create(struct crew **crew, const struct crew_settings *settings, struct err *err);
/* No job may be under way. Accepts NULL. */
void crew_destroy(struct crew *crew);

void crew_probe(struct crew *crew, struct crew_job *job);
/* All that are under way come back soon, aborted unless they were over. */
void crew_abort(struct crew *crew);

#endif
