/* What an unfinished run has stored is done, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/run/resume.h"
#include "store/base/clock.h"

struct world {
	char dir[64], file[96];
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct store *store;

	strcpy(w->dir, "/tmp/mx509-resume-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->file, sizeof(w->file), "%s/unfinished-here", w->dir);
	assert_int_equal(store_open(&store, w->dir, STORE_WRITE, NULL), 0);
	store_close(store);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static struct series
series_of(const char *host, const char *address, enum sni sni, const char *vantage)
{
	struct series s = {.kind = SERIES_PROBE, .port = 25, .sni = sni};

	strcpy(s.host, host);
	strcpy(s.vantage, vantage);
	assert_true(ip_parse(&s.address, address));
	return s;
}

static void
store_one(const struct world *w, const struct series *series, int64_t time_ms)
{
	struct observation o = {.time_ms = time_ms,
	    .evidence = {.outcome = OUTCOME_CONNECTION_REFUSED, .tls_alert = -1},
	    .ms = {-1, -1, -1, -1, -1}};
	struct store_batch *batch;
	struct store *store;
	struct err err = {0};

	assert_int_equal(store_open(&store, w->dir, STORE_WRITE, &err), 0);
	assert_int_equal(store_batch_begin(store, &batch, &err), 0);
	store_batch_observation(batch, series, &o, NULL, &err);
	assert_int_equal(err.code, 0);
	assert_int_equal(store_batch_commit(&batch, NULL, &err), 0);
	store_close(store);
}

static void
test_what_is_stored_is_done(void **state)
{
	struct world *w = *state;
	struct series done = series_of("mx.test", "192.0.2.1", SNI_NONE, "here"),
		      before = series_of("mx.test", "192.0.2.1", SNI_HOSTNAME, "here"),
		      other = series_of("mx.test", "192.0.2.2", SNI_NONE, "here"),
		      elsewhere = series_of("mx.test", "192.0.2.1", SNI_NONE, "there");
	struct resume *resume;
	struct err err = {0};

	store_one(w, &before, clock_now_ms() - 60000);
	assert_int_equal(resume_begin(&resume, w->dir, "here", false, &err), 0);
	assert_int_equal(resume_since_ms(resume), 0);
	assert_false(resume_has(resume, &before));
	resume_end(resume, false); /* as if it had been killed */
	assert_int_equal(access(w->file, F_OK), 0);

	store_one(w, &done, clock_now_ms() + 1);
	assert_int_equal(resume_begin(&resume, w->dir, "here", true, &err), 0);
	assert_int_not_equal(resume_since_ms(resume), 0);
	assert_true(resume_has(resume, &done));
	assert_false(resume_has(resume, &before));
	assert_false(resume_has(resume, &other));
	assert_false(resume_has(resume, &elsewhere));
	assert_true(resume_has(resume, &done));
	resume_end(resume, true);
	assert_int_equal(access(w->file, F_OK), -1);

	/* Nothing is unfinished any more. */
	assert_int_equal(resume_begin(&resume, w->dir, "here", true, &err), 0);
	assert_int_equal(resume_since_ms(resume), 0);
	assert_false(resume_has(resume, &done));
	resume_end(resume, true);
	resume_end(NULL, true);
}

/* A file that holds no time is none. */
static void
test_a_file_that_says_nothing(void **state)
{
	struct world *w = *state;
	struct resume *resume;
	struct err err = {0};
	FILE *file = fopen(w->file, "w");

	fputs("yesterday, I think\n", file);
	fclose(file);
	assert_int_equal(resume_begin(&resume, w->dir, "here", true, &err), 0);
	assert_int_equal(resume_since_ms(resume), 0);
	resume_end(resume, true);
}

static void
test_where_nothing_can_be_written(void **state)
{
	struct resume *resume;
	struct err err = {0};

	assert_int_not_equal(resume_begin(&resume, "/nowhere/at/all", "here", false, &err), 0);
	assert_null(resume);
	assert_non_null(strstr(err.text, "/nowhere/at/all/unfinished-here"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_is_stored_is_done, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_file_that_says_nothing, set_up, tear_down),
	    cmocka_unit_test(test_where_nothing_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
