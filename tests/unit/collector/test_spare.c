/* What OpenSSL gets is its own until it gives it back, in whatever thread, and no more is kept than
 * is allowed. Through OpenSSL's own functions, as libssl calls them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collector/probe/spare.h"

#define BLOCKS 3000
#define ROUNDS 20

struct block {
	uint8_t *p, mark;
	size_t len;
};

static uint32_t seed = 1;

static uint32_t
draw(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void
fill(struct block *b, size_t len)
{
	b->len = len;
	b->mark = (uint8_t)draw();
	memset(b->p, b->mark, len);
}

static void
check(const struct block *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(b->p[i], b->mark);
}

static size_t
any_len(void)
{
	static const size_t odd[] = {
	    1, 7, 8, 9, 23, 24, 25, 40, 41, 1024, 16713, 18400, 18432, 18433, 70000};

	return draw() % 4 == 0 ? odd[draw() % (sizeof(odd) / sizeof(odd[0]))] : 1 + draw() % 600;
}

static void
test_blocks_do_not_overlap(void **state)
{
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BLOCKS; i++) {
			struct block *b = &blocks[i];

			if (b->p == NULL) {
				size_t len = any_len();

				b->p = OPENSSL_malloc(len);
				assert_non_null(b->p);
				fill(b, len);
			} else if (draw() % 3 == 0) {
				size_t len = any_len(), kept = len < b->len ? len : b->len;

				b->p = OPENSSL_realloc(b->p, len);
				check(b, kept);
				fill(b, len);
			} else if (draw() % 2 == 0) {
				check(b, b->len);
				OPENSSL_free(b->p);
				b->p = NULL;
			}
		}
	}
	for (int i = 0; i < BLOCKS; i++) {
		if (blocks[i].p != NULL)
			check(&blocks[i], blocks[i].len);
		OPENSSL_free(blocks[i].p);
	}
	free(blocks);
}

static void
test_zeroed_is_zero(void **state)
{
	for (int i = 0; i < 100; i++) {
		uint8_t *p = OPENSSL_malloc(200), *zero;

		memset(p, 0xff, 200);
		OPENSSL_free(p);
		zero = OPENSSL_zalloc(200);
		for (int k = 0; k < 200; k++)
			assert_int_equal(zero[k], 0);
		OPENSSL_free(zero);
	}
}

static void *
give_all(void *arg)
{
	void **blocks = arg;

	for (int i = 0; i < BLOCKS; i++)
		OPENSSL_free(blocks[i]);
	return OPENSSL_malloc(64);
}

/* Another thread gives them back, and ends: nothing of it is left. */
static void
test_another_thread_gives(void **state)
{
	size_t before = 0, after;

	for (int round = 0; round < ROUNDS; round++) {
		void *blocks[BLOCKS], *left;
		pthread_t thread;

		for (int i = 0; i < BLOCKS; i++)
			blocks[i] = OPENSSL_malloc(512);
		assert_int_equal(pthread_create(&thread, NULL, give_all, blocks), 0);
		assert_int_equal(pthread_join(thread, &left), 0);
		OPENSSL_free(left);
		if (round == 1)
			before = mallinfo2().uordblks;
	}
	after = mallinfo2().uordblks;
	assert_true(after < before + (64u << 10));
}

/* Far more than may be kept: the rest is the system's again. */
static void
test_little_is_kept(void **state)
{
	size_t before = mallinfo2().uordblks, after;
	void **blocks = calloc(40000, sizeof(void *));

	for (int i = 0; i < 40000; i++)
		blocks[i] = OPENSSL_malloc((size_t)(16 + i % 1000));
	for (int i = 0; i < 40000; i++)
		OPENSSL_free(blocks[i]);
	free(blocks);
	after = mallinfo2().uordblks;
	assert_true(after < before + (5u << 18)); /* 1 MiB, and what malloc itself adds */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks_do_not_overlap),
	    cmocka_unit_test(test_zeroed_is_zero),
	    cmocka_unit_test(test_another_thread_gives),
	    cmocka_unit_test(test_little_is_kept),
	};

	spare_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
