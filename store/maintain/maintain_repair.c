#include "repair.h"
#include "store/corpus/pages.h"

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
		rc = repair_numbers(&r, err);
	if (rc == 0)
		rc = repair_indexes(&r, err);
	if (rc == 0)
		rc = repair_journal(&r, err);
	if (rc == 0 && r.mended > 0)
		rc = db_commit(&r.view.txn, err);
	db_abort(&r.view.txn);
	buf_finish(&r.changes);
	buf_finish(&r.missing);
	if (rc != 0)
		return rc;
	return r.mended > INT32_MAX ? INT32_MAX : (int)r.mended;
}
