#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *p)
{
	if (p == NULL) {
		fputs("mx509: out of memory\n", stderr);
		exit(2);
	}
	return p;
}

void *
mem_alloc(size_t len)
{
	return must(malloc(len > 0 ? len : 1));
}

void *
mem_zero(size_t n, size_t size)
{
	return must(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
mem_grow(void *p, size_t n, size_t size)
{
	return must(reallocarray(p, n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
mem_dup(const void *p, size_t len)
{
	void *copy = mem_alloc(len);

	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

char *
mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}
