#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "differ/deliver/gauges.h"
#include "differ/out/out_metrics.h"
#include "store/base/clock.h"
#include "store/base/place.h"

#define LIMIT 1000
#define STALE_MS (7 * CLOCK_DAY_MS)
#define LABELS_MAX 4

/* What is told of a cell: false where there is nothing. */
typedef bool cell_value(const struct gauges_cell *cell, int64_t *value);

static bool
not_after(const struct gauges_cell *cell, int64_t *value)
{
	*value = cell->not_after_ms;
	return *value != INT64_MAX;
}

static bool
observed(const struct gauges_cell *cell, int64_t *value)
{
	*value = cell->observed_ms;
	return *value != INT64_MIN;
}

static bool
changed(const struct gauges_cell *cell, int64_t *value)
{
	*value = cell->changed_ms;
	return *value != INT64_MIN;
}

static bool
series(const struct gauges_cell *cell, int64_t *value)
{
	*value = (int64_t)(1000 * cell->series); /* written as if they were milliseconds */
	return cell->series > 0;
}

static const struct family {
	const char *name, *unit, *help;
	cell_value *value;
} families[] = {
    {"mx509_certificate_not_after_timestamp_seconds", "seconds",
	"End of validity of the leaf that is shown, the earliest of all addresses.", not_after},
    {"mx509_last_observation_timestamp_seconds", "seconds",
	"When it was last observed, on any address.", observed},
    {"mx509_last_change_timestamp_seconds", "seconds", "When it last changed, on any address.",
	changed},
    {"mx509_series", NULL, "Series that were probed of late.", series},
};

/* What senders of these kinds would do; the others follow from them, or never fail. */
static const enum level levels[] = {
    LEVEL_ENCRYPT, LEVEL_DANE, LEVEL_VERIFY, LEVEL_SECURE, LEVEL_STS_ENFORCE};

static size_t
labels_of(const struct gauges_row *row, unsigned sni, struct out_label labels[LABELS_MAX])
{
	labels[0] = (struct out_label){"host", row->host != NULL ? row->host : "(others)"};
	labels[1] = (struct out_label){"address", row->address};
	labels[2] = (struct out_label){"sni", sni_name((enum sni)sni)};
	return 3;
}

static void
append_cells(struct buf *out, const struct family *f, const struct gauges_row *row)
{
	struct out_label labels[LABELS_MAX];
	int64_t value;

	for (unsigned sni = 0; sni < SNI_N; sni++)
		if (f->value(&row->cell[sni], &value))
			out_metrics_seconds(
			    out, f->name, labels, labels_of(row, sni, labels), value);
}

static void
append_verdicts(struct buf *out, const char *name, const struct gauges_row *row)
{
	struct out_label labels[LABELS_MAX];

	for (unsigned sni = 0; sni < SNI_N; sni++) {
		size_t n = labels_of(row, sni, labels);

		for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
			unsigned bit = 1u << levels[i];

			labels[n] = (struct out_label){"level", level_name(levels[i])};
			if ((row->cell[sni].known & bit) != 0)
				out_metrics_sample(
				    out, name, labels, n + 1, (row->cell[sni].fails & bit) == 0);
		}
	}
}

static void
append_hosts(struct buf *out, const struct gauges *g)
{
	static const char verdict[] = "mx509_delivers";

	for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
		const struct family *f = &families[k];

		out_metrics_family(out, f->name, f->unit, f->help);
		for (size_t i = 0; i < g->rows_n; i++)
			append_cells(out, f, &g->rows[i]);
		append_cells(out, f, &g->rest);
	}
	out_metrics_family(out, verdict, NULL,
	    "Whether a sender at this level would deliver to every address: 1 or 0.");
	for (size_t i = 0; i < g->rows_n; i++)
		append_verdicts(out, verdict, &g->rows[i]);
	append_verdicts(out, verdict, &g->rest);
}

static void
append_whole(struct buf *out, const struct gauges *g)
{
	out_metrics_family(
	    out, "mx509_rollouts_open", NULL, "Roll-outs that have begun and not ended.");
	for (unsigned i = 0; i <= SEVERITY_CRITICAL; i++)
		out_metrics_sample(out, "mx509_rollouts_open",
		    &(struct out_label){"severity", severity_name((enum severity)i)}, 1,
		    (int64_t)g->open[i]);
	out_metrics_family(
	    out, "mx509_probes_last_day", NULL, "Probes of the last 24 hours, by outcome.");
	for (unsigned i = 0; i < OUTCOME_N; i++)
		out_metrics_sample(out, "mx509_probes_last_day",
		    &(struct out_label){"outcome", outcome_name((enum outcome)i)}, 1,
		    (int64_t)g->recent[i]);
	out_metrics_family(out, "mx509_series_summed", NULL,
	    "Series beyond --limit, summed up under the host (others).");
	out_metrics_sample(out, "mx509_series_summed", NULL, 0, (int64_t)g->rest_n);
	out_metrics_family(out, "mx509_read_timestamp_seconds", "seconds",
	    "When the corpus was read for these metrics.");
	out_metrics_seconds(out, "mx509_read_timestamp_seconds", NULL, 0, g->now_ms);
}

static int
write_out(const struct gauges *g, const char *path, struct err *err)
{
	struct buf out = {0};
	int rc = 0;

	append_hosts(&out, g);
	append_whole(&out, g);
	out_metrics_end(&out);
	if (path != NULL)
		rc = place_replace(path, out.data, out.len, 0644, err);
	else
		fwrite(out.data, 1, out.len, stdout);
	buf_finish(&out);
	return rc;
}

int
cmd_metrics(int argc, char **argv)
{
	unsigned limit = LIMIT;
	const char *path = NULL;
	struct gauges g = {.stale_ms = STALE_MS};
	const struct option_row rows[] = {
	    {"textfile", 0, OPTION_TEXT, &path, "PATH",
		"write them to PATH, as a whole, for node_exporter; a name that ends in .prom"},
	    {"limit", 0, OPTION_UNSIGNED, &limit, "N",
		"name so many hosts, and sum up the others (1000; 0: sum up all)"},
	    {"by-address", 0, OPTION_FLAG, &g.by_address, NULL,
		"of each address of a host, not of the host"},
	    {"stale-after", 0, OPTION_SPAN, &g.stale_ms, "SPAN",
		"what was not observed for so long says nothing of the present (7d)"},
	    {0}};
	struct query q;
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "metrics", "[HOST…]",
	    "The present as metrics for Prometheus, in the text format of OpenMetrics.",
	    QUERY_VERDICTS, rows, argc, argv);

	if (status < 0 && g.stale_ms < 1)
		status = options_usage_error(
		    "mxdiff", "--stale-after: at least 1ms; with 0, all would be stale");
	if (status >= 0)
		goto out;
	g.query = &q;
	g.limit = limit;
	g.now_ms = clock_now_ms();
	status = EXIT_DONE;
	if (gauges_read(&g, &missing, &err) == 0)
		write_out(&g, path, &err);
	if (missing)
		status = EXIT_MISSING;
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	gauges_finish(&g);
	query_close(&q);
	return status;
}
