#include "certificate_dictionary.h"

#include <stdlib.h>

#include "store/base/limits.h"
#include "store/base/mem.h"

#define AMONG_LEN 4

/* The newest one's number, -1 if there is none. */
static int
find_newest(struct db_txn *txn, int64_t *number, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, DB_DICTIONARY, err);
	struct db_bytes found = {0}, value;
	struct err why = {0};
	struct reader r;
	struct key key;
	int rc;

	*number = -1;
	if (cursor == NULL)
		return ERR_SYSTEM;
	key_number(&key, CERTIFICATE_COPY);
	rc = db_cursor_seek_below(cursor, &key, &found, &value, &why);
	if (rc > 0 || (rc == ERR_DAMAGED && found.p != NULL)) {
		r = reader_of(found.p, found.len);
		*number = reader_u32be(&r);
		rc = 0;
	}
	db_cursor_close(cursor);
	return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

/* The record or its copy: 1; 0: there is neither; <0. */
static int
get(struct db_txn *txn, uint32_t number, struct db_bytes *value, struct err *err)
{
	struct err why = {0};
	struct key key;
	int rc, other;

	key_number(&key, number);
	rc = db_get(txn, DB_DICTIONARY, &key, value, &why);
	if (rc == 0 || rc == ERR_DAMAGED) {
		key_number(&key, number | CERTIFICATE_COPY);
		if ((other = db_get(txn, DB_DICTIONARY, &key, value, NULL)) > 0)
			return 1;
	}
	return rc < 0 ? err_set(err, rc, "%s", why.text) : rc;
}

/* NULL if it cannot be read. */
static struct zstd_dictionary *
open_dictionary(const struct db_bytes *value)
{
	if (value->len <= AMONG_LEN || value->len > LIMIT_DICTIONARY_READ)
		return NULL;
	return zstd_dictionary_create(value->p + AMONG_LEN, value->len - AMONG_LEN);
}

bool
certificate_dictionary_valid(const struct db_bytes *value)
{
	struct zstd_dictionary *d = open_dictionary(value);
	bool valid = d != NULL;

	zstd_dictionary_destroy(d);
	return valid;
}

int
certificate_dictionary_load(struct certificate_dictionaries *d, struct db_txn *txn, uint32_t number,
    struct zstd_dictionary **out, struct err *err)
{
	struct zstd_dictionary *one = NULL;
	struct db_bytes value;
	int rc = 0;

	if (number < d->n && d->list[number] != NULL) {
		*out = d->list[number];
		return 0;
	}
	if ((number & CERTIFICATE_COPY) == 0 && (rc = get(txn, number, &value, err)) > 0)
		one = open_dictionary(&value);
	if (rc < 0)
		return rc;
	if (one == NULL)
		return err_set(err, ERR_DAMAGED, "damaged: sub-database dictionary: number %u",
		    (unsigned)number);
	/* A number that is there is below the count of the table: no stranger chooses it. */
	if (number >= d->n) {
		d->list = mem_grow(d->list, (size_t)number + 1, sizeof(*d->list));
		while (d->n <= number)
			d->list[d->n++] = NULL;
	}
	*out = d->list[number] = one;
	return 0;
}

int
certificate_dictionary_newest(struct certificate_dictionaries *d, struct db_txn *txn,
    struct zstd_dictionary **out, uint32_t *number, struct err *err)
{
	int rc;

	*out = NULL;
	if (!d->asked && (rc = find_newest(txn, &d->newest, err)) < 0)
		return rc;
	d->asked = true;
	if (d->newest < 0)
		return 0;
	*number = (uint32_t)d->newest;
	return certificate_dictionary_load(d, txn, *number, out, err);
}

int
certificate_dictionary_put(struct certificate_dictionaries *d, struct db_txn *txn,
    const void *value, size_t len, struct err *err)
{
	struct key key;
	int64_t number;
	int rc = find_newest(txn, &number, err);

	if (rc != 0)
		return rc;
	key_number(&key, (uint32_t)++number);
	if ((rc = db_put(txn, DB_DICTIONARY, &key, value, len, DB_PUT, err)) != 0)
		return rc;
	key_number(&key, (uint32_t)number | CERTIFICATE_COPY);
	if ((rc = db_put(txn, DB_DICTIONARY, &key, value, len, DB_PUT, err)) != 0 ||
	    (rc = db_raise_format(txn, DB_FORMAT_3, err)) != 0)
		return rc;
	d->asked = true;
	d->newest = number;
	return 0;
}

int
certificate_dictionary_among(struct db_txn *txn, uint32_t *among, struct err *err)
{
	struct db_bytes value;
	struct reader r;
	int64_t number;
	int rc = find_newest(txn, &number, err);

	*among = 0;
	if (rc != 0 || number < 0)
		return rc;
	if ((rc = get(txn, (uint32_t)number, &value, err)) <= 0)
		return rc;
	r = reader_of(value.p, value.len);
	*among = reader_u32le(&r);
	return 1;
}

void
certificate_dictionaries_forget(struct certificate_dictionaries *d)
{
	for (size_t i = 0; i < d->n; i++)
		zstd_dictionary_destroy(d->list[i]);
	free(d->list);
	*d = (struct certificate_dictionaries){.list = NULL};
}
