#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "maintain.h"
#include "store/base/clock.h"
#include "store/corpus/journal.h"
#include "store/corpus/numbers.h"
#include "store/corpus/pages.h"
#include "store/corpus/store_view.h"
#include "store/corpus/timeline.h"
#include "store/record/day.h"

struct repair {
	struct store *store;
	struct store_view view; /* of the transaction, which writes */
	const struct maintain_hooks *hooks;
	struct buf changes; /* to be made when the walk is over, see change() */
	struct buf missing; /* names of certificates that a chain names and nothing else */
	uint64_t mended, records;
};

static void __attribute__((format(printf, 2, 3))) mended(struct repair *r, const char *fmt, ...)
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
static void
change(struct repair *r, enum db_table table, const struct key *key, const void *value, size_t len)
{
	buf_append_varint(&r->changes, table);
	buf_append_varint(&r->changes, key->len);
	buf_append(&r->changes, key->bytes, key->len);
	buf_append_varint(&r->changes, value != NULL ? len + 1 : 0);
	if (value != NULL)
		buf_append(&r->changes, value, len);
}

static void
change_number(struct repair *r, enum db_table table, const struct key *key, uint32_t number)
{
	struct buf value = {0};

	buf_append_u32le(&value, number);
	change(r, table, key, value.data, value.len);
	buf_finish(&value);
}

static int
apply(struct repair *r, struct err *err)
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

/* value is NULL where the checksum does not hold. */
typedef void each_record(struct repair *r, const struct key *key, const struct db_bytes *value);

static int
walk(struct repair *r, enum db_table table, each_record *each, struct err *err)
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
	return rc == 0 ? apply(r, err) : rc;
}

static uint32_t
number_in(const struct key *key)
{
	struct reader in = reader_of(key->bytes, key->len);

	return reader_u32be(&in);
}

static uint32_t
number_of(const struct db_bytes *value)
{
	struct reader in = reader_of(value->p, value->len);

	return reader_u32le(&in);
}

static bool
is_number(struct repair *r, enum db_table table, const struct key *key, uint32_t number)
{
	uint32_t found;

	return store_number(r->view.txn, table, key, &found, NULL) > 0 && found == number;
}

/* Whether there is such a record at all, damaged or not. */
static bool
exists(struct repair *r, enum db_table table, const struct key *key)
{
	struct db_bytes value;

	return db_get(r->view.txn, table, key, &value, NULL) != 0;
}

/* Whether there is one that holds together. */
static bool
is_whole(struct repair *r, enum db_table table, const struct key *key)
{
	struct db_bytes value;

	return db_get(r->view.txn, table, key, &value, NULL) > 0;
}

/* ---- series --------------------------------------------------------------------------------- */

/* The key of a series in the index of names holds all of it, as a rule. Only a series of which
 * there are observations is missed. */
static void
series_from_name(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct buf record = {0};
	struct series series;
	struct key number;
	struct err why = {0};

	if (value == NULL || value->len != 4)
		return;
	key_number(&number, number_of(value));
	if (!exists(r, DB_DAY_LAST, &number) ||
	    store_series(&r->view, number_of(value), &series, &why) == 0 ||
	    !key_parse_series(key, &series))
		return;
	series_encode(&record, &series);
	change(r, DB_SERIES, &number, record.data, record.len);
	mended(
	    r, "series %u (%s), from the index of names", (unsigned)number_of(value), series.host);
	buf_finish(&record);
}

static void
index_series(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	uint32_t number = number_in(key);
	struct series s;
	struct key k;

	if (value == NULL || series_decode(&s, value->p, value->len, NULL) != 0)
		return;
	key_series(&k, &s);
	if (!is_number(r, DB_SERIES_KEY, &k, number)) {
		change_number(r, DB_SERIES_KEY, &k, number);
		mended(r, "the index of names: series %u (%s)", (unsigned)number, s.host);
	}
	if (s.kind != SERIES_PROBE)
		return;
	key_address_series(&k, &s.address, s.port, number);
	if (!is_whole(r, DB_BY_ADDRESS, &k)) {
		change(r, DB_BY_ADDRESS, &k, "", 0);
		mended(r, "the index of addresses: series %u (%s)", (unsigned)number, s.host);
	}
}

static void
stray_name(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct series s;
	struct key k;

	if (value != NULL && value->len == 4) {
		key_number(&k, number_of(value));
		if (store_series(&r->view, number_of(value), &s, NULL) != 0) {
			if (exists(r, DB_SERIES, &k))
				return; /* it cannot be read: what is known of it stays */
		} else {
			key_series(&k, &s);
			if (key_compare(&k, key) == 0)
				return;
		}
	}
	change(r, DB_SERIES_KEY, key, NULL, 0);
	mended(r, "the index of names: a record that names no series is gone");
}

