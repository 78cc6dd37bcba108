#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../store/clock.h"
#include "../store/host.h"
#include "../store/mem.h"
#include "../store/options.h"
#include "../store/progress.h"
#include "../store/text.h"
#include "limits.h"
#include "schedule.h"

#define PROGRAM "mxcollect"
#define VARIANTS_MAX 64
#define DESCRIPTORS_SPARE 64
#define DESCRIPTORS_LEAST 64
#define SMTP_PORT 25

struct arguments {
	const char *file, *sni, *offer, *ehlo_domain, *unknown_name, *vantage, *resolver,
	    *trust_anchor;
	struct option_list blocklists;
	bool ipv4, ipv6, recursive, allow_private;
	unsigned port, rate, gap_ms, concurrency;
	int64_t timeout_ms;
};

/* Everything of a run, so that one function takes it down. */
struct run {
	struct arguments args;
	struct options options;
	struct schedule_settings settings;
	struct schedule_variant variants[VARIANTS_MAX];
	char ehlo_domain[LIMIT_NAME + 1], unknown_name[LIMIT_NAME + 1];
	struct loop *loop;
	struct store *store;
	struct schedule *schedule;
	struct loop_signal *sigint, *sigterm;
	struct progress progress;
	int64_t began_ms;
	unsigned signals, dns_queries;
};

/* ---- what the user sees -------------------------------------------------------------------- */

static void
say(void *ctx, const char *line)
{
	struct run *run = ctx;
	struct buf safe = {0};

	progress_finish(&run->progress);
	text_escape(&safe, line, strlen(line));
	fprintf(stderr, PROGRAM ": %s\n", buf_text(&safe));
	buf_finish(&safe);
}

static void
show_progress(void *ctx)
{
	struct run *run = ctx;
	const struct schedule_counts *c = schedule_counts(run->schedule);
	double seconds = (double)(clock_monotonic_ms() - run->began_ms) / 1000;

	progress_show(&run->progress,
	    "%llu targets, %llu probes (%llu succeeded), %llu under way, %llu waiting, %.0f s",
	    (unsigned long long)c->targets, (unsigned long long)c->probes,
	    (unsigned long long)c->outcomes[OUTCOME_SUCCESS], (unsigned long long)c->under_way,
	    (unsigned long long)c->queued, seconds);
}

static void
append_count(struct buf *line, uint64_t n, const char *what)
{
	if (n > 0)
		buf_printf(
		    line, "%s%llu %s", line->len > 0 ? ", " : "", (unsigned long long)n, what);
}

/* "12 targets, 5 hosts, 9 addresses, 36 probes: 30 success, 6 connection-timeout; 1 no-mx; 4.2 s"
 */
static void
summarise(struct run *run)
{
	const struct schedule_counts *c = schedule_counts(run->schedule);
	struct buf line = {0}, part = {0};

	buf_printf(&line, "%llu targets, %llu hosts, %llu addresses, %llu probes",
	    (unsigned long long)c->targets, (unsigned long long)c->hosts,
	    (unsigned long long)c->addresses, (unsigned long long)c->probes);
	for (unsigned i = 0; i < OUTCOME_N; i++)
		append_count(&part, c->outcomes[i], outcome_name(i));
	if (part.len > 0)
		buf_printf(&line, ": %s", buf_text(&part));
	buf_clear(&part);
	for (unsigned i = LOOKUP_DONE + 1; i < LOOKUP_END_N; i++)
		append_count(&part, c->ends[i], lookup_end_name(i));
	append_count(&part, c->refused, "refused");
	append_count(&part, c->blocked, "blocklisted");
	append_count(&part, c->left_out, "left out");
	append_count(&part, c->bad_lines, "bad lines");
	append_count(&part, c->local, "not begun");
	if (part.len > 0)
		buf_printf(&line, "; %s", buf_text(&part));
	buf_printf(&line, "; %.1f s", (double)(clock_monotonic_ms() - run->began_ms) / 1000);
	say(run, buf_text(&line));
	buf_finish(&line);
	buf_finish(&part);
}

static void
say_what_was_left(struct run *run)
{
	const struct schedule_counts *c = schedule_counts(run->schedule);
	char line[200];

	if (!schedule_stopped(run->schedule) || (c->left == 0 && !c->more_targets))
		return;
	snprintf(line, sizeof(line),
	    "stopped: %llu probes or look-ups of the targets taken were not done%s; what was done "
	    "is "
	    "stored: run it again for the rest",
	    (unsigned long long)c->left, c->more_targets ? ", nor any further targets" : "");
	say(run, line);
}

/* The commonest reason for a run that finds nothing. */
static void
say_if_port_is_blocked(struct run *run)
{
	const struct schedule_counts *c = schedule_counts(run->schedule);

	if (c->on_25 > 0 && c->connected_on_25 == 0)
		say(run,
		    "no address answered on port 25: many networks block it for their customers; "
		    "run mxcollect from a network that does not");
}

