#include "value.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define BLOCK_LEAST 4096
#define BLOCK_MOST (256 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	max_align_t data[];
};

void *
arena_alloc(struct arena *arena, size_t len)
{
	struct arena_block *block = arena->blocks;
	void *p;

	len = (len + 15) & ~(size_t)15;
	if (block == NULL || block->cap - block->used < len) {
		size_t cap = block == NULL ? BLOCK_LEAST : 2 * block->cap;

		if (cap > BLOCK_MOST)
			cap = BLOCK_MOST;
		if (cap < len)
			cap = len;
		block = mem_alloc(sizeof(*block) + cap);
		block->next = arena->blocks;
		block->used = 0;
		block->cap = cap;
		arena->blocks = block;
	}
	p = (char *)block->data + block->used;
	block->used += len;
	return p;
}

char *
arena_text(struct arena *arena, const void *p, size_t len)
{
	char *text = arena_alloc(arena, len + 1);

	if (len > 0)
		memcpy(text, p, len);
	text[len] = '\0';
	return text;
}

void
arena_clear(struct arena *arena)
{
	struct arena_block *kept = arena->blocks;

	if (kept == NULL)
		return;
	arena->blocks = kept->next;
	arena_finish(arena);
	kept->next = NULL;
	kept->used = 0;
	arena->blocks = kept;
}

void
arena_finish(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
}

/* ---- building ---------------------------------------------------------------------------- */

static const struct value null_value = {.kind = VALUE_NULL};

const struct value *
value_null(void)
{
	return &null_value;
}

static struct value *
value_new(struct arena *arena, enum value_kind kind)
{
	struct value *v;

	if (arena == NULL)
		return (struct value *)(uintptr_t)&null_value; /* nobody writes to it */
	v = arena_alloc(arena, sizeof(*v));
	*v = (struct value){.kind = kind};
	return v;
}

struct value *
value_bool(struct arena *arena, bool truth)
{
	struct value *v = value_new(arena, VALUE_BOOL);

	if (arena != NULL)
		v->truth = truth;
	return v;
}

struct value *
value_number(struct arena *arena, int64_t number)
{
	struct value *v = value_new(arena, VALUE_NUMBER);

	if (arena != NULL)
		v->number = number;
	return v;
}

struct value *
value_time(struct arena *arena, int64_t time_ms)
{
	struct value *v = value_new(arena, VALUE_TIME);

	if (arena != NULL)
		v->number = time_ms;
	return v;
}

struct value *
value_text_len(struct arena *arena, const void *text, size_t len)
{
	struct value *v = value_new(arena, VALUE_TEXT);

	if (arena != NULL) {
		v->text = arena_text(arena, text, len);
		v->len = len;
	}
	return v;
}

struct value *
value_text(struct arena *arena, const char *text)
{
	if (text == NULL)
		return value_new(arena, VALUE_NULL);
	return value_text_len(arena, text, strlen(text));
}

struct value *
value_text_static(struct arena *arena, const char *text)
{
	struct value *v = value_new(arena, VALUE_TEXT);

	if (arena != NULL) {
		v->text = text;
		v->len = strlen(text);
	}
	return v;
}

struct value *
value_hex(struct arena *arena, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	struct value *v = value_new(arena, VALUE_TEXT);
	const uint8_t *p = bytes;
	char *text;

	if (arena == NULL)
		return v;
	text = arena_alloc(arena, 2 * len + 1);
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	text[2 * len] = '\0';
	v->text = text;
	v->len = 2 * len;
	return v;
}

struct value *
value_malformed(struct arena *arena, const char *why)
{
	struct value *v = value_text(arena, why);

	if (arena != NULL)
		v->kind = VALUE_MALFORMED;
	return v;
}

void
value_add_member(struct value_builder *b, const char *name, const struct value *item)
{
	if (b->arena == NULL)
		return;
	if (b->n == b->cap) {
		size_t cap = b->cap == 0 ? 8 : 2 * b->cap;
		struct value *items = arena_alloc(b->arena, cap * sizeof(*items));

		if (b->n > 0)
			memcpy(items, b->items, b->n * sizeof(*items));
		b->items = items;
		b->cap = cap;
	}
	b->items[b->n] = *item;
	b->items[b->n++].name = name;
}

void
value_add(struct value_builder *b, const struct value *item)
{
	value_add_member(b, NULL, item);
}

static struct value *
finish(struct value_builder *b, enum value_kind kind)
{
	struct value *v = value_new(b->arena, kind);

	if (b->arena != NULL) {
		v->items = b->items;
		v->n = b->n;
	}
	return v;
}

