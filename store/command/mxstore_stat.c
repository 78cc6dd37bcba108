#include <string.h>

#include "mxstore_work.h"
#include "store/base/clock.h"
#include "store/base/text.h"

static void
print_octets(const char *name, uint64_t octets)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)octets;
	size_t i = 0;

	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	printf("%-22s %.*f %s\n", name, i > 0 ? 1 : 0, v, units[i]);
}

static void
print_count(const char *name, uint64_t n)
{
	printf("%-22s %llu\n", name, (unsigned long long)n);
}

/* All that the corpus holds, for each observation. */
static double
octets_each(const struct store_figures *f)
{
	return f->observations > 0 ? (double)f->live_octets / (double)f->observations : 0;
}

static void
print_oldest_reader(const struct store_figures *f)
{
	char span[CLOCK_TEXT_MAX];

	if (f->oldest_reader_lag == 0)
		return;
	printf("%-22s %llu commit%s behind", "the oldest of them",
	    (unsigned long long)f->oldest_reader_lag, f->oldest_reader_lag == 1 ? "" : "s");
	if (f->oldest_reader_ms != 0) {
		clock_format_span(clock_now_ms() - f->oldest_reader_ms, span);
		printf(", for %s", span);
	}
	putchar('\n');
}

static void
print_text(const char *dir, const struct store_figures *f)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
	struct buf shown = {0};

	text_escape(&shown, dir, strlen(dir));
	printf("%-22s %s\n", "corpus", buf_text(&shown));
	buf_finish(&shown);
	if (f->observations > 0) {
		clock_format_ms(f->first_ms, first);
		clock_format_ms(f->last_ms, last);
		printf(
		    "%-22s %s\n%-22s %s\n", "first observation", first, "last observation", last);
	}
	print_count("hosts", f->hosts);
	print_count("addresses", f->addresses);
	print_count("series", f->series);
	print_count("observations", f->observations);
	print_count("DNS answers", f->dns_answers);
	print_count("evidence records", f->evidence);
	print_count("chains", f->chains);
	print_count("certificates", f->certificates);
	if (f->certificates_unknown > 0)
		print_count("known by name only", f->certificates_unknown);
	print_count("commits", f->commits);
	print_count("readers", f->readers);
	print_oldest_reader(f);
	print_octets("file", f->file_octets);
	print_octets("of it in use", f->used_octets);
	print_octets("of that not free", f->live_octets);
	if (f->observations > 0)
		printf("%-22s %.1f B\n", "an observation", octets_each(f));
	printf("\n%-22s %12s %14s\n", "sub-database", "records", "octets");
	for (size_t i = 0; i < f->part_n; i++)
		printf("%-22s %12llu %14llu\n", f->part[i].name,
		    (unsigned long long)f->part[i].records, (unsigned long long)f->part[i].octets);
}

static void
put_member(struct buf *out, const char *name, uint64_t v)
{
	buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)v);
}

static void
put_time(struct buf *out, const char *name, const struct store_figures *f, int64_t time_ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_ms(time_ms, text);
	if (f->observations > 0)
		buf_printf(out, ",\"%s\":\"%s\"", name, text);
	else
		buf_printf(out, ",\"%s\":null", name);
}

static void
print_json(const char *dir, const struct store_figures *f)
{
	char since[CLOCK_TEXT_MAX];
	struct buf out = {0};

	buf_append_text(&out, "{\"type\":\"stat\",\"store\":");
	text_json(&out, dir, strlen(dir));
	put_time(&out, "first", f, f->first_ms);
	put_time(&out, "last", f, f->last_ms);
	put_member(&out, "hosts", f->hosts);
	put_member(&out, "addresses", f->addresses);
	put_member(&out, "series", f->series);
	put_member(&out, "observations", f->observations);
	put_member(&out, "dns_answers", f->dns_answers);
	put_member(&out, "evidence", f->evidence);
	put_member(&out, "chains", f->chains);
	put_member(&out, "certificates", f->certificates);
	put_member(&out, "certificates_unknown", f->certificates_unknown);
	put_member(&out, "commits", f->commits);
	put_member(&out, "readers", f->readers);
	put_member(&out, "oldest_reader_lag", f->oldest_reader_lag);
	if (f->oldest_reader_ms != 0) {
		clock_format_ms(f->oldest_reader_ms, since);
		buf_printf(&out, ",\"oldest_reader_since\":\"%s\"", since);
	} else {
		buf_append_text(&out, ",\"oldest_reader_since\":null");
	}
	put_member(&out, "file_octets", f->file_octets);
	put_member(&out, "used_octets", f->used_octets);
	put_member(&out, "live_octets", f->live_octets);
	buf_printf(&out, ",\"octets_per_observation\":%.1f", octets_each(f));
	buf_append_text(&out, ",\"parts\":[");
	for (size_t i = 0; i < f->part_n; i++)
		buf_printf(&out, "%s{\"name\":\"%s\",\"records\":%llu,\"octets\":%llu}",
		    i > 0 ? "," : "", f->part[i].name, (unsigned long long)f->part[i].records,
		    (unsigned long long)f->part[i].octets);
	buf_append_text(&out, "]}");
	puts(buf_text(&out));
	buf_finish(&out);
}

static int
run(void *ctx)
{
	const struct options *o = ctx;
	struct store_figures figures;
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	int rc;

	if (mxstore_open(o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	rc = store_view_open(store, &view, &err);
	if (rc == 0)
		rc = store_figures(view, &figures, &err);
	if (rc == 0 && o->json)
		print_json(store_dir(store), &figures);
	else if (rc == 0)
		print_text(store_dir(store), &figures);
	store_view_close(view);
	store_close(store);
	return rc == 0 ? EXIT_DONE : options_trouble(MXSTORE, &err);
}

int
mxstore_stat(int argc, char **argv)
{
	static const struct mxstore_usage usage = {
	    "stat [OPTION…]", "What the corpus holds, and its size."};
	struct options o = {.program = MXSTORE, .command = "stat"};
	int rc;

	if (!mxstore_parse(&o, NULL, &usage, argc, argv, &rc))
		return rc;
	return mxstore_work_apart(&o, run, &o);
}
