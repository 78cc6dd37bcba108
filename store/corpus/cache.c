#include "cache.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/buf.h"
#include "store/base/hash.h"
#include "store/base/mem.h"

#define PROBES 16	   /* slots that a key may stand in */
#define OCTETS_PER_SLOT 64 /* a short key, its length and its slot */
#define SLOTS_FIRST 256

/* at is 0 in a free slot, else 1 + where the key stands. */
struct slot {
	uint64_t hash;
	uint32_t at, number;
};

struct generation {
	struct slot *slots;
	size_t slots_n, n;
	struct buf keys; /* each: its length in memory's own order, its octets */
};

struct cache {
	struct generation young, old;
	size_t slots_most, keys_max;
};

struct cache *
cache_create(size_t octets)
{
	struct cache *cache = mem_zero(1, sizeof(*cache));

	cache->slots_most = 1024;
	while (cache->slots_most * 2 * OCTETS_PER_SLOT <= octets / 2)
		cache->slots_most *= 2;
	cache->keys_max = octets / 2 - cache->slots_most * sizeof(struct slot);
	return cache;
}

void
cache_destroy(struct cache *cache)
{
	if (cache == NULL)
		return;
	free(cache->young.slots);
	free(cache->old.slots);
	buf_finish(&cache->young.keys);
	buf_finish(&cache->old.keys);
	free(cache);
}

static void
generation_clear(struct generation *g)
{
	if (g->keys.len > 0)
		memset(g->slots, 0, g->slots_n * sizeof(struct slot));
	buf_clear(&g->keys);
	g->n = 0;
}

void
cache_clear(struct cache *cache)
{
	generation_clear(&cache->young);
	generation_clear(&cache->old);
}

static bool
is_key(const struct generation *g, const struct slot *slot, const void *key, size_t len)
{
	const uint8_t *p = g->keys.data + slot->at - 1;
	uint32_t found;

	memcpy(&found, p, sizeof(found));
	return found == len && memcmp(p + sizeof(found), key, len) == 0;
}

static const struct slot *
find(const struct generation *g, uint64_t hash, const void *key, size_t len)
{
	for (size_t i = 0; i < PROBES && g->slots_n > 0; i++) {
		const struct slot *slot = &g->slots[(hash + i) & (g->slots_n - 1)];

		if (slot->at == 0)
			return NULL;
		if (slot->hash == hash && is_key(g, slot, key, len))
			return slot;
	}
	return NULL;
}

/* Where all its slots are taken, the first one makes way. */
static void
put(struct generation *g, struct slot slot)
{
	struct slot *to = &g->slots[slot.hash & (g->slots_n - 1)];

	for (size_t i = 0; i < PROBES; i++) {
		struct slot *at = &g->slots[(slot.hash + i) & (g->slots_n - 1)];

		if (at->at == 0) {
			to = at;
			break;
		}
	}
	*to = slot;
}

/* A table is as large as what it holds, so that a short run touches little memory. */
static void
grow(struct generation *g, size_t most)
{
	struct generation larger = *g;

	larger.slots_n = g->slots_n > 0 ? 4 * g->slots_n : SLOTS_FIRST;
	if (larger.slots_n > most)
		larger.slots_n = most;
	larger.slots = mem_zero(larger.slots_n, sizeof(struct slot));
	for (size_t i = 0; i < g->slots_n; i++)
		if (g->slots[i].at != 0)
			put(&larger, g->slots[i]);
	free(g->slots);
	*g = larger;
}

static void
add(struct cache *cache, uint64_t hash, const void *key, size_t len, uint32_t number)
{
	struct generation *g = &cache->young;
	uint32_t stored_len = (uint32_t)len;

	if (len > cache->keys_max / 4)
		return;
	if (g->keys.len + sizeof(stored_len) + len > cache->keys_max ||
	    g->n >= cache->slots_most / 4 * 3) {
		struct generation old = cache->old;

		cache->old = cache->young;
		cache->young = old;
		generation_clear(g);
	}
	if (g->n >= g->slots_n / 4 * 3 && g->slots_n < cache->slots_most)
		grow(g, cache->slots_most);
	g->n++;
	put(g, (struct slot){hash, (uint32_t)g->keys.len + 1, number});
	buf_append(&g->keys, &stored_len, sizeof(stored_len));
	buf_append(&g->keys, key, len);
}

bool
cache_find(struct cache *cache, const void *key, size_t len, uint32_t *number)
{
	uint64_t hash = hash_quick(key, len);
	const struct slot *slot = find(&cache->young, hash, key, len);

	if (slot == NULL) {
		slot = find(&cache->old, hash, key, len);
		if (slot == NULL)
			return false;
		*number = slot->number;
		add(cache, hash, key, len, *number);
		return true;
	}
	*number = slot->number;
	return true;
}

void
cache_add(struct cache *cache, const void *key, size_t len, uint32_t number)
{
	add(cache, hash_quick(key, len), key, len, number);
}
