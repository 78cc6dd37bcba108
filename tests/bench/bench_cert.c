/*
 * What reading a certificate costs, ways side by side: CPU time of each, medians of interleaved
 * rounds (so that a busy machine disturbs all alike).
 *
 *	bench_cert FOLDER [ROUNDS]	(files of certificates, PEM or DER; the first of each)
 *
 * OpenSSL, and GnuTLS where it was built in, read the fields of the mission only: subject, issuer,
 * key usage, basic constraints, public-key algorithm; the ninth part of OpenSSL's time is the aim
 * for all fields of the table (issue "The differ reads every certificate right").
 */
#include <dirent.h>
#include <malloc.h>
#include <openssl/x509v3.h>
#ifdef WITH_GNUTLS
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "differ/certificate/cert.h"
#include "differ/certificate/input.h"
#include "differ/facts/certificate_model.h"
#include "differ/facts/facts.h"
#include "differ/out/out_json.h"
#include "store/base/mem.h"

#define CERTIFICATES_MOST 4096
#define ROUNDS_MOST 101

static struct buf certs[CERTIFICATES_MOST];
static size_t certs_n;
static volatile size_t sink;

/* ---- the ways ---------------------------------------------------------------------------- */

static void
walk(const struct buf *der)
{
	struct cert cert;

	cert_init(&cert, der->data, der->len, false);
	sink += cert.extensions_n;
	cert_finish(&cert);
}

static void
five_fields(const struct buf *der)
{
	struct facts *f = facts_of_certificate(der->data, der->len);

	sink += facts_get(f, FIELD_SUBJECT)->kind + facts_get(f, FIELD_ISSUER)->kind +
		facts_get(f, FIELD_KEY_USAGE)->kind + facts_get(f, FIELD_BASIC_CONSTRAINTS)->kind +
		facts_get(f, FIELD_KEY_ALGORITHM)->kind;
	facts_destroy(f);
}

static void
all_fields(const struct buf *der)
{
	struct facts *f = facts_of_certificate(der->data, der->len);

	for (int i = 0; i < FIELD_N; i++)
		sink += facts_get(f, (enum field)i)->kind;
	facts_destroy(f);
}

static void
json(const struct buf *der)
{
	struct facts *f = facts_of_certificate(der->data, der->len);
	struct certificate_origin origin = {"file", 0};
	struct arena arena = {0};
	struct buf line = {0};

	out_json_value(&line, certificate_model(&arena, f, &origin));
	sink += line.len;
	buf_finish(&line);
	arena_finish(&arena);
	facts_destroy(f);
}

static void
openssl(const struct buf *der)
{
	const unsigned char *p = der->data;
	X509 *x = d2i_X509(NULL, &p, (long)der->len);
	BASIC_CONSTRAINTS *constraints;
	ASN1_BIT_STRING *usage;
	ASN1_OBJECT *algorithm;
	char *text;

	if (x == NULL)
		return;
	text = X509_NAME_oneline(X509_get_subject_name(x), NULL, 0);
	OPENSSL_free(text);
	text = X509_NAME_oneline(X509_get_issuer_name(x), NULL, 0);
	OPENSSL_free(text);
	usage = X509_get_ext_d2i(x, NID_key_usage, NULL, NULL);
	ASN1_BIT_STRING_free(usage);
	constraints = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);
	BASIC_CONSTRAINTS_free(constraints);
	if (X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(x)))
		sink += (size_t)OBJ_obj2nid(algorithm);
	X509_free(x);
}

#ifdef WITH_GNUTLS
static void
gnutls(const struct buf *der)
{
	gnutls_datum_t data = {der->data, (unsigned)der->len};
	unsigned usage, critical, ca, bits;
	gnutls_x509_crt_t x;
	gnutls_datum_t name;
	int path;

	gnutls_x509_crt_init(&x);
	if (gnutls_x509_crt_import(x, &data, GNUTLS_X509_FMT_DER) == 0) {
		if (gnutls_x509_crt_get_dn3(x, &name, 0) == 0)
			gnutls_free(name.data);
		if (gnutls_x509_crt_get_issuer_dn3(x, &name, 0) == 0)
			gnutls_free(name.data);
		gnutls_x509_crt_get_key_usage(x, &usage, &critical);
		gnutls_x509_crt_get_basic_constraints(x, &critical, &ca, &path);
		sink += (size_t)gnutls_x509_crt_get_pk_algorithm(x, &bits);
	}
	gnutls_x509_crt_deinit(x);
}
#endif

