#include "dns_cache.h"

#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "store/base/mem.h"

#define SLOTS_FIRST 1024

void
dns_cache_init(struct dns_cache *cache)
{
	*cache = (struct dns_cache){.slots_n = SLOTS_FIRST};
	cache->slots = mem_zero(cache->slots_n, sizeof(struct dns_entry *));
}

static void
free_records(struct dns_entry *entry)
{
	char **records = entry->result.answer.owned;

	for (size_t i = 0; i < entry->result.answer.records_n; i++)
		free(records[i]);
	free(records);
	entry->result.answer.owned = NULL;
	entry->result.answer.records = NULL;
	entry->result.answer.records_n = 0;
}

static void
free_entry(struct dns_entry *entry)
{
	struct dns_waiter *next;

	for (struct dns_waiter *w = entry->waiters; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
	free_records(entry);
	free((char *)entry->result.canonical);
	free(entry);
}

void
dns_cache_finish(struct dns_cache *cache)
{
	for (size_t i = 0; i < cache->slots_n; i++) {
		struct dns_entry *next;

		for (struct dns_entry *e = cache->slots[i]; e != NULL; e = next) {
			next = e->chain;
			free_entry(e);
		}
	}
	free(cache->slots);
	*cache = (struct dns_cache){0};
}

static struct dns_entry **
slot(const struct dns_cache *cache, const char *name, uint16_t rrtype)
{
	uint64_t sum = hash_checksum(&rrtype, sizeof(rrtype), name, strlen(name));

	return &cache->slots[sum & (cache->slots_n - 1)];
}

struct dns_entry *
dns_cache_find(const struct dns_cache *cache, const char *name, uint16_t rrtype)
{
	struct dns_entry *e = *slot(cache, name, rrtype);

	while (e != NULL && (e->result.rrtype != rrtype || strcmp(e->name, name) != 0))
		e = e->chain;
	return e;
}

static void
list_remove(struct dns_list *list, struct dns_entry *entry)
{
	*(entry->prev != NULL ? &entry->prev->next : &list->first) = entry->next;
	*(entry->next != NULL ? &entry->next->prev : &list->last) = entry->prev;
	list->n--;
}

static void
list_append(struct dns_list *list, struct dns_entry *entry)
{
	entry->prev = list->last;
	entry->next = NULL;
	*(list->last != NULL ? &list->last->next : &list->first) = entry;
	list->last = entry;
	list->n++;
}

static void
remove_entry(struct dns_cache *cache, struct dns_entry *entry)
{
	struct dns_entry **at = slot(cache, entry->name, entry->result.rrtype);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	list_remove(&cache->lists[entry->state], entry);
	cache->n--;
	free_entry(entry);
}

static void
grow(struct dns_cache *cache)
{
	struct dns_cache larger = *cache;

	larger.slots_n *= 4;
	larger.slots = mem_zero(larger.slots_n, sizeof(struct dns_entry *));
	for (size_t i = 0; i < cache->slots_n; i++) {
		struct dns_entry *next;

		for (struct dns_entry *e = cache->slots[i]; e != NULL; e = next) {
			struct dns_entry **at = slot(&larger, e->name, e->result.rrtype);

			next = e->chain;
			e->chain = *at;
			*at = e;
		}
	}
	free(cache->slots);
	*cache = larger;
}

struct dns_entry *
dns_cache_add(struct dns_cache *cache, const char *name, uint16_t rrtype)
{
	struct dns_list *answered = &cache->lists[DNS_ENTRY_ANSWERED];
	size_t len = strlen(name) + 1;
	struct dns_entry *e = mem_zero(1, sizeof(*e) + len), **at;

	while (cache->n >= LIMIT_DNS_CACHE && answered->first != NULL && !answered->first->pinned)
		remove_entry(cache, answered->first);
	if (cache->n >= cache->slots_n)
		grow(cache);
	memcpy(e->name, name, len);
	e->result.name = e->name;
	e->result.rrtype = rrtype;
	at = slot(cache, name, rrtype);
	e->chain = *at;
	*at = e;
	e->state = DNS_ENTRY_QUEUED;
	list_append(&cache->lists[e->state], e);
	cache->n++;
	return e;
}

void
dns_cache_move(struct dns_cache *cache, struct dns_entry *entry, enum dns_entry_state state)
{
	list_remove(&cache->lists[entry->state], entry);
	entry->state = state;
	list_append(&cache->lists[state], entry);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
dns_entry_set_records(struct dns_entry *entry, char **records, size_t n)
{
	struct dns_answer *answer = &entry->result.answer;
	size_t kept = 0;

	free_records(entry);
	if (n > 0)
		qsort(records, n, sizeof(*records), compare);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(records[kept - 1], records[i]) == 0)
			free(records[i]);
		else
			records[kept++] = records[i];
	}
	answer->owned = records;
	answer->records = (const char *const *)records;
	answer->records_n = kept;
}

void
dns_entry_set_canonical(struct dns_entry *entry, const char *name)
{
	free((char *)entry->result.canonical);
	entry->result.canonical = mem_strdup(name);
}
