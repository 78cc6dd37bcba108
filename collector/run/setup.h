/*
 * setup: what stands before the first probe, for run and watch alike: the store, the record of what
 * is learnt, the blocklists, the share of descriptors, and the settings of the schedule.
 *
 * One thread: the conductor's.
 */
#ifndef MX509_SETUP_H
#define MX509_SETUP_H

#include "arguments.h"
#include "schedule.h"
#include "summary.h"

struct setup {
	struct arguments args; /* read by the caller before; setup_close() ends them */
	struct summary summary;
	struct schedule_settings settings; /* source, dns and resume are the caller's to fill */
	struct loop *loop;
	struct store *store;
	struct buf dir; /* of the store */
	unsigned dns_queries;
};

/* The loop, the share of descriptors, and the settings, as args say; settings' notice goes to the
 * summary unless the caller has set another. */
int setup_begin(struct setup *setup, struct err *err);
/* A resolver as the arguments say, into settings.dns. */
int setup_dns(struct setup *setup, struct err *err);
/* The store, which is made where there is none, and its record. on_record: as record_create()'s. */
int setup_store(struct setup *setup, loop_fn *on_record, void *ctx, struct err *err);
/* The blocklists of the command line, and that of the store, where operators stand who opted out,
 * into settings.blocklist; on error the one that was there stays. setup_store() does it, too. */
int setup_blocklists(struct setup *setup, struct err *err);
/* All of it, dns and source included; what the caller made on the loop must be gone before. */
void setup_close(struct setup *setup);

#endif
