#include "pace.h"

#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "collector/limits.h"
#include "collector/probe/address.h"
#include "dice.h"
#include "store/base/hash.h"
#include "store/base/mem.h"
#include "store/record/operator.h"

#define SLOTS_FIRST 1024
#define TRIES 8 /* to find an address of another network than the last one's */

/* Where a peer stands. */
enum place {
	READY,	 /* in the array, to be drawn */
	BUSY,	 /* a connection is under way */
	RESTING, /* in the heap */
	WAITING, /* for a place under a cap */
};

/* An address with something queued, under way, or not yet to be called upon again. */
struct peer {
	struct caps_member member; /* first: caps hands it back */
	struct peer *chain;	   /* of the hash table */
	struct ip address;
	struct pace_item *first, *last;
	enum place place;
	unsigned laters; /* in a row */
	int64_t ready_ms;
	uint64_t network;
};

struct peers {
	struct peer **items;
	size_t n, room;
};

struct pace {
	struct pace_settings settings;
	int64_t next_start_us; /* by the rate */
	struct caps *caps;
	struct peer **slots;
	size_t slots_n, peers_n, queued, drop_at;
	struct peers ready, resting; /* resting: a heap, the first to be ready on top */
	struct dice dice;
	uint64_t last_network;
};

struct pace *
pace_create(const struct pace_settings *settings)
{
	struct pace *pace = mem_zero(1, sizeof(*pace));

	pace->settings = *settings;
	pace->slots_n = SLOTS_FIRST;
	pace->slots = mem_zero(pace->slots_n, sizeof(struct peer *));
	pace->caps = caps_create((unsigned[CAPS_N]){settings->per_network, settings->per_operator});
	dice_init(&pace->dice);
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
	caps_destroy(pace->caps);
	free(pace->ready.items);
	free(pace->resting.items);
	free(pace->slots);
	free(pace);
}

/* ---- peers by address ---------------------------------------------------------------------- */

static struct peer **
slot(const struct pace *pace, const struct ip *address)
{
	uint64_t sum = hash_checksum("peer", 4, address, sizeof(*address));

	return &pace->slots[sum & (pace->slots_n - 1)];
}

static void
grow_table(struct pace *pace)
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
forget(struct pace *pace, struct peer *peer)
{
	struct peer **at = slot(pace, &peer->address);

	caps_decline(pace->caps, &peer->member);
	while (*at != peer)
		at = &(*at)->chain;
	*at = peer->chain;
	free(peer);
	pace->peers_n--;
}

static bool
is_loopback(const struct ip *ip)
{
	static const uint8_t one[16] = {[15] = 1};

	return ip->family == 4 ? ip->octets[0] == 127 : memcmp(ip->octets, one, 16) == 0;
}

/* Not 0. */
static uint64_t
network_of(const struct ip *ip)
{
	return hash_checksum(&ip->family, 1, ip->octets, ip->family == 4 ? 3 : 6) | 1;
}

static void
add_to(struct peers *peers, struct peer *peer)
{
	if (peers->n == peers->room) {
		peers->room = peers->room == 0 ? 64 : 2 * peers->room;
		peers->items = mem_grow(peers->items, peers->room, sizeof(struct peer *));
	}
	peers->items[peers->n++] = peer;
}

static void
add_ready(struct pace *pace, struct peer *peer)
{
	peer->place = READY;
	add_to(&pace->ready, peer);
}

static struct peer *
add_peer(struct pace *pace, const struct ip *address)
{
	struct peer *peer = mem_zero(1, sizeof(*peer)), **at;

	if (pace->peers_n++ == pace->slots_n)
		grow_table(pace);
	peer->address = *address;
	peer->network = network_of(address);
	at = slot(pace, address);
	peer->chain = *at;
	*at = peer;
	add_ready(pace, peer);
	return peer;
}

/* ---- the heap of those that rest ----------------------------------------------------------- */

static void
swap(struct peers *heap, size_t a, size_t b)
{
	struct peer *peer = heap->items[a];

	heap->items[a] = heap->items[b];
	heap->items[b] = peer;
}

static bool
is_before(const struct peers *heap, size_t a, size_t b)
{
	return heap->items[a]->ready_ms < heap->items[b]->ready_ms;
}

