#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "store/base/mem.h"
#include "store_view.h"

struct certificate_walk {
	struct store_view *view;
	struct db_cursor *cursor;
	struct certificate_items items; /* of the record that it stands on, */
	struct db_bytes value;		/* and its value */
	uint64_t from;			/* the first number that is wanted */
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
	walk->from = number;
}

/* To the record that holds the first number, or may: 1, 0, <0. */
static int
start(struct certificate_walk *walk, struct db_bytes *key, struct err *err)
{
	struct key first;
	int rc;

	if (walk->from > UINT32_MAX)
		return 0;
	key_number(&first, (uint32_t)walk->from);
	first.bytes[first.len++] = 0; /* just above that key */
	rc = db_cursor_seek_below(walk->cursor, &first, key, &walk->value, err);
	return rc != 0 ? rc : db_cursor_move(walk->cursor, DB_FIRST, key, &walk->value, err);
}

static int
next_record(struct certificate_walk *walk, struct err *err)
{
	bool started = walk->started;
	struct db_bytes key;
	int rc;

	walk->started = true;
	rc = started ? db_cursor_move(walk->cursor, DB_NEXT, &key, &walk->value, err)
		     : start(walk, &key, err);
	if (rc > 0 && !certificate_items_init(&walk->items, &key, &walk->value))
		return err_set(err, ERR_DAMAGED,
		    "%s: damaged: sub-database cert: a record cannot be read",
		    walk->view->store->dir);
	return rc;
}

static int
move(struct certificate_walk *walk, struct err *err)
{
	int rc;

	for (;;) {
		while (certificate_items_next(&walk->items))
			if (walk->items.number >= walk->from)
				return 1;
		if ((rc = next_record(walk, err)) <= 0)
			return rc;
	}
}

int
certificate_walk_next(
    struct certificate_walk *walk, struct hash *name, struct buf *der, bool *known, struct err *err)
{
	struct err why = {0};
	int rc = move(walk, err);

	if (rc <= 0)
		return rc;
	rc = certificate_decode(
	    walk->view->store->codec, walk->view->txn, &walk->value, walk->items.index, der, &why);
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