static void
stray_address(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct reader in = reader_of(key->bytes, key->len);
	struct series s;
	struct key k;
	uint32_t number;

	reader_take(&in, key->len < 4 ? 0 : key->len - 4);
	number = reader_u32be(&in);
	key_number(&k, number);
	if (store_series(&r->view, number, &s, NULL) != 0) {
		if (value != NULL && exists(r, DB_SERIES, &k))
			return;
	} else if (s.kind == SERIES_PROBE) {
		key_address_series(&k, &s.address, s.port, number);
		if (value != NULL && key_compare(&k, key) == 0)
			return;
	}
	change(r, DB_BY_ADDRESS, key, NULL, 0);
	mended(r, "the index of addresses: a record that names no series is gone");
}

/* ---- what is named by its hash -------------------------------------------------------------- */

static void
index_evidence(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	uint32_t number = number_in(key);
	struct hash id;
	struct key k;

	if (value == NULL)
		return;
	id = hash_sha256(value->p, value->len);
	key_hash(&k, &id);
	if (is_number(r, DB_EVIDENCE_ID, &k, number))
		return;
	change_number(r, DB_EVIDENCE_ID, &k, number);
	mended(r, "the index of evidence: record %u", (unsigned)number);
}

/* The name of a certificate's record: false where it cannot be read. */
static bool
certificate_name(struct repair *r, const struct db_bytes *value, unsigned index, struct hash *name)
{
	struct buf der = {0};
	int rc = certificate_decode(r->store->codec, r->view.txn, value, index, &der, NULL);

	if (rc > 0)
		*name = hash_sha256(der.data, der.len);
	else if (rc == 0)
		memcpy(name->bytes, der.data, HASH_LEN);
	buf_finish(&der);
	return rc >= 0;
}

static void
index_certificate(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	const struct db_bytes bytes = {key->bytes, key->len};
	struct certificate_items items;
	struct hash name;
	struct key k;

	if (value == NULL || !certificate_items_init(&items, &bytes, value))
		return;
	while (certificate_items_next(&items)) {
		if (!certificate_name(r, value, items.index, &name))
			continue;
		key_hash(&k, &name);
		if (is_number(r, DB_CERT_ID, &k, items.number))
			continue;
		change_number(r, DB_CERT_ID, &k, items.number);
		mended(r, "the index of certificates: number %u", (unsigned)items.number);
	}
}

/* What the record under a number is named by: 1; 0: it cannot be read; -1: there is none. */
static int
name_of(struct repair *r, enum db_table data, uint32_t number, struct hash *name)
{
	struct certificate_record record;
	struct db_bytes value;
	struct key key;
	int rc;

	key_number(&key, number);
	rc = data == DB_CERT ? certificate_find(r->view.txn, number, &record, NULL)
			     : db_get(r->view.txn, data, &key, &value, NULL);
	if (rc <= 0)
		return rc < 0 ? 0 : -1;
	if (data == DB_CERT)
		return certificate_name(r, &record.value, record.index, name);
	*name = hash_sha256(value.p, value.len);
	return 1;
}

static void
stray_hash(struct repair *r, enum db_table index, enum db_table data, const struct key *key,
    const struct db_bytes *value)
{
	struct hash name;
	int known = -1;

	if (value != NULL && value->len == 4)
		known = name_of(r, data, number_of(value), &name);
	if (known == 0 ||
	    (known > 0 && key->len == HASH_LEN && memcmp(key->bytes, name.bytes, HASH_LEN) == 0))
		return;
	change(r, index, key, NULL, 0);
	mended(r, "sub-database %s: a record that names nothing is gone", db_table_name(index));
}

static void
stray_evidence_id(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	stray_hash(r, DB_EVIDENCE_ID, DB_EVIDENCE, key, value);
}

static void
stray_certificate_id(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	stray_hash(r, DB_CERT_ID, DB_CERT, key, value);
}

/* ---- certificates that a chain names -------------------------------------------------------- */

static void
find_missing(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct hash name;
	struct key k;

	for (size_t i = 0; value != NULL && i + HASH_LEN <= value->len; i += HASH_LEN) {
		memcpy(name.bytes, value->p + i, HASH_LEN);
		key_hash(&k, &name);
		if (!exists(r, DB_CERT_ID, &k))
			buf_append(&r->missing, name.bytes, HASH_LEN);
	}
}

