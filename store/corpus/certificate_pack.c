#include "certificate_pack.h"

#include <string.h>

#include "store/base/limits.h"

#define PAGES 4			     /* of a pack: what is read for one certificate of it */
#define ROOM (PAGES * 4096 - 16 - 8) /* less the header of the first page, and the checksum */
#define WAIT_OCTETS (256u << 10)     /* DER that waits, so that there is enough to choose from */
#define FULL (ROOM - ROOM / 32)	     /* octets that are enough: no further try */
#define TRIES 5
#define FIRST_RATIO 0.6

static size_t
waiting(const struct certificate_packer *p)
{
	return p->parts.len / sizeof(struct certificate_part);
}

static const struct certificate_part *
parts_of(const struct certificate_packer *p)
{
	return (const void *)p->parts.data;
}

/* How many of those that wait should fill a pack, and their octets. */
static size_t
guess(const struct certificate_packer *p, size_t *octets)
{
	const struct certificate_part *part = parts_of(p);
	size_t n = waiting(p), most = n < LIMIT_PACK ? n : LIMIT_PACK, i;

	*octets = 0;
	for (i = 0; i < most && *octets + part[i].len <= LIMIT_PACK_OCTETS; i++) {
		if (i > 0 && (double)(*octets + part[i].len) * p->ratio > ROOM)
			break;
		*octets += part[i].len;
	}
	return i;
}

/* The pack of the first n in p->value. */
static int
try(struct certificate_packer *p, size_t n, struct err *err)
{
	buf_clear(&p->value);
	return certificate_encode_pack(
	    p->codec, *p->txn, &p->value, parts_of(p), n, p->ders.data, err);
}

static void
swap(struct buf *a, struct buf *b)
{
	struct buf t = *a;

	*a = *b;
	*b = t;
}

/* The largest pack of those that wait that fits, as a few tries find it, in p->best; 0 in *n: not
 * even one does. */
static int
choose(struct certificate_packer *p, size_t *n, struct err *err)
{
	size_t octets, at_most = waiting(p);

	*n = 0;
	for (int i = 0; i < TRIES && (*n == 0 || p->best.len < FULL); i++) {
		size_t this = guess(p, &octets);
		int rc;

		if (this > at_most)
			this = at_most;
		if (this <= *n)
			break;
		if ((rc = try(p, this, err)) != 0)
			return rc;
		/* A little more, or as little more as there was too much. */
		p->ratio = (double)p->value.len / (double)(octets > 0 ? octets : 1);
		if (p->value.len <= ROOM) {
			swap(&p->value, &p->best);
			*n = this;
		} else {
			at_most = this - 1;
		}
	}
	return 0;
}

static void
forget(struct certificate_packer *p, size_t n)
{
	const struct certificate_part *part = parts_of(p);
	size_t octets = 0, octets_of_parts = n * sizeof(*part);

	for (size_t i = 0; i < n; i++)
		octets += part[i].len;
	p->parts.len -= octets_of_parts;
	memmove(p->parts.data, p->parts.data + octets_of_parts, p->parts.len);
	p->ders.len -= octets;
	memmove(p->ders.data, p->ders.data + octets, p->ders.len);
}

/* The corpus that they come from may be gone next: what is written is read again first. */
static int
read_again(struct certificate_packer *p, const struct db_bytes *value, size_t n, struct err *err)
{
	const struct certificate_part *part = parts_of(p);
	const uint8_t *der = p->ders.data;

	for (size_t i = 0; i < n; i++) {
		int rc = certificate_decode(p->codec, *p->txn, value, (unsigned)i, &p->value, err);

		if (rc < 0)
			return rc;
		if (rc == 0 || p->value.len != part[i].len ||
		    memcmp(p->value.data, der, part[i].len) != 0)
			return err_set(err, ERR_SYSTEM,
			    "certificate %u does not come out of its record as it went in; "
			    "see to the machine's memory",
			    (unsigned)part[i].number);
		der += part[i].len;
	}
	return 0;
}

/* The first of those that wait, in one record or with those behind it. */
static int
put_first(struct certificate_packer *p, struct err *err)
{
	uint32_t number = parts_of(p)->number;
	struct db_bytes value;
	size_t n;
	int rc = choose(p, &n, err);

	if (rc == 0 && n < 2) {
		n = 1;
		buf_clear(&p->best);
		rc = certificate_encode(
		    p->codec, *p->txn, &p->best, p->ders.data, parts_of(p)->len, err);
	}
	value = (struct db_bytes){p->best.data, p->best.len};
	if (rc == 0)
		rc = read_again(p, &value, n, err);
	if (rc != 0)
		return rc;
	forget(p, n);
	return p->put(p->ctx, number, &value, err);
}

int
certificate_packer_add(
    struct certificate_packer *p, uint32_t number, const void *der, size_t len, struct err *err)
{
	struct certificate_part part = {number, len};

	buf_append(&p->parts, &part, sizeof(part));
	buf_append(&p->ders, der, len);
	if (p->ratio == 0)
		p->ratio = FIRST_RATIO;
	while (p->ders.len >= WAIT_OCTETS) {
		int rc = put_first(p, err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int
certificate_packer_flush(struct certificate_packer *p, struct err *err)
{
	int rc = 0;

	while (rc == 0 && waiting(p) > 0)
		rc = put_first(p, err);
	return rc;
}

void
certificate_packer_finish(struct certificate_packer *p)
{
	buf_finish(&p->parts);
	buf_finish(&p->ders);
	buf_finish(&p->value);
	buf_finish(&p->best);
}
