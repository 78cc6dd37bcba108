#include "tlsa.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

static bool
take_octet(const char **text, uint8_t *octet)
{
	unsigned value = 0, digits = 0;

	while (**text == ' ' || **text == '\t')
		(*text)++;
	for (; **text >= '0' && **text <= '9' && digits < 3; (*text)++, digits++)
		value = 10 * value + (unsigned)(**text - '0');
	*octet = (uint8_t)value;
	return digits > 0 && value <= 255 && (**text == ' ' || **text == '\t' || **text == '\0');
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Blanks may stand anywhere in it (RFC 6698 section 2.2). */
static bool
take_data(const char *text, uint8_t *out, size_t *len)
{
	int high = -1;

	for (*len = 0; *text != '\0'; text++) {
		int digit = hex_digit(*text);

		if (*text == ' ' || *text == '\t')
			continue;
		if (digit < 0)
			return false;
		if (high < 0) {
			high = digit;
		} else {
			out[(*len)++] = (uint8_t)(high << 4 | digit);
			high = -1;
		}
	}
	return high < 0;
}

void
tlsa_read(struct tlsa *t, const char *const *records, size_t n)
{
	size_t size = 0;

	*t = (struct tlsa){0};
	for (size_t i = 0; i < n; i++)
		size += strlen(records[i]) / 2 + 1;
	t->records = mem_zero(n + 1, sizeof(*t->records));
	t->data = mem_zero(size + 1, 1);
	for (size_t i = 0; i < n; i++) {
		struct tlsa_record *r = &t->records[t->n];
		const char *at = records[i];

		r->at = t->data_len;
		if (take_octet(&at, &r->usage) && take_octet(&at, &r->selector) &&
		    take_octet(&at, &r->matching) && take_data(at, t->data + r->at, &r->len)) {
			t->data_len += r->len;
			t->n++;
		} else {
			t->dropped++;
		}
	}
}

void
tlsa_finish(struct tlsa *t)
{
	free(t->records);
	free(t->data);
	*t = (struct tlsa){0};
}

bool
tlsa_for_smtp(const struct tlsa_record *r)
{
	return (r->usage == 2 || r->usage == 3) && r->matching != 255;
}
