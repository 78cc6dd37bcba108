/*
 * setup: what passes stand on, made from the command line, whether one is made or many: the loop,
 * the store and its writer, the blocklist, the schedule, what is said. The commands' own parts are
 * run.h and watch/watch.h.
 */
#ifndef MX509_SETUP_H
#define MX509_SETUP_H

#include "arguments.h"
#include "pass.h"
#include "summary.h"

struct setup {
	struct arguments args;
	struct summary summary;
	struct buf dir; /* of the store */
	struct loop *loop;
	struct sts_fetcher *fetcher; /* NULL without --mta-sts */
	struct store *store;
	struct record *record;
	struct blocklist *blocklist;
	struct schedule *schedule;
	unsigned concurrency, dns_queries; /* as files may be opened */
	/* The caller's, may be NULL: something could not be stored; the schedule was stopped. */
	void (*on_failure)(void *ctx);
	void *ctx;
};

/* After arguments_parse(): the loop, and how many files may be open. setup_close() takes down what
 * was opened, in any case. */
int setup_begin(struct setup *setup, struct err *err);
/* The store, which is made where there is none, its writer, the blocklist, the schedule. */
int setup_store(struct setup *setup, struct err *err);
/* No pass, dns or source of its may be left. */
void setup_close(struct setup *setup);

int setup_dns(struct setup *setup, struct dns **dns, struct err *err);

/* Those of the command line, and that of the store, where operators stand who opted out; *list is
 * the caller's. */
int setup_blocklist(struct setup *setup, struct blocklist **list, struct err *err);

/* All but what is the pass's own: source, dns, resume, and whom to call. */
struct pass_settings setup_pass(struct setup *setup);

void setup_say(struct setup *setup, const char *line);

/* "stopping: 3 probes under way are finished", and no new ones; the next time they are given up. */
void setup_stop(struct setup *setup);

#endif
