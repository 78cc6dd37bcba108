#include <stdlib.h>
#include <string.h>

#include "rollout_parts.h"
#include "store/base/mem.h"

/* What changes must share to be linked. */
enum key { KEY_NEW_STATE, KEY_FIELDS, KEY_UNDONE, KEY_N };

uint8_t
rollout_direction(const struct change *c)
{
	return (uint8_t)((uint8_t)rollout_has_class(c, CLASS_ROLLED_BACK) |
			 (uint8_t)rollout_has_class(c, CLASS_GONE) << 1 |
			 (uint8_t)(c->event.kind == LIFETIME_BACK) << 2);
}

static struct hash
key_of(const struct rollouts *r, const struct rollout_item *item, enum key key)
{
	static const struct hash presence;
	const struct states *states = changes_history(r->changes)->states;
	const struct rollout_series *series = &r->series[item->series_at];
	const struct change *c = &item->change;
	const struct hash *what = &c->fields;
	struct buf bytes = {0};
	struct hash hash;

	/* How a probe failed, and what came back, does not tell outages apart. */
	if (key == KEY_NEW_STATE)
		what = rollout_is_presence(c) ? &presence
					      : &states_get(states, c->event.new.state)->id;
	else if (key == KEY_UNDONE)
		what = &states_get(states, c->event.old.state)->id;
	buf_append(&bytes, what->bytes, HASH_LEN);
	buf_append_u64be(&bytes, rollout_bucket(series));
	buf_append_byte(&bytes, rollout_direction(c));
	hash = hash_sha256(bytes.data, bytes.len);
	buf_finish(&bytes);
	return hash;
}

/* ---- union-find -------------------------------------------------------------------------- */

static size_t
find_root(struct rollout_item *items, size_t at)
{
	while (items[at].parent != at) {
		items[at].parent = items[items[at].parent].parent;
		at = items[at].parent;
	}
	return at;
}

static void
join(struct rollouts *r, size_t earlier, size_t later)
{
	if (r->items[later].change.before_ms - r->items[earlier].change.before_ms <= r->gap_ms)
		r->items[find_root(r->items, later)].parent = find_root(r->items, earlier);
}

struct sort_key {
	struct hash key;
	int64_t before_ms;
	size_t at;
};

