#include "spare.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* glibc's usable sizes are 24, 40, 56, …: one class each. Larger blocks are not kept. */
#define STEP 16
#define CLASSES 1152
#define KEPT_CLASS (32u << 10) /* octets of a class that a thread keeps, at most */
#define KEPT_THREAD (1u << 20) /* of all classes */

#define HAS_ADDRESS_SANITIZER 0
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef HAS_ADDRESS_SANITIZER
#define HAS_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#undef HAS_ADDRESS_SANITIZER
#define HAS_ADDRESS_SANITIZER 1
#endif

struct block {
	struct block *next;
};

struct spares {
	struct block *first[CLASSES];
	uint32_t octets[CLASSES], total;
};

static __thread struct spares *spares;
static __thread bool ended; /* the thread is being taken down */
static pthread_key_t key;

static void
finish(void *arg)
{
	struct spares *s = arg;

	ended = true;
	spares = NULL;
	for (size_t i = 0; i < CLASSES; i++) {
		struct block *next;

		for (struct block *b = s->first[i]; b != NULL; b = next) {
			next = b->next;
			free(b);
		}
	}
	free(s);
}

static struct spares *
of_this_thread(void)
{
	if (spares == NULL && !ended) {
		spares = calloc(1, sizeof(*spares));
		if (spares != NULL)
			pthread_setspecific(key, spares);
	}
	return spares;
}

static void *
take(size_t len, const char *file, int line)
{
	size_t class = (len + STEP / 2 - 1) / STEP;
	struct spares *s = spares;
	struct block *block;

	(void)file;
	(void)line;
	class += class == 0;
	if (class >= CLASSES)
		return malloc(len);
	if (s == NULL || (block = s->first[class]) == NULL)
		return malloc(class * STEP + STEP / 2);
	s->first[class] = block->next;
	s->octets[class] -= (uint32_t) class * STEP;
	s->total -= (uint32_t) class * STEP;
	return block;
}

static void
give(void *p, const char *file, int line)
{
	size_t usable = p != NULL ? malloc_usable_size(p) : 0, class = usable / STEP;
	struct block *block = p;
	struct spares *s;

	(void)file;
	(void)line;
	if (p == NULL)
		return;
	if (usable % STEP != STEP / 2 || class >= CLASSES || (s = of_this_thread()) == NULL ||
	    s->octets[class] >= KEPT_CLASS || s->total >= KEPT_THREAD) {
		free(p);
		return;
	}
	block->next = s->first[class];
	s->first[class] = block;
	s->octets[class] += (uint32_t) class * STEP;
	s->total += (uint32_t) class * STEP;
}

static void *
resize(void *p, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(p, len);
}

void
spare_install(void)
{
	if (!HAS_ADDRESS_SANITIZER && pthread_key_create(&key, finish) == 0)
		CRYPTO_set_mem_functions(take, resize, give);
}
