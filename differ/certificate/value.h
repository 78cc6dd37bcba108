/*
 * value: what a field of the table holds, in one shape for comparison, text and JSON. A value is
 * a small tree. It is built in an arena and never changed after; nothing in it is freed by itself.
 *
 * Texts are UTF-8 where the standard says what they are; control characters are still in them:
 * renderers escape (store/base/text.h).
 *
 * The constructors below take an arena of NULL, and then build nothing and return value_null():
 * a reader can so be run for its faults alone.
 */
#ifndef MX509_VALUE_H
#define MX509_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
	VALUE_NULL,	 /* not there */
	VALUE_MALFORMED, /* there, but cannot be read; text says why */
	VALUE_BOOL,
	VALUE_NUMBER,
	VALUE_TEXT,
	VALUE_TIME,   /* milliseconds; rendered without them */
	VALUE_LIST,   /* of values, in order */
	VALUE_OBJECT, /* of named values, in order */
};

struct value {
	enum value_kind kind;
	bool is_set;	  /* a list whose order says nothing: compared and diffed as a set */
	const char *name; /* of a member of an object */
	union {
		bool truth;
		int64_t number; /* VALUE_NUMBER, VALUE_TIME */
		struct {
			const char *text;
			size_t len;
		};
		struct {
			const struct value *items;
			size_t n;
		};
	};
};

/* Names of members are not compared, only members by name. A set equals another with the same
 * members, counted: order apart, a doubled member is a difference. */
bool value_equal(const struct value *a, const struct value *b);

/* Member `name` of an object; NULL if it is none, or has none such. */
const struct value *value_member(const struct value *object, const char *name);

/*
 * Which members of a have no partner in b, as 1 in missing[i]; both are lists, missing holds a->n.
 * Takes time n log n: what a certificate lists may be long. Returns their number.
 */
size_t value_list_missing(const struct value *a, const struct value *b, bool *missing);

/* The arena: memory that is freed at once. Zero-initialise; arena_finish(). */
struct arena_block;
struct arena {
	struct arena_block *blocks;
};
void *arena_alloc(struct arena *arena, size_t len) __attribute__((returns_nonnull));
char *arena_text(struct arena *arena, const void *p, size_t len); /* copies, adds a NUL */
/* What it holds is forgotten; some of its memory is kept for what comes next. */
void arena_clear(struct arena *arena);
void arena_finish(struct arena *arena);

/* ---- building: all memory is the arena's -------------------------------------------------- */

const struct value *value_null(void);
struct value *value_bool(struct arena *arena, bool truth);
struct value *value_number(struct arena *arena, int64_t number);
struct value *value_time(struct arena *arena, int64_t time_ms);
struct value *value_text(struct arena *arena, const char *text); /* copied; NULL: VALUE_NULL */
struct value *value_text_len(struct arena *arena, const void *text, size_t len); /* copied */
/* The text is not copied: it must live as long as the arena. */
struct value *value_text_static(struct arena *arena, const char *text);
struct value *value_hex(struct arena *arena, const void *p, size_t len); /* lower-case */
struct value *value_malformed(struct arena *arena, const char *why);	 /* copied */

/*
 * Lists and objects are built by appending; the builder is the caller's, the members are copied
 * into it (shallowly), and the finished value is the arena's.
 *
 *	struct value_builder b = {.arena = arena};
 *	value_add(&b, value_text(arena, "one"));
 *	return value_list(&b);
 */
struct value_builder {
	struct arena *arena;
	struct value *items;
	size_t n, cap;
};
void value_add(struct value_builder *b, const struct value *item);
/* `name` is not copied: a literal, or of the arena. */
void value_add_member(struct value_builder *b, const char *name, const struct value *item);
struct value *value_list(struct value_builder *b);
struct value *value_set(struct value_builder *b);
struct value *value_object(struct value_builder *b);

/* A deep copy, so that a value outlives the arena that it came from. */
struct value *value_copy(struct arena *arena, const struct value *v);

#endif
