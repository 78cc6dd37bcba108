#include "late.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void
give_up(void)
{
	fprintf(stderr, "mx509: %s; install it again\n", dlerror());
	exit(2);
}

/* Two threads may come at once: both get the same handle, and it is never given back. */
void
late_load(struct late *library)
{
	void *handle;

	if (atomic_load_explicit(&library->handle, memory_order_acquire) != NULL)
		return;
	if ((handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL)) == NULL)
		give_up();
	atomic_store_explicit(&library->handle, handle, memory_order_release);
}

void *
late_function(struct late *library, const char *name)
{
	void *function;

	late_load(library);
	function = dlsym(atomic_load_explicit(&library->handle, memory_order_acquire), name);
	if (function == NULL)
		give_up();
	return function;
}
