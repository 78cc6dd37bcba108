/*
 * text: bytes that came from outside, made fit for a terminal, for JSON and for CSV.
 *
 * Nothing that a server, a certificate or a log says may move a cursor, hide text or start a
 * formula: C0 (with LF, CR and TAB), DEL, C1, bidirectional controls (U+061C, U+200E, U+200F,
 * U+202A–202E, U+2066–2069) and bytes that are not UTF-8 are escaped as \xHH or \u{HHHH}; a
 * backslash before an x or a u is doubled, so that the escape can be told from its imitation.
 */
#ifndef MX509_TEXT_H
#define MX509_TEXT_H

#include "buf.h"

/* Length in octets (1–4) of the UTF-8 character at p, 0 if there is none: overlong forms,
 * surrogates and values above U+10FFFF are none (RFC 3629 section 3). *rune gets its value. */
size_t text_utf8(const uint8_t *p, size_t len, uint32_t *rune);

void text_escape(struct buf *out, const void *p, size_t len);	  /* for a terminal */
void text_valid_utf8(struct buf *out, const void *p, size_t len); /* stray octets become \xHH */
void text_csv(struct buf *out, const void *p, size_t len);	  /* RFC 4180, formulas defused */

/* A string of JSON with its quotes (RFC 8259 section 7), what is hostile to a terminal as \uHHHH;
 * stray octets as in text_valid_utf8(). */
void text_json(struct buf *out, const void *p, size_t len);

/* Columns on a terminal that the escaped form of p takes (one a character). */
size_t text_width(const void *p, size_t len);

/* Whether a and b are equal but for ASCII case. */
bool text_same_keyword(const char *a, const char *b);

/* Hexadecimal of either case to exactly len octets; false if text is anything else. */
bool text_parse_hex(const char *text, uint8_t *out, size_t len);

#endif
