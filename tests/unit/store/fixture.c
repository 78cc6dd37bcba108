#include "fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
fixture_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct buf path = {0};

	buf_printf(&path, "%s/mx509-store-XXXXXX", tmp != NULL ? tmp : "/tmp");
	*state = strdup(buf_text(&path));
	buf_finish(&path);
	return mkdtemp(*state) == NULL ? -1 : 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int
fixture_teardown(void **state)
{
	int rc = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return rc;
}

const char *
fixture_path(const char *dir, const char *name)
{
	static char paths[16][512];
	static unsigned turn;
	char *path = paths[turn++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

struct series
fixture_series(const char *host, const char *address, enum sni sni)
{
	struct series s = {.kind = SERIES_PROBE, .port = 25, .sni = sni};

	assert_int_equal(host_normalise(host, s.host, NULL), 0);
	assert_true(ip_parse(&s.address, address));
	strcpy(s.vantage, "here");
	if (sni == SNI_NEXTHOP || sni == SNI_LITERAL)
		strcpy(s.sni_name, "example.org");
	return s;
}

struct series
fixture_dns_series(const char *name, uint16_t rrtype)
{
	struct series s = {.kind = SERIES_DNS, .rrtype = rrtype};

	assert_int_equal(host_normalise(name, s.host, NULL), 0);
	strcpy(s.vantage, "here");
	return s;
}

struct observation
fixture_observation(int64_t time_ms, const struct hash *chain, size_t n)
{
	static const char *const ehlo[] = {"STARTTLS", "SIZE *"};
	struct observation o = {.time_ms = time_ms, .ms = {-1, 3, 0, 7, 21}};

	o.evidence = (struct evidence){.outcome = OUTCOME_SUCCESS,
	    .smtp_code = 220,
	    .tls_alert = -1,
	    .starttls_offered = TRI_TRUE,
	    .greeting = "220 mx.example.org ESMTP *",
	    .ehlo = ehlo,
	    .ehlo_n = 2,
	    .tls_version = "TLSv1.3",
	    .chain = chain,
	    .chain_n = n};
	return o;
}

struct hash
fixture_hash(unsigned n)
{
	return hash_sha256(&n, sizeof(n));
}

struct store *
fixture_open(const char *dir, enum store_mode mode)
{
	struct store *store;
	struct err err = {0};

	assert_ok(store_open(&store, dir, mode, &err), err);
	return store;
}

void
fixture_add(struct store *store, const struct series *s, const struct observation *o)
{
	struct store_batch *batch;
	struct err err = {0};

	assert_ok(store_batch_begin(store, &batch, &err), err);
	assert_ok(store_batch_observation(batch, s, o, NULL, &err), err);
	assert_ok(store_batch_commit(&batch, NULL, &err), err);
}

void
fixture_read(struct buf *out, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	buf_clear(out);
	do {
		n = read(fd, buf_reserve(out, 65536), 65536);
		assert_true(n >= 0);
		out->len += (size_t)n;
	} while (n > 0);
	close(fd);
}

void
fixture_write(const char *path, const void *p, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}
