#include "sound.h"

#include "heads.h"
#include "store/base/buf.h"

#define TRIES 100

/* Of the newest state, by its own transaction: the head page of an older one may have been
 * overwritten since. */
int
sound_pages(struct db *db, pages_finding *finding, void *ctx, struct err *err)
{
	struct db_figures figures;
	int rc = db_figures(db, &figures, err);

	for (int i = 0; rc == 0 && i < TRIES; i++) {
		struct err why = {0};
		struct db_txn *txn;

		if ((rc = db_begin(db, false, &txn, err)) != 0)
			break;
		rc = pages_check(
		    db_dir(db), figures.page_octets, db_txn_number(txn), finding, ctx, &why);
		db_abort(&txn);
		if (rc != ERR_NOT_FOUND)
			return rc == ERR_FORMAT ? 0
			       : rc < 0		? err_set(err, rc, "%s", why.text)
						: rc;
		rc = 0;
	}
	return rc;
}

static void
keep_first(void *ctx, const char *line)
{
	struct buf *first = ctx;

	if (first->len == 0)
		buf_append_text(first, line);
}

int
sound_check(struct db *db, bool again, struct err *err)
{
	struct buf first = {0};
	int rc = 0;

	if (again || !db_is_sound(db))
		rc = sound_pages(db, keep_first, &first, err);
	if (rc > 0)
		rc = db_say_damaged(db_dir(db), buf_text(&first), err);
	else if (rc == 0)
		db_set_sound(db);
	buf_finish(&first);
	return rc;
}

int
sound_heads(struct db *db, struct err *err)
{
	struct db_figures figures;
	uint64_t numbers[2];
	int rc = db_figures(db, &figures, err);

	if (rc != 0 || !heads_read(db_dir(db), figures.page_octets, numbers) ||
	    heads_plausible(numbers))
		return rc;
	return db_say_damaged(
	    db_dir(db), "one of its two head pages; what was committed last may be missing", err);
}
