#include <string.h>

#include "clock.h"
#include "day.h"
#include "store.h"
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

static int
count_chunk(const struct db_bytes *key, const struct db_bytes *value, enum series_kind kind,
    struct store_figures *f, bool *any)
{
	struct day_reader r;
	struct sighting first;
	uint32_t series, count, evidence;
	int64_t day, last_ms;
	uint16_t chunk;

	if (!key_parse_day(key->p, key->len, &series, &day, &chunk) ||
	    !day_summary(value->p, value->len, day, &count, &last_ms, &evidence))
		return ERR_DAMAGED;
	if (kind == SERIES_DNS) {
		f->dns_answers += count;
		return 0;
	}
	f->observations += count;
	if (!day_reader_init(&r, kind, day, value->p, value->len) || day_next(&r, &first) < 0)
		return ERR_DAMAGED;
	if (!*any || first.time_ms < f->first_ms)
		f->first_ms = first.time_ms;
	if (!*any || last_ms > f->last_ms)
		f->last_ms = last_ms;
	*any = true;
	return 0;
}

static int
count_observations(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_DAY, err);
	struct db_bytes key, value;
	struct series series = {0};
	int64_t number = -1;
	struct reader r;
	bool any = false;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	while (rc > 0) {
		r = reader_of(key.p, key.len);
		if (reader_u32be(&r) != number) {
			r = reader_of(key.p, key.len);
			number = reader_u32be(&r);
			if ((rc = store_series(view, (uint32_t)number, &series, err)) < 0)
				break;
		}
		if (count_chunk(&key, &value, series.kind, f, &any) != 0) {
			rc = err_set(err, ERR_DAMAGED, "%s: damaged: sub-database day: series %lld",
			    view->store->dir, (long long)number);
			break;
		}
		rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err);
	}
	db_cursor_close(cursor);
	return rc;
}

static int
count_unknown(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_CERT, err);
	struct db_bytes key, value;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err))
		f->certificates_unknown += value.len > HASH_LEN && value.p[HASH_LEN] == CODEC_NAME;
	db_cursor_close(cursor);
	f->certificates -= f->certificates_unknown;
	return rc;
}

int
store_figures(struct store_view *view, struct store_figures *f, struct err *err)
{
	struct db_figures file;
	int rc = 0;

	memset(f, 0, sizeof(*f));
	_Static_assert(DB_TABLE_N <= sizeof(f->part) / sizeof(f->part[0]), "a part a table");
	for (int i = 0; rc == 0 && i < DB_TABLE_N; i++) {
		f->part[i].name = db_table_name(i);
		rc = db_table_size(view->txn, i, &f->part[i].records, &f->part[i].octets, err);
	}
	if (rc != 0)
		return rc;
	f->part_n = DB_TABLE_N;
	f->series = f->part[DB_SERIES].records;
	f->evidence = f->part[DB_EVIDENCE].records;
	f->chains = f->part[DB_CHAIN].records;
	f->certificates = f->part[DB_CERT].records;
	f->commits = f->part[DB_JOURNAL].records;
	if ((rc = db_figures(view->store->db, &file, err)) != 0 ||
	    (rc = count_hosts(view, f, err)) != 0 || (rc = count_addresses(view, f, err)) != 0 ||
	    (rc = count_observations(view, f, err)) != 0 || (rc = count_unknown(view, f, err)) != 0)
		return rc;
	f->file_octets = file.file_octets;
	f->used_octets = file.used_octets;
	f->readers = file.readers;
	return 0;
}