static int
name_missing(struct repair *r, struct err *err)
{
	struct numbers numbers;
	int rc = numbers_read(r->view.txn, &numbers, err);

	for (size_t i = 0; rc == 0 && i < r->missing.len; i += HASH_LEN) {
		char hex[2 * HASH_LEN + 1];
		struct buf record = {0};
		struct key name, number;
		struct hash hash;

		memcpy(hash.bytes, r->missing.data + i, HASH_LEN);
		key_hash(&name, &hash);
		if (exists(r, DB_CERT_ID, &name))
			continue; /* another chain named it too */
		key_number(&number, (uint32_t)numbers.certificates);
		certificate_encode_name(&record, &hash);
		change(r, DB_CERT, &number, record.data, record.len);
		change_number(r, DB_CERT_ID, &name, (uint32_t)numbers.certificates++);
		rc = apply(r, err);
		hash_hex(&hash, hex);
		mended(r, "certificate sha256:%s is known by name again", hex);
		buf_finish(&record);
	}
	return rc;
}

/* ---- dates ---------------------------------------------------------------------------------- */

static void
index_date(struct repair *r, uint32_t series, int64_t day)
{
	char text[CLOCK_TEXT_MAX];
	struct key k;

	key_date(&k, day, series);
	if (is_whole(r, DB_DATE, &k))
		return;
	change(r, DB_DATE, &k, "", 0);
	clock_format_s(day * CLOCK_DAY_MS, text);
	mended(r, "the index of dates: series %u on %.10s", (unsigned)series, text);
}

static void
index_day(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	uint32_t series;
	uint16_t chunk;
	int64_t day;

	if (key_parse_day(key->bytes, key->len, &series, &day, &chunk) && chunk == 0)
		index_date(r, series, day);
}

static void
index_day_last(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct day_last last;

	if (value != NULL && day_last_parse(&last, value->p, value->len) && last.number == 0)
		index_date(r, number_in(key), last.day);
}

static void
stray_date(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct db_bytes record;
	struct day_last last;
	uint32_t series;
	struct key k;
	int64_t day;
	int rc;

	if (key_parse_date(key->bytes, key->len, &day, &series)) {
		key_day(&k, series, day, 0);
		if (exists(r, DB_DAY, &k))
			return;
		key_number(&k, series);
		rc = db_get(r->view.txn, DB_DAY_LAST, &k, &record, NULL);
		if (rc < 0 || (rc > 0 && day_last_parse(&last, record.p, record.len) &&
				  last.day == day && last.number == 0))
			return;
	}
	change(r, DB_DATE, key, NULL, 0);
	mended(r, "the index of dates: a record that names no day is gone");
}

/* ---- the journal ---------------------------------------------------------------------------- */

/* Observations and answers that can be read: as store_check() counts them. */
static int
count_sightings(struct repair *r, uint64_t *n, struct err *err)
{
	struct numbers numbers;
	struct series series;
	struct timeline t;
	struct sighting s;
	int rc = numbers_read(r->view.txn, &numbers, err);

	*n = 0;
	for (uint64_t i = 0; rc == 0 && i < numbers.series; i++) {
		if (store_series(&r->view, (uint32_t)i, &series, NULL) != 0 ||
		    timeline_init(
			&t, &r->view, (uint32_t)i, series.kind, INT64_MIN, INT64_MAX, NULL) != 0)
			continue;
		while (timeline_next(&t, &s, NULL) > 0)
			++*n;
		timeline_finish(&t);
	}
	return rc;
}

static bool
names_sighting(struct repair *r, const struct journal_entry *entry)
{
	struct series series;
	struct timeline t;
	struct sighting s;
	bool found;

	if (store_series(&r->view, entry->series, &series, NULL) != 0 ||
	    timeline_init(&t, &r->view, entry->series, series.kind, entry->time_ms,
		entry->time_ms + 1, NULL) != 0)
		return false;
	found = timeline_next(&t, &s, NULL) > 0;
	timeline_finish(&t);
	return found;
}

/* Whether every commit from the first one on can be read and names what is there; counts that. */
static bool
journal_holds(struct repair *r, uint64_t first, uint64_t last, uint64_t *named)
{
	const struct journal_entry *entries;
	struct journal_walk *walk;
	int64_t committed_ms;
	uint64_t sequence = first;
	size_t n;
	int rc;

	*named = 0;
	if (journal_walk_open(&walk, &r->view, first, NULL) != 0)
		return false;
	while ((rc = journal_walk_next(walk, &sequence, &committed_ms, &entries, &n, NULL)) > 0) {
		for (size_t i = 0; rc > 0 && i < n; i++)
			if (!names_sighting(r, &entries[i]))
				rc = -1;
		if (rc < 0)
			break;
		*named += n;
	}
	journal_walk_close(walk);
	return rc == 0 && sequence == last;
}

