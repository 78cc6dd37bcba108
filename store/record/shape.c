#include "shape.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "store/base/text.h"

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
is_host(const uint8_t *token, size_t len, const char *host)
{
	size_t host_len = strlen(host);

	if (len == host_len + 1 && token[len - 1] == '.')
		len--;
	return len == host_len && strncasecmp((const char *)token, host, len) == 0;
}

static bool
has_digit(const uint8_t *token, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (token[i] >= '0' && token[i] <= '9')
			return true;
	return false;
}

void
shape_append(struct buf *out, const void *p, size_t len, const char *host, size_t limit)
{
	const uint8_t *token = p, *end = token + len;
	size_t start = out->len;

	for (;;) {
		const uint8_t *next;
		size_t before = out->len;

		while (token < end && is_space(*token))
			token++;
		if (token == end)
			return;
		for (next = token; next < end && !is_space(*next); next++)
			;
		if (before > start)
			buf_append_byte(out, ' ');
		if (has_digit(token, (size_t)(next - token)) &&
		    !is_host(token, (size_t)(next - token), host))
			buf_append_byte(out, '*');
		else
			text_escape(out, token, (size_t)(next - token));
		if (out->len - start > limit) {
			out->len = before;
			return;
		}
		token = next;
	}
}
