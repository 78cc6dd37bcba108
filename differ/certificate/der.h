/*
 * der: elements of DER (X.690), one checked step at a time; the only user of libtasn1. A step
 * looks at identifier and length octets, compares them with what must stand there, and says what
 * is wrong, where, and by which clause. It never copies and never allocates but for faults.
 *
 * Two kinds of fault (CONTRACT "mxdiff cert --json"): FAULT_MALFORMED cannot be read;
 * FAULT_NOT_DER can be read in one way only but is not what X.690 prescribes (non-minimal and
 * indefinite lengths, BOOLEAN other than FF, encoded defaults, order in a SET OF …), or not what
 * RFC 5280 asks of what is read, and its value is still given.
 *
 * Ownership: spans point into the caller's bytes, which must outlive them. der_finish() frees the
 * list of faults. Threads: none of this is shared.
 */
#ifndef MX509_DER_H
#define MX509_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "differ/limits.h"

struct span {
	const uint8_t *p;
	size_t len;
};

static inline struct span
span_of(const void *p, size_t len)
{
	return (struct span){p, len};
}

/* The last octets are looked at first: object identifiers that differ mostly differ there. */
static inline bool
span_equal(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	return a.len == 0 || (a.p[a.len - 1] == b.p[a.len - 1] && memcmp(a.p, b.p, a.len) == 0);
}

/* Identifier octets: class, constructed and number in one octet, as they stand (X.690 8.1.2). */
enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_NUMERIC_STRING = 0x12,
	DER_PRINTABLE_STRING = 0x13,
	DER_TELETEX_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_VISIBLE_STRING = 0x1a,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP_STRING = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80,		/* | number: [n] IMPLICIT, primitive */
	DER_CONTEXT_CONSTRUCTED = 0xa0, /* | number: [n] EXPLICIT, or IMPLICIT of a SEQUENCE */
};

struct tlv {
	uint8_t id;	   /* the first identifier octet */
	uint32_t number;   /* of the tag; above 30 it stands in further octets */
	struct span value; /* the contents */
	struct span whole; /* identifier, length and contents */
};

/* What is left of the contents of a constructed element. */
struct cursor {
	const uint8_t *p, *end;
};

static inline struct cursor
cursor_of(struct span s)
{
	return (struct cursor){s.p, s.len > 0 ? s.p + s.len : s.p};
}

/* Where we are: a chain of frames on the stack, written out only for a fault. */
struct place {
	const struct place *up;
	const char *name; /* "validity"; NULL: a member of a list, [index] */
	size_t index;
};

enum fault_kind { FAULT_MALFORMED, FAULT_NOT_DER, FAULT_KINDS };

struct fault {
	size_t offset;		  /* of the element in the certificate */
	char at[DIFFER_PATH_MAX]; /* "tbsCertificate.extensions[3].extnValue" */
	char why[DIFFER_WHY_MAX];
};

struct der {
	const uint8_t *start; /* offsets count from here */
	bool muted;	      /* a second reading of what has been judged: no faults are kept */
	bool clamp; /* an element longer than what it stands in is a fault, and ends there */
	struct {
		struct fault *list;
		size_t n, cap;
		size_t total; /* also those beyond DIFFER_FAULTS_MAX */
	} faults[FAULT_KINDS];
};

void der_init(struct der *d, struct span input);
void der_finish(struct der *d);

void der_fault(struct der *d, enum fault_kind kind, const struct place *at, const uint8_t *where,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The faults of `other`, which reads the same input, as faults of one kind: where what is wrong
 * with a part is no more than that to the whole. */
void der_take_faults(struct der *d, const struct der *other, enum fault_kind as);

/* The next element. False with a fault: truncated, longer than what it stands in, a length or tag
 * that cannot be read; or, with the fault "is missing", nothing left. */
bool der_next(struct der *d, struct cursor *c, struct tlv *out, const struct place *at);

/* The same, and it must have this identifier octet. If it has another the fault says so; it is
 * stepped over unless it is `then`, the element that stands behind it (0: none): so one odd
 * element does not make what follows unreadable. */
bool der_expect(struct der *d, struct cursor *c, uint8_t id, uint8_t then, struct tlv *out,
    const struct place *at);

/* True if it is there, and filled. False if another, or nothing, stands there, or on a fault. */
bool der_optional(
    struct der *d, struct cursor *c, uint8_t id, struct tlv *out, const struct place *at);

static inline bool
der_at_end(const struct cursor *c)
{
	return c->p >= c->end;
}

/* A fault if anything is left. */
bool der_end(struct der *d, const struct cursor *c, const struct place *at);

/* ---- contents of primitive elements: false with a fault ----------------------------------- */

bool der_boolean(struct der *d, const struct tlv *t, bool *value, const struct place *at);
/* X.690 8.3.2: the first nine bits are not all the same. */
static inline bool
der_is_minimal(struct span integer)
{
	return integer.len < 2 || !((integer.p[0] == 0 && integer.p[1] < 0x80) ||
				      (integer.p[0] == 0xff && integer.p[1] >= 0x80));
}

/* Not empty; not minimal is FAULT_NOT_DER. *digits: the octets less superfluous leading ones. */
bool der_integer(struct der *d, const struct tlv *t, struct span *digits, const struct place *at);
/* The same for what must fit an int64_t. */
bool der_number(struct der *d, const struct tlv *t, int64_t *value, const struct place *at);
/* *unused: 0–7 bits at the end of *bits that do not count. */
bool der_bit_string(struct der *d, const struct tlv *t, struct span *bits, unsigned *unused,
    const struct place *at);
/* A BIT STRING with a list of named bits (X.690 11.2.2): bit 0 is the first. Bits from 32 on are
 * counted in *beyond. */
bool der_named_bits(
    struct der *d, const struct tlv *t, uint32_t *bits, unsigned *beyond, const struct place *at);
bool der_oid(struct der *d, const struct tlv *t, const struct place *at);
bool der_null(struct der *d, const struct tlv *t, const struct place *at);
/* UTCTime or GeneralizedTime, milliseconds (RFC 5280 section 4.1.2.5; X.690 11.7, 11.8). */
bool der_time(struct der *d, const struct tlv *t, int64_t *time_ms, const struct place *at);
/* A character string by its tag; what its alphabet lacks is FAULT_NOT_DER, what is no text at all
 * (UTF-8, BMP and universal strings) FAULT_MALFORMED. Other tags are true. */
bool der_string(struct der *d, const struct tlv *t, const struct place *at);

/* The same where the type is open and the value can be shown as hex: FAULT_NOT_DER at most. */
bool der_open_string(struct der *d, const struct tlv *t, const struct place *at);

/* An element of any type: whether form and contents are what X.690 gives the type that its tag
 * names. Tags that are not universal are true. */
bool der_any(struct der *d, const struct tlv *t, const struct place *at);

/* X.690 11.6: whether b may stand behind a in a SET OF. */
bool der_set_order(struct span a, struct span b);

#endif