static int
conclude(struct run *run)
{
	const struct schedule_counts *c = schedule_counts(run->schedule);
	const struct err *failed = record_failed(run->settings.record);
	const struct err *refused = record_refused(run->settings.record);
	struct record_counts stored = record_counts(run->settings.record);
	char line[640];

	progress_finish(&run->progress);
	if (refused != NULL) {
		snprintf(line, sizeof(line), "%llu records could not be stored: %s",
		    (unsigned long long)stored.refused, refused->text);
		say(run, line);
	}
	if (failed != NULL) {
		snprintf(line, sizeof(line), "%s (%llu records are stored, %llu are not)",
		    failed->text, (unsigned long long)(stored.observations + stored.dns_answers),
		    (unsigned long long)stored.lost);
		say(run, line);
	}
	if (failed == NULL)
		say_what_was_left(run);
	say_if_port_is_blocked(run);
	if (!run->options.quiet)
		summarise(run);
	if (failed != NULL)
		return EXIT_TROUBLE;
	return c->notices || refused != NULL || c->left > 0 || c->more_targets ? EXIT_MISSING
									       : EXIT_DONE;
}

/* ---- options ------------------------------------------------------------------------------- */

static int
usage(const char *fmt, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), fmt, text);
	return options_usage_error(PROGRAM, "run: %s", line);
}

static bool
parse_variant(struct run *run, const char *word)
{
	struct schedule_variant *v = &run->variants[run->settings.variants_n];

	if (run->settings.variants_n == VARIANTS_MAX)
		return false;
	if (!sni_parse(word, &v->sni) || v->sni == SNI_LITERAL) {
		v->sni = SNI_LITERAL;
		if (host_normalise(word, v->name, NULL) != 0)
			return false;
	}
	run->settings.variants_n++;
	return true;
}

static bool
parse_one_offer(struct run *run, const char *word)
{
	enum offer offer;

	if (!offer_parse(word, &offer))
		return false;
	run->settings.offers[offer] = true;
	return true;
}

/* Words parted by commas. NULL, or the first that is none (in *bad, malloc'ed). */
static bool
parse_words(
    struct run *run, const char *text, bool (*parse)(struct run *, const char *), char **bad)
{
	char *copy = mem_strdup(text), *rest = copy, *word;

	*bad = NULL;
	while (*bad == NULL && (word = strsep(&rest, ",")) != NULL)
		if (!parse(run, word))
			*bad = mem_strdup(word);
	free(copy);
	return *bad == NULL;
}

static int
check_lists(struct run *run)
{
	char *bad;
	int status = 0;

	if (!parse_words(run, run->args.sni, parse_variant, &bad))
		status =
		    usage("--sni: \"%s\" is neither none, hostname, nexthop, unknown nor a name "
			  "to send (at most 64 of them)",
			bad);
	else if (!parse_words(run, run->args.offer, parse_one_offer, &bad))
		status = usage("--offer: \"%s\" is none of default, rsa, ecdsa, tls1.0, tls1.1, "
			       "tls1.2, tls1.3",
		    bad);
	free(bad);
	return status;
}

/* Of this host, as the system knows it: no DNS is asked. */
static void
default_ehlo_domain(char out[LIMIT_NAME + 1])
{
	char name[LIMIT_NAME + 1] = "";

	if (gethostname(name, sizeof(name) - 1) != 0 || host_normalise(name, out, NULL) != 0)
		strcpy(out, "localhost");
}

static int
check_names(struct run *run)
{
	struct arguments *a = &run->args;

	if (a->ehlo_domain == NULL)
		default_ehlo_domain(run->ehlo_domain);
	else if (host_normalise(a->ehlo_domain, run->ehlo_domain, NULL) != 0)
		return usage("--ehlo-domain: \"%s\" is no host name", a->ehlo_domain);
	if (host_normalise(a->unknown_name, run->unknown_name, NULL) != 0)
		return usage("--unknown-name: \"%s\" is no host name", a->unknown_name);
	if (!vantage_valid(a->vantage))
		return usage("--vantage: \"%s\" must be 1 to 32 of a-z, 0-9 and -", a->vantage);
	if (a->recursive && a->resolver != NULL)
		return usage("%s", "--recursive asks no resolver: leave --resolver out");
	return 0;
}

