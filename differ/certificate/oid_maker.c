/*
 * Writes oid_index.h: one index (oid_rows.h) over all tables of object identifiers. It runs when
 * mx509 is built, on the machine that builds.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oid.h"
#include "oid_rows.h"

#define ROWS_MAX (OID_SLOTS / 2)
#define POOL_MAX (UINT16_MAX + 1)

enum role { ROLE_OPENSSL, ROLE_ALGORITHM, ROLE_CURVE, ROLE_EXTENSION, ROLE_PURPOSE };

static const struct source {
	enum role role;
	const char *oid, *name;
	int kind;
	unsigned bits;
	int strength;
} sources[] = {
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

/* What is written: texts and octets one behind the other, and places in them. */
static uint8_t texts[POOL_MAX], octets[POOL_MAX];
static size_t texts_len = 1, octets_len;
static struct oid_row rows[ROWS_MAX];
static size_t rows_n;
static uint16_t slots[OID_SLOTS]; /* number of the row + 1; 0: empty */

static void
fail(const char *oid, const char *why)
{
	fprintf(stderr, "oid_maker: %s: %s\n", oid, why);
	exit(1);
}

static uint16_t
keep(uint8_t *pool, size_t *used, const void *p, size_t len)
{
	size_t at = *used;

	if (len > POOL_MAX - at)
		fail(p, "the texts are too many for 16 bits");
	memcpy(pool + at, p, len);
	*used += len;
	return (uint16_t)at;
}

static uint16_t
keep_text(const char *text)
{
	return keep(texts, &texts_len, text, strlen(text) + 1);
}

static struct oid_row *
find_row(const char *oid)
{
	uint8_t bytes[OID_KEPT];
	size_t len = oid_parse(oid, bytes, sizeof(bytes));
	uint32_t i = oid_slot(bytes, len);
	struct oid_row *row;

	if (len == 0)
		fail(oid, "no object identifier, or longer than OID_KEPT octets");
	for (; slots[i] != 0; i = (i + 1) % OID_SLOTS) {
		row = &rows[slots[i] - 1];
		if (row->octets_len == len && memcmp(octets + row->octets, bytes, len) == 0)
			return row;
	}
	if (rows_n == ROWS_MAX)
		fail(oid, "no room: OID_SLOTS must be larger");
	row = &rows[rows_n++];
	slots[i] = (uint16_t)rows_n;
	*row = (struct oid_row){.octets = keep(octets, &octets_len, bytes, len),
	    .octets_len = (uint8_t)len,
	    .oid = keep_text(oid),
	    .strength_bits = -1};
	return row;
}

static void
add(const struct source *s)
{
	struct oid_row *row = find_row(s->oid);
	uint16_t name = keep_text(s->name);

	switch (s->role) {
	case ROLE_OPENSSL:
		row->openssl = name;
		break;
	case ROLE_ALGORITHM:
		row->algorithm = name;
		row->key = (uint8_t)s->kind;
		row->key_bits = (uint16_t)s->bits;
		row->strength_bits = (int16_t)s->strength;
		break;
	case ROLE_CURVE:
		row->is_curve = true;
		row->key_bits = (uint16_t)s->bits;
		break;
	case ROLE_EXTENSION:
		row->extension = name;
		row->extension_kind = (uint8_t)s->kind;
		break;
	case ROLE_PURPOSE:
		row->purpose = name;
		break;
	}
}

static void
write_bytes(const char *name, const uint8_t *p, size_t len)
{
	printf("static const uint8_t %s[] = {", name);
	for (size_t i = 0; i < len; i++)
		printf("%s%u,", i % 24 == 0 ? "\n" : "", p[i]);
	printf("\n};\n");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		add(&sources[i]);
	printf("/* Written by oid_maker.c. */\n");
	write_bytes("oid_texts", texts, texts_len);
	write_bytes("oid_octets", octets, octets_len);
	printf("static const struct oid_row oid_rows[] = {\n");
	for (const struct oid_row *r = rows; r < rows + rows_n; r++)
		printf("{%u, %u, %u, %u, %u, %u, %d, %u, %u, %u, %u, %u},\n", r->octets,
		    r->octets_len, r->key, r->extension_kind, r->is_curve, r->key_bits,
		    r->strength_bits, r->oid, r->openssl, r->algorithm, r->extension, r->purpose);
	printf("};\nstatic const uint16_t oid_slots[OID_SLOTS] = {");
	for (size_t i = 0; i < OID_SLOTS; i++)
		if (slots[i] != 0)
			printf("%s[%zu] = %u,", i % 4 == 0 ? "\n" : " ", i, slots[i]);
	printf("\n};\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
