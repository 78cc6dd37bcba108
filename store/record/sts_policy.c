#include "sts_policy.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/names.h"
#include "store/base/text.h"
#include "txt.h"

#define FIELD_NAME_MAX 32
#define LABEL_MAX 63

static const char *const mode_names[STS_MODE_N] = {
    [STS_MODE_NONE] = "none",
    [STS_MODE_TESTING] = "testing",
    [STS_MODE_ENFORCE] = "enforce",
};

const char *
sts_mode_name(enum sts_mode mode)
{
	return names_get(mode_names, STS_MODE_N, mode);
}

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* sts-ext-name, which all names of fields are: how long it is; 0 if there is none. */
static size_t
name_len(const char *p)
{
	size_t n = 0;

	while (is_alphanumeric(p[n]) || (n > 0 && p[n] != '\0' && strchr("_-.", p[n]) != NULL))
		n++;
	return n <= FIELD_NAME_MAX ? n : 0;
}

/* ---- the policy ----------------------------------------------------------------------------- */

/* A line on its way. */
struct line {
	char name[FIELD_NAME_MAX + 1];
	const char *value;
	size_t len;
	size_t number; /* from 1 */
};

/* Which fields were there: the first one counts. */
struct seen {
	bool version, mode, max_age;
};

static int
wrong(const struct line *line, const char *what, struct err *err)
{
	return err_set(err, ERR_INPUT, "line %zu: %s (RFC 8461 section 3.2)", line->number, what);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* sts-policy-vchar and blanks between: printable ASCII, and UTF-8 that is no control. */
static bool
is_value(const char *p, size_t len)
{
	uint32_t rune;

	for (size_t at = 0, n; at < len; at += n)
		if ((n = text_utf8((const uint8_t *)p + at, len - at, &rune)) == 0 || rune < 0x20 ||
		    rune == 0x7f)
			return false;
	return len > 0;
}

static int
split(struct line *line, const char *text, struct err *err)
{
	size_t n = name_len(text);

	if (*text == '\0')
		return wrong(line, "empty", err);
	if (n == 0 || text[n] != ':')
		return wrong(line, "not a name, a colon and a value", err);
	memcpy(line->name, text, n);
	line->name[n] = '\0';
	line->value = text + n + 1;
	while (is_blank(*line->value))
		line->value++;
	line->len = strlen(line->value);
	while (line->len > 0 && is_blank(line->value[line->len - 1]))
		line->len--;
	if (!is_value(line->value, line->len))
		return wrong(line, "a value that is empty, or not printable", err);
	return 0;
}

static bool
is_text(const struct line *line, const char *text)
{
	return line->len == strlen(text) && memcmp(line->value, text, line->len) == 0;
}

/* Domain of RFC 5321 section 4.1.2. */
static bool
is_domain(const char *p, size_t len)
{
	size_t label = 0;

	if (len == 0 || len > LIMIT_NAME)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '.') {
			if (label == 0 || p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_alphanumeric(p[i]) && (p[i] != '-' || label == 0))
			return false;
		if (++label > LABEL_MAX)
			return false;
	}
	return label > 0 && p[len - 1] != '-';
}