static void
drop_commit_record(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	change(r, DB_JOURNAL, key, NULL, 0);
}

/* A journal that cannot be trusted is begun anew: readers are told to read the corpus again. */
static int
repair_journal(struct repair *r, struct err *err)
{
	struct numbers numbers;
	uint64_t last, named, sightings;
	int rc = numbers_read(r->view.txn, &numbers, err);

	if (rc == 0)
		rc = journal_newest(r->view.txn, &last, err);
	if (rc == 0)
		rc = count_sightings(r, &sightings, err);
	if (rc != 0 || (journal_holds(r, numbers.forgotten, last, &named) &&
			   named + numbers.unnamed == sightings))
		return rc;
	numbers.forgotten = last;
	numbers.unnamed = sightings;
	if ((rc = walk(r, DB_JOURNAL, drop_commit_record, err)) == 0)
		rc = numbers_write(r->view.txn, &numbers, err);
	mended(r, "the journal is begun anew after commit %llu; cursors from before it are refused",
	    (unsigned long long)last);
	return rc;
}

/* The record of what was dropped: if it cannot be read, what the tables say. */
static int
repair_numbers(struct repair *r, struct err *err)
{
	struct numbers numbers;
	struct err why = {0};
	struct key key;
	int rc = numbers_read(r->view.txn, &numbers, &why);

	if (rc != ERR_DAMAGED)
		return rc == 0 ? 0 : err_set(err, rc, "%s", why.text);
	numbers_key(&key);
	if ((rc = db_delete(r->view.txn, DB_META, &key, err)) != 0)
		return rc;
	mended(r, "the record of what was dropped");
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int
repair_all(struct repair *r, struct err *err)
{
	/* Data before the indexes that name it; an index before it is used to look something up. */
	static const struct {
		enum db_table table;
		each_record *each;
	} steps[] = {
	    {DB_SERIES_KEY, series_from_name},
	    {DB_SERIES_KEY, stray_name},
	    {DB_BY_ADDRESS, stray_address},
	    {DB_SERIES, index_series},
	    {DB_EVIDENCE_ID, stray_evidence_id},
	    {DB_EVIDENCE, index_evidence},
	    {DB_CERT_ID, stray_certificate_id},
	    {DB_CERT, index_certificate},
	    {DB_CHAIN, find_missing},
	    {DB_DATE, stray_date},
	    {DB_DAY, index_day},
	    {DB_DAY_LAST, index_day_last},
	};
	int rc = repair_numbers(r, err);

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = walk(r, steps[i].table, steps[i].each, err);
	if (rc == 0)
		rc = name_missing(r, err);
	return rc == 0 ? repair_journal(r, err) : rc;
}

static void
name_fault(void *ctx, const char *line)
{
	const struct maintain_hooks *hooks = ctx;

	hooks->say(hooks->ctx, line);
}

/* Pages that lead astray would lead a writer to others that are in use. Its own transaction keeps
 * the state before it where it is. */
static int
check_pages(struct repair *r, struct err *err)
{
	const char *dir = r->store->dir;
	struct maintain_hooks hooks = *r->hooks;
	struct db_figures figures;
	int rc = db_figures(r->store->db, &figures, err);

	if (rc == 0)
		rc = pages_check(dir, figures.page_octets, db_txn_number(r->view.txn) - 1,
		    name_fault, &hooks, NULL);
	if (rc > 0)
		return err_set(err, ERR_DAMAGED,
		    "%s: damaged: its pages lead astray, nothing was mended; save what can be read "
		    "with `mxstore merge --store NEW %s`",
		    dir, dir);
	return rc == ERR_FORMAT ? 0 : rc < 0 ? err_set(err, rc, "%s: cannot be read", dir) : 0;
}

int
maintain_repair(struct store *store, const struct maintain_hooks *hooks, struct err *err)
{
	struct repair r = {.store = store, .hooks = hooks, .view.store = store};
	int rc = db_begin(store->db, true, &r.view.txn, err);

	if (rc == 0)
		rc = check_pages(&r, err);
	if (rc == 0)
		rc = repair_all(&r, err);
	if (rc == 0 && r.mended > 0)
		rc = db_commit(&r.view.txn, err);
	db_abort(&r.view.txn);
	buf_finish(&r.changes);
	buf_finish(&r.missing);
	if (rc != 0)
		return rc;
	return r.mended > INT32_MAX ? INT32_MAX : (int)r.mended;
}
