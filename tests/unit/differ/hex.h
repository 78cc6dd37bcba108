/* hex: octets written as hexadecimal digits, blanks between them allowed. For tests. */
#ifndef MX509_TEST_HEX_H
#define MX509_TEST_HEX_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "differ/certificate/der.h"

struct hex {
	uint8_t octets[4096];
	size_t len;
};

static inline struct span
hex(struct hex *h, const char *text)
{
	unsigned v;
	int taken;

	h->len = 0;
	while (sscanf(text, " %2x%n", &v, &taken) == 1) {
		h->octets[h->len++] = (uint8_t)v;
		text += taken;
	}
	return span_of(h->octets, h->len);
}

#endif
