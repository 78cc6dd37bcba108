#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store.h"
#include "store_view.h"

struct certificate_walk {
	struct store_view *view;
	struct db_cursor *cursor;
	bool started;
};

int
certificate_walk_open(struct certificate_walk **out, struct store_view *view, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_CERT, err);

	*out = NULL;
	if (cursor == NULL)
		return ERR_SYSTEM;
	*out = mem_zero(1, sizeof(**out));
	**out = (struct certificate_walk){.view = view, .cursor = cursor};
	return 0;
}

int
certificate_walk_next(
    struct certificate_walk *walk, struct hash *name, struct buf *der, bool *known, struct err *err)
{
	struct db_bytes key, value;
	struct err why = {0};
	int rc =
	    db_cursor_move(walk->cursor, walk->started ? DB_NEXT : DB_FIRST, &key, &value, err);

	walk->started = true;
	if (rc <= 0)
		return rc;
	rc = certificate_decode(walk->view->store->codec, walk->view->txn, &value, der, &why);
	if (rc < 0)
		return err_set(err, rc, "%s: %s", walk->view->store->dir, why.text);
	*known = rc > 0;
	if (*known) {
		*name = hash_sha256(der->data, der->len);
	} else {
		memcpy(name->bytes, der->data, HASH_LEN);
		buf_clear(der);
	}
	return 1;
}

void
certificate_walk_close(struct certificate_walk *walk)
{
	if (walk == NULL)
		return;
	db_cursor_close(walk->cursor);
	free(walk);
}
