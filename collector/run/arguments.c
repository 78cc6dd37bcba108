#include "arguments.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/limits.h"
#include "store/base/mem.h"
#include "store/record/host.h"

#define SMTP_PORT 25
#define HTTPS_PORT 443
#define NOT_GIVEN 0x7fffffffu

/* What the options point at, before it is checked. */
struct given {
	const char *ehlo_domain, *unknown_name;
	bool ipv4, ipv6;
};

static int
usage(const struct arguments *a, const char *fmt, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), fmt, text);
	return options_usage_error(a->program, "%s: %s", a->options.command, line);
}

static bool
parse_variant(struct arguments *a, const char *word)
{
	struct visit_variant *v = &a->plan.variants[a->plan.variants_n];

	if (a->plan.variants_n == VISIT_VARIANTS_MAX)
		return false;
	if (!sni_parse(word, &v->sni) || v->sni == SNI_LITERAL) {
		v->sni = SNI_LITERAL;
		if (host_normalise(word, v->name, NULL) != 0)
			return false;
	}
	a->plan.variants_n++;
	return true;
}

static bool
parse_one_offer(struct arguments *a, const char *word)
{
	enum offer offer;

	if (!offer_parse(word, &offer))
		return false;
	a->plan.offers[offer] = true;
	return true;
}

/* Words parted by commas; the first that is none in *bad, malloc'ed. */
static bool
parse_words(struct arguments *a, const char *text, bool (*parse)(struct arguments *, const char *),
    char **bad)
{
	char *copy = mem_strdup(text), *rest = copy, *word;

	*bad = NULL;
	while (*bad == NULL && (word = strsep(&rest, ",")) != NULL)
		if (!parse(a, word))
			*bad = mem_strdup(word);
	free(copy);
	return *bad == NULL;
}

