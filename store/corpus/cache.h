/*
 * cache: what was looked up lately: octets to a number, in memory only, so that a lookup of what
 * is seen again and again costs no walk through a B-tree.
 *
 * It may forget: never take a miss for an answer. Two generations, each of half of the octets: what
 * is found in the old one moves to the young one; when that is full, it becomes the old one, and
 * what was not asked for meanwhile is gone. A lookup looks at a few slots only, whatever the keys,
 * which strangers choose.
 *
 * Ownership: keys are copied. Threads: one.
 */
#ifndef MX509_CACHE_H
#define MX509_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

struct cache *cache_create(size_t octets); /* at most, about */
void cache_destroy(struct cache *cache);   /* accepts NULL */
void cache_clear(struct cache *cache);

bool cache_find(struct cache *cache, const void *key, size_t len, uint32_t *number);
void cache_add(struct cache *cache, const void *key, size_t len, uint32_t number);

#endif
