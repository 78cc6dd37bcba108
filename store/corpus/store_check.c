#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "certificate_dictionary.h"
#include "heads.h"
#include "journal.h"
#include "numbers.h"
#include "sound.h"
#include "store.h"
#include "store/base/clock.h"
#include "store/record/day.h"
#include "store/record/members.h"
#include "store_view.h"
#include "timeline.h"

struct check {
	struct store_view *view;
	void (*finding)(void *ctx, const char *line);
	void *ctx;
	uint64_t findings, sightings, entries;
	uint64_t certificates, certificate_next; /* how many; the number after the last one's */
	struct numbers numbers;			 /* given, and what was dropped */
	struct buf scratch;
};

static void __attribute__((format(printf, 2, 3))) report(struct check *c, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	c->findings++;
	c->finding(c->ctx, buf_text(&line));
	buf_finish(&line);
}

/* What the store's own reading says of a record: a finding, unless the check cannot go on. */
static int
take(struct check *c, int rc, struct err *found, struct err *err)
{
	if (rc >= 0)
		return rc;
	if (rc != ERR_DAMAGED && rc != ERR_NOT_FOUND && rc != ERR_FORMAT)
		return err_set(err, rc, "%s", found->text);
	report(c, "%s", found->text);
	return 0;
}

static uint64_t
records_of(struct check *c, enum db_table table)
{
	uint64_t records = 0, octets;

	db_table_size(c->view->txn, table, &records, &octets, NULL);
	return records;
}

static bool
is_number_of(struct check *c, enum db_table table, const struct key *key, uint32_t number)
{
	uint32_t found;

	return store_number(c->view->txn, table, key, &found, NULL) > 0 && found == number;
}

static bool
is_there(struct check *c, enum db_table table, const struct key *key)
{
	struct db_bytes value;

	return db_get(c->view->txn, table, key, &value, NULL) > 0;
}

/* Walks a table; a record whose checksum does not hold is reported and passed. */
typedef void check_record(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value);

