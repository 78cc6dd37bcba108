#include "pace.h"

#include <stdlib.h>

#include "../store/hash.h"
#include "../store/mem.h"

/* An address with something queued, under way, or not yet to be called upon again. It stands in
 * one list, or in none while it is busy. */
struct peer {
	struct peer *chain; /* of the hash table */
	struct peer *next;  /* of the list */
	struct ip address;
	struct pace_item *first, *last;
	bool busy;
	int64_t ready_ms; /* while it rests */
};

struct peer_list {
	struct peer *first, *last;
};

struct pace {
	int64_t gap_ms;
	unsigned per_second;
	int64_t next_start_us; /* by the rate */
	struct peer **slots;
	size_t slots_n, peers_n, queued, drop_at;
	struct peer_list ready,
	    resting; /* resting: the gap is one, so they become ready in order */
};

struct pace *
pace_create(int64_t gap_ms, unsigned per_second)
{
	struct pace *pace = mem_zero(1, sizeof(*pace));

	pace->gap_ms = gap_ms;
	pace->per_second = per_second;
	pace->slots_n = 1024;
	pace->slots = mem_zero(pace->slots_n, sizeof(struct peer *));
	return pace;
}

void
pace_destroy(struct pace *pace)
{
	if (pace == NULL)
		return;
	for (size_t i = 0; i < pace->slots_n; i++) {
		struct peer *next;

		for (struct peer *p = pace->slots[i]; p != NULL; p = next) {
			next = p->chain;
			free(p);
		}
	}
	free(pace->slots);
	free(pace);
}

static struct peer **
slot(const struct pace *pace, const struct ip *address)
{
	uint64_t sum = hash_checksum("peer", 4, address, sizeof(*address));

	return &pace->slots[sum & (pace->slots_n - 1)];
}

static void
grow(struct pace *pace)
{
	struct pace larger = *pace;

	larger.slots_n *= 4;
	larger.slots = mem_zero(larger.slots_n, sizeof(struct peer *));
	for (size_t i = 0; i < pace->slots_n; i++) {
		struct peer *next;

		for (struct peer *p = pace->slots[i]; p != NULL; p = next) {
			struct peer **at = slot(&larger, &p->address);

			next = p->chain;
			p->chain = *at;
			*at = p;
		}
	}
	free(pace->slots);
	*pace = larger;
}

static struct peer *
find(const struct pace *pace, const struct ip *address)
{
	struct peer *p = *slot(pace, address);

	while (p != NULL && ip_compare(&p->address, address) != 0)
		p = p->chain;
	return p;
}

static void
append(struct peer_list *list, struct peer *peer)
{
	peer->next = NULL;
	*(list->first != NULL ? &list->last->next : &list->first) = peer;
	list->last = peer;
}

static struct peer *
take_first(struct peer_list *list)
{
	struct peer *peer = list->first;

	if (peer != NULL)
		list->first = peer->next;
	return peer;
}

static void
forget(struct pace *pace, struct peer *peer)
{
	struct peer **at = slot(pace, &peer->address);

	while (*at != peer)
		at = &(*at)->chain;
	*at = peer->chain;
	free(peer);
	pace->peers_n--;
}

static struct pace_item *
take_item(struct pace *pace, struct peer *peer)
{
	struct pace_item *item = peer->first;

	peer->first = item->next;
	item->next = NULL;
	pace->queued--;
	return item;
}

void
pace_add(struct pace *pace, struct pace_item *item)
{
	struct peer *peer = find(pace, &item->address);

	item->next = NULL;
	if (peer == NULL) {
		struct peer **at;

		if (pace->peers_n++ == pace->slots_n)
			grow(pace);
		peer = mem_zero(1, sizeof(*peer));
		peer->address = item->address;
		at = slot(pace, &item->address);
		peer->chain = *at;
		*at = peer;
		append(&pace->ready, peer);
	}
	*(peer->first != NULL ? &peer->last->next : &peer->first) = item;
	peer->last = item;
	pace->queued++;
}

/* Those that have rested: on to the ready ones, or away if nothing is queued for them. */
static void
wake(struct pace *pace, int64_t now_ms)
{
	while (pace->resting.first != NULL && pace->resting.first->ready_ms <= now_ms) {
		struct peer *peer = take_first(&pace->resting);

		if (peer->first != NULL)
			append(&pace->ready, peer);
		else
			forget(pace, peer);
	}
}

struct pace_item *
pace_next(struct pace *pace, int64_t now_ms)
{
	struct peer *peer;

	wake(pace, now_ms);
	if (pace->per_second != 0 && now_ms * 1000 < pace->next_start_us)
		return NULL;
	while ((peer = take_first(&pace->ready)) != NULL && peer->first == NULL)
		forget(pace, peer); /* pace_drop() took what it had */
	if (peer == NULL)
		return NULL;
	if (pace->per_second != 0) {
		/* No burst after a lull, but for the width of one tick of the clock. */
		if (pace->next_start_us < now_ms * 1000 - 1000)
			pace->next_start_us = now_ms * 1000 - 1000;
		pace->next_start_us += 1000000 / pace->per_second;
	}
	peer->busy = true;
	return take_item(pace, peer);
}

void
pace_release(struct pace *pace, const struct ip *address, int64_t now_ms)
{
	struct peer *peer = find(pace, address);

	if (peer == NULL || !peer->busy)
		return;
	peer->busy = false;
	peer->ready_ms = now_ms + pace->gap_ms;
	append(&pace->resting, peer);
	wake(pace, now_ms);
}

int64_t
pace_wait_ms(const struct pace *pace, int64_t now_ms)
{
	int64_t wait = -1;

	if (pace->ready.first != NULL)
		wait = 0;
	else if (pace->resting.first != NULL)
		wait = pace->resting.first->ready_ms - now_ms;
	if (wait < 0)
		return pace->resting.first != NULL ? 0 : -1;
	if (pace->per_second != 0) {
		int64_t by_rate = (pace->next_start_us - now_ms * 1000 + 999) / 1000;

		if (by_rate > wait)
			wait = by_rate;
	}
	return wait;
}

struct pace_item *
pace_drop(struct pace *pace)
{
	/* Goes on where it stopped, so that to drop all is one round and not one for each. */
	for (size_t i = 0; pace->queued > 0 && i < pace->slots_n; i++, pace->drop_at++)
		for (struct peer *p = pace->slots[pace->drop_at & (pace->slots_n - 1)]; p != NULL;
		     p = p->chain)
			if (p->first != NULL)
				return take_item(pace, p);
	return NULL;
}

size_t
pace_queued(const struct pace *pace)
{
	return pace->queued;
}
