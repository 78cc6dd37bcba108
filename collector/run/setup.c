#include "setup.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/limits.h"

#define DESCRIPTORS_SPARE 64
#define DESCRIPTORS_LEAST 64
#define BLOCKLIST "blocklist" /* in the store's directory: mxstore delete writes it */

static void
say(void *ctx, const char *line)
{
	struct setup *setup = ctx;

	summary_say(&setup->summary, line);
}

/* Each probe needs a descriptor, a question to DNS up to two (its DS and DNSKEY are asked for at
 * the same time, or TCP after UDP); some are of the store and of the loops. */
static int
share_descriptors(struct setup *setup, struct err *err)
{
	rlim_t spare, half, rest, own = 8 * (rlim_t)setup->args.threads;
	unsigned *probes = &setup->settings.concurrency;
	struct rlimit limit;
	char line[160];

	*probes = setup->args.concurrency;
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
	if (*probes <= rest)
		return 0;
	*probes = (unsigned)rest;
	snprintf(line, sizeof(line),
	    "concurrency is cut to %u: no more than %llu files may be open (ulimit -n)", *probes,
	    (unsigned long long)limit.rlim_cur);
	summary_say(&setup->summary, line);
	return 0;
}

int
setup_blocklists(struct setup *setup, struct err *err)
{
	struct blocklist *list = blocklist_create();
	struct buf path = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < setup->args.blocklists.n; i++)
		rc = blocklist_load(list, setup->args.blocklists.items[i], err);
	buf_printf(&path, "%s/%s", buf_text(&setup->dir), BLOCKLIST);
	if (rc == 0 && access(buf_text(&path), F_OK) == 0)
		rc = blocklist_load(list, buf_text(&path), err);
	buf_finish(&path);
	if (rc == 0) {
		blocklist_destroy(setup->settings.blocklist);
		setup->settings.blocklist = list;
	} else {
		blocklist_destroy(list);
	}
	return rc;
}

int
setup_dns(struct setup *setup, struct err *err)
{
	const struct arguments *a = &setup->args;
	struct dns_options options = {.resolver = a->resolver,
	    .recursive = a->recursive,
	    .trust_anchor = a->trust_anchor,
	    .queries = setup->dns_queries};

	return dns_create(&setup->settings.dns, setup->loop, &options, err);
}

static void
fill_settings(struct setup *setup)
{
	struct schedule_settings *s = &setup->settings;
	const struct arguments *a = &setup->args;

	s->loop = setup->loop;
	s->plan = a->plan;
	s->pace = (struct pace_settings){.gap_ms = a->gap_ms,
	    .back_off_ms = LIMIT_BACK_OFF_MS,
	    .per_second = a->rate,
	    .per_network = a->per_network,
	    .per_operator = a->per_operator,
	    .spare_loopback = !a->caps_given};
	s->ipv4 = a->ipv4;
	s->ipv6 = a->ipv6;
	s->allow_private = a->allow_private;
	s->port = (uint16_t)a->port;
	s->ehlo_domain = a->ehlo_domain;
	s->timeout_ms = a->timeout_ms;
	s->threads = a->threads;
	s->nexthops_most = a->nexthops;
	if (s->notice == NULL) {
		s->notice = say;
		s->ctx = setup;
	}
}

int
setup_begin(struct setup *setup, struct err *err)
{
	int rc;

	summary_init(&setup->summary, setup->args.program, setup->args.options.quiet);
	if ((rc = share_descriptors(setup, err)) != 0 || (rc = loop_create(&setup->loop, err)) != 0)
		return rc;
	fill_settings(setup);
	return 0;
}

int
setup_store(struct setup *setup, loop_fn *on_record, void *ctx, struct err *err)
{
	const struct options *options = &setup->args.options;
	int rc;

	if ((rc = store_find_dir(options->store, &setup->dir, err)) != 0 ||
	    (rc = setup_blocklists(setup, err)) != 0 ||
	    (rc = store_open(&setup->store, buf_text(&setup->dir), STORE_WRITE, err)) != 0)
		return rc;
	if (!options->quiet)
		store_on_wait(setup->store, options_on_wait, (void *)(uintptr_t)options->program);
	setup->settings.record =
	    record_create(setup->store, options->json ? stdout : NULL, setup->loop, on_record, ctx);
	return 0;
}

void
setup_close(struct setup *setup)
{
	struct schedule_settings *s = &setup->settings;

	record_destroy(s->record);
	dns_destroy(s->dns);
	source_close(s->source);
	blocklist_destroy(s->blocklist);
	loop_destroy(setup->loop);
	store_close(setup->store);
	buf_finish(&setup->dir);
	arguments_finish(&setup->args);
}
