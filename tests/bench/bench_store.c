/*
 * What keeping observations costs, side by side with the bare engines (bench_peers.h): CPU time of
 * each, medians of interleaved rounds, less what it costs to make up the observations.
 *
 *	bench_store [OBSERVATIONS…]		(1000000 4000000; MX509_BENCH_OBSERVATIONS, if set)
 *
 * The first number is measured in rounds; the others once, to see the cost an observation grow; at
 * the end each is drawn. The long run, of some minutes and 3 GB in $TMPDIR:
 *
 *	MX509_BENCH_OBSERVATIONS='1000000 10000000 50000000' ./dev bench
 *
 * The aims are those of the issue "The store": at most 1.2 us an observation, durable every 10,000;
 * 100,000 a second, durable every 1,000; 64 octets an observation while it grows, 32 rewritten; 50
 * million a second read of a host, 25 of all; a cold question under 5 ms; growth under 1.5 times.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench_peers.h"
#include "store/base/mem.h"
#include "store/corpus/timeline.h"
#include "store/maintain/maintain.h"

#define ROUNDS 3
#define SIZES_MOST 8

static char dir[512];

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void
new_dir(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (mkdir(dir, 0700) != 0) {
		perror(dir);
		exit(2);
	}
}

static void
check(int rc, const struct err *err)
{
	if (rc < 0) {
		fprintf(stderr, "bench_store: %s\n", err->text);
		exit(2);
	}
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_doubles);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct cost {
	double cpu_us, kilo_a_second; /* an observation; less the making up, and with it */
};

static double
making_up(const struct workload *w)
{
	double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct bench_probe probe;

	for (size_t i = 0; i < w->n; i++)
		workload_at(w, i, &probe);
	return seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static struct cost
cost_since(double cpu, double wall, double less, size_t n)
{
	return (struct cost){(seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu - less) / (double)n * 1e6,
	    (double)n / (seconds(CLOCK_MONOTONIC) - wall) / 1e3};
}

static struct cost
write_peer(const struct peer *peer, const struct workload *w, size_t batch, double less)
{
	double cpu, wall;
	struct bench_probe probe;
	struct cost cost;

	new_dir();
	peer->open(dir);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	wall = seconds(CLOCK_MONOTONIC);
	for (size_t i = 0; i < w->n; i++) {
		if (i % batch == 0)
			peer->begin();
		workload_at(w, i, &probe);
		peer->put(&probe);
		if (i % batch == batch - 1 || i == w->n - 1)
			peer->commit();
	}
	cost = cost_since(cpu, wall, less, w->n);
	peer->close();
	return cost;
}

static struct cost
write_store(struct store *store, const struct workload *w, size_t batch_n, double less)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	struct store_batch *batch = NULL;
	struct bench_probe probe;
	struct err err = {0};

	for (size_t i = 0; i < w->n; i++) {
		if (i % batch_n == 0)
			check(store_batch_begin(store, &batch, &err), &err);
		workload_at(w, i, &probe);
		check(store_batch_observation(
			  batch, &w->series[probe.series], &probe.observation, NULL, &err),
		    &err);
		if (i % batch_n == batch_n - 1 || i == w->n - 1)
			check(store_batch_commit(&batch, NULL, &err), &err);
	}
	return cost_since(cpu, wall, less, w->n);
}

static struct store *
open_store(void)
{
	struct store *store;
	struct err err = {0};

	new_dir();
	check(store_open(&store, dir, STORE_WRITE, &err), &err);
	return store;
}

/* ---- size ----------------------------------------------------------------------------------- */

static double
file_octets(const char *of)
{
	struct buf path = {0};
	struct stat st;
	double octets;

	buf_printf(&path, "%s/data.mdb", of);
	octets = stat(buf_text(&path), &st) == 0 ? (double)st.st_size : 0;
	buf_finish(&path);
	return octets;
}

