#include "thread_exit.h"

#include <pthread.h>
#include <stdlib.h>

#include "mem.h"

struct kept {
	struct kept *next;
	void (*free_it)(void *p);
	void *p;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void
on_exit_of_thread(void *first)
{
	struct kept *next;

	for (struct kept *k = first; k != NULL; k = next) {
		next = k->next;
		k->free_it(k->p);
		free(k);
	}
}

static void
make_key(void)
{
	if (pthread_key_create(&key, on_exit_of_thread) != 0)
		abort();
}

void
thread_exit_free(void (*free_it)(void *p), void *p)
{
	struct kept *k = mem_zero(1, sizeof(*k));

	pthread_once(&once, make_key);
	*k = (struct kept){pthread_getspecific(key), free_it, p};
	pthread_setspecific(key, k);
}