static struct way {
	const char *name;
	void (*read)(const struct buf *der);
	size_t repeats;
	double ns[ROUNDS_MOST];
} ways[] = {
    {.name = "one checked pass, all faults", .read = walk},
    {.name = "the mission's five fields", .read = five_fields},
    {.name = "all fields of the table", .read = all_fields},
    {.name = "all fields, as a line of JSON", .read = json},
    {.name = "OpenSSL d2i_X509, five fields", .read = openssl},
#ifdef WITH_GNUTLS
    {.name = "GnuTLS import, five fields", .read = gnutls},
#endif
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ---- many names -------------------------------------------------------------------------- */

static void
append_wrapped(struct buf *out, const char *tag, const struct buf *contents)
{
	buf_append(out, tag, 1);
	buf_append_byte(out, 0x84);
	buf_append_u32be(out, (uint32_t)contents->len);
	buf_append(out, contents->data, contents->len);
}

/* Puts `before` and *b into a new element, which becomes *b. */
static void
wrap(struct buf *b, const char *tag, const char *before, size_t before_len)
{
	struct buf inner = {0}, outer = {0};

	buf_append(&inner, before, before_len);
	buf_append(&inner, b->data, b->len);
	append_wrapped(&outer, tag, &inner);
	buf_finish(&inner);
	buf_finish(b);
	*b = outer;
}

static struct buf
with_names(unsigned n)
{
	static const char rest[] =
	    "\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x05\x06\x03\x2a\x03\x04\x30\x00\x30\x1e\x17\x0d"
	    "150101000000Z\x17\x0d"
	    "300101000000Z\x30\x00\x30\x0a\x30\x05\x06\x03\x2a\x03\x04\x03\x01\x00";
	struct buf b = {0};

	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "\x82\x0en%05u.example", i);
	wrap(&b, "\x30", "", 0);
	wrap(&b, "\x04", "", 0);
	wrap(&b, "\x30", "\x06\x03\x55\x1d\x11", 5);
	wrap(&b, "\x30", "", 0);
	wrap(&b, "\xa3", "", 0);
	wrap(&b, "\x30", rest, sizeof(rest) - 1);
	wrap(&b, "\x30", "", 0);
	return b;
}

/* Time in proportion to the input: a name of 60,000 costs what one of 600 does. The heap keeps what
 * it has: else the kernel's fresh pages, which only the long ones need each time, are measured. */
static void
run_many_names(size_t rounds)
{
	static const unsigned counts[] = {600, 6000, 60000};
	double first = 0;

	mallopt(M_MMAP_THRESHOLD, 1 << 28);
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct buf der = with_names(counts[i]);
		double ns[ROUNDS_MOST], one;

		for (size_t r = 0; r < rounds; r++) {
			double start = cpu_ns();

			for (unsigned k = 0; k < 60000 / counts[i]; k++)
				json(&der);
			ns[r] = (cpu_ns() - start) / 60000;
		}
		qsort(ns, rounds, sizeof(double), compare);
		one = ns[rounds / 2];
		if (i == 0)
			first = one;
		printf("%5u names, %7zu octets: as JSON %8.1f ns a name, %.2f times that of 600\n",
		    counts[i], der.len, one, one / first);
		buf_finish(&der);
	}
}

/* ---- the run ----------------------------------------------------------------------------- */

static void
read_folder(const char *folder)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);

	if (dir == NULL) {
		perror(folder);
		exit(2);
	}
	while ((entry = readdir(dir)) != NULL && certs_n < CERTIFICATES_MOST) {
		struct input in = {0};
		struct err err = {0};
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.' && input_open(&in, path, &err) == 0 &&
		    input_next(&in) && in.pem)
			buf_append(&certs[certs_n++], in.der.data, in.der.len);
		input_finish(&in);
	}
	closedir(dir);
}

static double
run(struct way *way)
{
	double start = cpu_ns();

	for (size_t k = 0; k < way->repeats; k++) {
		for (size_t i = 0; i < certs_n; i++)
			way->read(&certs[i]);
	}
	return (cpu_ns() - start) / (double)(way->repeats * certs_n);
}

int
main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 11, octets = 0;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MOST) {
		fprintf(stderr, "usage: bench_cert FOLDER [ROUNDS]\n");
		return 2;
	}
	read_folder(argv[1]);
	for (size_t i = 0; i < certs_n; i++)
		octets += certs[i].len;
	if (certs_n == 0) {
		fprintf(stderr, "%s: no certificates in PEM\n", argv[1]);
		return 2;
	}
	for (size_t w = 0; w < WAYS; w++) {
		ways[w].repeats = 1;
		ways[w].repeats = (size_t)(5e7 / (run(&ways[w]) * (double)certs_n)) + 1;
	}
	for (size_t r = 0; r < rounds; r++) {
		for (size_t w = 0; w < WAYS; w++)
			ways[w].ns[r] = run(&ways[w]);
	}
	printf("%zu certificates, %zu octets each, %zu rounds: median CPU (least-most) of one\n",
	    certs_n, octets / certs_n, rounds);
	for (size_t w = 0; w < WAYS; w++) {
		qsort(ways[w].ns, rounds, sizeof(double), compare);
		printf("%-32s %8.2f µs (%.2f-%.2f)\n", ways[w].name, ways[w].ns[rounds / 2] / 1e3,
		    ways[w].ns[0] / 1e3, ways[w].ns[rounds - 1] / 1e3);
	}
	run_many_names(rounds);
	for (size_t i = 0; i < certs_n; i++)
		buf_finish(&certs[i]);
	return 0;
}
