#include "fingerprints.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

struct slot {
	uint8_t sha1[HASH_SHA1_LEN];
	bool used;
	struct hash name;
};

/* Open addressing, at most three quarters full; a power of two. */
struct fingerprints {
	struct slot *slots;
	size_t cap, n;
};

struct fingerprints *
fingerprints_create(void)
{
	struct fingerprints *f = mem_zero(1, sizeof(*f));

	f->cap = 1024;
	f->slots = mem_zero(f->cap, sizeof(*f->slots));
	return f;
}

void
fingerprints_destroy(struct fingerprints *f)
{
	if (f == NULL)
		return;
	free(f->slots);
	free(f);
}

/* Its slot, or the free one where it belongs. */
static struct slot *
find(const struct fingerprints *f, const uint8_t sha1[HASH_SHA1_LEN])
{
	size_t at = (size_t)hash_checksum("", 0, sha1, HASH_SHA1_LEN);

	for (;; at++) {
		struct slot *slot = &f->slots[at & (f->cap - 1)];

		if (!slot->used || memcmp(slot->sha1, sha1, HASH_SHA1_LEN) == 0)
			return slot;
	}
}

static void
grow(struct fingerprints *f)
{
	struct fingerprints bigger = {.cap = 2 * f->cap, .n = f->n};

	bigger.slots = mem_zero(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < f->cap; i++)
		if (f->slots[i].used)
			*find(&bigger, f->slots[i].sha1) = f->slots[i];
	free(f->slots);
	*f = bigger;
}

void
fingerprints_add(struct fingerprints *f, const uint8_t sha1[HASH_SHA1_LEN], const struct hash *name)
{
	struct slot *slot;

	if (4 * f->n >= 3 * f->cap)
		grow(f);
	slot = find(f, sha1);
	if (slot->used)
		return;
	slot->used = true;
	memcpy(slot->sha1, sha1, HASH_SHA1_LEN);
	slot->name = *name;
	f->n++;
}

const struct hash *
fingerprints_find(const struct fingerprints *f, const uint8_t sha1[HASH_SHA1_LEN])
{
	const struct slot *slot = find(f, sha1);

	return slot->used ? &slot->name : NULL;
}
