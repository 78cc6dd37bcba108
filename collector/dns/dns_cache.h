/*
 * dns_cache: the questions of a run and what came of them, by name and type; the oldest answers go
 * when there are more than LIMIT_DNS_CACHE. No questions are sent here (dns.h).
 */
#ifndef MX509_DNS_CACHE_H
#define MX509_DNS_CACHE_H

#include "dns.h"
#include "resolver.h"

struct dns_waiter {
	struct dns_waiter *next;
	dns_done_fn *done;
	void *ctx;
};

enum dns_entry_state {
	DNS_ENTRY_QUEUED,   /* not asked yet */
	DNS_ENTRY_ASKED,    /* under way */
	DNS_ENTRY_FAILED,   /* and not told yet */
	DNS_ENTRY_ANSWERED, /* result */
};

struct dns_entry {
	struct dns_entry *chain;       /* of the hash table */
	struct dns_entry *prev, *next; /* of the list of its state */
	struct dns *dns;
	enum dns_entry_state state;
	bool pinned; /* its answer is being told, and must stay */
	struct resolver_question question;
	int64_t asked_ms; /* monotonic */
	struct dns_waiter *waiters;
	struct dns_result result; /* owns the answer's texts, by answer.owned, and canonical */
	char name[];
};

struct dns_list {
	struct dns_entry *first, *last;
	size_t n;
};

struct dns_cache {
	struct dns_entry **slots;
	size_t slots_n, n;
	struct dns_list lists[DNS_ENTRY_ANSWERED + 1]; /* by state, oldest first */
};

void dns_cache_init(struct dns_cache *cache);
void dns_cache_finish(struct dns_cache *cache);

struct dns_entry *dns_cache_find(const struct dns_cache *cache, const char *name, uint16_t rrtype);
/* A new one, DNS_ENTRY_QUEUED; the oldest answer makes room where there must be some. */
struct dns_entry *dns_cache_add(struct dns_cache *cache, const char *name, uint16_t rrtype);
void dns_cache_move(struct dns_cache *cache, struct dns_entry *entry, enum dns_entry_state state);

/* Takes the texts of *records (n of them, each malloc'ed, in any order) into the answer, sorted
 * and without repeats. */
void dns_entry_set_records(struct dns_entry *entry, char **records, size_t n);
void dns_entry_set_canonical(struct dns_entry *entry, const char *name); /* copied */

#endif
