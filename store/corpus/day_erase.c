#include "day_erase.h"

#include "store/record/day.h"

struct place {
	int64_t day;
	uint16_t chunk;
};

/* The records to go: LMDB's cursors and its deletions are kept apart. */
static int
find_places(
    struct db_txn *txn, uint32_t series, int64_t before_day, struct buf *places, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, DB_DAY, err);
	struct db_bytes found, value;
	struct place place;
	uint32_t found_series;
	struct key key;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	key_number(&key, series); /* a prefix of its days */
	rc = db_cursor_seek(cursor, &key, &found, &value, err);
	while (rc > 0 && key_has_prefix(found.p, found.len, &key)) {
		if (!key_parse_day(found.p, found.len, &found_series, &place.day, &place.chunk)) {
			rc = err_set(
			    err, ERR_DAMAGED, "damaged: sub-database day: a key that is none");
			break;
		}
		if (place.day >= before_day)
			break;
		buf_append(places, &place, sizeof(place));
		rc = db_cursor_move(cursor, DB_NEXT, &found, &value, err);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

static int
erase_last(struct db_txn *txn, uint32_t series, int64_t before_day, struct err *err)
{
	struct db_bytes value;
	struct day_last last;
	struct key key;
	int rc;

	key_number(&key, series);
	if ((rc = db_get(txn, DB_DAY_LAST, &key, &value, err)) <= 0)
		return rc;
	if (!day_last_parse(&last, value.p, value.len))
		return err_set(err, ERR_DAMAGED,
		    "damaged: sub-database last: series %u cannot be read", (unsigned)series);
	if (last.day >= before_day)
		return 0;
	if ((rc = db_delete(txn, DB_DAY_LAST, &key, err)) != 0)
		return rc;
	key_date(&key, last.day, series);
	return db_delete(txn, DB_DATE, &key, err);
}

int
day_erase(struct db_txn *txn, uint32_t series, int64_t before_day, struct err *err)
{
	struct buf buf = {0};
	const struct place *places;
	struct key key;
	int rc = find_places(txn, series, before_day, &buf, err);

	places = (const void *)buf.data;
	for (size_t i = 0; rc == 0 && i < buf.len / sizeof(*places); i++) {
		key_day(&key, series, places[i].day, places[i].chunk);
		rc = db_delete(txn, DB_DAY, &key, err);
		key_date(&key, places[i].day, series);
		if (rc == 0)
			rc = db_delete(txn, DB_DATE, &key, err);
	}
	buf_finish(&buf);
	return rc == 0 ? erase_last(txn, series, before_day, err) : rc;
}
