#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "mxstore.h"
#include "mxstore_missing.h"
#include "store/base/clock.h"
#include "store/base/lines.h"
#include "store/base/progress.h"
#include "store/exchange/import.h"
#include "store/exchange/sonar.h"

struct work {
	struct progress progress;
	struct mxstore_missing missing;
	uint64_t missing_n; /* certificates; at the end */
	struct hash missing_first;
};

static void
note_missing(void *ctx, const struct hash *name)
{
	struct work *w = ctx;

	mxstore_missing_add(&w->missing, name);
}

static void
complain(void *ctx, const char *line)
{
	struct work *w = ctx;

	progress_finish(&w->progress);
	fprintf(stderr, "mxstore: %s\n", line);
}

static bool
tick(void *ctx, const struct import_counts *counts)
{
	struct work *w = ctx;

	if ((counts->lines & 63) == 0)
		progress_show(&w->progress, "%llu lines, %llu MiB read",
		    (unsigned long long)counts->lines, (unsigned long long)counts->octets >> 20);
	return options_interrupted();
}

/* How lines were dated that do not say it themselves. */
static void
print_dates_json(const struct import_postfix_log *log)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	clock_format_ms(log->first_ms, first);
	clock_format_ms(log->last_ms, last);
	if (log->any)
		printf(",\"first\":\"%s\",\"last\":\"%s\"", first, last);
	else
		printf(",\"first\":null,\"last\":null");
	printf(",\"year_guessed\":%llu,\"time_guessed\":%llu", (unsigned long long)log->guessed,
	    (unsigned long long)log->unstamped);
}

static void
print_json(
    const struct import_counts *c, const struct work *work, const struct import_postfix_log *log)
{
	printf("{\"type\":\"import\",\"files\":%llu,\"lines\":%llu,\"observations\":%llu,"
	       "\"dns_answers\":%llu,\"certificates\":%llu,\"repeated\":%llu,\"bad\":%llu,"
	       "\"skipped\":%llu,\"incomplete\":%llu,\"certificates_missing\":%llu",
	    (unsigned long long)c->files, (unsigned long long)c->lines,
	    (unsigned long long)c->observations, (unsigned long long)c->dns_answers,
	    (unsigned long long)c->certificates, (unsigned long long)c->repeated,
	    (unsigned long long)c->bad, (unsigned long long)c->skipped,
	    (unsigned long long)c->incomplete, (unsigned long long)work->missing_n);
	if (log != NULL)
		print_dates_json(log);
	puts("}");
}

/* The summary, and the exit status. */
static int
finish(const struct options *o, struct work *work, int status, const struct import_counts *c,
    const struct import_postfix_log *log)
{
	char first[2 * HASH_LEN + 1];

	progress_finish(&work->progress);
	if (o->json)
		print_json(c, work, log);
	else if (!o->quiet)
		printf(
		    "%llu observations, %llu DNS answers, %llu certificates are new; %llu records "
		    "were there; %llu bad\n",
		    (unsigned long long)c->observations, (unsigned long long)c->dns_answers,
		    (unsigned long long)c->certificates, (unsigned long long)c->repeated,
		    (unsigned long long)c->bad);
	if (c->skipped > 0 && !o->json && !o->quiet)
		printf("%llu lines or files say nothing about a mail server's TLS\n",
		    (unsigned long long)c->skipped);
	if (c->opted_out > 0)
		fprintf(stderr,
		    "mxstore: %llu observations are of names on the corpus's blocklist (first: "
		    "%s); "
		    "mxstore delete drops them again\n",
		    (unsigned long long)c->opted_out, c->opted_out_first);
	if (work->missing_n > 0) {
		hash_hex(&work->missing_first, first);
		fprintf(stderr,
		    "mxstore: %llu certificates that the observations name were not given (first: "
		    "%s); import them too, in any order\n",
		    (unsigned long long)work->missing_n, first);
	}
	return status == EXIT_DONE && c->bad > 0 ? EXIT_MISSING : status;
}

/* After a file: whether to go on with the next one, which may be read where this one could not. */
static bool
go_on(int rc, const struct err *err, int *status)
{
	if (rc == 0)
		return true;
	options_trouble(MXSTORE, err);
	*status = options_interrupted() && rc == ERR_INPUT ? EXIT_MISSING : EXIT_TROUBLE;
	return rc == ERR_SYSTEM;
}

/* Whether there is something to read; a pipe is not touched. */
static bool
can_read(const char *path, struct err *err)
{
	struct lines lines;
	struct stat st;

	if (strcmp(path, "-") == 0)
		return true;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return true;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		err_set(err, ERR_SYSTEM, "%s: is a directory; name files", path);
		return false;
	}
	if (lines_open(&lines, path, err) != 0)
		return false;
	lines_close(&lines);
	return true;
}

