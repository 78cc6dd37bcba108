/*
 * json_tree: a line of JSON as a tree, and its members by name: the only user of jansson in the
 * store. The line comes from a stranger: limits.h bounds its length and how many values it holds,
 * jansson its depth (2,048) and its numbers (64 bits); a name that stands twice in an object is
 * refused.
 *
 * Ownership: texts are borrowed from the tree. An error is ERR_INPUT and names the member. A
 * member that is absent is null.
 */
#ifndef MX509_JSON_TREE_H
#define MX509_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence.h"
#include "store/base/err.h"

struct json_t; /* jansson's: nobody else looks inside */

/* NULL if it is no JSON. with_nul: a text may hold NULs (\u0000), which json_tree_text() refuses.
 */
struct json_t *json_tree_load(const char *line, size_t len, bool with_nul, struct err *err);
void json_tree_free(struct json_t *root); /* accepts NULL */

/* NULL: null, absent, or o is no object (or NULL itself), so that a path may be followed blindly.
 */
const struct json_t *json_tree_member(const struct json_t *o, const char *name);
bool json_tree_is_object(const struct json_t *v); /* of NULL: false */

/* Members of an object one by one: NULL begins, NULL ends. */
const char *json_tree_next(const struct json_t *o, const char *name);

/* The elements of a list; none where it is no list. */
size_t json_tree_len(const struct json_t *list);
const struct json_t *json_tree_at(const struct json_t *list, size_t i);

/* NULL if it is no text (or NULL). */
const char *json_tree_octets(const struct json_t *v, size_t *len);

/* *text is NULL where the member is null. */
int json_tree_text(const struct json_t *o, const char *name, const char **text, struct err *err);
int json_tree_need_text(
    const struct json_t *o, const char *name, const char **text, struct err *err);

/* *v is left alone where the member is null. */
int json_tree_number(const struct json_t *o, const char *name, int64_t least, int64_t most,
    int64_t *v, struct err *err);
int json_tree_tristate(const struct json_t *o, const char *name, enum tristate *v, struct err *err);

/* A list of texts; *texts is allocated (free()), or left alone where the member is null. */
int json_tree_texts(const struct json_t *o, const char *name, size_t most, const char ***texts,
    size_t *n, struct err *err);

/* ERR_INPUT: "member "name": what", and the same with a value that came from the file. */
int json_tree_wrong(struct err *err, const char *name, const char *what);
int json_tree_wrong_value(struct err *err, const char *name, const char *what, const char *value);

#endif