static int
check_lists(struct arguments *a)
{
	char *bad;
	int status = 0;

	if (!parse_words(a, a->sni, parse_variant, &bad))
		status = usage(a,
		    "--sni: \"%s\" is neither none, hostname, nexthop, unknown nor a name to send "
		    "(at most 64 of them)",
		    bad);
	else if (!parse_words(a, a->offer, parse_one_offer, &bad))
		status = usage(a,
		    "--offer: \"%s\" is none of default, rsa, ecdsa, tls1.0, tls1.1, tls1.2, "
		    "tls1.3",
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
check_names(struct arguments *a, const struct given *given)
{
	if (given->ehlo_domain == NULL)
		default_ehlo_domain(a->ehlo_domain);
	else if (host_normalise(given->ehlo_domain, a->ehlo_domain, NULL) != 0)
		return usage(a, "--ehlo-domain: \"%s\" is no host name", given->ehlo_domain);
	if (host_normalise(given->unknown_name, a->unknown_name, NULL) != 0)
		return usage(a, "--unknown-name: \"%s\" is no host name", given->unknown_name);
	if (!vantage_valid(a->vantage))
		return usage(a, "--vantage: \"%s\" must be 1 to 32 of a-z, 0-9 and -", a->vantage);
	if (a->recursive && a->resolver != NULL)
		return usage(a, "%s", "--recursive asks no resolver: leave --resolver out");
	a->plan.unknown_name = a->unknown_name;
	a->plan.vantage = a->vantage;
	return 0;
}

/* Those that this process may use, which may be fewer than there are. */
static unsigned
cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static int
check_numbers(struct arguments *a)
{
	if (a->port < 1 || a->port > 65535)
		return usage(a, "%s", "--port must be 1 to 65535");
	if (a->sts_port < 1 || a->sts_port > 65535)
		return usage(a, "%s", "--sts-port must be 1 to 65535");
	if (!a->mta_sts && a->sts_roots != NULL)
		return usage(a, "%s", "--sts-roots says nothing without --mta-sts");
	if (a->rate > LIMIT_RATE)
		return usage(a, "%s", "--rate must be at most 1000000");
	if (a->gap_ms > LIMIT_GAP_MS)
		return usage(a, "%s", "--per-address-gap must be at most a day");
	if (a->concurrency < 1 || a->concurrency > LIMIT_CONCURRENCY)
		return usage(a, "%s", "--concurrency must be 1 to 100000");
	if (a->threads == NOT_GIVEN)
		a->threads = cores() < LIMIT_THREADS ? cores() : LIMIT_THREADS;
	if (a->threads < 1 || a->threads > LIMIT_THREADS)
		return usage(a, "%s", "--threads must be 1 to 64");
	if (a->timeout_ms < 1 || a->timeout_ms > LIMIT_TIMEOUT_S * INT64_C(1000))
		return usage(a, "%s", "--timeout must be above 0 and at most an hour");
	if (a->nexthops > LIMIT_NEXTHOPS)
		return usage(a, "%s", "--max-nexthop-per-address must be at most 100000000");
	a->caps_given = a->per_network != NOT_GIVEN || a->per_operator != NOT_GIVEN;
	if (a->per_network == NOT_GIVEN)
		a->per_network = DEFAULT_PER_NETWORK;
	if (a->per_operator == NOT_GIVEN)
		a->per_operator = DEFAULT_PER_OPERATOR;
	return 0;
}

static bool
is_watch(const struct arguments *a)
{
	return strcmp(a->options.command, "watch") == 0;
}

/* Unless it is given, a sixtieth: a minute of an hour. */
static int
check_intervals(struct arguments *a)
{
	if (!is_watch(a))
		return 0;
	if (a->interval_ms < LIMIT_INTERVAL_LEAST_MS || a->interval_ms > LIMIT_INTERVAL_MS)
		return usage(a, "%s", "--interval must be a second to 30 days");
	if (a->close_interval_ms < 0)
		a->close_interval_ms = a->interval_ms / 60;
	else if (a->close_interval_ms > a->interval_ms)
		return usage(a, "%s", "--close-interval must be at most the --interval");
	if (a->close_interval_ms < LIMIT_INTERVAL_LEAST_MS)
		a->close_interval_ms = LIMIT_INTERVAL_LEAST_MS;
	return 0;
}

/* Behind the last one, in a table that ends with as many empty rows. */
static void
add_rows(struct option_row *rows, const struct option_row *more, size_t n)
{
	while (rows->name != NULL)
		rows++;
	memcpy(rows, more, n * sizeof(*rows));
}

static void
print_usage(const struct arguments *a, const struct option_row *rows)
{
	printf("usage: mxcollect %s [options] [TARGET...]\n", a->options.command);
	printf("%s: DOMAIN, mx:HOST, HOST@ADDRESS[:PORT].\n\n",
	    is_watch(a) ? "Passes over the targets for ever, closer together after a change"
			: "One pass over the targets");
	options_help(stdout, rows);
}

static enum options_result
read_options(struct arguments *a, struct given *given, int argc, char **argv)
{
	struct option_row rows[] = {{"file", 'f', OPTION_TEXT, &a->file, "FILE",
					"targets, one a line; - is standard input"},
	    {"sni", 0, OPTION_TEXT, &a->sni, "V,...",
		"none, hostname, nexthop, unknown, or names to send (the first four)"},
	    {"offer", 0, OPTION_TEXT, &a->offer, "O,...",
		"default, rsa, ecdsa, tls1.0, tls1.1, tls1.2, tls1.3 (default)"},
	    {"ipv4", '4', OPTION_FLAG, &given->ipv4, NULL, "IPv4 addresses only"},
	    {"ipv6", '6', OPTION_FLAG, &given->ipv6, NULL, "IPv6 addresses only"},
	    {"port", 0, OPTION_UNSIGNED, &a->port, "N", "the port to connect to (25)"},
	    {"ehlo-domain", 0, OPTION_TEXT, &given->ehlo_domain, "NAME",
		"for EHLO (this host's name)"},
	    {"unknown-name", 0, OPTION_TEXT, &given->unknown_name, "NAME",
		"for the variant unknown (unknown.mx509.invalid)"},
	    {"vantage", 0, OPTION_TEXT, &a->vantage, "NAME", "the name of this place (local)"},
	    {"resolver", 0, OPTION_TEXT, &a->resolver, "ADDR[@PORT]", "instead of the system's"},
	    {"recursive", 0, OPTION_FLAG, &a->recursive, NULL,
		"ask the authoritative servers, no resolver"},
	    {"trust-anchor", 0, OPTION_TEXT, &a->trust_anchor, "FILE",
		"DS or DNSKEY records instead of IANA's"},
	    {"mta-sts", 0, OPTION_FLAG, &a->mta_sts, NULL,
		"fetch the MTA-STS policies of domains that announce one"},
	    {"sts-roots", 0, OPTION_TEXT, &a->sts_roots, "FILE|DIR",
		"roots that their hosts are verified against (the system's)"},
	    {"sts-port", 0, OPTION_UNSIGNED, &a->sts_port, "N",
		"their hosts' port, in a laboratory (443)"},
	    {"rate", 0, OPTION_UNSIGNED, &a->rate, "N", "probes a second in all (no bound)"},
	    {"per-address-gap", 0, OPTION_UNSIGNED, &a->gap_ms, "MS",
		"between two connections to an address (250)"},
	    {"per-network", 0, OPTION_UNSIGNED, &a->per_network, "N",
		"connections at once to a /24 or /48; 0: no bound (8)"},
	    {"per-operator", 0, OPTION_UNSIGNED, &a->per_operator, "N",
		"connections at once to the hosts of a registered domain; 0: no bound (64)"},
	    {"max-nexthop-per-address", 0, OPTION_UNSIGNED, &a->nexthops, "N",
		"recipient domains that an address is asked for; 0: no bound (100)"},
	    {"concurrency", 0, OPTION_UNSIGNED, &a->concurrency, "N", "probes at once (256)"},
	    {"threads", 0, OPTION_UNSIGNED, &a->threads, "N", "threads (the cores)"},
	    {"timeout", 0, OPTION_SPAN, &a->timeout_ms, "S",
		"for each step: connect, each reply, handshake (30)"},
	    {"blocklist-file", 0, OPTION_LIST, &a->blocklists, "FILE",
		"addresses, prefixes and names not to probe"},
	    {"allow-private", 0, OPTION_FLAG, &a->allow_private, NULL,
		"dial private, loopback and other special addresses, too"},
	    /* room for those of the command, and an end: */
	    {0}, {0}, {0}};
	const struct option_row resume = {"resume", 0, OPTION_FLAG, &a->resume, NULL,
	    "leave out what a run that was interrupted has stored"};
	const struct option_row intervals[] = {
	    {"interval", 0, OPTION_SPAN, &a->interval_ms, "S",
		"from the beginning of a pass to that of the next (1h)"},
	    {"close-interval", 0, OPTION_SPAN, &a->close_interval_ms, "S",
		"the same after a change, for what is near it (1/60 of it)"}};
	enum options_result result;

	add_rows(rows, is_watch(a) ? intervals : &resume, is_watch(a) ? 2 : 1);
	result = options_parse(&a->options, rows, argc, argv);
	if (result == OPTIONS_HELP)
		print_usage(a, rows);
	return result;
}

int
arguments_parse(struct arguments *a, int argc, char **argv)
{
	struct given given = {.unknown_name = "unknown.mx509.invalid"};
	const char *program = a->program;
	int status;

	*a = (struct arguments){.program = program,
	    .options = {.program = program, .command = argv[0]},
	    .sni = "none,hostname,nexthop,unknown",
	    .offer = "default",
	    .vantage = "local",
	    .port = SMTP_PORT,
	    .sts_port = HTTPS_PORT,
	    .gap_ms = 250,
	    .per_network = NOT_GIVEN,
	    .per_operator = NOT_GIVEN,
	    .nexthops = 100,
	    .concurrency = 256,
	    .threads = NOT_GIVEN,
	    .timeout_ms = 30000,
	    .interval_ms = 3600000,
	    .close_interval_ms = -1};
	switch (read_options(a, &given, argc, argv)) {
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_DONE:
	case OPTIONS_HELP:
		return options_finish(program, EXIT_DONE);
	case OPTIONS_OK:
		break;
	}
	a->ipv4 = given.ipv4 || !given.ipv6;
	a->ipv6 = given.ipv6 || !given.ipv4;
	if (a->options.operand_n == 0 && a->file == NULL)
		return usage(a, "%s", "no targets: name some, or a list of them with -f FILE");
	if ((status = check_lists(a)) == 0 && (status = check_names(a, &given)) == 0 &&
	    (status = check_numbers(a)) == 0)
		status = check_intervals(a);
	return status != 0 ? status : -1;
}

void
arguments_finish(struct arguments *a)
{
	option_list_finish(&a->blocklists);
}
