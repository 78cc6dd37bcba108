#include "numbers.h"

#include <string.h>

#include "certificate_codec.h"

void
numbers_key(struct key *key)
{
	static const char name[] = "dropped";

	key->len = sizeof(name) - 1;
	memcpy(key->bytes, name, key->len);
}

static int
read_record(struct db_txn *txn, struct numbers *n, struct err *err)
{
	struct db_bytes value;
	struct reader r;
	struct key key;
	int rc;

	*n = (struct numbers){0};
	numbers_key(&key);
	if ((rc = db_get(txn, DB_META, &key, &value, err)) <= 0)
		return rc;
	n->dropped = true;
	r = reader_of(value.p, value.len);
	n->series = reader_u64le(&r);
	n->evidence = reader_u64le(&r);
	n->certificates = reader_u64le(&r);
	n->forgotten = reader_u64le(&r);
	n->unnamed = reader_u64le(&r);
	if (r.failed || reader_left(&r) > 0)
		return err_set(
		    err, ERR_DAMAGED, "damaged: sub-database meta: the record of what was dropped");
	return 0;
}

static int
count_in(struct db_txn *txn, enum db_table table, uint64_t *next, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, table, err);
	struct certificate_items items;
	struct db_bytes key, value;
	struct reader r;
	uint64_t here;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	if ((rc = db_cursor_move(cursor, DB_LAST, &key, &value, err)) > 0) {
		r = reader_of(key.p, key.len);
		here = (uint64_t)reader_u32be(&r) + 1;
		if (table == DB_CERT && !certificate_items_init(&items, &key, &value))
			rc = err_set(err, ERR_DAMAGED,
			    "damaged: sub-database cert: its last record cannot be read");
		while (table == DB_CERT && rc > 0 && certificate_items_next(&items))
			here = (uint64_t)items.number + 1;
		*next = here > *next ? here : *next;
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
numbers_read(struct db_txn *txn, struct numbers *n, struct err *err)
{
	int rc = read_record(txn, n, err);

	if (rc == 0)
		rc = count_in(txn, DB_SERIES, &n->series, err);
	if (rc == 0)
		rc = count_in(txn, DB_EVIDENCE, &n->evidence, err);
	if (rc == 0)
		rc = count_in(txn, DB_CERT, &n->certificates, err);
	return rc;
}

int
numbers_write(struct db_txn *txn, const struct numbers *n, struct err *err)
{
	struct buf value = {0};
	struct key key;
	int rc;

	numbers_key(&key);
	buf_append_u64le(&value, n->series);
	buf_append_u64le(&value, n->evidence);
	buf_append_u64le(&value, n->certificates);
	buf_append_u64le(&value, n->forgotten);
	buf_append_u64le(&value, n->unnamed);
	rc = db_put(txn, DB_META, &key, value.data, value.len, DB_PUT, err);
	buf_finish(&value);
	return rc;
}