static int
check_numbers(struct run *run)
{
	struct arguments *a = &run->args;

	if (a->port < 1 || a->port > 65535)
		return usage("--port must be 1 to 65535%s", "");
	if (a->rate > LIMIT_RATE)
		return usage("--rate must be at most 1000000%s", "");
	if (a->gap_ms > LIMIT_GAP_MS)
		return usage("--per-address-gap must be at most a day%s", "");
	if (a->concurrency < 1 || a->concurrency > LIMIT_CONCURRENCY)
		return usage("--concurrency must be 1 to 100000%s", "");
	if (a->timeout_ms < 1 || a->timeout_ms > LIMIT_TIMEOUT_S * INT64_C(1000))
		return usage("--timeout must be above 0 and at most an hour%s", "");
	return 0;
}

static int
parse(struct run *run, int argc, char **argv)
{
	struct arguments *a = &run->args;
	const struct option_row rows[] = {{"file", 'f', OPTION_TEXT, &a->file, "FILE",
					      "targets, one a line; - is standard input"},
	    {"sni", 0, OPTION_TEXT, &a->sni, "V,...",
		"none, hostname, nexthop, unknown, or names to send (the first four)"},
	    {"offer", 0, OPTION_TEXT, &a->offer, "O,...",
		"default, rsa, ecdsa, tls1.0, tls1.1, tls1.2, tls1.3 (default)"},
	    {"ipv4", '4', OPTION_FLAG, &a->ipv4, NULL, "IPv4 addresses only"},
	    {"ipv6", '6', OPTION_FLAG, &a->ipv6, NULL, "IPv6 addresses only"},
	    {"port", 0, OPTION_UNSIGNED, &a->port, "N", "the port to connect to (25)"},
	    {"ehlo-domain", 0, OPTION_TEXT, &a->ehlo_domain, "NAME", "for EHLO (this host's name)"},
	    {"unknown-name", 0, OPTION_TEXT, &a->unknown_name, "NAME",
		"for the variant unknown (unknown.mx509.invalid)"},
	    {"vantage", 0, OPTION_TEXT, &a->vantage, "NAME", "the name of this place (local)"},
	    {"resolver", 0, OPTION_TEXT, &a->resolver, "ADDR[@PORT]", "instead of the system's"},
	    {"recursive", 0, OPTION_FLAG, &a->recursive, NULL,
		"ask the authoritative servers, no resolver"},
	    {"trust-anchor", 0, OPTION_TEXT, &a->trust_anchor, "FILE",
		"DS or DNSKEY records instead of IANA's"},
	    {"rate", 0, OPTION_UNSIGNED, &a->rate, "N", "probes a second in all (no bound)"},
	    {"per-address-gap", 0, OPTION_UNSIGNED, &a->gap_ms, "MS",
		"between two connections to an address (250)"},
	    {"concurrency", 0, OPTION_UNSIGNED, &a->concurrency, "N", "probes at once (256)"},
	    {"timeout", 0, OPTION_SPAN, &a->timeout_ms, "S",
		"for each step: connect, each reply, handshake (30)"},
	    {"blocklist-file", 0, OPTION_LIST, &a->blocklists, "FILE",
		"addresses, prefixes and names not to probe"},
	    {"allow-private", 0, OPTION_FLAG, &a->allow_private, NULL,
		"dial private, loopback and other special addresses, too"},
	    {0}};
	int status;

	switch (options_parse(&run->options, rows, argc, argv)) {
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_DONE:
		return options_finish(PROGRAM, EXIT_DONE);
	case OPTIONS_HELP:
		printf("usage: mxcollect run [options] [TARGET...]\n"
		       "One pass over the targets: DOMAIN, mx:HOST, HOST@ADDRESS[:PORT].\n\n");
		options_help(stdout, rows);
		return options_finish(PROGRAM, EXIT_DONE);
	case OPTIONS_OK:
		break;
	}
	if (run->options.operand_n == 0 && a->file == NULL)
		return usage("no targets: name some, or a list of them with -f FILE%s", "");
	if ((status = check_lists(run)) == 0 && (status = check_names(run)) == 0)
		status = check_numbers(run);
	return status != 0 ? status : -1;
}

/* ---- set-up -------------------------------------------------------------------------------- */

/* Each probe needs a descriptor, a question to DNS up to two (its DS and DNSKEY are asked for at
 * the same time, or TCP after UDP); some are of the store and of the loop. */
static int
share_descriptors(struct run *run, struct err *err)
{
	unsigned *probes = &run->settings.concurrency;
	struct rlimit limit;
	rlim_t spare, half, rest;
	char line[160];

	*probes = run->args.concurrency;
	run->dns_queries = LIMIT_DNS_QUERIES;
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
	half = (limit.rlim_cur - spare) / 2;
	if (run->dns_queries > half / 2)
		run->dns_queries = (unsigned)(half / 2);
	rest = limit.rlim_cur - spare - 2 * (rlim_t)run->dns_queries;
	if (*probes <= rest)
		return 0;
	*probes = (unsigned)rest;
	snprintf(line, sizeof(line),
	    "concurrency is cut to %u: no more than %llu files may be open (ulimit -n)", *probes,
	    (unsigned long long)limit.rlim_cur);
	say(run, line);
	return 0;
}

