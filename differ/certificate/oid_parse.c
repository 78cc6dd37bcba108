#include <stdlib.h>

#include "oid.h"

/* One arc, base 128, most significant first; 0 if there is no room. */
static size_t
put_arc(uint8_t *out, size_t room, uint64_t v)
{
	size_t n = 1;

	for (uint64_t rest = v >> 7; rest > 0; rest >>= 7)
		n++;
	if (n > room)
		return 0;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((v >> (7 * (n - 1 - i)) & 0x7f) | (i + 1 < n ? 0x80 : 0));
	return n;
}

size_t
oid_parse(const char *dotted, uint8_t *out, size_t room)
{
	uint64_t first = 0;
	size_t used = 0, arcs = 0;

	for (const char *p = dotted;; p++) {
		char *end;
		uint64_t v;
		size_t n;

		if (*p < '0' || *p > '9')
			return 0;
		v = strtoull(p, &end, 10);
		if (v > UINT64_MAX - 80 || (arcs == 0 && v > 2) ||
		    (arcs == 1 && first < 2 && v > 39))
			return 0;
		if (arcs == 0) {
			first = v;
		} else {
			n = put_arc(out + used, room - used, arcs == 1 ? 40 * first + v : v);
			if (n == 0)
				return 0;
			used += n;
		}
		arcs++;
		p = end;
		if (*p == '\0')
			return arcs >= 2 ? used : 0;
		if (*p != '.')
			return 0;
	}
}
