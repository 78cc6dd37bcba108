/*
 * value: what a field of the table holds, in one shape for comparison, text and JSON. A value is
 * a small tree. It is built in an arena and never changed after; nothing in it is freed by itself.
 *
 * Texts are UTF-8 where the standard says what they are; control characters are still in them:
 * renderers escape (store/text.h).
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
	bool is_set; /* a list whose order says nothing: compared and diffed as a set */
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

bool value_equal(const struct value *a, const struct value *b);

/* Member `name` of an object; NULL if it is none, or has none such. */
const struct value *value_member(const struct value *object, const char *name);

/* The arena: memory that is freed at once. Zero-initialise; arena_finish(). */
struct arena {
	struct arena_block *blocks;
};
void *arena_alloc(struct arena *arena, size_t len) __attribute__((returns_nonnull));
char *arena_text(struct arena *arena, const void *p, size_t len); /* copies, adds a NUL */
void arena_finish(struct arena *arena);

#endif
