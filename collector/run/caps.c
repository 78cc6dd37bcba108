#include "caps.h"

#include <stddef.h>
#include <stdlib.h>

#include "store/base/mem.h"

#define SLOTS 4096

struct queue {
	struct caps_member *first, *last;
};

/* Exists while somebody is in it, waits for it, or was woken by it and has not come yet. */
struct caps_group {
	struct caps_group *chain;
	enum caps_kind kind;
	uint64_t number;
	unsigned within, woken;
	struct queue waiting;
};

struct caps {
	unsigned most[CAPS_N];
	struct queue woken;
	struct caps_group *slots[SLOTS];
};

static void
append(struct queue *queue, struct caps_member *member)
{
	member->next = NULL;
	*(queue->first != NULL ? &queue->last->next : &queue->first) = member;
	queue->last = member;
}

static struct caps_member *
take_first(struct queue *queue)
{
	struct caps_member *member = queue->first;

	if (member != NULL)
		queue->first = member->next;
	return member;
}

struct caps *
caps_create(const unsigned most[CAPS_N])
{
	struct caps *caps = mem_zero(1, sizeof(*caps));

	for (unsigned kind = 0; kind < CAPS_N; kind++)
		caps->most[kind] = most[kind];
	return caps;
}

void
caps_destroy(struct caps *caps)
{
	if (caps == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		struct caps_group *next;

		for (struct caps_group *g = caps->slots[i]; g != NULL; g = next) {
			next = g->chain;
			free(g);
		}
	}
	free(caps);
}

static struct caps_group **
slot(struct caps *caps, uint64_t number)
{
	return &caps->slots[(number ^ number >> 32) % SLOTS];
}

/* NULL where there is no bound. */
static struct caps_group *
group_of(struct caps *caps, enum caps_kind kind, const struct caps_member *member)
{
	uint64_t number = member->groups[kind];
	struct caps_group **at = slot(caps, number), *g = *at;

	if (number == 0 || caps->most[kind] == 0)
		return NULL;
	while (g != NULL && (g->kind != kind || g->number != number))
		g = g->chain;
	if (g == NULL) {
		g = mem_zero(1, sizeof(*g));
		g->kind = kind;
		g->number = number;
		g->chain = *at;
		*at = g;
	}
	return g;
}

static void
forget_if_empty(struct caps *caps, struct caps_group *group)
{
	struct caps_group **at = slot(caps, group->number);

	if (group->within > 0 || group->woken > 0 || group->waiting.first != NULL)
		return;
	while (*at != group)
		at = &(*at)->chain;
	*at = group->chain;
	free(group);
}

/* As many as there are places that nobody was woken for. */
static void
wake(struct caps *caps, struct caps_group *group)
{
	while (group->within + group->woken < caps->most[group->kind] &&
	       group->waiting.first != NULL) {
		struct caps_member *member = take_first(&group->waiting);

		member->woken_by = group;
		group->woken++;
		append(&caps->woken, member);
	}
	forget_if_empty(caps, group);
}

struct caps_member *
caps_woken(struct caps *caps)
{
	return take_first(&caps->woken);
}

void
caps_decline(struct caps *caps, struct caps_member *member)
{
	struct caps_group *group = member->woken_by;

	if (group == NULL)
		return;
	member->woken_by = NULL;
	group->woken--;
	wake(caps, group);
}

bool
caps_enter(struct caps *caps, struct caps_member *member)
{
	struct caps_group *groups[CAPS_N], *by = member->woken_by;

	if (by != NULL)
		by->woken--;
	member->woken_by = NULL;
	for (unsigned kind = 0; kind < CAPS_N; kind++) {
		groups[kind] = group_of(caps, kind, member);
		if (groups[kind] == NULL || groups[kind]->within < caps->most[kind])
			continue;
		append(&groups[kind]->waiting, member);
		for (unsigned i = 0; i < kind; i++)
			if (groups[i] != NULL && groups[i] != by)
				forget_if_empty(caps, groups[i]);
		if (by != NULL)
			wake(caps, by);
		return false;
	}
	for (unsigned kind = 0; kind < CAPS_N; kind++)
		if (groups[kind] != NULL)
			groups[kind]->within++;
	/* Its groups may be others by now than the one that woke it. */
	if (by != NULL)
		wake(caps, by);
	return true;
}

void
caps_leave(struct caps *caps, struct caps_member *member)
{
	for (unsigned kind = 0; kind < CAPS_N; kind++) {
		struct caps_group *group = group_of(caps, kind, member);

		if (group == NULL)
			continue;
		group->within--;
		wake(caps, group);
	}
}