static int
open_tls(struct run *run, struct err *err)
{
	for (unsigned i = 0; i < OFFER_N; i++) {
		if (!run->settings.offers[i])
			continue;
		run->settings.probe.tls[i] = tls_context_create(i, err);
		if (run->settings.probe.tls[i] == NULL)
			return err->code;
	}
	return 0;
}

static int
open_parts(struct run *run, struct err *err)
{
	struct dns_options dns = {.resolver = run->args.resolver,
	    .recursive = run->args.recursive,
	    .trust_anchor = run->args.trust_anchor,
	    .queries = run->dns_queries};
	struct schedule_settings *s = &run->settings;
	struct buf dir = {0};
	int rc;

	s->blocklist = blocklist_create();
	for (size_t i = 0; i < run->args.blocklists.n; i++)
		if ((rc = blocklist_load(s->blocklist, run->args.blocklists.items[i], err)) != 0)
			return rc;
	if ((rc = loop_create(&run->loop, err)) != 0 ||
	    (rc = source_open(&s->source, run->loop, run->options.operands,
		 (size_t)run->options.operand_n, run->args.file, err)) != 0 ||
	    (rc = open_tls(run, err)) != 0 || (rc = dns_create(&s->dns, run->loop, &dns, err)) != 0)
		return rc;
	if ((rc = store_find_dir(run->options.store, &dir, err)) == 0)
		rc = store_open(&run->store, buf_text(&dir), STORE_WRITE, err);
	buf_finish(&dir);
	if (rc == 0)
		s->record = record_create(run->store, run->loop, run->options.json ? stdout : NULL);
	return rc;
}

static void
fill_settings(struct run *run)
{
	struct schedule_settings *s = &run->settings;
	const struct arguments *a = &run->args;

	s->probe.loop = run->loop;
	s->probe.ehlo_domain = run->ehlo_domain;
	s->probe.timeout_ms = a->timeout_ms;
	s->variants = run->variants;
	s->ipv4 = !a->ipv6 || a->ipv4;
	s->ipv6 = !a->ipv4 || a->ipv6;
	s->allow_private = a->allow_private;
	s->port = (uint16_t)a->port;
	s->unknown_name = run->unknown_name;
	s->vantage = a->vantage;
	s->per_second = a->rate;
	s->gap_ms = a->gap_ms;
	s->notice = say;
	s->progress = show_progress;
	s->ctx = run;
}

static void
on_signal(void *ctx)
{
	struct run *run = ctx;
	char line[128];

	if (run->signals++ == 0) {
		snprintf(line, sizeof(line),
		    "stopping: %llu probes under way are finished; once more to give them up",
		    (unsigned long long)schedule_counts(run->schedule)->under_way);
		say(run, line);
	}
	schedule_stop(run->schedule);
}

static void
take_down(struct run *run)
{
	struct schedule_settings *s = &run->settings;

	schedule_destroy(run->schedule);
	record_destroy(s->record);
	dns_destroy(s->dns);
	source_close(s->source);
	blocklist_destroy(s->blocklist);
	loop_signal_destroy(run->sigint);
	loop_signal_destroy(run->sigterm);
	for (unsigned i = 0; i < OFFER_N; i++)
		tls_context_destroy(s->probe.tls[i]);
	loop_destroy(run->loop);
	store_close(run->store);
	option_list_finish(&run->args.blocklists);
}

int
run_command(int argc, char **argv)
{
	struct run run = {.options = {.program = PROGRAM, .command = "run"}};
	struct err err = {0};
	int status;

	run.args = (struct arguments){.sni = "none,hostname,nexthop,unknown",
	    .offer = "default",
	    .unknown_name = "unknown.mx509.invalid",
	    .vantage = "local",
	    .port = SMTP_PORT,
	    .gap_ms = 250,
	    .concurrency = 256,
	    .timeout_ms = 30000};
	if ((status = parse(&run, argc, argv)) >= 0)
		goto out;
	options_ignore_signals();
	progress_init(&run.progress, run.options.quiet);
	run.began_ms = clock_monotonic_ms();
	if (share_descriptors(&run, &err) != 0 || open_parts(&run, &err) != 0) {
		status = options_trouble(PROGRAM, &err);
		goto out;
	}
	fill_settings(&run);
	run.schedule = schedule_create(&run.settings);
	run.sigint = loop_signal_create(run.loop, SIGINT, on_signal, &run);
	run.sigterm = loop_signal_create(run.loop, SIGTERM, on_signal, &run);
	schedule_run(run.schedule);
	record_flush(run.settings.record);
	status = options_finish(PROGRAM, conclude(&run));
out:
	take_down(&run);
	return status;
}