/* Where none of the files can be read, no corpus is made: each is named. */
static bool
is_any_readable(const struct options *o)
{
	struct err err = {0};

	for (int i = 0; i < o->operand_n; i++, err = (struct err){0})
		if (can_read(o->operands[i], &err))
			return true;
	for (int i = 0; i < o->operand_n; i++, err = (struct err){0})
		if (!can_read(o->operands[i], &err))
			options_trouble(MXSTORE, &err);
	return false;
}

/* A file after the other; `import` does one. */
struct files {
	const struct options *options;
	struct store *store;
	struct work work;
	struct import_hooks hooks;
	struct import_counts counts;
	const struct import_postfix_log *log; /* of that import; else NULL */
	int status;
};

/* False: the status is in files->status. */
static bool
files_open(struct files *files, const struct options *o)
{
	*files =
	    (struct files){.options = o, .hooks = {complain, tick, &files->work, note_missing}};
	if (o->operand_n == 0) {
		files->status = options_usage_error(
		    MXSTORE, "%s: which FILE? (- is standard input)", o->command);
		return false;
	}
	if (!is_any_readable(o)) {
		files->status = EXIT_TROUBLE;
		return false;
	}
	files->status = mxstore_open(o, STORE_WRITE, &files->store);
	progress_init(&files->work.progress, o->quiet);
	return files->status == EXIT_DONE;
}

static int
files_close(struct files *files)
{
	struct err err = {0};

	/* Where the store cannot be read any more, that is said already. */
	mxstore_missing_count(&files->work.missing, files->store, &files->work.missing_n,
	    &files->work.missing_first, &err);
	mxstore_missing_finish(&files->work.missing);
	store_close(files->store);
	return finish(files->options, &files->work, files->status, &files->counts, files->log);
}

int
mxstore_import_jsonl(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"import jsonl [OPTION…] FILE…",
	    "Records of export jsonl or mxcollect --json; - is standard input; gzip and zstd\n"
	    "are unpacked. Bad lines are named, the rest goes on; repeating an import changes\n"
	    "nothing.",
	    true};
	struct options o = {.program = MXSTORE, .command = "import jsonl"};
	struct files files;
	int rc;

	if (!mxstore_parse(&o, NULL, &usage, argc, argv, &rc))
		return rc;
	if (!files_open(&files, &o))
		return files.status;
	for (int i = 0; i < o.operand_n; i++) {
		struct err err = {0};

		rc = import_jsonl(files.store, o.operands[i], &files.hooks, &files.counts, &err);
		if (!go_on(rc, &err, &files.status))
			break;
	}
	return files_close(&files);
}

static bool
is_vantage(const char *name)
{
	if (vantage_valid(name))
		return true;
	options_usage_error(MXSTORE, "--vantage: \"%s\" is not 1 to 32 of a-z, 0-9 and -", name);
	return false;
}

int
mxstore_import_zgrab2(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"import zgrab2 [OPTION…] FILE…",
	    "What zgrab2's module smtp found, as observations; - is standard input; gzip and\n"
	    "zstd are unpacked. Other modules are passed over.",
	    true};
	const char *vantage = "zgrab2";
	const struct option_row rows[] = {
	    {"vantage", 0, OPTION_TEXT, &vantage, "NAME", "from where: zgrab2"}, {0}};
	struct options o = {.program = MXSTORE, .command = "import zgrab2"};
	struct files files;
	int rc;

	if (!mxstore_parse(&o, rows, &usage, argc, argv, &rc))
		return rc;
	if (!is_vantage(vantage))
		return EXIT_TROUBLE;
	if (!files_open(&files, &o))
		return files.status;
	for (int i = 0; i < o.operand_n; i++) {
		struct err err = {0};

		rc = import_zgrab2(
		    files.store, o.operands[i], vantage, &files.hooks, &files.counts, &err);
		if (!go_on(rc, &err, &files.status))
			break;
	}
	return files_close(&files);
}

/* Of the files those of certificates (first) or all others; false: the run is over. */
static bool
import_sonar_files(struct files *files, struct import_sonar *sonar, bool certificates)
{
	for (int i = 0; i < files->options->operand_n; i++) {
		const char *path = files->options->operands[i];
		struct sonar_file file;
		struct err err = {0};
		int rc;

		sonar_file_of(&file, path);
		if ((file.kind == SONAR_CERTS) != certificates)
			continue;
		rc = import_sonar(files->store, path, sonar, &files->hooks, &files->counts, &err);
		if (!go_on(rc, &err, &files->status))
			return false;
	}
	return true;
}