static int
by_key(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	int order = hash_compare(&x->key, &y->key);

	if (order != 0)
		return order;
	if (x->before_ms != y->before_ms)
		return x->before_ms < y->before_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Joins each to the newest before it with the same key and, of KEY_NEW_STATE, a class in common
 * (or none at all). */
static void
link_equal(struct rollouts *r, struct sort_key *keys, enum key key)
{
	size_t last[CLASS_N + 1], n = 0; /* with each class, or with none: the newest so far */

	for (size_t i = 0; i < r->items_n; i++) {
		const struct change *c = &r->items[i].change;

		if (key == KEY_UNDONE &&
		    (!rollout_has_class(c, CLASS_ROLLED_BACK) || rollout_is_presence(c)))
			continue;
		keys[n++] = (struct sort_key){key_of(r, &r->items[i], key), c->before_ms, i};
	}
	if (n > 0)
		qsort(keys, n, sizeof(*keys), by_key);
	for (size_t i = 0; i < n; i++) {
		size_t at = keys[i].at;
		unsigned classes = key == KEY_NEW_STATE ? r->items[at].change.classes : 0;

		if (i == 0 || hash_compare(&keys[i - 1].key, &keys[i].key) != 0)
			memset(last, 0xff, sizeof(last));
		for (unsigned c = 0; c <= CLASS_N; c++) {
			if (c < CLASS_N ? (classes & 1u << c) == 0 : classes != 0)
				continue;
			if (last[c] != SIZE_MAX)
				join(r, last[c], at);
			last[c] = at;
		}
	}
}

/* ---- renewals ---------------------------------------------------------------------------- */

struct renewal {
	uint64_t bucket;
	uint32_t old;
	size_t at;
};

static int
by_old(const void *a, const void *b)
{
	const struct renewal *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	if (x->old != y->old)
		return x->old < y->old ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool
to_other_leaves(const struct rollouts *r, size_t a, size_t b)
{
	const struct rollout_item *x = &r->items[a], *y = &r->items[b];

	return x->change.event.new.state != y->change.event.new.state &&
	       !rollout_same_place(&r->series[x->series_at], &r->series[y->series_at]);
}

/* "Renewals to different leaves are none": marks those that leave one state for several leaves. */
static void
mark_own_leaves(struct rollouts *r)
{
	struct renewal *list = mem_zero(r->items_n, sizeof(*list));
	size_t n = 0, end;

	for (size_t i = 0; i < r->items_n; i++)
		if (rollout_has_class(&r->items[i].change, CLASS_RENEWAL))
			list[n++] =
			    (struct renewal){rollout_bucket(&r->series[r->items[i].series_at]),
				r->items[i].change.event.old.state, i};
	if (n > 0)
		qsort(list, n, sizeof(*list), by_old);
	for (size_t begin = 0; begin < n; begin = end) {
		bool several = false;

		for (end = begin; end < n && list[end].bucket == list[begin].bucket &&
				  list[end].old == list[begin].old;
		     end++)
			several |= to_other_leaves(r, list[begin].at, list[end].at);
		for (size_t i = begin; several && i < end; i++)
			r->items[list[i].at].own_leaf = true;
	}
	free(list);
}

/* ---- parts ------------------------------------------------------------------------------- */

/* When a change was taken back: the next of its series that leads to where it came from. */
static int64_t
find_left(const struct rollouts *r, size_t at)
{
	const struct rollout_item *item = &r->items[at];
	bool presence = rollout_is_presence(&item->change);

	for (size_t i = at + 1; i < r->items_n && r->items[i].series_at == item->series_at; i++) {
		const struct change *next = &r->items[i].change;

		if (presence)
			return rollout_is_presence(next) ? next->before_ms : INT64_MAX;
		if (rollout_is_presence(next))
			continue;
		return next->event.new.state == item->change.event.old.state ? next->before_ms
									     : INT64_MAX;
	}
	return INT64_MAX;
}

struct leave {
	int64_t time_ms;
	size_t at; /* in r->at */
};

static int
by_time(const void *a, const void *b)
{
	const struct leave *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void
add_part(struct rollouts *r, size_t begin, size_t end)
{
	r->parts = rollout_push(r->parts, &r->parts_n, &r->parts_cap, sizeof(*r->parts));
	r->parts[r->parts_n - 1] = (struct rollout_part){.begin = begin,
	    .end = end,
	    .bucket = rollout_bucket(&r->series[r->items[r->at[begin]].series_at])};
}

/* Of the linked items at[begin..end), in order of time: where a series comes again and most were
 * taken back, a new part begins; else it is left out. */
static void
cut_parts(struct rollouts *r, size_t begin, size_t end, struct leave *leaves)
{
	size_t n = 0, next = 0, members = 0, left = 0, kept = begin;

	for (size_t i = begin; i < end; i++)
		if (r->items[r->at[i]].left_ms != INT64_MAX)
			leaves[n++] = (struct leave){r->items[r->at[i]].left_ms, r->at[i]};
	if (n > 0)
		qsort(leaves, n, sizeof(*leaves), by_time);
	r->cuts++;
	for (size_t i = begin; i < end; i++) {
		const struct rollout_item *item = &r->items[r->at[i]];
		struct rollout_series *series = &r->series[item->series_at];
		bool again = series->cut == r->cuts;

		for (; next < n && leaves[next].time_ms <= item->change.before_ms; next++)
			left += r->series[r->items[leaves[next].at].series_at].cut == r->cuts;
		if (again && 2 * left > members) {
			add_part(r, begin, kept);
			begin = kept;
			members = left = 0;
			r->cuts++;
			again = false;
		}
		if (again) {
			left -= left > 0; /* it is converted again */
			continue;
		}
		series->cut = r->cuts;
		members++;
		r->at[kept++] = r->at[i];
	}
	add_part(r, begin, kept);
}

struct linked {
	size_t root, at;
	int64_t before_ms, after_ms;
};

static int
by_root(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	if (x->before_ms != y->before_ms)
		return x->before_ms < y->before_ms ? -1 : 1;
	if (x->after_ms != y->after_ms)
		return x->after_ms < y->after_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void
make_parts(struct rollouts *r)
{
	struct linked *linked = mem_zero(r->items_n, sizeof(*linked));
	struct leave *leaves = mem_zero(r->items_n, sizeof(*leaves));
	size_t begin = 0;

	for (size_t i = 0; i < r->items_n; i++)
		linked[i] = (struct linked){find_root(r->items, i), i, r->items[i].change.before_ms,
		    r->items[i].change.after_ms};
	qsort(linked, r->items_n, sizeof(*linked), by_root);
	for (size_t i = 0; i < r->items_n; i++)
		r->at[i] = linked[i].at;
	for (size_t i = 1; i <= r->items_n; i++) {
		if (i < r->items_n && linked[i].root == linked[begin].root)
			continue;
		cut_parts(r, begin, i, leaves);
		begin = i;
	}
	free(linked);
	free(leaves);
}

/* ---- crowds ------------------------------------------------------------------------------ */

struct departure {
	uint64_t bucket;
	uint32_t old;
	size_t part;
};

static int
by_departure(const void *a, const void *b)
{
	const struct departure *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	if (x->old != y->old)
		return x->old < y->old ? -1 : 1;
	return x->part < y->part ? -1 : x->part > y->part;
}

/* No state has this number: it stands for several in one part. */
#define SEVERAL UINT32_MAX

/* Marks the parts that leave a state which more than ROLLOUT_CROWD parts leave, or several states,
 * as more than so many of the bucket do. */
static void
mark_crowds(struct rollouts *r)
{
	struct departure *list = mem_zero(r->items_n + r->parts_n, sizeof(*list));
	size_t n = 0, end;

	for (size_t i = 0; i < r->parts_n; i++) {
		const struct rollout_part *part = &r->parts[i];
		uint32_t first = r->items[r->at[part->begin]].change.event.old.state;
		bool several = false;

		for (size_t j = part->begin; j < part->end; j++) {
			uint32_t old = r->items[r->at[j]].change.event.old.state;

			list[n++] = (struct departure){part->bucket, old, i};
			several |= old != first;
		}
		if (several)
			list[n++] = (struct departure){part->bucket, SEVERAL, i};
	}
	qsort(list, n, sizeof(*list), by_departure);
	for (size_t begin = 0; begin < n; begin = end) {
		size_t parts = 0;

		for (end = begin; end < n && list[end].bucket == list[begin].bucket &&
				  list[end].old == list[begin].old;
		     end++)
			parts += end == begin || list[end].part != list[end - 1].part;
		for (size_t i = begin; parts > ROLLOUT_CROWD && i < end; i++)
			r->parts[list[i].part].crowded = true;
	}
	free(list);
}

void
rollout_link(struct rollouts *r)
{
	struct sort_key *keys = mem_zero(r->items_n, sizeof(*keys));

	r->at = mem_grow(r->at, r->items_n, sizeof(*r->at));
	r->parts_n = 0;
	mark_own_leaves(r);
	for (enum key key = 0; key < KEY_N; key++)
		link_equal(r, keys, key);
	free(keys);
	for (size_t i = 0; i < r->items_n; i++)
		r->items[i].left_ms = find_left(r, i);
	make_parts(r);
	mark_crowds(r);
}
