/*
 * What reading Postfix's logs costs, on one core: a log without a line of TLS with a server (what
 * most lines of a mail server's log are), and one of nothing but such lines, imported into a corpus
 * of its own. Beside them the least that can be done: the lines of the same file found with
 *memchr(), and a word looked for in each with memmem(), as grep does.
 *
 *	bench_log [MEGABYTES [LINES]]		(200 500000)
 *
 * The aims are those of the issue: 100 MB/s without a match, 50,000 matching lines a second.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/base/lines.h"
#include "store/base/mem.h"
#include "store/exchange/import.h"

#define ROUNDS 3
#define HOSTS 2000

static char dir[512];

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
check(int rc, const struct err *err)
{
	if (rc < 0) {
		fprintf(stderr, "bench_log: %s\n", err->text);
		exit(2);
	}
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* ---- logs ----------------------------------------------------------------------------------- */

static void
stamp(char out[32], size_t i)
{
	snprintf(out, 32, "Mar %2zu %02zu:%02zu:%02zu", 1 + i / 864000 % 28, i / 36000 % 24,
	    i / 600 % 60, i / 10 % 60);
}

/* As a message comes in and goes out, without TLS; about 130 octets a line. */
static size_t
write_other(FILE *f, size_t i)
{
	static const char *const forms[] = {
	    "postfix/smtpd[%zu]: connect from client%zu.example.org[192.0.2.%zu]",
	    "postfix/smtpd[%zu]: %zX5A1F: client=client.example.org[192.0.2.%zu]",
	    "postfix/cleanup[%zu]: %zX5A1F: message-id=<20260319.%zu@client.example.org>",
	    "postfix/qmgr[%zu]: %zX5A1F: from=<sender@example.org>, size=%zu, nrcpt=1 (queue "
	    "active)",
	    "postfix/smtp[%zu]: %zX5A1F: to=<user@example.com>, "
	    "relay=mx.example.com[198.51.100.%zu]:25,"
	    " delay=3.6, delays=0.08/0.02/0.85/2.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued "
	    "as "
	    "153053D)",
	    "postfix/qmgr[%zu]: %zX5A1F: removed, %zu",
	    "dovecot[%zu]: imap-login: Login: user=<u%zu>, method=PLAIN, rip=192.0.2.%zu, TLS",
	};
	char at[32], line[512];
	size_t n;

	stamp(at, i);
	n = (size_t)snprintf(line, sizeof(line), "%s mail ", at);
	n +=
	    (size_t)snprintf(line + n, sizeof(line) - n, forms[i % 7], 1000 + i % 7919, i, i % 250);
	line[n++] = '\n';
	return fwrite(line, 1, n, f);
}

static size_t
write_match(FILE *f, size_t i)
{
	char at[32], line[512];
	bool failed = i % 2 == 0;
	size_t host = i / 2 % HOSTS, n;

	stamp(at, i);
	n = (size_t)snprintf(
	    line, sizeof(line), "%s mail postfix/smtp[%zu]: ", at, 1000 + i / 2 % 100);
	if (failed)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    "certificate verification failed for mx%zu.example.org[192.0.%zu.%zu]:25: "
		    "self-signed certificate\n",
		    host, host / 250, host % 250);
	else
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    "Untrusted TLS connection established to mx%zu.example.org[192.0.%zu.%zu]:25: "
		    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
		    "server-signature RSA-PSS (2048 bits) server-digest SHA256\n",
		    host, host / 250, host % 250);
	return fwrite(line, 1, n, f);
}

/* ---- what is measured ----------------------------------------------------------------------- */

static double
walk(const char *path)
{
	double start = cpu_seconds();
	struct lines l;
	struct err err = {0};
	const char *line;
	size_t len, hits = 0;
	int rc;

	check(lines_open(&l, path, &err), &err);
	while ((rc = lines_next(&l, 1 << 20, &line, &len, &err)) > 0)
		hits += memmem(line, len, "TLS connection ", 15) != NULL;
	check(rc, &err);
	lines_close(&l);
	return cpu_seconds() - start + (hits == SIZE_MAX);
}

static void
complain(void *ctx, const char *line)
{
	fprintf(stderr, "bench_log: %s\n", line);
	exit(2);
}

static double
import(const char *path, struct import_counts *counts)
{
	struct import_hooks hooks = {.complain = complain};
	struct import_postfix_log log = {
	    .year = 2026, .zone = {.fixed = true}, .time_ms = INT64_MIN};
	struct store *store;
	struct err err = {0};
	char place[600];
	double start, took;

	snprintf(place, sizeof(place), "%s/store", dir);
	nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	check(store_open(&store, place, STORE_WRITE, &err), &err);
	start = cpu_seconds();
	*counts = (struct import_counts){0};
	check(import_postfix_log(store, path, &log, &hooks, counts, &err), &err);
	took = cpu_seconds() - start;
	store_close(store);
	return took;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double v[ROUNDS])
{
	qsort(v, ROUNDS, sizeof(*v), compare_doubles);
	return v[ROUNDS / 2];
}

static void
measure(const char *what, size_t (*write)(FILE *f, size_t i), size_t octets, size_t lines,
    const char *aim)
{
	double ours[ROUNDS], bare[ROUNDS], mega;
	struct import_counts counts;
	char path[600];
	size_t n = 0, i = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", dir);
	if ((f = fopen(path, "w")) == NULL) {
		perror(path);
		exit(2);
	}
	while (n < octets || i < lines)
		n += write(f, i++);
	fclose(f);
	mega = (double)n / 1e6;
	for (int r = 0; r < ROUNDS; r++) {
		ours[r] = import(path, &counts);
		bare[r] = walk(path);
	}
	printf("%s: %.0f MB, %zu lines, %llu observations; medians of %d rounds\n", what, mega, i,
	    (unsigned long long)counts.observations, ROUNDS);
	printf("  import  %6.0f MB/s, %8.0f lines a second (aim: %s)\n", mega / median(ours),
	    (double)i / median(ours), aim);
	printf("  memchr and memmem  %6.0f MB/s; the import costs %.1f times that\n",
	    mega / median(bare), median(ours) / median(bare));
	unlink(path);
}

int
main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	size_t megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	size_t lines = argc > 2 ? strtoul(argv[2], NULL, 10) : 500000;

	snprintf(
	    dir, sizeof(dir), "%s/mx509-bench-%ld", tmp != NULL ? tmp : "/tmp", (long)getpid());
	if (mkdir(dir, 0700) != 0) {
		perror(dir);
		return 2;
	}
	measure("no line of TLS", write_other, megabytes * 1000000, 0, "100 MB/s");
	measure("lines of TLS alone", write_match, 0, lines, "50000 lines a second");
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
