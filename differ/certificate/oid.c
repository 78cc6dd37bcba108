#include "oid.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX 2048 /* entries; a static assertion below holds the tables against it */
#define INDEX_SIZE 8192
#define OID_KEPT 24 /* octets of the longest identifier in a table */

enum role { ROLE_OPENSSL, ROLE_ALGORITHM, ROLE_CURVE, ROLE_EXTENSION, ROLE_PURPOSE };

struct source {
	enum role role;
	const char *oid, *name;
	int kind;
	unsigned bits;
	int strength;
};

static const struct source sources[] = {
#define OID_NAME(oid, name) {ROLE_OPENSSL, oid, name, 0, 0, -1},
#include "openssl_names.def"
#undef OID_NAME
#define ALGORITHM(oid, name, kind, bits, strength) \
	{ROLE_ALGORITHM, oid, name, kind, bits, strength},
#include "algorithms.def"
#undef ALGORITHM
#define CURVE(oid, name, bits) {ROLE_CURVE, oid, name, 0, bits, -1},
#include "curves.def"
#undef CURVE
#define EXTENSION(id, oid, name) {ROLE_EXTENSION, oid, name, EXTENSION_##id, 0, -1},
#define EXTENSION_NAME(oid, name) {ROLE_EXTENSION, oid, name, EXTENSION_UNKNOWN, 0, -1},
#include "extensions.def"
#undef EXTENSION
#undef EXTENSION_NAME
    {ROLE_PURPOSE, "1.3.6.1.5.5.7.3.1", "serverAuth", 0, 0, -1},
    {ROLE_PURPOSE, "1.3.6.1.5.5.7.3.2", "clientAuth", 0, 0, -1},
    {ROLE_PURPOSE, "1.3.6.1.5.5.7.3.3", "codeSigning", 0, 0, -1},
    {ROLE_PURPOSE, "1.3.6.1.5.5.7.3.4", "emailProtection", 0, 0, -1},
    {ROLE_PURPOSE, "1.3.6.1.5.5.7.3.8", "timeStamping", 0, 0, -1},
    {ROLE_PURPOSE, "1.3.6.1.5.5.7.3.9", "OCSPSigning", 0, 0, -1},
    {ROLE_PURPOSE, "2.5.29.37.0", "anyExtendedKeyUsage", 0, 0, -1},
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))
_Static_assert(SOURCES <= TABLE_MAX, "the index has room for every table");

static struct {
	struct oid_entry entries[TABLE_MAX];
	uint8_t octets[TABLE_MAX][OID_KEPT];
	uint8_t octets_len[TABLE_MAX];
	size_t n;
	uint16_t slots[INDEX_SIZE]; /* number of the entry + 1; 0: empty */
} table;

static uint32_t
hash_octets(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h ^ h >> 15;
}

/* The slot that holds this identifier, or the empty one where it belongs. */
static uint16_t *
find_slot(const uint8_t *p, size_t len)
{
	uint32_t i = hash_octets(p, len) % INDEX_SIZE;

	while (table.slots[i] != 0) {
		size_t n = table.slots[i] - 1u;

		if (span_equal(span_of(table.octets[n], table.octets_len[n]), span_of(p, len)))
			break;
		i = (i + 1) % INDEX_SIZE;
	}
	return &table.slots[i];
}

static void
set_role(struct oid_entry *entry, const struct source *s)
{
	switch (s->role) {
	case ROLE_OPENSSL:
		entry->openssl = s->name;
		break;
	case ROLE_ALGORITHM:
		entry->algorithm = s->name;
		entry->key = (enum key_kind)s->kind;
		entry->key_bits = s->bits;
		entry->strength_bits = s->strength;
		break;
	case ROLE_CURVE:
		entry->is_curve = true;
		entry->key_bits = s->bits;
		break;
	case ROLE_EXTENSION:
		entry->extension = s->name;
		entry->extension_kind = (enum extension_kind)s->kind;
		break;
	case ROLE_PURPOSE:
		entry->purpose = s->name;
		break;
	}
}

static void
build_table(void)
{
	for (size_t i = 0; i < SOURCES; i++) {
		uint8_t octets[OID_KEPT];
		size_t len = oid_parse(sources[i].oid, octets, sizeof(octets));
		uint16_t *slot;

		if (len == 0) {
			fprintf(stderr, "mx509: %s is no object identifier\n", sources[i].oid);
			abort();
		}
		slot = find_slot(octets, len);
		if (*slot == 0) {
			memcpy(table.octets[table.n], octets, len);
			table.octets_len[table.n] = (uint8_t)len;
			table.entries[table.n].oid = sources[i].oid;
			table.entries[table.n].strength_bits = -1;
			*slot = (uint16_t)++table.n;
		}
		set_role(&table.entries[*slot - 1], &sources[i]);
	}
}

const struct oid_entry *
oid_find(struct span oid)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint16_t slot;

	pthread_once(&once, build_table);
	if (oid.len == 0 || oid.len > OID_KEPT)
		return NULL;
	slot = *find_slot(oid.p, oid.len);
	return slot == 0 ? NULL : &table.entries[slot - 1];
}

/* ---- text -------------------------------------------------------------------------------- */

#define GROUP UINT32_C(1000000000)

/* One arc of more than 63 bits, in groups of nine decimal digits. */
static size_t
write_long_arc(char *out, const uint8_t *p, size_t len, unsigned less)
{
	uint32_t groups[DIFFER_OID_MAX * 7 / 29 + 2] = {0};
	size_t n = 1, used;

	for (size_t i = 0; i < len; i++) {
		uint64_t carry = p[i] & 0x7f;

		for (size_t k = 0; k < n; k++) {
			uint64_t v = ((uint64_t)groups[k] << 7) + carry;

			groups[k] = (uint32_t)(v % GROUP);
			carry = v / GROUP;
		}
		if (carry > 0)
			groups[n++] = (uint32_t)carry;
	}
	for (size_t k = 0; less > 0; k++) {
		if (groups[k] >= less) {
			groups[k] -= less;
			break;
		}
		groups[k] += GROUP - less;
		less = 1;
	}
	while (n > 1 && groups[n - 1] == 0)
		n--;
	used = (size_t)sprintf(out, "%u", groups[n - 1]);
	while (n-- > 1)
		used += (size_t)sprintf(out + used, "%09u", groups[n - 1]);
	return used;
}

static size_t
write_arc(char *out, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

const char *
oid_dotted(struct arena *arena, struct span oid, size_t *len)
{
	/* Seven bits an octet are at most 2.2 digits, and a dot; the first two arcs share one. */
	char *out = arena_alloc(arena, 4 * oid.len + 8);
	size_t used = 0;

	if (oid.len > DIFFER_OID_MAX)
		oid.len = 0;
	for (size_t i = 0, from = 0; i < oid.len; i++) {
		uint64_t v = 0;
		unsigned first = 0;

		if ((oid.p[i] & 0x80) != 0)
			continue;
		for (size_t k = from; k <= i && i - from < 9; k++)
			v = v << 7 | (oid.p[k] & 0x7f);
		if (from == 0) {
			first = i - from >= 9 || v >= 80 ? 2 : v >= 40 ? 1 : 0;
			out[used++] = (char)('0' + first);
		}
		out[used++] = '.';
		if (i - from < 9)
			used += write_arc(out + used, v - 40 * first);
		else
			used += write_long_arc(out + used, oid.p + from, i - from + 1, 40 * first);
		from = i + 1;
	}
	out[used] = '\0';
	if (len != NULL)
		*len = used;
	return out;
}

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
