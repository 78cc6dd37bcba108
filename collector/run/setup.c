#include "setup.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/limits.h"

#define DESCRIPTORS_SPARE 64
#define DESCRIPTORS_LEAST 64
#define BLOCKLIST "blocklist" /* in the store's directory: mxstore delete writes it */

void
setup_say(struct setup *setup, const char *line)
{
	summary_say(&setup->summary, line);
}

/* Each probe needs a descriptor, a question to DNS up to two (its DS and DNSKEY are asked for at
 * the same time, or TCP after UDP); some are of the store and of the loops. */
static int
share_descriptors(struct setup *setup, struct err *err)
{
	rlim_t spare, half, rest, own = 8 * (rlim_t)setup->args.threads;
	struct rlimit limit;
	char line[160];

	if (setup->args.mta_sts)
		own += LIMIT_STS_FETCHES;
	setup->concurrency = setup->args.concurrency;
	setup->dns_queries = LIMIT_DNS_QUERIES;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		return 0;
	if (limit.rlim_cur < DESCRIPTORS_LEAST)
		return err_set(err, ERR_SYSTEM,
		    "no more than %llu files may be open: raise it to %d at least (ulimit -n)",
		    (unsigned long long)limit.rlim_cur, DESCRIPTORS_LEAST);
	spare = limit.rlim_cur < 2 * DESCRIPTORS_SPARE ? limit.rlim_cur / 2 : DESCRIPTORS_SPARE;
	if (spare < own && own < limit.rlim_cur / 2)
		spare = own;
	half = (limit.rlim_cur - spare) / 2;
	if (setup->dns_queries > half / 2)
		setup->dns_queries = (unsigned)(half / 2);
	rest = limit.rlim_cur - spare - 2 * (rlim_t)setup->dns_queries;
	if (setup->concurrency <= rest)
		return 0;
	setup->concurrency = (unsigned)rest;
	snprintf(line, sizeof(line),
	    "concurrency is cut to %u: no more than %llu files may be open (ulimit -n)",
	    setup->concurrency, (unsigned long long)limit.rlim_cur);
	setup_say(setup, line);
	return 0;
}

int
setup_blocklist(struct setup *setup, struct blocklist **out, struct err *err)
{
	struct blocklist *list = *out = blocklist_create();
	struct buf path = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < setup->args.blocklists.n; i++)
		rc = blocklist_load(list, setup->args.blocklists.items[i], err);
	buf_printf(&path, "%s/%s", buf_text(&setup->dir), BLOCKLIST);
	if (rc == 0 && access(buf_text(&path), F_OK) == 0)
		rc = blocklist_load(list, buf_text(&path), err);
	buf_finish(&path);
	return rc;
}

int
setup_dns(struct setup *setup, struct dns **dns, struct err *err)
{
	struct dns_options options = {.resolver = setup->args.resolver,
	    .recursive = setup->args.recursive,
	    .trust_anchor = setup->args.trust_anchor,
	    .queries = setup->dns_queries};

	return dns_create(dns, setup->loop, &options, err);
}

static void
on_record(void *ctx)
{
	struct setup *setup = ctx;

	if (setup->schedule == NULL)
		return;
	schedule_on_record(setup->schedule);
	if (record_has_failed(setup->record) && setup->on_failure != NULL)
		setup->on_failure(setup->ctx);
}

static int
open_schedule(struct setup *setup, struct err *err)
{
	const struct arguments *a = &setup->args;
	struct schedule_settings s = {.loop = setup->loop,
	    .record = setup->record,
	    .pace = {.gap_ms = a->gap_ms,
		.back_off_ms = LIMIT_BACK_OFF_MS,
		.per_second = a->rate,
		.per_network = a->per_network,
		.per_operator = a->per_operator,
		.spare_loopback = !a->caps_given},
	    .ehlo_domain = a->ehlo_domain,
	    .timeout_ms = a->timeout_ms,
	    .concurrency = setup->concurrency,
	    .threads = a->threads};

	for (unsigned i = 0; i < OFFER_N; i++)
		s.offers[i] = a->plan.offers[i];
	return schedule_create(&setup->schedule, &s, err);
}

static int
open_fetcher(struct setup *setup, struct err *err)
{
	struct sts_options options = {.roots = setup->args.sts_roots,
	    .port = (uint16_t)setup->args.sts_port,
	    .timeout_ms = setup->args.timeout_ms};

	return sts_fetcher_create(&setup->fetcher, setup->loop, &options, err);
}

int
setup_begin(struct setup *setup, struct err *err)
{
	int rc;

	summary_init(&setup->summary, setup->args.program, setup->args.options.quiet);
	if ((rc = share_descriptors(setup, err)) != 0 || (rc = loop_create(&setup->loop, err)) != 0)
		return rc;
	return setup->args.mta_sts ? open_fetcher(setup, err) : 0;
}

int
setup_store(struct setup *setup, struct err *err)
{
	const struct options *options = &setup->args.options;
	int rc;

	if ((rc = store_find_dir(options->store, &setup->dir, err)) != 0 ||
	    (rc = setup_blocklist(setup, &setup->blocklist, err)) != 0 ||
	    (rc = store_open(&setup->store, buf_text(&setup->dir), STORE_WRITE, err)) != 0)
		return rc;
	if (!options->quiet)
		store_on_wait(setup->store, options_on_wait, (void *)(uintptr_t)options->program);
	setup->record = record_create(
	    setup->store, options->json ? stdout : NULL, setup->loop, on_record, setup);
	return open_schedule(setup, err);
}

void
setup_close(struct setup *setup)
{
	schedule_destroy(setup->schedule);
	record_destroy(setup->record);
	blocklist_destroy(setup->blocklist);
	sts_fetcher_destroy(setup->fetcher);
	loop_destroy(setup->loop);
	store_close(setup->store);
	buf_finish(&setup->dir);
	arguments_finish(&setup->args);
}

struct pass_settings
setup_pass(struct setup *setup)
{
	const struct arguments *a = &setup->args;

	return (struct pass_settings){.loop = setup->loop,
	    .schedule = setup->schedule,
	    .record = setup->record,
	    .blocklist = setup->blocklist,
	    .fetcher = setup->fetcher,
	    .plan = &a->plan,
	    .ipv4 = a->ipv4,
	    .ipv6 = a->ipv6,
	    .allow_private = a->allow_private,
	    .port = (uint16_t)a->port,
	    .nexthops_most = a->nexthops,
	    .until_ms = INT64_MAX};
}

void
setup_stop(struct setup *setup)
{
	uint64_t under_way = schedule_under_way(setup->schedule);
	char line[128];

	if (!schedule_stopped(setup->schedule)) {
		snprintf(line, sizeof(line),
		    "stopping: %llu probe%s under way %s finished; once more to give up",
		    (unsigned long long)under_way, under_way == 1 ? "" : "s",
		    under_way == 1 ? "is" : "are");
		setup_say(setup, line);
	}
	schedule_stop(setup->schedule);
}
