#include "json_tree.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/buf.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/text.h"

/* Whether there are few enough of what separates and opens values, outside of texts: a line of
 * nothing but empty objects would take a hundred times its length in memory. */
static bool
is_moderate(const char *line, size_t len)
{
	size_t values = 0;
	bool in_text = false;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '"')
			in_text = !in_text;
		else if (in_text)
			i += line[i] == '\\';
		else
			values += line[i] == ',' || line[i] == '[' || line[i] == '{';
	}
	return values <= LIMIT_JSON_VALUES;
}

json_t *
json_tree_load(const char *line, size_t len, bool with_nul, struct err *err)
{
	struct buf shown = {0};
	json_error_t why;
	json_t *root;

	if (len > LIMIT_JSON_LINE) {
		err_set(err, ERR_INPUT, "longer than %u octets", LIMIT_JSON_LINE);
		return NULL;
	}
	if (!is_moderate(line, len)) {
		err_set(err, ERR_INPUT, "more than %d values", LIMIT_JSON_VALUES);
		return NULL;
	}
	root =
	    json_loadb(line, len, JSON_REJECT_DUPLICATES | (with_nul ? JSON_ALLOW_NUL : 0), &why);
	if (root == NULL && (json_error_code(&why) == json_error_null_character ||
				json_error_code(&why) == json_error_null_byte_in_key)) {
		/* jansson speaks of its own flags here. */
		err_set(err, ERR_INPUT, "no JSON of ours: it holds \\u0000");
	} else if (root == NULL) {
		text_escape(&shown, why.text, strlen(why.text));
		err_set(err, ERR_INPUT, "no JSON: %s", buf_text(&shown));
		buf_finish(&shown);
	}
	return root;
}

void
json_tree_free(json_t *root)
{
	json_decref(root);
}

bool
json_tree_is_object(const json_t *v)
{
	return json_is_object(v);
}

const char *
json_tree_next(const json_t *o, const char *name)
{
	json_t *object = (json_t *)o; /* its iterators look, but do not say so */
	void *at;

	if (!json_is_object(o))
		return NULL;
	at = name == NULL ? json_object_iter(object)
			  : json_object_iter_next(object, json_object_key_to_iter(name));
	return at != NULL ? json_object_iter_key(at) : NULL;
}

size_t
json_tree_len(const json_t *list)
{
	return json_array_size(list);
}

const json_t *
json_tree_at(const json_t *list, size_t i)
{
	return json_array_get(list, i);
}

const char *
json_tree_octets(const json_t *v, size_t *len)
{
	*len = json_string_length(v);
	return json_string_value(v);
}

int
json_tree_wrong(struct err *err, const char *name, const char *what)
{
	return err_set(err, ERR_INPUT, "member \"%s\": %s", name, what);
}

/* A name for a message that came from the file. */
int
json_tree_wrong_value(struct err *err, const char *name, const char *what, const char *value)
{
	struct buf shown = {0};

	text_escape(&shown, value, strnlen(value, 80));
	err_set(err, ERR_INPUT, "member \"%s\": %s \"%s\"", name, what, buf_text(&shown));
	buf_finish(&shown);
	return ERR_INPUT;
}

/* A member that is absent is null. */
const json_t *
json_tree_member(const json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	return v == NULL || json_is_null(v) ? NULL : v;
}

/* *text is NULL where it is null. */
int
json_tree_text(const json_t *o, const char *name, const char **text, struct err *err)
{
	const json_t *v = json_tree_member(o, name);

	*text = NULL;
	if (v == NULL)
		return 0;
	if (!json_is_string(v))
		return json_tree_wrong(err, name, "not a text");
	if (strlen(json_string_value(v)) != json_string_length(v))
		return json_tree_wrong(err, name, "holds a NUL");
	*text = json_string_value(v);
	return 0;
}

int
json_tree_need_text(const json_t *o, const char *name, const char **text, struct err *err)
{
	if (json_tree_text(o, name, text, err) != 0)
		return ERR_INPUT;
	return *text != NULL ? 0 : json_tree_wrong(err, name, "missing");
}

/* *v is left alone where it is null. */
int
json_tree_number(
    const json_t *o, const char *name, int64_t least, int64_t most, int64_t *v, struct err *err)
{
	const json_t *n = json_tree_member(o, name);

	if (n == NULL)
		return 0;
	if (!json_is_integer(n) || json_integer_value(n) < least || json_integer_value(n) > most)
		return err_set(err, ERR_INPUT,
		    "member \"%s\": not a whole number from %lld to %lld", name, (long long)least,
		    (long long)most);
	*v = json_integer_value(n);
	return 0;
}

int
json_tree_tristate(const json_t *o, const char *name, enum tristate *v, struct err *err)
{
	const json_t *b = json_tree_member(o, name);

	*v = b == NULL ? TRI_NULL : json_is_true(b) ? TRI_TRUE : TRI_FALSE;
	return b == NULL || json_is_boolean(b)
		   ? 0
		   : json_tree_wrong(err, name, "neither true nor false");
}

/* An array of texts; *texts is allocated. */
int
json_tree_texts(
    const json_t *o, const char *name, size_t most, const char ***texts, size_t *n, struct err *err)
{
	const json_t *list = json_tree_member(o, name);
	json_t *v;
	size_t i;

	*n = 0;
	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return json_tree_wrong(err, name, "not a list");
	if (json_array_size(list) > most)
		return err_set(err, ERR_INPUT, "member \"%s\": more than %zu", name, most);
	*texts = mem_zero(json_array_size(list), sizeof(**texts));
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v))
			return json_tree_wrong(err, name, "not a list of texts");
		(*texts)[(*n)++] = json_string_value(v);
	}
	return 0;
}