struct value *
value_list(struct value_builder *b)
{
	return finish(b, VALUE_LIST);
}

struct value *
value_set(struct value_builder *b)
{
	struct value *v = finish(b, VALUE_LIST);

	if (b->arena != NULL)
		v->is_set = true;
	return v;
}

struct value *
value_object(struct value_builder *b)
{
	return finish(b, VALUE_OBJECT);
}

/* ---- comparison -------------------------------------------------------------------------- */

static int
compare_number(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* A total order, so that sets can be compared sorted; names of members count. */
static int
value_compare(const struct value *a, const struct value *b)
{
	int c;

	if (a->kind != b->kind)
		return compare_number(a->kind, b->kind);
	switch (a->kind) {
	case VALUE_NULL:
		return 0;
	case VALUE_BOOL:
		return compare_number(a->truth, b->truth);
	case VALUE_NUMBER:
	case VALUE_TIME:
		return compare_number(a->number, b->number);
	case VALUE_TEXT:
	case VALUE_MALFORMED:
		c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
		return c != 0 ? c : compare_number((int64_t)a->len, (int64_t)b->len);
	case VALUE_LIST:
	case VALUE_OBJECT:
		if (a->n != b->n)
			return compare_number((int64_t)a->n, (int64_t)b->n);
		for (size_t i = 0; i < a->n; i++) {
			if (a->kind == VALUE_OBJECT &&
			    (c = strcmp(a->items[i].name, b->items[i].name)) != 0)
				return c;
			if ((c = value_compare(&a->items[i], &b->items[i])) != 0)
				return c;
		}
		return 0;
	}
	return 0;
}

static int
compare_pointed(const void *a, const void *b)
{
	return value_compare(*(const struct value *const *)a, *(const struct value *const *)b);
}

static const struct value **
sorted(const struct value *list)
{
	const struct value **p = mem_alloc(list->n * sizeof(const struct value *));

	for (size_t i = 0; i < list->n; i++)
		p[i] = &list->items[i];
	qsort(p, list->n, sizeof(const struct value *), compare_pointed);
	return p;
}

size_t
value_list_missing(const struct value *a, const struct value *b, bool *missing)
{
	const struct value **left = sorted(a), **right = sorted(b);
	size_t i = 0, j = 0, n = 0;

	while (i < a->n) {
		int c = j < b->n ? value_compare(left[i], right[j]) : -1;

		if (c > 0) {
			j++;
			continue;
		}
		missing[left[i] - a->items] = c < 0;
		n += c < 0;
		i++;
		j += c == 0;
	}
	free(left);
	free(right);
	return n;
}

static bool
set_equal(const struct value *a, const struct value *b)
{
	bool *missing, equal;

	if (a->n != b->n)
		return false;
	missing = mem_zero(a->n, sizeof(bool));
	equal = value_list_missing(a, b, missing) == 0;
	free(missing);
	return equal;
}

bool
value_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == VALUE_LIST || a->kind == VALUE_OBJECT) {
		if (a->n != b->n)
			return false;
		for (size_t i = 0; i < a->n; i++) {
			const struct value *other = &b->items[i];

			if (a->kind == VALUE_OBJECT)
				other = value_member(b, a->items[i].name);
			if (other == NULL || !value_equal(&a->items[i], other))
				return a->is_set && b->is_set && set_equal(a, b);
		}
		return true;
	}
	return value_compare(a, b) == 0;
}

const struct value *
value_member(const struct value *object, const char *name)
{
	if (object->kind != VALUE_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->n; i++) {
		if (strcmp(object->items[i].name, name) == 0)
			return &object->items[i];
	}
	return NULL;
}

static void
copy_into(struct arena *arena, struct value *to, const struct value *from)
{
	*to = *from;
	if (from->name != NULL)
		to->name = arena_text(arena, from->name, strlen(from->name));
	switch (from->kind) {
	case VALUE_TEXT:
	case VALUE_MALFORMED:
		to->text = arena_text(arena, from->text, from->len);
		break;
	case VALUE_LIST:
	case VALUE_OBJECT: {
		struct value *items = arena_alloc(arena, from->n * sizeof(*items));

		for (size_t i = 0; i < from->n; i++)
			copy_into(arena, &items[i], &from->items[i]);
		to->items = items;
		break;
	}
	default:
		break;
	}
}

struct value *
value_copy(struct arena *arena, const struct value *v)
{
	struct value *copy = arena_alloc(arena, sizeof(*copy));

	copy_into(arena, copy, v);
	return copy;
}