#define PORT_OF_LINE UINT_MAX /* not given */

int
mxstore_import_sonar(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"import sonar [OPTION…] FILE…",
	    "Files of Rapid7's Sonar: *_certs.gz, and *_hosts.gz or *_endpoints.gz of the same\n"
	    "or of later days; their order does not matter. - is standard input.",
	    true};
	struct import_sonar sonar = {.vantage = "sonar", .time_ms = INT64_MIN};
	unsigned port = PORT_OF_LINE;
	const struct option_row rows[] = {
	    {"time", 0, OPTION_TIME, &sonar.time_ms, "TIME", "when: as the file's name says"},
	    {"port", 0, OPTION_UNSIGNED, &port, "N",
		"at which port: as the line or the file's name says"},
	    {"vantage", 0, OPTION_TEXT, &sonar.vantage, "NAME", "from where: sonar"}, {0}};
	struct options o = {.program = MXSTORE, .command = "import sonar"};
	struct files files;
	int rc;

	if (!mxstore_parse(&o, rows, &usage, argc, argv, &rc))
		return rc;
	if (!is_vantage(sonar.vantage))
		return EXIT_TROUBLE;
	if (port == 0 || (port > UINT16_MAX && port != PORT_OF_LINE))
		return options_usage_error(MXSTORE, "--port: %u is none", port);
	sonar.port = port == PORT_OF_LINE ? 0 : (uint16_t)port;
	if (!files_open(&files, &o))
		return files.status;
	if (import_sonar_files(&files, &sonar, true))
		import_sonar_files(&files, &sonar, false);
	import_sonar_finish(&sonar);
	return files_close(&files);
}

static void
print_dates(const struct import_postfix_log *log, const char *zone)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	if (!log->any || (log->guessed == 0 && log->unstamped == 0))
		return;
	clock_format_s(log->first_ms, first);
	clock_format_s(log->last_ms, last);
	if (log->guessed > 0)
		printf("%llu lines have no year: taken as of %s to %s, in the zone %s; --year and "
		       "--time-zone say otherwise\n",
		    (unsigned long long)log->guessed, first, last,
		    zone != NULL ? zone : "of this machine");
	if (log->unstamped > 0)
		printf(
		    "%llu lines have no time: taken as of the line before, or of the file's last "
		    "change; --time says otherwise\n",
		    (unsigned long long)log->unstamped);
}

int
mxstore_import_postfix_log(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"import postfix-log [OPTION…] FILE…",
	    "What Postfix's smtp and posttls-finger logged of TLS with servers, as observations\n"
	    "without a chain; - is standard input; gzip and zstd are unpacked. Other lines are\n"
	    "passed over.",
	    true};
	struct import_postfix_log log = {.time_ms = INT64_MIN};
	const char *zone = NULL;
	unsigned year = 0;
	const struct option_row rows[] = {{"year", 0, OPTION_UNSIGNED, &year, "YEAR",
					      "in which each file begins: the newest that can be"},
	    {"time-zone", 0, OPTION_TEXT, &zone, "ZONE",
		"of stamps without one, +hh:mm or IANA's name: this machine's"},
	    {"time", 0, OPTION_TIME, &log.time_ms, "TIME",
		"of lines without a stamp: that of the line before"},
	    {"vantage", 0, OPTION_TEXT, &log.vantage, "NAME",
		"from where: the machine that logged"},
	    {0}};
	struct options o = {.program = MXSTORE, .command = "import postfix-log"};
	struct files files;
	struct err wrong = {0};
	int rc;

	if (!mxstore_parse(&o, rows, &usage, argc, argv, &rc))
		return rc;
	if (log.vantage != NULL && !is_vantage(log.vantage))
		return EXIT_TROUBLE;
	if (year != 0 && (year < 1970 || year > 9999))
		return options_usage_error(MXSTORE, "--year: %u is none", year);
	log.year = (int)year;
	if (zone_parse(&log.zone, zone, &wrong) != 0)
		return options_usage_error(MXSTORE, "--time-zone: %s", wrong.text);
	if (!files_open(&files, &o))
		return files.status;
	files.log = &log;
	for (int i = 0; i < o.operand_n; i++) {
		struct err err = {0};

		rc = import_postfix_log(
		    files.store, o.operands[i], &log, &files.hooks, &files.counts, &err);
		if (!go_on(rc, &err, &files.status))
			break;
	}
	rc = files_close(&files);
	if (!o.json && !o.quiet)
		print_dates(&log, zone);
	return rc;
}

struct arguments {
	const char *host, *address, *sni, *name, *offer, *vantage;
	int64_t time_ms;
	unsigned port;
};

