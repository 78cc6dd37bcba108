#include <string.h>
#include <unistd.h>

#include "mxstore_work.h"
#include "store/base/clock.h"
#include "store/base/progress.h"
#include "store/base/text.h"
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
	if (rc == 0 && a->address != NULL &&
	    !ip_parse_place(&filter->address, &filter->port, a->address))
		rc = err_set(&err, ERR_INPUT, "--address: \"%s\" is no address", a->address);
	if (rc == 0 && a->sni != NULL)
		rc = mxstore_parse_sni(a->sni, &filter->sni, &err);
	if (rc == 0 && a->vantage != NULL && !vantage_valid(a->vantage))
		rc = err_set(&err, ERR_INPUT, "--vantage: \"%s\" is not 1 to 32 of a-z, 0-9 and -",
		    a->vantage);
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
    const struct export_hooks *hooks, struct export_counts *counts, struct err *err);

/* Rows or lines on standard output. */
struct lines {
	struct options o;
	struct work work;
	export_function *export;
	struct export_filter filter;
	struct export_counts counts;
};

static void
complain(void *ctx, const char *line)
{
	struct lines *x = ctx;
	struct buf shown = {0};

	progress_finish(&x->work.progress);
	text_escape(&shown, line, strlen(line));
	fprintf(stderr, "mxstore: %s\n", buf_text(&shown));
	buf_finish(&shown);
}

static bool
tick_lines(void *ctx, const struct export_counts *counts)
{
	struct lines *x = ctx;

	return tick(&x->work, counts);
}

/* What was left out was named one by one, up to a limit. */
static int
finish_lines(struct lines *x, int rc, const struct err *err)
{
	struct buf dir = {0}, what = {0};
	struct err left_out = {0};

	if ((rc = finish(rc, err, &x->counts)) != EXIT_DONE || x->counts.damaged == 0)
		return rc;
	store_find_dir(x->o.store, &dir, NULL);
	buf_printf(&what, "%llu records cannot be read and are left out",
	    (unsigned long long)x->counts.damaged);
	store_say_damaged(buf_text(&dir), buf_text(&what), &left_out);
	options_trouble(MXSTORE, &left_out);
	buf_finish(&dir);
	buf_finish(&what);
	return EXIT_MISSING;
}

static int
run_lines(void *ctx)
{
	struct lines *x = ctx;
	const struct export_hooks hooks = {tick_lines, complain, x};
	struct store_view *view = NULL;
	struct store *store;
	struct err err = {0};
	int rc;

	if (mxstore_open(&x->o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	progress_init(&x->work.progress, x->o.quiet);
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
	rc = store_sound(store, &x->filter.series, &err);
	if (rc == 0)
		rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = x->export(view, &x->filter, stdout, &hooks, &x->counts, &err);
	progress_finish(&x->work.progress);
	store_view_close(view);
	store_close(store);
	return finish_lines(x, rc, &err);
}

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
	struct lines x = {.o = {.program = MXSTORE, .command = command},
	    .work.unit = "written",
	    .export = export};
	char host[LIMIT_NAME + 1];
	int rc;

	if (!mxstore_parse(&x.o, rows, usage, argc, argv, &rc))
		return rc;
	if (a.from_ms >= a.to_ms)
		return options_usage_error(
		    MXSTORE, "%s: --since is not before --until: nothing lies between", command);
	x.filter.from_ms = a.from_ms;
	x.filter.to_ms = a.to_ms;
	if (filter_of(&a, &x.filter.series, host) != EXIT_DONE)
		return EXIT_TROUBLE;
	return mxstore_work_apart(&x.o, run_lines, &x);
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

struct snapshot {
	struct options o;
	struct work work;
	struct series_filter filter;
	int64_t at_ms;
	const char *out;
	struct export_counts counts;
};

static void
print_snapshot(const struct snapshot *x)
{
	if (x->counts.unreadable > 0)
		fprintf(stderr,
		    "mxstore: %llu chains have certificates that OpenSSL does not open; they are "
		    "in files that end in .txt\n",
		    (unsigned long long)x->counts.unreadable);
	if (!x->o.quiet && x->counts.series == 0)
		fprintf(stderr, "%s: nothing had been observed by that time\n", x->out);
	else if (!x->o.quiet)
		fprintf(stderr, "%s: %llu series, %llu chains\n", x->out,
		    (unsigned long long)x->counts.series, (unsigned long long)x->counts.chains);
}

static int
run_pem(void *ctx)
{
	struct snapshot *x = ctx;
	struct store_view *view = NULL;
	struct store *store;
	struct err err = {0};
	int rc;

	if (mxstore_open(&x->o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	progress_init(&x->work.progress, x->o.quiet);
	rc = store_sound(store, &x->filter, &err);
	if (rc == 0)
		rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = export_pem(
		    view, &x->filter, x->at_ms, x->out, tick, &x->work, &x->counts, &err);
	progress_finish(&x->work.progress);
	store_view_close(view);
	store_close(store);
	if (rc == 0)
		print_snapshot(x);
	rc = finish(rc, &err, &x->counts);
	return rc == EXIT_DONE && x->counts.incomplete > 0 ? EXIT_MISSING : rc;
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
	static const struct mxstore_usage usage = {"export pem --at TIME [OPTION…]",
	    "What every series showed at TIME: manifest.tsv, one PEM a distinct chain,\n"
	    "SHA256SUMS. Without --out into a directory named by the time."};
	struct snapshot x = {
	    .o = {.program = MXSTORE, .command = "export pem"}, .work.unit = "read"};
	char host[LIMIT_NAME + 1], dir[CLOCK_TEXT_MAX];
	int rc;

	if (!mxstore_parse(&x.o, rows, &usage, argc, argv, &rc))
		return rc;
	if (a.at_ms == INT64_MIN || !observation_time_valid(a.at_ms))
		return options_usage_error(MXSTORE, "export pem: needs --at TIME");
	if (a.out != NULL && strcmp(a.out, "-") == 0)
		return options_usage_error(MXSTORE,
		    "export pem: --out -: many files do not fit into one stream; name a "
		    "directory (./- is one of that name)");
	if (filter_of(&a, &x.filter, host) != EXIT_DONE)
		return EXIT_TROUBLE;
	if (a.out == NULL)
		default_dir(a.at_ms, dir);
	x.at_ms = a.at_ms;
	x.out = a.out != NULL ? a.out : dir;
	return mxstore_work_apart(&x.o, run_pem, &x);
}