static int
take_mx(struct sts_policy *policy, const struct line *line, struct err *err)
{
	bool wildcard = line->len > 2 && memcmp(line->value, "*.", 2) == 0;
	size_t skip = wildcard ? 2 : 0;
	char *pattern;

	if (!is_domain(line->value + skip, line->len - skip))
		return wrong(line, "mx is neither a name nor *. and a name", err);
	pattern = mem_zero(line->len + 1, 1);
	for (size_t i = 0; i < line->len; i++) {
		char c = line->value[i];

		pattern[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	policy->mx = mem_grow(policy->mx, policy->mx_n + 1, sizeof(*policy->mx));
	policy->mx[policy->mx_n++] = pattern;
	return 0;
}

static int
take_mode(struct sts_policy *policy, const struct line *line, struct err *err)
{
	for (unsigned i = 0; i < STS_MODE_N; i++) {
		if (is_text(line, mode_names[i])) {
			policy->mode = i;
			return 0;
		}
	}
	return wrong(line, "mode is none of enforce, testing, none", err);
}

static int
take_max_age(struct sts_policy *policy, const struct line *line, struct err *err)
{
	int64_t v = 0;

	if (line->len > 10)
		return wrong(line, "max_age is not 1 to 10 digits", err);
	for (size_t i = 0; i < line->len; i++) {
		if (line->value[i] < '0' || line->value[i] > '9')
			return wrong(line, "max_age is not 1 to 10 digits", err);
		v = v * 10 + (line->value[i] - '0');
	}
	policy->max_age_s = v < STS_MAX_AGE_S ? v : STS_MAX_AGE_S;
	return 0;
}

/* Whether it is the first of its kind, which counts. */
static bool
is_first(bool *seen)
{
	bool first = !*seen;

	*seen = true;
	return first;
}

static int
take(struct sts_policy *policy, struct seen *seen, const struct line *line, struct err *err)
{
	if (strcmp(line->name, "mx") == 0)
		return take_mx(policy, line, err);
	if (strcmp(line->name, "version") == 0 && is_first(&seen->version))
		return is_text(line, "STSv1") ? 0 : wrong(line, "version is not STSv1", err);
	if (strcmp(line->name, "mode") == 0 && is_first(&seen->mode))
		return take_mode(policy, line, err);
	if (strcmp(line->name, "max_age") == 0 && is_first(&seen->max_age))
		return take_max_age(policy, line, err);
	return 0;
}

static int
check(const struct sts_policy *policy, const struct seen *seen, struct err *err)
{
	const char *missing = !seen->version	  ? "version"
			      : !seen->mode	  ? "mode"
			      : !seen->max_age	  ? "max_age"
			      : policy->mx_n == 0 ? "mx"
						  : NULL;

	if (missing == NULL || (policy->mode == STS_MODE_NONE && strcmp(missing, "mx") == 0))
		return 0;
	return err_set(err, ERR_INPUT, "it has no %s (RFC 8461 section 3.2)", missing);
}

int
sts_policy_parse(struct sts_policy *policy, const char *const *lines, size_t n, struct err *err)
{
	struct seen seen = {0};
	int rc = 0;

	*policy = (struct sts_policy){0};
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct line line = {.number = i + 1};

		if ((rc = split(&line, lines[i], err)) == 0)
			rc = take(policy, &seen, &line, err);
	}
	if (rc == 0)
		rc = check(policy, &seen, err);
	if (rc != 0)
		sts_policy_finish(policy);
	return rc;
}

void
sts_policy_finish(struct sts_policy *policy)
{
	if (policy == NULL)
		return;
	for (size_t i = 0; i < policy->mx_n; i++)
		free(policy->mx[i]);
	free(policy->mx);
	*policy = (struct sts_policy){0};
}

bool
sts_policy_matches(const struct sts_policy *policy, const char *host)
{
	const char *parent = strchr(host, '.');

	for (size_t i = 0; i < policy->mx_n; i++) {
		const char *pattern = policy->mx[i];

		if (strcmp(pattern, host) == 0)
			return true;
		if (pattern[0] == '*' && parent != NULL && parent > host &&
		    strcmp(pattern + 1, parent) == 0)
			return true;
	}
	return false;
}

/* ---- the TXT record ------------------------------------------------------------------------- */

#define VERSION "v=STSv1"

static int
wrong_record(const char *what, struct err *err)
{
	return err_set(err, ERR_INPUT, "%s (RFC 8461 section 3.1)", what);
}

/* *WSP ";" *WSP; NULL if there is none. */
static const char *
skip_delimiter(const char *p)
{
	while (is_blank(*p))
		p++;
	if (*p != ';')
		return NULL;
	for (p++; is_blank(*p);)
		p++;
	return p;
}

/* A field at p: name "=" value. Behind it, or NULL. */
static const char *
take_field(const char *p, const char **value, size_t *name, size_t *len)
{
	*name = name_len(p);
	if (*name == 0 || p[*name] != '=')
		return NULL;
	*value = p + *name + 1;
	for (*len = 0; (*value)[*len] > 0x20 && (*value)[*len] < 0x7f;) {
		if ((*value)[*len] == ';' || (*value)[*len] == '=')
			break;
		++*len;
	}
	return *len > 0 ? *value + *len : NULL;
}

static bool
take_id(const char *value, size_t len, char id[STS_ID_MAX + 1])
{
	if (len > STS_ID_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alphanumeric(value[i]))
			return false;
	memcpy(id, value, len);
	id[len] = '\0';
	return true;
}

static int
parse_record(const char *text, char id[STS_ID_MAX + 1], struct err *err)
{
	const char *p = text + strlen(VERSION), *value;
	size_t name, len;

	id[0] = '\0';
	while (*p != '\0') {
		const char *field = skip_delimiter(p);

		if (field == NULL)
			return wrong_record("a field that no semicolon parts from the next", err);
		if (*field == '\0')
			break;
		if ((p = take_field(field, &value, &name, &len)) == NULL)
			return wrong_record("a field that is not a name, = and a value", err);
		if (name == 2 && memcmp(field, "id", 2) == 0 && id[0] == '\0' &&
		    !take_id(value, len, id))
			return wrong_record("id is not 1 to 32 letters and digits", err);
	}
	return id[0] != '\0' ? 1 : wrong_record("no id", err);
}

int
sts_policy_id(const char *const *records, size_t n, char id[STS_ID_MAX + 1], struct err *err)
{
	struct buf text = {0};
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		buf_clear(&text);
		if (!txt_join(&text, records[i]) || text.len < strlen(VERSION ";") ||
		    memcmp(text.data, VERSION ";", strlen(VERSION ";")) != 0)
			continue;
		if (rc > 0)
			rc = wrong_record("more than one record begins with " VERSION ";", err);
		else if (memchr(text.data, '\0', text.len) != NULL)
			rc = wrong_record("a NUL in it", err);
		else
			rc = parse_record(buf_text(&text), id, err);
	}
	buf_finish(&text);
	return rc;
}