/* As mxstore compact leaves it. */
static double
rewritten_octets(struct store *store)
{
	static const struct maintain_hooks hooks;
	struct maintain_copied copied = {0};
	struct maintain_cursor cursor;
	char copy[700];
	struct err err = {0};
	double octets;

	snprintf(copy, sizeof(copy), "%s/copy", dir);
	check(maintain_copy_packed(store, copy, &hooks, &cursor, &copied, &err), &err);
	octets = file_octets(copy);
	nftw(copy, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return octets;
}

/* ---- reading -------------------------------------------------------------------------------- */

static size_t
read_series(struct store_view *view, uint32_t number, enum series_kind kind)
{
	struct timeline t;
	struct sighting s;
	struct err err = {0};
	size_t n = 0;
	int rc;

	check(timeline_init(&t, view, number, kind, INT64_MIN, INT64_MAX, &err), &err);
	while ((rc = timeline_next(&t, &s, &err)) > 0)
		n++;
	check(rc, &err);
	timeline_finish(&t);
	return n;
}

static size_t
read_filtered(struct store_view *view, const struct series_filter *filter)
{
	struct series_walk *walk;
	struct series series;
	struct err err = {0};
	uint32_t number;
	size_t n = 0;
	int rc;

	check(series_walk_open(&walk, view, filter, &err), &err);
	while ((rc = series_walk_next(walk, &number, &series, &err)) > 0)
		n += read_series(view, number, series.kind);
	check(rc, &err);
	series_walk_close(walk);
	return n;
}

static void
read_store(struct store *store, const struct workload *w)
{
	size_t hosts = w->series_n / WORKLOAD_SERIES, n = 0;
	struct store_view *view;
	struct err err = {0};
	double start, all, each;

	check(store_view_open(store, &view, &err), &err);
	read_filtered(view, NULL);
	start = seconds(CLOCK_PROCESS_CPUTIME_ID);
	n = read_filtered(view, NULL);
	all = (double)n / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e6;
	start = seconds(CLOCK_PROCESS_CPUTIME_ID);
	n = 0;
	for (size_t i = 0; i < 200; i++)
		n += read_filtered(
		    view, &(struct series_filter){
			      .host = w->series[i * 7919 % hosts * WORKLOAD_SERIES].host});
	each = (double)n / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e6;
	printf("read, million a second: of one host %.0f (aim: 50), of all %.0f (aim: 25)\n", each,
	    all);
	store_view_close(view);
}

/* Of data.mdb nothing is in memory any more. */
static void
forget(void)
{
	struct buf path = {0};
	int fd;

	buf_printf(&path, "%s/data.mdb", dir);
	fd = open(buf_text(&path), O_RDONLY);
	if (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		perror(buf_text(&path));
	close(fd);
	buf_finish(&path);
}

/* What a process that has just begun waits for, in ms: opening and reading, from the disk. */
static double
ask(const struct series_filter *filter)
{
	struct store_view *view;
	struct store *store;
	struct err err = {0};
	double start, end;

	forget();
	start = seconds(CLOCK_MONOTONIC);
	check(store_open(&store, dir, STORE_READ, &err), &err);
	check(store_view_open(store, &view, &err), &err);
	read_filtered(view, filter);
	end = seconds(CLOCK_MONOTONIC);
	store_view_close(view);
	store_close(store);
	return (end - start) * 1e3;
}

static void
ask_cold(void)
{
	enum { HOSTS = 100000, QUESTIONS = 21 };
	double times[QUESTIONS], all[ROUNDS];
	struct workload w = {0};
	struct store *store;

	workload_init_hosts(&w, HOSTS, 2);
	store = open_store();
	write_store(store, &w, 100000, 0);
	store_close(store);
	for (size_t i = 0; i < QUESTIONS; i++)
		times[i] = ask(&(struct series_filter){
		    .host = w.series[i * 7919 % HOSTS * WORKLOAD_SERIES].host});
	for (size_t i = 0; i < ROUNDS; i++)
		all[i] = ask(NULL);
	printf("a cold question about one host in %d: %.1f ms (aim: under 5); a cold walk of all "
	       "of them: %.0f ms\n",
	    HOSTS, median(times, QUESTIONS), median(all, ROUNDS));
	workload_finish(&w);
}

/* ---- the report ----------------------------------------------------------------------------- */

static void
compare(size_t about)
{
	const struct peer *const peers[] = {&peer_lmdb, peer_sqlite};
	double cpu[3][ROUNDS], kilo[3][ROUNDS], ratio[2][ROUNDS], less;
	struct workload w = {0};

	workload_init(&w, about);
	for (size_t batch = 10000; batch >= 1000; batch /= 10) {
		for (size_t r = 0; r < ROUNDS; r++) {
			struct store *store = open_store();
			struct cost cost;

			less = making_up(&w);
			cost = write_store(store, &w, batch, less);
			store_close(store);
			cpu[0][r] = cost.cpu_us;
			kilo[0][r] = cost.kilo_a_second;
			for (size_t p = 0; p < 2 && peers[p] != NULL; p++) {
				cost = write_peer(peers[p], &w, batch, less);
				cpu[p + 1][r] = cost.cpu_us;
				kilo[p + 1][r] = cost.kilo_a_second;
				ratio[p][r] = cpu[0][r] / cost.cpu_us;
			}
		}
		printf("\n%zu observations, durable every %zu; medians of %d rounds\n", w.n, batch,
		    ROUNDS);
		printf("  %-12s %6.2f us of CPU each, %5.0f thousand a second\n", "store",
		    median(cpu[0], ROUNDS), median(kilo[0], ROUNDS));
		for (size_t p = 0; p < 2 && peers[p] != NULL; p++)
			printf("  %-12s %6.2f us of CPU each, %5.0f thousand a second; the store "
			       "costs %.2f times that\n",
			    peers[p]->name, median(cpu[p + 1], ROUNDS), median(kilo[p + 1], ROUNDS),
			    median(ratio[p], ROUNDS));
	}
	workload_finish(&w);
}

struct growth {
	size_t n, series_n;
	double store_us, bare_us;
};

/* Of so many observations the cost of each, through the store and with the bare engine. */
static struct growth
grow(struct workload *w, bool look)
{
	struct store *store;
	struct cost cost;
	struct growth growth = {w->n, w->series_n, 0, 0};
	double grown, less = making_up(w);

	growth.bare_us = write_peer(&peer_lmdb, w, 10000, less).cpu_us;
	store = open_store();
	cost = write_store(store, w, 10000, less);
	growth.store_us = cost.cpu_us;
	if (look) {
		grown = file_octets(dir);
		printf("\n%zu observations of %zu series: %.2f us of CPU each, %.0f thousand a "
		       "second\n",
		    w->n, w->series_n, cost.cpu_us, cost.kilo_a_second);
		printf("octets each: %.1f on the disk (aim: 64), %.1f rewritten (aim: 32)\n",
		    grown / (double)w->n, rewritten_octets(store) / (double)w->n);
		read_store(store, w);
	}
	fflush(stdout);
	store_close(store);
	workload_finish(w);
	return growth;
}

static void
draw(const char *what, const struct growth *growth, size_t n)
{
	printf("\ncost an observation, growing by %s (aim: the last at most 1.5 times the first)\n",
	    what);
	for (size_t i = 0; i < n; i++) {
		double times = growth[i].store_us / growth[0].store_us;

		printf("  %9zu of %6zu series  %5.2f us  %4.2f   bare LMDB %5.2f us  %4.2f  ",
		    growth[i].n, growth[i].series_n, growth[i].store_us, times, growth[i].bare_us,
		    growth[i].bare_us / growth[0].bare_us);
		for (int k = 0; k < (int)(times * 20); k++)
			putchar('#');
		putchar('\n');
	}
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR"), *sizes = getenv("MX509_BENCH_OBSERVATIONS");
	size_t size[SIZES_MOST] = {1000000, 4000000}, n = 2;
	struct growth wide[SIZES_MOST], deep[SIZES_MOST];
	struct workload w;

	if (argc > 1 || (sizes != NULL && *sizes != '\0'))
		n = 0;
	for (int i = 1; i < argc && n < SIZES_MOST; i++)
		size[n++] = strtoul(argv[i], NULL, 10);
	for (char *end; argc == 1 && sizes != NULL && *sizes != '\0' && n < SIZES_MOST; sizes = end)
		if ((size[n++] = strtoul(sizes, &end, 10)) == 0 || end == sizes)
			return 2;
	snprintf(
	    dir, sizeof(dir), "%s/mx509-bench-%ld", tmp != NULL ? tmp : "/tmp", (long)getpid());
	compare(size[0]);
	for (size_t i = 0; i < n; i++) {
		w = (struct workload){0};
		workload_init(&w, size[i]);
		wide[i] = grow(&w, true);
	}
	for (size_t i = 0; i < n; i++) {
		w = (struct workload){0};
		workload_init_hosts(
		    &w, wide[0].series_n / WORKLOAD_SERIES, size[i] / wide[0].series_n);
		deep[i] = grow(&w, false);
	}
	ask_cold();
	draw("series, for 30 days", wide, n);
	draw("days, of the same series", deep, n);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
