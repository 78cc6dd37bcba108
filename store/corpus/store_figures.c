#include <string.h>

#include "store.h"
#include "store/base/clock.h"
#include "store/record/day.h"
#include "store_view.h"

/* Distinct prefixes of the keys of a table: hosts in series_key, addresses in by_address. */
struct distinct {
	struct key last;
	uint64_t n;
};

static void
count_distinct(struct distinct *d, const uint8_t *p, size_t len)
{
	if (d->n > 0 && d->last.len == len && memcmp(d->last.bytes, p, len) == 0)
		return;
	memcpy(d->last.bytes, p, len);
	d->last.len = len;
	d->n++;
}

/* The host in a key of series_key ends with its first 00 00. */
static size_t
host_len(const struct db_bytes *key)
{
	for (size_t i = 1; i < key->len; i++)
		if (key->p[i - 1] == 0 && key->p[i] == 0)
			return i + 1;
	return key->len;
}

static int
count_hosts(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_SERIES_KEY, err);
	struct distinct hosts = {0};
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err))
		count_distinct(&hosts, key.p, host_len(&key));
	db_cursor_close(cursor);
	f->hosts = hosts.n;
	return rc;
}

static int
count_addresses(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_BY_ADDRESS, err);
	struct distinct addresses = {0};
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err))
		count_distinct(&addresses, key.p, key.len - 6); /* less port and series */
	db_cursor_close(cursor);
	f->addresses = addresses.n;
	return rc;
}

/* The kinds of the series, by number: for each of their chunks it is asked. */
static int
read_kinds(struct store_view *view, struct buf *kinds, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_SERIES, err);
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		struct reader r = reader_of(key.p, key.len);
		uint32_t number = reader_u32be(&r);

		/* What was dropped has left gaps. */
		while (!r.failed && kinds->len < number)
			buf_append_byte(kinds, 0);
		buf_append_byte(kinds, value.len > 0 ? value.p[0] : 0);
	}
	db_cursor_close(cursor);
	return rc;
}

static bool
count_chunk(
    enum series_kind kind, int64_t day, const void *chunk, size_t len, struct store_figures *f)
{
	bool any = f->observations > 0;
	struct day_reader r;
	struct sighting first;
	uint32_t count, evidence;
	int64_t last_ms;

	if (!day_summary(chunk, len, day, &count, &last_ms, &evidence))
		return false;
	if (kind == SERIES_DNS) {
		f->dns_answers += count;
		return true;
	}
	f->observations += count;
	if (!day_reader_init(&r, kind, day, chunk, len) || day_next(&r, &first) < 0)
		return false;
	if (!any || first.time_ms < f->first_ms)
		f->first_ms = first.time_ms;
	if (!any || last_ms > f->last_ms)
		f->last_ms = last_ms;
	return true;
}

/* A record of sub-database day or last. */
static bool
count_record(enum db_table table, const struct db_bytes *key, const struct db_bytes *value,
    const struct buf *kinds, struct store_figures *f)
{
	struct reader r = reader_of(key->p, key->len);
	struct day_last last = {.chunk = value->p, .len = value->len};
	uint32_t series = reader_u32be(&r);

	if (r.failed || series >= kinds->len)
		return false;
	if (table == DB_DAY_LAST
		? !day_last_parse(&last, value->p, value->len)
		: !key_parse_day(key->p, key->len, &series, &last.day, &last.number))
		return false;
	return count_chunk(kinds->data[series], last.day, last.chunk, last.len, f);
}

static int
count_observations(struct store_view *view, enum db_table table, const struct buf *kinds,
    struct store_figures *f, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, table, err);
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		if (count_record(table, &key, &value, kinds, f))
			continue;
		rc = err_set(err, ERR_DAMAGED, "%s: damaged: sub-database %s: a record of it",
		    view->store->dir, db_table_name(table));
		break;
	}
	db_cursor_close(cursor);
	return rc;
}

static int
count_certificates(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_CERT, err);
	struct certificate_items items;
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err)) {
		if (!certificate_items_init(&items, &key, &value)) {
			rc = err_set(err, ERR_DAMAGED,
			    "%s: damaged: sub-database cert: a record of it", view->store->dir);
			break;
		}
		if (certificate_is_name(&value))
			f->certificates_unknown++;
		else
			while (certificate_items_next(&items))
				f->certificates++;
	}
	db_cursor_close(cursor);
	return rc;
}

/* When the commit after that of the oldest view was made: transactions that make no entry in the
 * journal (a compaction) are taken for commits. 0: the journal does not say. */
static int64_t
superseded_ms(struct store_view *view, uint64_t lag)
{
	const struct journal_entry *entries;
	struct journal_walk *walk = NULL;
	uint64_t last, sequence;
	int64_t committed_ms = 0;
	struct err ignored = {0};
	size_t n;

	if (journal_last(view, &last, &ignored) == 0 && last >= lag &&
	    journal_walk_open(&walk, view, last - lag, &ignored) == 0 &&
	    journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, &ignored) <= 0)
		committed_ms = 0;
	journal_walk_close(walk);
	return committed_ms;
}

int
store_figures(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_figures file;
	struct buf kinds = {0};
	int rc = 0;

	memset(f, 0, sizeof(*f));
	_Static_assert(DB_TABLE_N <= sizeof(f->part) / sizeof(f->part[0]), "a part a table");
	for (int i = 0; rc == 0 && i < DB_TABLE_N; i++) {
		f->part[i].name = db_table_name(i);
		rc = db_table_size(view->txn, i, &f->part[i].records, &f->part[i].octets, err);
		f->live_octets += f->part[i].octets;
	}
	if (rc != 0)
		return rc;
	f->part_n = DB_TABLE_N;
	f->series = f->part[DB_SERIES].records;
	f->evidence = f->part[DB_EVIDENCE].records;
	f->chains = f->part[DB_CHAIN].records;
	f->commits = f->part[DB_JOURNAL].records;
	if ((rc = db_figures(view->store->db, &file, err)) != 0 ||
	    (rc = count_hosts(view, f, err)) != 0 || (rc = count_addresses(view, f, err)) != 0 ||
	    (rc = read_kinds(view, &kinds, err)) != 0 ||
	    (rc = count_observations(view, DB_DAY, &kinds, f, err)) != 0 ||
	    (rc = count_observations(view, DB_DAY_LAST, &kinds, f, err)) != 0 ||
	    (rc = count_certificates(view, f, err)) != 0)
		goto out;
	f->file_octets = file.file_octets;
	f->used_octets = file.used_octets;
	f->readers = file.readers;
	f->oldest_reader_lag = file.newest - file.oldest_read;
	if (f->oldest_reader_lag > 0)
		f->oldest_reader_ms = superseded_ms(view, f->oldest_reader_lag);
out:
	buf_finish(&kinds);
	return rc;
}
