#include "repair.h"
#include "store/corpus/journal.h"
#include "store/corpus/numbers.h"
#include "store/corpus/timeline.h"

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
	repair_change(r, DB_JOURNAL, key, NULL, 0);
}

/* A journal that cannot be trusted is begun anew: readers are told to read the corpus again. */
int
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
	if ((rc = repair_walk(r, DB_JOURNAL, drop_commit_record, err)) == 0)
		rc = numbers_write(r->view.txn, &numbers, err);
	repair_say(r,
	    "the journal is begun anew after commit %llu; cursors from before it are refused",
	    (unsigned long long)last);
	return rc;
}

/* The record of what was dropped: if it cannot be read, what the tables say. */
int
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
	repair_say(r, "the record of what was dropped");
	return 0;
}