/* sni_sent is memory for a name that goes into the evidence, "" for none. */
static int
where(const struct arguments *a, struct series *s, char sni_sent[LIMIT_NAME + 1], struct err *err)
{
	const char *name = a->name;
	int rc;

	sni_sent[0] = '\0';
	*s = (struct series){.kind = SERIES_PROBE, .port = (uint16_t)a->port};
	if ((rc = host_normalise(a->host, s->host, err)) != 0)
		return rc;
	if (!ip_parse(&s->address, a->address))
		return err_set(err, ERR_INPUT, "--address: \"%s\" is no address", a->address);
	if (a->port == 0 || a->port > UINT16_MAX)
		return err_set(err, ERR_INPUT, "--port: %u is none", a->port);
	if (!offer_parse(a->offer, &s->offer))
		return err_set(err, ERR_INPUT, "--offer: \"%s\" is unknown", a->offer);
	if (!vantage_valid(a->vantage))
		return err_set(err, ERR_INPUT, "--vantage: \"%s\" is not 1 to 32 of a-z, 0-9 and -",
		    a->vantage);
	strcpy(s->vantage, a->vantage);
	if (!sni_parse(a->sni, &s->sni)) {
		/* Any other word is a literal name, as with mxcollect. */
		s->sni = SNI_LITERAL;
		name = a->sni;
	}
	if (s->sni == SNI_HOSTNAME && name == NULL)
		name = s->host;
	if (s->sni == SNI_NONE && name != NULL)
		return err_set(err, ERR_INPUT, "--sni-name: none was sent where --sni is none");
	if ((s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL) && name == NULL)
		return err_set(err, ERR_INPUT, "--sni %s needs --sni-name NAME", sni_name(s->sni));
	if (name == NULL)
		return 0;
	return host_normalise(
	    name, s->sni == SNI_NEXTHOP || s->sni == SNI_LITERAL ? s->sni_name : sni_sent, err);
}

int
mxstore_import_pem(int argc, char **argv)
{
	static const struct mxstore_usage usage = {
	    "import pem --host NAME --address ADDRESS --time TIME [OPTION…] FILE…",
	    "Each FILE is the chain that one observation showed, the leaf first; - is standard\n"
	    "input.",
	    true};
	struct arguments a = {.sni = "none",
	    .offer = "default",
	    .vantage = "import",
	    .time_ms = INT64_MIN,
	    .port = 25};
	const struct option_row rows[] = {
	    {"host", 0, OPTION_TEXT, &a.host, "NAME", "the MX that showed it (needed)"},
	    {"address", 0, OPTION_TEXT, &a.address, "ADDRESS", "at which address (needed)"},
	    {"time", 0, OPTION_TIME, &a.time_ms, "TIME", "when (needed)"},
	    {"port", 0, OPTION_UNSIGNED, &a.port, "N", "at which port: 25"},
	    {"sni", 0, OPTION_TEXT, &a.sni, "V",
		"none, hostname, nexthop, unknown or a name: none"},
	    {"sni-name", 0, OPTION_TEXT, &a.name, "NAME", "the name that was sent"},
	    {"offer", 0, OPTION_TEXT, &a.offer, "O", "what was offered: default"},
	    {"vantage", 0, OPTION_TEXT, &a.vantage, "NAME", "from where: import"}, {0}};
	struct options o = {.program = MXSTORE, .command = "import pem"};
	struct work work = {0};
	struct import_hooks hooks = {complain, tick, &work, NULL};
	struct import_counts counts = {0};
	char sni_sent[LIMIT_NAME + 1];
	struct series series;
	struct store *store;
	struct err wrong = {0};
	const char *name;
	int rc, rc_file;

	if (!mxstore_parse(&o, rows, &usage, argc, argv, &rc))
		return rc;
	if (a.host == NULL || a.address == NULL || !observation_time_valid(a.time_ms) ||
	    o.operand_n == 0)
		return options_usage_error(
		    MXSTORE, "import pem: needs --host, --address, --time and a FILE");
	if (where(&a, &series, sni_sent, &wrong) != 0)
		return options_trouble(MXSTORE, &wrong);
	if (!is_any_readable(&o) || mxstore_open(&o, STORE_WRITE, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	progress_init(&work.progress, o.quiet);
	name = sni_sent[0] != '\0' ? sni_sent : NULL;
	for (int i = 0; i < o.operand_n; i++) {
		struct err err = {0};

		rc_file = import_pem(
		    store, o.operands[i], &series, name, a.time_ms, &hooks, &counts, &err);
		if (!go_on(rc_file, &err, &rc))
			break;
	}
	store_close(store);
	return finish(&o, &work, rc, &counts, NULL);
}