static void
add_resting(struct pace *pace, struct peer *peer)
{
	struct peers *heap = &pace->resting;
	size_t at = heap->n;

	peer->place = RESTING;
	add_to(heap, peer);
	for (; at > 0 && is_before(heap, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(heap, at, (at - 1) / 2);
}

static struct peer *
take_rested(struct pace *pace, int64_t now_ms)
{
	struct peers *heap = &pace->resting;
	struct peer *peer = heap->n > 0 ? heap->items[0] : NULL;

	if (peer == NULL || peer->ready_ms > now_ms)
		return NULL;
	heap->items[0] = heap->items[--heap->n];
	for (size_t at = 0;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < heap->n && is_before(heap, child + 1, child))
			child++;
		if (child >= heap->n || !is_before(heap, child, at))
			break;
		swap(heap, at, child);
		at = child;
	}
	return peer;
}

/* ---- the queue ----------------------------------------------------------------------------- */

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
pace_add(struct pace *pace, struct pace_item *item, const char *host)
{
	struct peer *peer = find(pace, &item->address);
	char name[LIMIT_NAME + 1];

	item->next = NULL;
	item->operator_id = 0;
	if (pace->settings.per_operator != 0) {
		operator_of_host(host, name);
		item->operator_id = hash_checksum("operator", 8, name, strlen(name)) | 1;
	}
	if (peer == NULL)
		peer = add_peer(pace, &item->address);
	*(peer->first != NULL ? &peer->last->next : &peer->first) = item;
	peer->last = item;
	pace->queued++;
}

/* Those that have rested, or have got a place: on to the ready ones, or away if nothing is queued
 * for them. */
static void
wake(struct pace *pace, int64_t now_ms)
{
	struct caps_member *member;
	struct peer *peer;

	while ((peer = take_rested(pace, now_ms)) != NULL) {
		if (peer->first != NULL)
			add_ready(pace, peer);
		else
			forget(pace, peer);
	}
	while ((member = caps_woken(pace->caps)) != NULL)
		add_ready(pace, (struct peer *)member);
}

static struct peer *
draw(struct pace *pace)
{
	struct peers *ready = &pace->ready;
	size_t at = dice_below(&pace->dice, ready->n);
	struct peer *peer;

	for (int i = 0; i < TRIES && ready->items[at]->network == pace->last_network; i++)
		at = dice_below(&pace->dice, ready->n);
	peer = ready->items[at];
	ready->items[at] = ready->items[--ready->n];
	return peer;
}

static bool
enter(struct pace *pace, struct peer *peer)
{
	bool spared = pace->settings.spare_loopback && is_loopback(&peer->address);

	peer->member.groups[CAPS_NETWORK] = spared ? 0 : peer->network;
	peer->member.groups[CAPS_OPERATOR] = spared ? 0 : peer->first->operator_id;
	return caps_enter(pace->caps, &peer->member);
}

static void
count_start(struct pace *pace, int64_t now_ms)
{
	if (pace->settings.per_second == 0)
		return;
	/* No burst after a lull, but for the width of one tick of the clock. */
	if (pace->next_start_us < now_ms * 1000 - 1000)
		pace->next_start_us = now_ms * 1000 - 1000;
	pace->next_start_us += 1000000 / pace->settings.per_second;
}

struct pace_item *
pace_next(struct pace *pace, int64_t now_ms)
{
	if (pace->settings.per_second != 0 && now_ms * 1000 < pace->next_start_us)
		return NULL;
	for (;;) {
		struct peer *peer;

		wake(pace, now_ms);
		if (pace->ready.n == 0)
			return NULL;
		peer = draw(pace);
		if (peer->first == NULL) {
			forget(pace, peer); /* pace_drop() took what it had */
		} else if (enter(pace, peer)) {
			count_start(pace, now_ms);
			peer->place = BUSY;
			pace->last_network = peer->network;
			return take_item(pace, peer);
		} else {
			peer->place = WAITING;
		}
	}
}

bool
pace_release(struct pace *pace, const struct ip *address, enum pace_end end, int64_t now_ms)
{
	struct peer *peer = find(pace, address);
	int64_t rest = pace->settings.gap_ms, back_off = pace->settings.back_off_ms;
	bool welcome;

	if (peer == NULL || peer->place != BUSY)
		return true;
	caps_leave(pace->caps, &peer->member);
	if (end == PACE_LATER) {
		back_off <<= 2 * peer->laters;
		rest = back_off > rest ? back_off : rest;
		peer->laters += peer->laters < LIMIT_BACK_OFFS;
	} else {
		peer->laters = 0;
	}
	peer->ready_ms = now_ms + rest;
	add_resting(pace, peer);
	welcome = peer->laters < LIMIT_BACK_OFFS;
	wake(pace, now_ms); /* with no gap the peer is forgotten, if nothing is queued */
	return welcome;
}

int64_t
pace_rests_until_ms(const struct pace *pace, const struct ip *address)
{
	const struct peer *peer = find(pace, address);

	return peer != NULL && peer->place == RESTING && peer->laters > 0 ? peer->ready_ms : 0;
}

int64_t
pace_wait_ms(const struct pace *pace, int64_t now_ms)
{
	int64_t wait, by_rate;

	if (pace->ready.n > 0)
		wait = 0;
	else if (pace->resting.n > 0)
		wait = pace->resting.items[0]->ready_ms - now_ms;
	else
		return -1;
	if (pace->settings.per_second != 0) {
		by_rate = (pace->next_start_us - now_ms * 1000 + 999) / 1000;
		wait = by_rate > wait ? by_rate : wait;
	}
	return wait > 0 ? wait : 0;
}

struct pace_item *
pace_drop(struct pace *pace, const struct ip *address)
{
	if (address != NULL) {
		struct peer *peer = find(pace, address);

		return peer != NULL && peer->first != NULL ? take_item(pace, peer) : NULL;
	}
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
