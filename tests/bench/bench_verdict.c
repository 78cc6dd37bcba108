/*
 * What verdicts cost beside the verifications that they stand on: 100,000 observations that show
 * 2,000 distinct pairs of chain and name, in no order.
 *
 *	bench_verdict
 *
 * Figures: how many verifications were made, and the CPU time of all verdicts over that of the
 *2,000 verifications alone; medians of interleaved rounds. The aims are those of the issue: at most
 *2,000 verifications, and 1.2 times their CPU time. Exits with 1 where they are missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "differ/verdict/verdict.h"
#include "store/base/mem.h"
#include "tests/unit/differ/pki.h"

#define CHAINS 500
#define NAMES 4 /* each chain is shown by so many hosts */
#define PAIRS (CHAINS * NAMES)
#define OBSERVATIONS 100000
#define ROUNDS 5

struct shown {
	struct evidence evidence;
	struct span certificates[2];
	struct hash names[2];
	unsigned char *der;
};

static struct pki root, issuing;
static unsigned char *issuing_der;
static size_t issuing_len;
static struct shown shown[CHAINS];
static char hosts[PAIRS][32];
static unsigned order[OBSERVATIONS]; /* of pairs */
static char roots_path[] = "/tmp/bench_verdict_XXXXXX";

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
check(int rc, const struct err *err)
{
	if (rc < 0) {
		fprintf(stderr, "bench_verdict: %s\n", err->text);
		exit(2);
	}
}

/* As usual today: a P-256 leaf under an RSA CA under an RSA root, which is not sent. */
static void
make(void)
{
	int fd = mkstemp(roots_path), len;
	unsigned seed = 1;

	if (fd < 0)
		exit(2);
	close(fd);
	root =
	    pki_make(&(struct pki_wish){.cn = "root", .ca = 1, .path_len = -1, .rsa_bits = 4096});
	issuing = pki_make(&(struct pki_wish){
	    .cn = "issuing", .by = &root, .ca = 1, .path_len = 0, .rsa_bits = 2048});
	pki_write(roots_path, &root);
	issuing_len = (size_t)i2d_X509(issuing.x, &issuing_der);
	for (size_t i = 0; i < CHAINS; i++) {
		struct pki leaf = pki_make(
		    &(struct pki_wish){.cn = "x", .san = "DNS:*.example.org", .by = &issuing});
		struct shown *s = &shown[i];

		len = i2d_X509(leaf.x, &s->der);
		s->certificates[0] = (struct span){s->der, (size_t)len};
		s->certificates[1] = (struct span){issuing_der, issuing_len};
		for (size_t k = 0; k < 2; k++)
			s->names[k] = hash_sha256(s->certificates[k].p, s->certificates[k].len);
		s->evidence = (struct evidence){.outcome = OUTCOME_SUCCESS,
		    .tls_alert = -1,
		    .tls_version = "TLSv1.3",
		    .chain = s->names,
		    .chain_n = 2};
		pki_free(&leaf);
	}
	for (size_t i = 0; i < PAIRS; i++)
		snprintf(hosts[i], sizeof(hosts[i]), "mx%zu.example.org", i);
	for (size_t i = 0; i < OBSERVATIONS; i++) {
		seed = seed * 1103515245 + 12345;
		order[i] = i < PAIRS ? (unsigned)i : (seed >> 8) % PAIRS;
	}
}

static double
verify_all(struct roots *roots)
{
	struct verify_result result;
	struct verify *v;
	struct err err = {0};
	double start;

	check(verify_create(&v, roots, &err), &err);
	start = cpu();
	for (size_t i = 0; i < PAIRS; i++) {
		struct verify_request q = {.chain = shown[i / NAMES].certificates,
		    .chain_n = 2,
		    .time_ms = PKI_NOW * INT64_C(1000),
		    .host = hosts[i],
		    .nexthop = "example.org",
		    .base = hosts[i]};

		check(verify_chain(v, &q, &result, &err), &err);
		if (result.chain[1] != REASON_NULL)
			exit(2);
	}
	start = cpu() - start;
	verify_destroy(v);
	return start;
}

static double
judge_all(size_t *verified)
{
	struct verdict_rules rules = {.roots = roots_path, .postfix = level_postfix_default};
	struct verdict_engine *e;
	struct verdict v;
	struct err err = {0};
	double start;

	check(verdict_engine_create(&e, &rules, &err), &err);
	start = cpu();
	for (size_t i = 0; i < OBSERVATIONS; i++) {
		struct shown *s = &shown[order[i] / NAMES];
		struct verdict_question q = {.evidence = &s->evidence,
		    .certificates = s->certificates,
		    .time_ms = PKI_NOW * INT64_C(1000) + (int64_t)i,
		    .host = hosts[order[i]],
		    .nexthop = "example.org"};

		check(verdict_of(e, &q, &v, &err), &err);
		if (!v.levels[LEVEL_VERIFY].delivers)
			exit(2);
	}
	start = cpu() - start;
	*verified = verdict_engine_count(e).verified;
	verdict_engine_destroy(e);
	return start;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), by_value);
	return values[ROUNDS / 2];
}

int
main(void)
{
	double alone[ROUNDS], all[ROUNDS], ratio;
	struct roots roots;
	size_t verified = 0;
	struct err err = {0};

	make();
	check(roots_init(&roots, roots_path, &err), &err);
	for (size_t i = 0; i < ROUNDS; i++) {
		alone[i] = verify_all(&roots);
		all[i] = judge_all(&verified);
	}
	unlink(roots_path);
	ratio = median(all) / median(alone);
	printf("%d verifications alone        %8.1f ms of CPU\n", PAIRS, 1e3 * median(alone));
	printf("%d observations, verdicts   %8.1f ms of CPU, %zu verifications (aim: at most %d)\n",
	    OBSERVATIONS, 1e3 * median(all), verified, PAIRS);
	printf("ratio                           %8.2f (aim: at most 1.20)\n", ratio);
	return verified > PAIRS || ratio > 1.2;
}
