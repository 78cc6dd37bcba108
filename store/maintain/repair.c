#include "repair.h"

#include <stdarg.h>
#include <string.h>

void
repair_say(struct repair *r, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_append_text(&line, "mended: ");
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	r->hooks->say(r->hooks->ctx, buf_text(&line));
	r->mended++;
	buf_finish(&line);
}

/* ---- changes: made behind the cursor's back only when it is closed -------------------------- */

/* value NULL: the record goes. */
void
repair_change(
    struct repair *r, enum db_table table, const struct key *key, const void *value, size_t len)
{
	buf_append_varint(&r->changes, table);
	buf_append_varint(&r->changes, key->len);
	buf_append(&r->changes, key->bytes, key->len);
	buf_append_varint(&r->changes, value != NULL ? len + 1 : 0);
	if (value != NULL)
		buf_append(&r->changes, value, len);
}

void
repair_change_number(struct repair *r, enum db_table table, const struct key *key, uint32_t number)
{
	struct buf value = {0};

	buf_append_u32le(&value, number);
	repair_change(r, table, key, value.data, value.len);
	buf_finish(&value);
}

int
repair_apply(struct repair *r, struct err *err)
{
	struct reader in;
	int rc = 0;

	if (r->changes.len == 0)
		return 0;
	in = reader_of(r->changes.data, r->changes.len);
	while (rc == 0 && reader_left(&in) > 0) {
		enum db_table table = reader_varint(&in);
		struct key key = {.len = reader_varint(&in)};
		const uint8_t *bytes = reader_take(&in, key.len), *value;
		uint64_t len;

		memcpy(key.bytes, bytes, key.len);
		len = reader_varint(&in);
		if (len == 0) {
			rc = db_delete(r->view.txn, table, &key, err);
		} else {
			value = reader_take(&in, len - 1);
			rc = db_put(r->view.txn, table, &key, value, len - 1, DB_PUT, err);
		}
	}
	buf_clear(&r->changes);
	return rc;
}

/* ---- walking -------------------------------------------------------------------------------- */

int
repair_walk(struct repair *r, enum db_table table, repair_record *each, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(r->view.txn, table, err);
	uint64_t records, octets;
	int rc =
	    cursor == NULL ? ERR_SYSTEM : db_table_size(r->view.txn, table, &records, &octets, err);

	for (uint64_t at = 0; rc == 0; at++) {
		struct db_bytes found = {0}, value = {0};
		struct err why = {0};
		struct key key;
		int one =
		    db_cursor_move(cursor, at == 0 ? DB_FIRST : DB_NEXT, &found, &value, &why);

		if (one == 0)
			break;
		/* Pages in disorder cannot be mended. */
		if (one < 0 && (one != ERR_DAMAGED || found.p == NULL || at > records)) {
			rc = err_set(err, one, "%s", why.text);
			break;
		}
		key.len = found.len <= KEY_MAX ? found.len : 0;
		memcpy(key.bytes, found.p, key.len);
		each(r, &key, one > 0 ? &value : NULL);
		if (r->hooks->tick != NULL && r->records++ % 256 == 0 &&
		    r->hooks->tick(r->hooks->ctx, r->records, 0))
			rc = err_set(err, ERR_INPUT, "interrupted: nothing was changed");
	}
	db_cursor_close(cursor);
	return rc == 0 ? repair_apply(r, err) : rc;
}

uint32_t
repair_number_in(const struct key *key)
{
	struct reader in = reader_of(key->bytes, key->len);

	return reader_u32be(&in);
}

uint32_t
repair_number_of(const struct db_bytes *value)
{
	struct reader in = reader_of(value->p, value->len);

	return reader_u32le(&in);
}

bool
repair_is_number(struct repair *r, enum db_table table, const struct key *key, uint32_t number)
{
	uint32_t found;

	return store_number(r->view.txn, table, key, &found, NULL) > 0 && found == number;
}

/* Whether there is such a record at all, damaged or not. */
bool
repair_exists(struct repair *r, enum db_table table, const struct key *key)
{
	struct db_bytes value;

	return db_get(r->view.txn, table, key, &value, NULL) != 0;
}

/* Whether there is one that holds together. */
bool
repair_is_whole(struct repair *r, enum db_table table, const struct key *key)
{
	struct db_bytes value;

	return db_get(r->view.txn, table, key, &value, NULL) > 0;
}