static int
walk(struct check *c, enum db_table table, check_record *record, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(c->view->txn, table, err);
	struct key last = {0}, this = {0};
	struct db_bytes key, value;
	struct err found = {0};
	uint64_t at = 0;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	for (enum db_move move = DB_FIRST;; move = DB_NEXT, at++) {
		found = (struct err){0};
		rc = db_cursor_move(cursor, move, &key, &value, &found);
		if (rc == 0)
			break;
		if (rc < 0) {
			/* Beyond this many records the tree goes in circles. */
			if ((rc = take(c, rc, &found, err)) < 0 || at > records_of(c, table))
				break;
			continue;
		}
		this.len = key.len <= KEY_MAX ? key.len : 0;
		memcpy(this.bytes, key.p, this.len);
		if (key_compare(&last, &this) >= 0) {
			report(
			    c, "sub-database %s: its keys are not in order", db_table_name(table));
			break;
		}
		last = this;
		record(c, at, &key, &value);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

/* The number in the key of a table that numbers its records from 0, without gaps but for what was
 * dropped (numbers.h). */
static uint32_t
number_of(struct check *c, enum db_table table, uint64_t at, const struct db_bytes *key)
{
	struct reader r = reader_of(key->p, key->len);
	uint32_t number = reader_u32be(&r);
	bool gaps = c->numbers.dropped || table == DB_CERT;

	if (r.failed || reader_left(&r) > 0 || (number != at && !gaps))
		report(c, "sub-database %s: record %llu bears another number", db_table_name(table),
		    (unsigned long long)at);
	return number;
}

/* The chunks of a series, one behind the other; what is wrong with one of them is told there. */
static void
check_order(struct check *c, uint32_t number, enum series_kind kind)
{
	struct sighting s, last = {.time_ms = INT64_MIN};
	struct timeline t;

	if (timeline_init(&t, c->view, number, kind, INT64_MIN, INT64_MAX, NULL) != 0)
		return;
	for (; timeline_next(&t, &s, NULL) > 0; last = s) {
		if (day_compare(&last, &s) >= 0) {
			report(c, "series %u: its observations are not in order", (unsigned)number);
			break;
		}
	}
	timeline_finish(&t);
}

static void
check_series(struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	uint32_t number = number_of(c, DB_SERIES, at, key);
	struct series s;
	struct key k;

	if (series_decode(&s, value->p, value->len, NULL) != 0) {
		report(c, "series %u cannot be read", (unsigned)number);
		return;
	}
	key_series(&k, &s);
	if (!is_number_of(c, DB_SERIES_KEY, &k, number))
		report(c, "series %u (%s) is not in the index of names", (unsigned)number, s.host);
	check_order(c, number, s.kind);
	if (s.kind != SERIES_PROBE)
		return;
	key_address_series(&k, &s.address, s.port, number);
	if (!is_there(c, DB_BY_ADDRESS, &k))
		report(
		    c, "series %u (%s) is not in the index of addresses", (unsigned)number, s.host);
}

static void
check_series_key(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct reader r = reader_of(value->p, value->len);
	uint32_t number = reader_u32le(&r);
	struct series s;
	struct key k;

	if (r.failed || store_series(c->view, number, &s, NULL) != 0) {
		report(
		    c, "the index of names names a series %u that is not there", (unsigned)number);
		return;
	}
	key_series(&k, &s);
	if (k.len != key->len || memcmp(k.bytes, key->p, k.len) != 0)
		report(c, "the index of names has series %u under another name", (unsigned)number);
}

static void
check_by_address(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct reader r = reader_of(key->p, key->len);
	struct series s;
	struct key k;
	uint32_t number;

	reader_take(&r, key->len < 4 ? 0 : key->len - 4);
	number = reader_u32be(&r);
	if (store_series(c->view, number, &s, NULL) != 0 || s.kind != SERIES_PROBE) {
		report(c, "the index of addresses names a series %u that is not there",
		    (unsigned)number);
		return;
	}
	key_address_series(&k, &s.address, s.port, number);
	if (k.len != key->len || memcmp(k.bytes, key->p, k.len) != 0)
		report(
		    c, "the index of addresses has series %u under another one", (unsigned)number);
}

static void
check_evidence(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	uint32_t number = number_of(c, DB_EVIDENCE, at, key);
	struct hash id = hash_sha256(value->p, value->len);
	struct dns_answer answer;
	struct evidence e;
	struct err found = {0};
	struct key k;

	key_hash(&k, &id);
	if (!is_number_of(c, DB_EVIDENCE_ID, &k, number))
		report(c, "evidence %u is not in the index of its hashes", (unsigned)number);
	buf_clear(&c->scratch);
	if (value->len > 0 && value->p[0] == MEMBERS_DNS_ANSWER) {
		if (dns_answer_decode(&answer, value->p, value->len, NULL) == 0)
			dns_answer_encode(&c->scratch, &answer);
		dns_answer_finish(&answer);
	} else {
		if (store_evidence(c->view, number, &e, &found) == 0)
			evidence_encode(&c->scratch, &e);
		else
			report(c, "%s", found.text);
		evidence_finish(&e);
	}
	if (found.code == ERR_NONE &&
	    (c->scratch.len != value->len || memcmp(c->scratch.data, value->p, value->len) != 0))
		report(c, "evidence %u is not in its canonical form", (unsigned)number);
}

/* The three indexes from a hash to a number: what they point at was checked from its side. */
static void
check_index(struct check *c, enum db_table index, enum db_table data, uint64_t n)
{
	if (records_of(c, index) != n)
		report(c, "sub-database %s has %llu records, %s has %llu", db_table_name(index),
		    (unsigned long long)records_of(c, index), db_table_name(data),
		    (unsigned long long)n);
}

static void
check_chain(struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct hash id = hash_sha256(value->p, value->len), name;
	char hex[2 * HASH_LEN + 1];
	struct key k;

	hash_hex(&id, hex);
	if (key->len != HASH_LEN || memcmp(key->p, id.bytes, HASH_LEN) != 0 || value->len == 0 ||
	    value->len % HASH_LEN != 0) {
		report(c, "a chain that hashes to %s stands under another name", hex);
		return;
	}
	for (size_t i = 0; i < value->len; i += HASH_LEN) {
		memcpy(name.bytes, value->p + i, HASH_LEN);
		key_hash(&k, &name);
		if (!is_there(c, DB_CERT_ID, &k))
			report(c, "chain %s: certificate %zu is not known", hex, i / HASH_LEN);
	}
}

static void
check_one_certificate(
    struct check *c, uint32_t number, const struct db_bytes *value, unsigned index)
{
	char hex[2 * HASH_LEN + 1];
	struct err found = {0};
	struct hash name;
	struct key k;
	int rc = certificate_decode(
	    c->view->store->codec, c->view->txn, value, index, &c->scratch, &found);

	if (rc < 0) {
		report(c, "certificate %u: %s", (unsigned)number, found.text);
		return;
	}
	if (rc == 0)
		memcpy(name.bytes, c->scratch.data, HASH_LEN);
	else
		name = hash_sha256(c->scratch.data, c->scratch.len);
	hash_hex(&name, hex);
	key_hash(&k, &name);
	if (!is_number_of(c, DB_CERT_ID, &k, number))
		report(c, "certificate %u (sha256:%s) is not in the index of its hashes",
		    (unsigned)number, hex);
}

/* A pack holds the numbers from its key's to the one before the next record's. */
static void
check_certificate(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	uint32_t number = number_of(c, DB_CERT, at, key);
	struct certificate_items items;

	if (!certificate_items_init(&items, key, value)) {
		report(c, "certificates from %u on cannot be read", (unsigned)number);
		return;
	}
	if (number < c->certificate_next)
		report(c, "certificate %u is in two records", (unsigned)number);
	while (certificate_items_next(&items)) {
		check_one_certificate(c, items.number, value, items.index);
		c->certificate_next = (uint64_t)items.number + 1;
		c->certificates++;
	}
}

static void
check_copy(struct check *c, uint32_t number, const struct db_bytes *value)
{
	struct db_bytes first;
	struct key key;
	int rc;

	key_number(&key, number);
	rc = db_get(c->view->txn, DB_DICTIONARY, &key, &first, NULL);
	if (rc == 0)
		report(c, "dictionary %u is missing; its copy is there", (unsigned)number);
	else if (rc > 0 && (first.len != value->len || memcmp(first.p, value->p, first.len) != 0))
		report(c, "the copy of dictionary %u is another one", (unsigned)number);
}

static void
check_dictionary(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct reader r = reader_of(key->p, key->len);
	uint32_t number = reader_u32be(&r);

	if ((number & CERTIFICATE_COPY) != 0)
		check_copy(c, number & ~CERTIFICATE_COPY, value);
	else if (!certificate_dictionary_valid(value))
		report(c, "dictionary %u cannot be read", (unsigned)number);
	else
		number_of(c, DB_DICTIONARY, at, key);
}

/* ---- sightings ------------------------------------------------------------------------------ */

static bool
is_evidence_of(struct check *c, enum series_kind kind, uint32_t number)
{
	struct db_bytes bytes;

	return store_evidence_bytes(c->view, number, &bytes, NULL) > 0 && bytes.len > 0 &&
	       bytes.p[0] == (kind == SERIES_DNS ? MEMBERS_DNS_ANSWER : MEMBERS_EVIDENCE);
}

static void
check_sightings(struct check *c, uint32_t series, enum series_kind kind, int64_t day,
    const void *chunk, size_t len)
{
	struct sighting s = {0};
	uint32_t count, last_evidence;
	struct day_reader r;
	int64_t last_ms;
	int rc = -1;

	if (day_summary(chunk, len, day, &count, &last_ms, &last_evidence) &&
	    day_reader_init(&r, kind, day, chunk, len)) {
		for (; (rc = day_next(&r, &s)) > 0; c->sightings++)
			if (!is_evidence_of(c, kind, s.evidence))
				report(c, "series %u: shows evidence %u that is not there",
				    (unsigned)series, (unsigned)s.evidence);
		if (rc == 0 && (s.time_ms != last_ms || s.evidence != last_evidence))
			rc = -1;
	}
	if (rc < 0)
		report(c, "series %u: a day's record cannot be read", (unsigned)series);
}

static void
check_chunk(
    struct check *c, uint32_t series, int64_t day, uint16_t chunk, const void *p, size_t len)
{
	struct series s;
	struct key k;

	if (store_series(c->view, series, &s, NULL) != 0) {
		report(c, "observations of a series %u that is not there", (unsigned)series);
		return;
	}
	key_day(&k, series, day, chunk - 1);
	if (chunk > 0 && !is_there(c, DB_DAY, &k))
		report(c, "series %u: a part of a day's record is missing", (unsigned)series);
	key_date(&k, day, series);
	if (!is_there(c, DB_DATE, &k))
		report(c, "series %u: a day is not in the index of dates", (unsigned)series);
	check_sightings(c, series, s.kind, day, p, len);
}

static bool
get_last(struct check *c, uint32_t series, struct day_last *last)
{
	struct db_bytes value;
	struct key k;

	key_number(&k, series);
	return db_get(c->view->txn, DB_DAY_LAST, &k, &value, NULL) > 0 &&
	       day_last_parse(last, value.p, value.len);
}

static void
check_day(struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct day_last last;
	uint32_t series;
	uint16_t chunk;
	int64_t day;

	if (!key_parse_day(key->p, key->len, &series, &day, &chunk)) {
		report(c, "sub-database day: a key that is none");
		return;
	}
	if (!get_last(c, series, &last))
		report(c, "series %u: its last record is missing", (unsigned)series);
	else if (day > last.day || (day == last.day && chunk >= last.number))
		report(c, "series %u: a record stands behind its last one", (unsigned)series);
	check_chunk(c, series, day, chunk, value->p, value->len);
}

static void
check_last(struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct reader r = reader_of(key->p, key->len);
	uint32_t series = reader_u32be(&r);
	struct day_last last;

	if (r.failed || reader_left(&r) > 0 || !day_last_parse(&last, value->p, value->len))
		report(c, "sub-database last: a record that is none");
	else
		check_chunk(c, series, last.day, last.number, last.chunk, last.len);
}

static void
check_date(struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct day_last last;
	uint32_t series;
	struct key k;
	int64_t day;

	if (!key_parse_date(key->p, key->len, &day, &series)) {
		report(c, "sub-database date: a key that is none");
		return;
	}
	key_day(&k, series, day, 0);
	if (!is_there(c, DB_DAY, &k) &&
	    !(get_last(c, series, &last) && last.day == day && last.number == 0))
		report(c, "the index of dates names a day of series %u that is not there",
		    (unsigned)series);
}

static void
check_entry(struct check *c, uint64_t sequence, const struct journal_entry *entry)
{
	struct timeline t;
	struct sighting s;
	struct series series;
	int rc = -1;

	c->entries++;
	if (store_series(c->view, entry->series, &series, NULL) == 0 &&
	    timeline_init(&t, c->view, entry->series, series.kind, entry->time_ms,
		entry->time_ms + 1, NULL) == 0) {
		rc = timeline_next(&t, &s, NULL);
		timeline_finish(&t);
	}
	if (rc <= 0)
		report(c,
		    "journal: commit %llu names an observation of series %u that is not there",
		    (unsigned long long)sequence, (unsigned)entry->series);
}

static void
check_journal(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
	struct reader r = reader_of(key->p, key->len);
	uint64_t sequence = reader_u64be(&r);
	const struct journal_entry *entries;
	int64_t committed_ms;

	at += c->numbers.forgotten + 1;
	if (sequence != at)
		report(c, "journal: commit %llu bears another number", (unsigned long long)at);
	buf_clear(&c->scratch);
	if (!journal_decode(value->p, value->len, &committed_ms, &c->scratch)) {
		report(c, "journal: commit %llu cannot be read", (unsigned long long)sequence);
		return;
	}
	entries = (const void *)c->scratch.data;
	for (size_t i = 0; i < c->scratch.len / sizeof(*entries); i++)
		check_entry(c, sequence, &entries[i]);
}

static void
page_finding(void *ctx, const char *line)
{
	report(ctx, "%s", line);
}

static void
check_heads(struct check *c, unsigned page_octets)
{
	uint64_t numbers[2];

	if (heads_read(c->view->store->dir, page_octets, numbers) && !heads_plausible(numbers))
		report(c,
		    "data.mdb: the two head pages are of transactions %llu and %llu: one is "
		    "damaged, what was committed last may be missing",
		    (unsigned long long)numbers[0], (unsigned long long)numbers[1]);
}

/* Whether LMDB may be sent over the pages: 1, 0, <0. */
static int
check_pages(struct check *c, struct err *err)
{
	struct db *db = c->view->store->db;
	struct db_figures figures;
	int rc = db_figures(db, &figures, err);

	if (rc != 0)
		return rc;
	check_heads(c, figures.page_octets);
	rc = sound_pages(db, page_finding, c, err);
	return rc < 0 ? rc : rc == 0;
}

static void
check_nothing(
    struct check *c, uint64_t at, const struct db_bytes *key, const struct db_bytes *value)
{
}

int
store_check(struct store_view *view, void (*finding)(void *ctx, const char *line), void *ctx,
    struct err *err)
{
	static check_record *const records[DB_TABLE_N] = {
	    [DB_META] = check_nothing,
	    [DB_SERIES] = check_series,
	    [DB_SERIES_KEY] = check_series_key,
	    [DB_BY_ADDRESS] = check_by_address,
	    [DB_EVIDENCE] = check_evidence,
	    [DB_EVIDENCE_ID] = check_nothing,
	    [DB_CHAIN] = check_chain,
	    [DB_CERT] = check_certificate,
	    [DB_CERT_ID] = check_nothing,
	    [DB_DICTIONARY] = check_dictionary,
	    [DB_DAY] = check_day,
	    [DB_DAY_LAST] = check_last,
	    [DB_DATE] = check_date,
	    [DB_JOURNAL] = check_journal,
	};
	struct check c = {.view = view, .finding = finding, .ctx = ctx};
	struct err found = {0};
	int rc = 0;

	rc = check_pages(&c, err);
	if (rc == 0) {
		report(&c, "data.mdb: its pages lead astray: the records are not checked");
		return c.findings > INT32_MAX ? INT32_MAX : (int)c.findings;
	}
	if (rc > 0)
		rc = take(&c, numbers_read(view->txn, &c.numbers, &found), &found, err);
	for (int i = 0; rc == 0 && i < DB_TABLE_N; i++)
		rc = walk(&c, i, records[i], err);
	if (rc == 0) {
		check_index(&c, DB_SERIES_KEY, DB_SERIES, records_of(&c, DB_SERIES));
		check_index(&c, DB_EVIDENCE_ID, DB_EVIDENCE, records_of(&c, DB_EVIDENCE));
		check_index(&c, DB_CERT_ID, DB_CERT, c.certificates);
		if (c.entries + c.numbers.unnamed != c.sightings)
			report(&c,
			    "the journal has %llu observations and lacks %llu, the days have %llu",
			    (unsigned long long)c.entries, (unsigned long long)c.numbers.unnamed,
			    (unsigned long long)c.sightings);
	}
	buf_finish(&c.scratch);
	return rc < 0 ? rc : c.findings > INT32_MAX ? INT32_MAX : (int)c.findings;
}
