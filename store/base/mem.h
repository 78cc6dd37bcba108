/*
 * mem: the heap. Out of memory ends the program with one line on standard error and status 2:
 * nothing in mx509 can go on without memory, and no input may choose how much is asked for
 * (limits.h of each component).
 */
#ifndef MX509_MEM_H
#define MX509_MEM_H

#include <stddef.h>

void *mem_alloc(size_t len) __attribute__((returns_nonnull, malloc));
void *mem_zero(size_t n, size_t size) __attribute__((returns_nonnull, malloc));	 /* calloc */
void *mem_grow(void *p, size_t n, size_t size) __attribute__((returns_nonnull)); /* reallocarray */
void *mem_dup(const void *p, size_t len) __attribute__((returns_nonnull, malloc));
char *mem_strdup(const char *s) __attribute__((returns_nonnull, malloc));

#endif
