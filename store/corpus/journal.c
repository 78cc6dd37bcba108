#include "journal.h"

#include <stdlib.h>

#include "numbers.h"
#include "store/base/mem.h"
#include "store_view.h"

#define FORM 1

struct journal_walk {
	struct store_view *view;
	struct db_cursor *cursor;
	uint64_t next;
	struct buf entries;
};

void
journal_encode(struct buf *out, int64_t committed_ms, const struct journal_entry *entries, size_t n)
{
	struct journal_entry last = {0};

	buf_append_byte(out, FORM);
	buf_append_u64le(out, (uint64_t)committed_ms);
	buf_append_varint(out, n);
	for (size_t i = 0; i < n; i++) {
		buf_append_varint(out, zigzag((int64_t)entries[i].series - last.series));
		buf_append_varint(out, zigzag(entries[i].time_ms - last.time_ms));
		last = entries[i];
	}
}

bool
journal_decode(const void *p, size_t len, int64_t *committed_ms, struct buf *entries)
{
	struct reader r = reader_of(p, len);
	struct journal_entry entry = {0};
	uint8_t form = reader_byte(&r);
	uint64_t n;

	*committed_ms = (int64_t)reader_u64le(&r);
	n = reader_varint(&r);
	if (form != FORM || n > reader_left(&r) / 2)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		int64_t series = unzigzag(reader_varint(&r)), delta = unzigzag(reader_varint(&r));

		if (series < -(int64_t)entry.series || series > (int64_t)UINT32_MAX - entry.series)
			return false;
		entry.series = (uint32_t)(entry.series + series);
		entry.time_ms = (int64_t)((uint64_t)entry.time_ms + (uint64_t)delta);
		if (!observation_time_valid(entry.time_ms))
			return false;
		buf_append(entries, &entry, sizeof(entry));
	}
	return !r.failed && reader_left(&r) == 0;
}

static int
end_of(struct db_txn *txn, enum db_move move, uint64_t *sequence, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(txn, DB_JOURNAL, err);
	struct db_bytes key, value;
	struct reader r;
	int rc;

	*sequence = 0;
	if (cursor == NULL)
		return ERR_SYSTEM;
	if ((rc = db_cursor_move(cursor, move, &key, &value, err)) > 0) {
		r = reader_of(key.p, key.len);
		*sequence = reader_u64be(&r);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
journal_newest(struct db_txn *txn, uint64_t *sequence, struct err *err)
{
	struct numbers numbers;
	int rc = end_of(txn, DB_LAST, sequence, err);

	if (rc != 0 || *sequence > 0)
		return rc;
	rc = numbers_read(txn, &numbers, err);
	*sequence = numbers.forgotten;
	return rc;
}

int
journal_last(struct store_view *view, uint64_t *sequence, struct err *err)
{
	return journal_newest(view->txn, sequence, err);
}

int
journal_walk_open(
    struct journal_walk **out, struct store_view *view, uint64_t cursor, struct err *err)
{
	const char *dir = view->store->dir;
	struct numbers numbers;
	uint64_t last;
	int rc;

	*out = NULL;
	if ((rc = numbers_read(view->txn, &numbers, err)) != 0 ||
	    (rc = journal_newest(view->txn, &last, err)) != 0)
		return rc;
	if (cursor > last)
		return err_set(err, ERR_NOT_FOUND,
		    "%s: cursor %llu lies beyond the end of the journal (%llu): it belongs to "
		    "another "
		    "corpus; begin anew from 0",
		    dir, (unsigned long long)cursor, (unsigned long long)last);
	if (cursor < numbers.forgotten)
		return err_set(err, ERR_NOT_FOUND,
		    "%s: cursor %llu is older than what is left of the journal (from %llu on): "
		    "read the whole corpus again and go on from %llu",
		    dir, (unsigned long long)cursor, (unsigned long long)numbers.forgotten,
		    (unsigned long long)last);
	*out = mem_zero(1, sizeof(**out));
	(*out)->view = view;
	(*out)->next = cursor + 1;
	(*out)->cursor = db_cursor_open(view->txn, DB_JOURNAL, err);
	if ((*out)->cursor == NULL) {
		journal_walk_close(*out);
		*out = NULL;
		return ERR_SYSTEM;
	}
	return 0;
}

int
journal_walk_next(struct journal_walk *walk, uint64_t *sequence, int64_t *committed_ms,
    const struct journal_entry **entries, size_t *n, struct err *err)
{
	struct db_bytes found, value;
	struct key key;
	int rc;

	key_sequence(&key, walk->next);
	if ((rc = db_cursor_seek(walk->cursor, &key, &found, &value, err)) <= 0)
		return rc;
	buf_clear(&walk->entries);
	if (!key_has_prefix(found.p, found.len, &key) ||
	    !journal_decode(value.p, value.len, committed_ms, &walk->entries))
		return err_set(err, ERR_DAMAGED, "%s: damaged: sub-database journal: commit %llu",
		    walk->view->store->dir, (unsigned long long)walk->next);
	*sequence = walk->next++;
	*entries = (const void *)walk->entries.data;
	*n = walk->entries.len / sizeof(**entries);
	return 1;
}

void
journal_walk_close(struct journal_walk *walk)
{
	if (walk == NULL)
		return;
	db_cursor_close(walk->cursor);
	buf_finish(&walk->entries);
	free(walk);
}
