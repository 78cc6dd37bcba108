#include <string.h>

#include "repair.h"
#include "store/base/clock.h"
#include "store/corpus/certificate_dictionary.h"
#include "store/corpus/numbers.h"
#include "store/record/day.h"

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
	key_number(&number, repair_number_of(value));
	if (!repair_exists(r, DB_DAY_LAST, &number) ||
	    store_series(&r->view, repair_number_of(value), &series, &why) == 0 ||
	    !key_parse_series(key, &series))
		return;
	series_encode(&record, &series);
	repair_change(r, DB_SERIES, &number, record.data, record.len);
	repair_say(r, "series %u (%s), from the index of names", (unsigned)repair_number_of(value),
	    series.host);
	buf_finish(&record);
}

static void
index_series(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	uint32_t number = repair_number_in(key);
	struct series s;
	struct key k;

	if (value == NULL || series_decode(&s, value->p, value->len, NULL) != 0)
		return;
	key_series(&k, &s);
	if (!repair_is_number(r, DB_SERIES_KEY, &k, number)) {
		repair_change_number(r, DB_SERIES_KEY, &k, number);
		repair_say(r, "the index of names: series %u (%s)", (unsigned)number, s.host);
	}
	if (s.kind != SERIES_PROBE)
		return;
	key_address_series(&k, &s.address, s.port, number);
	if (!repair_is_whole(r, DB_BY_ADDRESS, &k)) {
		repair_change(r, DB_BY_ADDRESS, &k, "", 0);
		repair_say(r, "the index of addresses: series %u (%s)", (unsigned)number, s.host);
	}
}

static void
stray_name(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	struct series s;
	struct key k;

	if (value != NULL && value->len == 4) {
		key_number(&k, repair_number_of(value));
		if (store_series(&r->view, repair_number_of(value), &s, NULL) != 0) {
			if (repair_exists(r, DB_SERIES, &k))
				return; /* it cannot be read: what is known of it stays */
		} else {
			key_series(&k, &s);
			if (key_compare(&k, key) == 0)
				return;
		}
	}
	repair_change(r, DB_SERIES_KEY, key, NULL, 0);
	repair_say(r, "the index of names: a record that names no series is gone");
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
		if (value != NULL && repair_exists(r, DB_SERIES, &k))
			return;
	} else if (s.kind == SERIES_PROBE) {
		key_address_series(&k, &s.address, s.port, number);
		if (value != NULL && key_compare(&k, key) == 0)
			return;
	}
	repair_change(r, DB_BY_ADDRESS, key, NULL, 0);
	repair_say(r, "the index of addresses: a record that names no series is gone");
}

/* ---- what is named by its hash -------------------------------------------------------------- */

static void
index_evidence(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	uint32_t number = repair_number_in(key);
	struct hash id;
	struct key k;

	if (value == NULL)
		return;
	id = hash_sha256(value->p, value->len);
	key_hash(&k, &id);
	if (repair_is_number(r, DB_EVIDENCE_ID, &k, number))
		return;
	repair_change_number(r, DB_EVIDENCE_ID, &k, number);
	repair_say(r, "the index of evidence: record %u", (unsigned)number);
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
		if (repair_is_number(r, DB_CERT_ID, &k, items.number))
			continue;
		repair_change_number(r, DB_CERT_ID, &k, items.number);
		repair_say(r, "the index of certificates: number %u", (unsigned)items.number);
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
		known = name_of(r, data, repair_number_of(value), &name);
	if (known == 0 ||
	    (known > 0 && key->len == HASH_LEN && memcmp(key->bytes, name.bytes, HASH_LEN) == 0))
		return;
	repair_change(r, index, key, NULL, 0);
	repair_say(r, "sub-database %s: a record that names nothing is gone", db_table_name(index));
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

/* ---- dictionaries --------------------------------------------------------------------------- */

/* The one that is damaged or missing, from the other; what an older version wrote has no copy. */
static void
mend_dictionary(struct repair *r, const struct key *key, const struct db_bytes *value)
{
	uint32_t number = repair_number_in(key);
	bool copy = (number & CERTIFICATE_COPY) != 0;
	struct key other;

	key_number(&other, number ^ CERTIFICATE_COPY);
	if (value == NULL || repair_is_whole(r, DB_DICTIONARY, &other) ||
	    (!copy && !repair_exists(r, DB_DICTIONARY, &other)))
		return;
	repair_change(r, DB_DICTIONARY, &other, value->p, value->len);
	if (copy)
		repair_say(
		    r, "dictionary %u, from its copy", (unsigned)(number ^ CERTIFICATE_COPY));
	else
		repair_say(r, "the copy of dictionary %u", (unsigned)number);
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
		if (!repair_exists(r, DB_CERT_ID, &k))
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
		if (repair_exists(r, DB_CERT_ID, &name))
			continue; /* another chain named it too */
		key_number(&number, (uint32_t)numbers.certificates);
		certificate_encode_name(&record, &hash);
		repair_change(r, DB_CERT, &number, record.data, record.len);
		repair_change_number(r, DB_CERT_ID, &name, (uint32_t)numbers.certificates++);
		rc = repair_apply(r, err);
		hash_hex(&hash, hex);
		repair_say(r, "certificate sha256:%s is known by name again", hex);
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
	if (repair_is_whole(r, DB_DATE, &k))
		return;
	repair_change(r, DB_DATE, &k, "", 0);
	clock_format_s(day * CLOCK_DAY_MS, text);
	repair_say(r, "the index of dates: series %u on %.10s", (unsigned)series, text);
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
		index_date(r, repair_number_in(key), last.day);
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
		if (repair_exists(r, DB_DAY, &k))
			return;
		key_number(&k, series);
		rc = db_get(r->view.txn, DB_DAY_LAST, &k, &record, NULL);
		if (rc < 0 || (rc > 0 && day_last_parse(&last, record.p, record.len) &&
				  last.day == day && last.number == 0))
			return;
	}
	repair_change(r, DB_DATE, key, NULL, 0);
	repair_say(r, "the index of dates: a record that names no day is gone");
}

/* ---- all of them ---------------------------------------------------------------------------- */

int
repair_indexes(struct repair *r, struct err *err)
{
	/* Data before the indexes that name it; an index before it is used to look something up. */
	static const struct {
		enum db_table table;
		repair_record *each;
	} steps[] = {
	    {DB_DICTIONARY, mend_dictionary},
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
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = repair_walk(r, steps[i].table, steps[i].each, err);
	return rc == 0 ? name_missing(r, err) : rc;
}
