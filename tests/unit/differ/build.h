/*
 * build: certificates of a few octets, written down part by part, so that a test says only what is
 * odd. A notation for DER: hexadecimal digits, 'text' in quotes, TAG(contents) with the length put
 * in; blanks between. For tests.
 */
#ifndef MX509_TEST_BUILD_H
#define MX509_TEST_BUILD_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "store/base/buf.h"

enum build_part {
	BUILD_VERSION,
	BUILD_SERIAL,
	BUILD_INNER,
	BUILD_ISSUER,
	BUILD_VALIDITY,
	BUILD_SUBJECT,
	BUILD_KEY,
	BUILD_UNIQUE_IDS,
	BUILD_EXTENSIONS,
	BUILD_OUTER,
	BUILD_SIGNATURE,
	BUILD_TRAILING,
	BUILD_PARTS
};

#define BUILD_SHA256_RSA "30(06(2a864886f70d01010b)05())"
#define BUILD_CN(text) "30(31(30(06(550403)0c(" text "))))"
#define BUILD_EXTENSION(oid, value) "30(06(" oid ")04(" value "))"

static const char *const build_plain[BUILD_PARTS] = {
    [BUILD_VERSION] = "a0(02(02))",
    [BUILD_SERIAL] = "02(01)",
    [BUILD_INNER] = BUILD_SHA256_RSA,
    [BUILD_ISSUER] = BUILD_CN("'ca'"),
    [BUILD_VALIDITY] = "30(17('230101000000Z')17('330101000000Z'))",
    [BUILD_SUBJECT] = BUILD_CN("'leaf'"),
    [BUILD_KEY] = "30(30(06(2b6570))03(00aabbcc))",
    [BUILD_UNIQUE_IDS] = "",
    [BUILD_EXTENSIONS] = "a3(30(30(06(551d13)01(ff)04(30(01(ff)02(03))))))",
    [BUILD_OUTER] = BUILD_SHA256_RSA,
    [BUILD_SIGNATURE] = "03(00aa)",
    [BUILD_TRAILING] = "",
};

/* Octets of tag and length before so many. */
static inline size_t
build_head(size_t len)
{
	return len < 128 ? 2 : len < 256 ? 3 : 4;
}

/* A length, and the contents. */
static inline void
build_append_contents(struct buf *out, const struct buf *contents)
{
	if (contents->len >= 128)
		buf_append_byte(out, contents->len >= 256 ? 0x82 : 0x81);
	if (contents->len >= 256)
		buf_append_byte(out, (uint8_t)(contents->len >> 8));
	buf_append_byte(out, (uint8_t)contents->len);
	buf_append(out, contents->data, contents->len);
}

/* Up to the closing bracket, or the end; returns what follows. */
static inline const char *
build_append(struct buf *out, const char *p)
{
	unsigned v;

	while (*p != '\0' && *p != ')') {
		if (*p == ' ') {
			p++;
		} else if (*p == '\'') {
			for (p++; *p != '\''; p++)
				buf_append_byte(out, (uint8_t)*p);
			p++;
		} else if (*p == '(') {
			struct buf inner = {0};

			p = build_append(&inner, p + 1);
			p += *p == ')';
			build_append_contents(out, &inner);
			buf_finish(&inner);
		} else if (sscanf(p, "%2x", &v) == 1) {
			buf_append_byte(out, (uint8_t)v);
			p += 2;
		} else {
			fprintf(stderr, "build: %s\n", p);
			abort();
		}
	}
	return p;
}

/* The certificate, with these parts in the place of plain ones (NULL: plain); *offset: where `of`
 * begins in it. */
static inline void
build(struct buf *out, const char *const parts[BUILD_PARTS], enum build_part of, size_t *offset)
{
	struct buf signed_part = {0}, all = {0};
	size_t before[BUILD_PARTS];

	for (int i = 0; i < BUILD_TRAILING; i++) {
		struct buf *to = i < BUILD_OUTER ? &signed_part : &all;

		if (i == BUILD_OUTER) {
			buf_append_byte(&all, 0x30);
			build_append_contents(&all, &signed_part);
		}
		before[i] = to->len;
		build_append(to, parts[i] != NULL ? parts[i] : build_plain[i]);
	}
	before[BUILD_TRAILING] = all.len;
	buf_clear(out);
	buf_append_byte(out, 0x30);
	build_append_contents(out, &all);
	if (offset != NULL)
		*offset = before[of] + build_head(all.len) +
			  (of < BUILD_OUTER ? build_head(signed_part.len) : 0);
	build_append(out, parts[BUILD_TRAILING] != NULL ? parts[BUILD_TRAILING] : "");
	buf_finish(&signed_part);
	buf_finish(&all);
}

#endif
