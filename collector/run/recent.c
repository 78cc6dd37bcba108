#include "recent.h"

#include <stdlib.h>

#include "collector/limits.h"
#include "store/base/hash.h"
#include "store/base/mem.h"

#define SLOTS_FIRST 256

/* Open addressing; a sum of 0 is an empty slot. */
struct table {
	uint64_t *sums;
	uint32_t *numbers;
	size_t slots_n, n;
};

struct recent {
	struct table younger, older;
};

static void
table_init(struct table *table, size_t slots_n)
{
	table->slots_n = slots_n;
	table->n = 0;
	table->sums = mem_zero(slots_n, sizeof(*table->sums));
	table->numbers = mem_zero(slots_n, sizeof(*table->numbers));
}

static void
table_finish(struct table *table)
{
	free(table->sums);
	free(table->numbers);
	*table = (struct table){0};
}

/* Where it stands, or the empty slot where it would. */
static size_t
find(const struct table *table, uint64_t sum)
{
	size_t at = sum & (table->slots_n - 1);

	while (table->sums[at] != 0 && table->sums[at] != sum)
		at = (at + 1) & (table->slots_n - 1);
	return at;
}

static void
grow(struct table *table)
{
	struct table larger;

	table_init(&larger, 2 * table->slots_n);
	for (size_t i = 0; i < table->slots_n; i++) {
		size_t at;

		if (table->sums[i] == 0)
			continue;
		at = find(&larger, table->sums[i]);
		larger.sums[at] = table->sums[i];
		larger.numbers[at] = table->numbers[i];
		larger.n++;
	}
	table_finish(table);
	*table = larger;
}

/* Room for one more at most three quarters full. */
static void
make_room(struct recent *recent)
{
	struct table *younger = &recent->younger;

	if (younger->n == LIMIT_RECENT) {
		table_finish(&recent->older);
		recent->older = *younger;
		table_init(younger, SLOTS_FIRST);
	} else if ((younger->n + 1) * 4 > younger->slots_n * 3) {
		grow(younger);
	}
}

struct recent *
recent_create(void)
{
	struct recent *recent = mem_zero(1, sizeof(*recent));

	table_init(&recent->younger, SLOTS_FIRST);
	return recent;
}

void
recent_destroy(struct recent *recent)
{
	if (recent == NULL)
		return;
	table_finish(&recent->younger);
	table_finish(&recent->older);
	free(recent);
}

uint32_t *
recent_at(struct recent *recent, const void *p, size_t len, bool *fresh)
{
	uint64_t sum = hash_checksum("recent", 6, p, len);
	size_t at, older;

	sum += sum == 0;
	at = find(&recent->younger, sum);
	if (fresh != NULL)
		*fresh = false;
	if (recent->younger.sums[at] == sum)
		return &recent->younger.numbers[at];
	make_room(recent);
	at = find(&recent->younger, sum);
	recent->younger.sums[at] = sum;
	recent->younger.n++;
	if (recent->older.slots_n > 0) {
		older = find(&recent->older, sum);
		if (recent->older.sums[older] == sum) {
			recent->younger.numbers[at] = recent->older.numbers[older];
			return &recent->younger.numbers[at];
		}
	}
	if (fresh != NULL)
		*fresh = true;
	return &recent->younger.numbers[at];
}

bool
recent_add(struct recent *recent, const void *p, size_t len)
{
	bool fresh;

	recent_at(recent, p, len, &fresh);
	return fresh;
}
