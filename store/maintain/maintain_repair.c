#include <string.h>

#include "repair.h"
#include "store/corpus/pages.h"
#include "store/corpus/sound.h"

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

/* A commit that changes nothing: LMDB writes a head page. */
static int
write_head(struct store *store, struct err *err)
{
	struct db_bytes found, value;
	struct db_cursor *cursor;
	struct buf copy = {0};
	struct db_txn *txn;
	struct key key;
	int rc = db_begin(store->db, true, &txn, err);

	if (rc != 0)
		return rc;
	if ((cursor = db_cursor_open(txn, DB_META, err)) == NULL)
		rc = ERR_SYSTEM;
	else if ((rc = db_cursor_move(cursor, DB_FIRST, &found, &value, err)) > 0) {
		key.len = found.len <= KEY_MAX ? found.len : 0;
		memcpy(key.bytes, found.p, key.len);
		buf_append(&copy, value.p, value.len);
	}
	db_cursor_close(cursor);
	if (rc > 0)
		rc = db_put(txn, DB_META, &key, copy.data, copy.len, DB_PUT, err);
	if (rc == 0)
		rc = db_commit(&txn, err);
	db_abort(&txn);
	buf_finish(&copy);
	return rc;
}

/* The state that LMDB takes for the newest one is whole, or nobody would come to this. Both head
 * pages are written anew for it. */
static int
repair_heads(struct repair *r, struct err *err)
{
	struct err why = {0};
	int rc = sound_heads(r->store->db, &why);

	if (rc != ERR_DAMAGED)
		return rc == 0 ? 0 : err_set(err, rc, "%s", why.text);
	for (int i = 0; i < 2; i++)
		if ((rc = write_head(r->store, err)) != 0)
			return rc;
	repair_say(r, "the head pages; what was committed last may be missing");
	return 0;
}

int
maintain_repair(struct store *store, const struct maintain_hooks *hooks, struct err *err)
{
	struct repair r = {.store = store, .hooks = hooks, .view.store = store};
	int rc = db_begin(store->db, true, &r.view.txn, err);

	if (rc == 0)
		rc = check_pages(&r, err);
	if (rc == 0)
		rc = repair_numbers(&r, err);
	if (rc == 0)
		rc = repair_indexes(&r, err);
	if (rc == 0)
		rc = repair_journal(&r, err);
	if (rc == 0 && r.mended > 0)
		rc = db_commit(&r.view.txn, err);
	db_abort(&r.view.txn);
	if (rc == 0)
		rc = repair_heads(&r, err);
	buf_finish(&r.changes);
	buf_finish(&r.missing);
	if (rc != 0)
		return rc;
	return r.mended > INT32_MAX ? INT32_MAX : (int)r.mended;
}
