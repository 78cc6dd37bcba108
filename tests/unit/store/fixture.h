/*
 * fixture: what the tests of the store share: a directory of their own that is removed at the
 * end, and records to fill a store with.
 */
#ifndef MX509_TEST_FIXTURE_H
#define MX509_TEST_FIXTURE_H

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/corpus/store.h"
#include "store/corpus/timeline.h"

#define TIME_0 INT64_C(1773900000000) /* 2026-03-19T06:00:00.000Z */

/* cmocka's setup and teardown of a test: *state is the path of an empty directory. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* "DIR/name" in one of sixteen buffers that take turns. */
const char *fixture_path(const char *dir, const char *name);

struct series fixture_series(const char *host, const char *address, enum sni sni);
struct series fixture_dns_series(const char *name, uint16_t rrtype);

/* A success that showed `chain` (borrowed). */
struct observation fixture_observation(int64_t time_ms, const struct hash *chain, size_t n);

struct hash fixture_hash(unsigned n);

/* Aborts the test on an error. */
struct store *fixture_open(const char *dir, enum store_mode mode);
void fixture_add(struct store *store, const struct series *s, const struct observation *o);

/* Whole contents of a file; the test fails if there is none. */
void fixture_read(struct buf *out, const char *path);
void fixture_write(const char *path, const void *p, size_t len);

/* Fails the test with err's text. */
#define assert_ok(rc, err)                          \
	do {                                        \
		if ((rc) < 0)                       \
			fail_msg("%s", (err).text); \
	} while (0)

#endif
