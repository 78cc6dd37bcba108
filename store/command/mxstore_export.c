#include <string.h>
#include <unistd.h>

#include "mxstore.h"
#include "store/base/clock.h"
#include "store/base/progress.h"
#include "store/exchange/export.h"

struct arguments {
	const char *under, *address, *sni, *vantage, *out;
	int64_t from_ms, to_ms, at_ms;
};

struct work {
	struct progress progress;
	const char *unit;
};

static bool
tick(void *ctx, const struct export_counts *counts)
{
	struct work *w = ctx;

	if ((counts->observations & 255) == 0)
		progress_show(&w->progress, "%llu series, %llu observations %s",
		    (unsigned long long)counts->series, (unsigned long long)counts->observations,
		    w->unit);
	return options_interrupted();
}

/* host is memory for the normalised name. */
static int
filter_of(const struct arguments *a, struct series_filter *filter, char host[LIMIT_NAME + 1])
{
	struct err err = {0};
	int rc = 0;

	*filter = (struct series_filter){.vantage = a->vantage};
	if (a->under != NULL) {
		rc = host_normalise(a->under, host, &err);
		filter->under = host;
	}
	if (rc == 0 && a->address != NULL && !ip_parse(&filter->address, a->address))
		rc = err_set(&err, ERR_INPUT, "--address: \"%s\" is no address", a->address);
	if (rc == 0 && a->sni != NULL)
		rc = mxstore_parse_sni(a->sni, &filter->sni, &err);
	if (rc == 0 && a->vantage != NULL && !vantage_valid(a->vantage))
		rc = err_set(&err, ERR_INPUT, "--vantage: not 1 to 32 of a-z 0-9 -");
	return rc == 0 ? EXIT_DONE : options_trouble(MXSTORE, &err);
}

static int
finish(int rc, const struct err *err, const struct export_counts *counts)
{
	if (rc != 0)
		return options_trouble(MXSTORE, err);
	if (counts->unknown > 0)
		fprintf(stderr,
		    "mxstore: %llu certificates are known by name only and are not in it; import "
		    "them "
		    "(mxstore import jsonl)\n",
		    (unsigned long long)counts->unknown);
	return EXIT_DONE;
}

typedef int export_function(struct store_view *view, const struct export_filter *filter, FILE *out,
    export_tick *tick, void *ctx, struct export_counts *counts, struct err *err);

/* Rows or lines on standard output. */
static int
export_to_stdout(export_function *export, const char *command, const struct mxstore_usage *usage,
    int argc, char **argv)
{
	struct arguments a = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	const struct option_row rows[] = {
	    {"host", 0, OPTION_TEXT, &a.under, "NAME", "only this host or domain and all below"},
	    {"address", 0, OPTION_TEXT, &a.address, "ADDRESS", "only there (and no DNS)"},
	    {"since", 0, OPTION_TIME, &a.from_ms, "TIME", "nothing before TIME"},
	    {"until", 0, OPTION_TIME, &a.to_ms, "TIME", "nothing at or after TIME"},
	    {"sni", 0, OPTION_TEXT, &a.sni, "V[,V…]", "only these variants (and no DNS)"},
	    {"vantage", 0, OPTION_TEXT, &a.vantage, "NAME", "only from there"}, {0}};
	struct options o = {.program = MXSTORE, .command = command};
	struct work work = {.unit = "written"};
	struct export_counts counts = {0};
	struct export_filter filter;
	char host[LIMIT_NAME + 1];
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	int rc;

	if (!mxstore_parse(&o, rows, usage, argc, argv, &rc))
		return rc;
	filter.from_ms = a.from_ms;
	filter.to_ms = a.to_ms;
	if (filter_of(&a, &filter.series, host) != EXIT_DONE ||
	    mxstore_open(&o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	progress_init(&work.progress, o.quiet);
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
	rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = export(view, &filter, stdout, tick, &work, &counts, &err);
	progress_finish(&work.progress);
	store_view_close(view);
	store_close(store);
	return finish(rc, &err, &counts);
}

int
mxstore_export_jsonl(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"export jsonl [OPTION…]",
	    "Observations, DNS answers and certificates as JSON lines on standard output."};

	return export_to_stdout(export_jsonl, "export jsonl", &usage, argc, argv);
}

int
mxstore_export_csv(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"export csv [OPTION…]",
	    "Observations as rows of CSV on standard output, under a heading."};

	return export_to_stdout(export_csv, "export csv", &usage, argc, argv);
}

/* "mx509-20260319T061000.000Z" */
static void
default_dir(int64_t at_ms, char out[CLOCK_TEXT_MAX])
{
	char time[CLOCK_TEXT_MAX], *p = out;

	clock_format_ms(at_ms, time);
	p = stpcpy(p, "mx509-");
	for (const char *t = time; *t != '\0'; t++)
		if (*t != ':' && *t != '-')
			*p++ = *t;
	*p = '\0';
}

int
mxstore_export_pem(int argc, char **argv)
{
	struct arguments a = {.at_ms = INT64_MIN};
	const struct option_row rows[] = {
	    {"at", 0, OPTION_TIME, &a.at_ms, "TIME", "the moment (needed)"},
	    {"out", 0, OPTION_TEXT, &a.out, "DIR", "new, empty, or an earlier export"},
	    {"host", 0, OPTION_TEXT, &a.under, "NAME", "only this host or domain and all below"},
	    {"address", 0, OPTION_TEXT, &a.address, "ADDRESS", "only there"},
	    {"sni", 0, OPTION_TEXT, &a.sni, "V[,V…]", "only these variants"},
	    {"vantage", 0, OPTION_TEXT, &a.vantage, "NAME", "only from there"}, {0}};
	struct options o = {.program = MXSTORE, .command = "export pem"};
	struct work work = {.unit = "read"};
	struct export_counts counts = {0};
	struct series_filter filter;
	char host[LIMIT_NAME + 1], dir[CLOCK_TEXT_MAX];
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	static const struct mxstore_usage usage = {"export pem --at TIME [OPTION…]",
	    "What every series showed at TIME: manifest.tsv, one PEM a distinct chain,\n"
	    "SHA256SUMS. Without --out into a directory named by the time."};
	int rc;

	if (!mxstore_parse(&o, rows, &usage, argc, argv, &rc))
		return rc;
	if (a.at_ms == INT64_MIN || !observation_time_valid(a.at_ms))
		return options_usage_error(MXSTORE, "export pem: needs --at TIME");
	if (filter_of(&a, &filter, host) != EXIT_DONE ||
	    mxstore_open(&o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	if (a.out == NULL) {
		default_dir(a.at_ms, dir);
		a.out = dir;
	}
	progress_init(&work.progress, o.quiet);
	rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = export_pem(view, &filter, a.at_ms, a.out, tick, &work, &counts, &err);
	progress_finish(&work.progress);
	store_view_close(view);
	store_close(store);
	if (rc == 0 && counts.unreadable > 0)
		fprintf(stderr,
		    "mxstore: %llu chains have certificates that OpenSSL does not open; they are "
		    "in "
		    "files that end in .txt\n",
		    (unsigned long long)counts.unreadable);
	if (rc == 0 && !o.quiet)
		fprintf(stderr, "%s: %llu series, %llu chains\n", a.out,
		    (unsigned long long)counts.series, (unsigned long long)counts.chains);
	rc = finish(rc, &err, &counts);
	return rc == EXIT_DONE && counts.incomplete > 0 ? EXIT_MISSING : rc;
}
