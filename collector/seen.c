#include "seen.h"

#include <stdint.h>
#include <stdlib.h>

#include "../store/hash.h"
#include "../store/mem.h"

struct seen {
	uint64_t *slots; /* 0: empty */
	size_t slots_n, n;
};

struct seen *
seen_create(void)
{
	struct seen *seen = mem_zero(1, sizeof(*seen));

	seen->slots_n = 1024;
	seen->slots = mem_zero(seen->slots_n, sizeof(*seen->slots));
	return seen;
}

void
seen_destroy(struct seen *seen)
{
	if (seen == NULL)
		return;
	free(seen->slots);
	free(seen);
}

static bool
insert(struct seen *seen, uint64_t sum)
{
	size_t at = sum & (seen->slots_n - 1);

	while (seen->slots[at] != 0) {
		if (seen->slots[at] == sum)
			return false;
		at = (at + 1) & (seen->slots_n - 1);
	}
	seen->slots[at] = sum;
	return true;
}

static void
grow(struct seen *seen)
{
	struct seen larger = {.slots_n = 2 * seen->slots_n};

	larger.slots = mem_zero(larger.slots_n, sizeof(*larger.slots));
	for (size_t i = 0; i < seen->slots_n; i++)
		if (seen->slots[i] != 0)
			insert(&larger, seen->slots[i]);
	free(seen->slots);
	seen->slots = larger.slots;
	seen->slots_n = larger.slots_n;
}

bool
seen_add(struct seen *seen, const void *p, size_t len)
{
	uint64_t sum = hash_checksum("seen", 4, p, len);

	if (!insert(seen, sum != 0 ? sum : 1))
		return false;
	if (++seen->n * 4 > seen->slots_n * 3)
		grow(seen);
	return true;
}

size_t
seen_len(const struct seen *seen)
{
	return seen->n;
}
