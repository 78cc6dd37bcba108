#include "bits.h"

#include <string.h>

#define STEP 4096 /* octets by which it grows at the least */

bool
bits_has(const struct bits *b, uint32_t number)
{
	size_t at = number / 8;

	return at < b->octets.len && (b->octets.data[at] & 1u << number % 8) != 0;
}

bool
bits_add(struct bits *b, uint32_t number)
{
	size_t at = number / 8;

	if (bits_has(b, number))
		return false;
	if (at >= b->octets.len) {
		size_t more = at + STEP - b->octets.len;

		memset(buf_reserve(&b->octets, more), 0, more);
		b->octets.len += more;
	}
	b->octets.data[at] |= (uint8_t)(1u << number % 8);
	return true;
}

void
bits_finish(struct bits *b)
{
	buf_finish(&b->octets);
}
