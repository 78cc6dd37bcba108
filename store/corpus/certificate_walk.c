#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "store/base/mem.h"
#include "store_view.h"

struct certificate_walk {
	struct store_view *view;
	struct db_cursor *cursor;
	struct key from; /* of its first record; empty: the first of all */
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

void
certificate_walk_from(struct certificate_walk *walk, uint64_t number)
{
	if (number > UINT32_MAX)
		key_sequence(&walk->from, UINT64_MAX); /* above all */
	else
		key_number(&walk->from, (uint32_t)number);
}

static int
move(struct certificate_walk *walk, struct db_bytes *value, struct err *err)
{
	struct db_bytes key;
	bool started = walk->started;

	walk->started = true;
	if (!started && walk->from.len > 0)
		return db_cursor_seek(walk->cursor, &walk->from, &key, value, err);
	return db_cursor_move(walk->cursor, started ? DB_NEXT : DB_FIRST, &key, value, err);
}

int
certificate_walk_next(
    struct certificate_walk *walk, struct hash *name, struct buf *der, bool *known, struct err *err)
{
	struct db_bytes value;
	struct err why = {0};
	int rc = move(walk, &value, err);

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
