#include "shuffle.h"

#include <stdlib.h>

#include "collector/limits.h"
#include "dice.h"
#include "store/base/mem.h"

struct pool {
	struct target *targets;
	size_t n, room;
};

struct shuffle {
	struct source *source;
	struct pool named, addressed;
	struct dice dice;
	bool waits, ended;
};

struct shuffle *
shuffle_create(struct source *source)
{
	struct shuffle *shuffle = mem_zero(1, sizeof(*shuffle));

	shuffle->source = source;
	dice_init(&shuffle->dice);
	return shuffle;
}

void
shuffle_destroy(struct shuffle *shuffle)
{
	if (shuffle == NULL)
		return;
	free(shuffle->named.targets);
	free(shuffle->addressed.targets);
	free(shuffle);
}

static void
add(struct pool *pool, const struct target *target)
{
	if (pool->n == pool->room) {
		pool->room = pool->room == 0 ? 64 : 2 * pool->room;
		pool->targets = mem_grow(pool->targets, pool->room, sizeof(*pool->targets));
	}
	pool->targets[pool->n++] = *target;
}

/* Reads until the window is full, or there is nothing to read now. Bad lines and failures are
 * told as they come: 0, or what is to be told. */
static int
fill(struct shuffle *shuffle, struct err *err, enum source_result *tell)
{
	struct target target;

	while (!shuffle->waits && !shuffle->ended && shuffle->named.n < LIMIT_SHUFFLE &&
	       shuffle->addressed.n < LIMIT_SHUFFLE) {
		*tell = source_next(shuffle->source, &target, err);
		switch (*tell) {
		case SOURCE_TARGET:
			add(target.kind == TARGET_ADDRESS ? &shuffle->addressed : &shuffle->named,
			    &target);
			break;
		case SOURCE_WAIT:
			shuffle->waits = true;
			break;
		case SOURCE_END:
			shuffle->ended = true;
			break;
		case SOURCE_FAILED:
			shuffle->ended = true;
			return 1;
		case SOURCE_BAD:
			return 1;
		}
	}
	return 0;
}

enum source_result
shuffle_next(struct shuffle *shuffle, bool names, struct target *target, struct err *err)
{
	size_t n, at;
	enum source_result tell;
	struct pool *pool;

	if (fill(shuffle, err, &tell) != 0)
		return tell;
	n = shuffle->addressed.n + (names ? shuffle->named.n : 0);
	if (n == 0)
		return shuffle->ended && shuffle->named.n == 0 ? SOURCE_END : SOURCE_WAIT;
	at = dice_below(&shuffle->dice, n);
	pool = at < shuffle->addressed.n ? &shuffle->addressed : &shuffle->named;
	at -= pool == &shuffle->named ? shuffle->addressed.n : 0;
	*target = pool->targets[at];
	pool->targets[at] = pool->targets[--pool->n];
	return SOURCE_TARGET;
}

void
shuffle_ready(struct shuffle *shuffle)
{
	shuffle->waits = false;
}

size_t
shuffle_held(const struct shuffle *shuffle)
{
	return shuffle->named.n + shuffle->addressed.n;
}

bool
shuffle_ended(const struct shuffle *shuffle)
{
	return shuffle->ended;
}
