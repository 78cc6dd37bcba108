#include <string.h>

#include "maintain.h"
#include "store/base/bits.h"
#include "store/corpus/numbers.h"
#include "store/corpus/store_view.h"
#include "store/corpus/timeline.h"
#include "transfer.h"

struct merge {
	struct transfer transfer;
	struct bits seen; /* series that were merged */
};

static int
merge_certificates(struct merge *m, struct err *err)
{
	struct transfer *t = &m->transfer;
	struct certificate_walk *walk;
	struct buf der = {0};
	struct err why = {0};
	struct hash name;
	bool known;
	int rc = certificate_walk_open(&walk, t->from, err);

	while (rc == 0) {
		int found = certificate_walk_next(walk, &name, &der, &known, &why);

		if (found == 0)
			break;
		if (found < 0 && !transfer_passes(t, found, &why))
			rc = err_set(err, found, "%s", why.text);
		else if (found > 0 && known)
			rc = transfer_certificate(t, &der, err);
		if (rc == 0)
			rc = transfer_tick(t, err);
	}
	certificate_walk_close(walk);
	buf_finish(&der);
	return rc;
}

/* After damage the timeline stands behind it, or (the same trouble again) does not come on. */
static int
merge_series(struct merge *m, uint32_t number, const struct series *series, struct err *err)
{
	struct transfer *t = &m->transfer;
	struct err why = {0}, last = {0};
	struct timeline timeline;
	struct sighting s;
	int rc = timeline_init(&timeline, t->from, number, series->kind, INT64_MIN, INT64_MAX, err);

	while (rc == 0) {
		int found = timeline_next(&timeline, &s, &why);

		if (found == 0 || (found < 0 && strcmp(why.text, last.text) == 0))
			break;
		if (found < 0) {
			last = why;
			if (!transfer_passes(t, found, &why))
				rc = err_set(err, found, "%s", last.text);
		} else {
			rc = transfer_sighting(t, series, &s, NULL, err);
		}
		if (rc == 0)
			rc = transfer_tick(t, err);
	}
	timeline_finish(&timeline);
	return rc;
}

/* By name: so the hosts stand side by side in the target too, where they are new there. */
static int
merge_by_name(struct merge *m, struct err *err)
{
	struct transfer *t = &m->transfer;
	struct series_walk *walk;
	struct series series;
	struct err why = {0};
	uint32_t number;
	int rc = series_walk_open(&walk, t->from, NULL, err);

	while (rc == 0) {
		int found = series_walk_next(walk, &number, &series, &why);

		if (found == 0)
			break;
		if (found > 0 && bits_add(&m->seen, number))
			rc = merge_series(m, number, &series, err);
		else if (found < 0 && !transfer_passes(t, found, &why))
			rc = err_set(err, found, "%s", why.text);
	}
	series_walk_close(walk);
	return rc;
}

/* Those that a damaged index of names has lost. A record that cannot be read was named before, if
 * the index names it. */
static int
merge_unnamed(struct merge *m, struct err *err)
{
	struct store_view *from = m->transfer.from;
	struct numbers numbers;
	struct series series;
	int rc = numbers_read(from->txn, &numbers, err);

	for (uint32_t number = 0; rc == 0 && number < numbers.series; number++)
		if (!bits_has(&m->seen, number) && store_series(from, number, &series, NULL) == 0 &&
		    bits_add(&m->seen, number))
			rc = merge_series(m, number, &series, err);
	return rc;
}

/* Observations of which nobody knows what they are of: counts them by series, or names these. */
static int
look_for_orphans(struct merge *m, bool tell, uint64_t *n, struct err *err)
{
	struct transfer *t = &m->transfer;
	struct db_cursor *cursor = db_cursor_open(t->from->txn, DB_DAY_LAST, err);
	struct db_bytes key, value;
	struct buf line = {0};
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, NULL);
	for (; rc > 0; rc = db_cursor_move(cursor, DB_NEXT, &key, &value, NULL)) {
		struct reader r = reader_of(key.p, key.len);
		uint32_t number = reader_u32be(&r);

		if (r.failed || bits_has(&m->seen, number))
			continue;
		++*n;
		if (!tell)
			continue;
		buf_clear(&line);
		buf_printf(&line,
		    "%s: damaged: series %u cannot be read: its observations are lost",
		    store_dir(t->from->store), (unsigned)number);
		transfer_lose(t, buf_text(&line));
	}
	db_cursor_close(cursor);
	buf_finish(&line);
	return 0; /* what cannot be read was met before */
}

static int
merge_rest(struct merge *m, bool damaged, struct err *err)
{
	uint64_t orphans = 0;
	int rc = look_for_orphans(m, false, &orphans, err);

	if (rc == 0 && (orphans > 0 || damaged))
		rc = merge_unnamed(m, err);
	if (rc == 0 && orphans > 0)
		rc = look_for_orphans(m, true, &orphans, err);
	return rc;
}

int
maintain_merge(struct store *into, struct store *from, const struct maintain_hooks *hooks,
    struct maintain_merged *merged, struct err *err)
{
	uint64_t damaged = merged->damaged;
	struct merge m = {0};
	int rc;

	if (db_same(into->db, from->db))
		return err_set(
		    err, ERR_INPUT, "%s: is the corpus itself; name another one", store_dir(from));
	rc = transfer_init(&m.transfer, into, from, hooks, merged, err);
	if (rc == 0)
		rc = merge_certificates(&m, err);
	if (rc == 0)
		rc = merge_by_name(&m, err);
	if (rc == 0)
		rc = merge_rest(&m, merged->damaged > damaged, err);
	bits_finish(&m.seen);
	return transfer_finish(&m.transfer, rc, err);
}
