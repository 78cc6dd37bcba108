#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "store/base/mem.h"
#include "store_view.h"

struct numbered {
	struct key key;
	uint32_t number;
};

struct series_walk {
	struct store_view *view;
	struct series_filter filter;
	char *under, *host, *vantage; /* the filter's, copied */
	struct db_cursor *cursor;     /* over series_key; NULL: by address */
	struct key prefix;
	bool started;
	struct numbered *found; /* by address: in order of the keys */
	size_t found_n, found_at;
};

static bool
is_wanted(const struct series_walk *walk, const struct series *s)
{
	const struct series_filter *f = &walk->filter;

	if (f->kind != 0 && s->kind != f->kind)
		return false;
	if ((f->sni != 0 || f->address.family != 0 || f->port != 0) && s->kind != SERIES_PROBE)
		return false;
	return (f->sni == 0 || (f->sni & 1u << s->sni) != 0) &&
	       (f->address.family == 0 || ip_compare(&f->address, &s->address) == 0) &&
	       (f->port == 0 || f->port == s->port) &&
	       (walk->under == NULL || host_is_under(s->host, walk->under)) &&
	       (walk->host == NULL || strcmp(s->host, walk->host) == 0) &&
	       (walk->vantage == NULL || strcmp(s->vantage, walk->vantage) == 0);
}

static int
compare_numbered(const void *a, const void *b)
{
	return key_compare(&((const struct numbered *)a)->key, &((const struct numbered *)b)->key);
}

/* All series of the address by its index, sorted. */
static int
collect(struct series_walk *walk, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(walk->view->txn, DB_BY_ADDRESS, err);
	struct db_bytes found, value;
	struct series series;
	struct reader r;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	key_address(&walk->prefix, &walk->filter.address);
	rc = db_cursor_seek(cursor, &walk->prefix, &found, &value, err);
	while (rc > 0 && key_has_prefix(found.p, found.len, &walk->prefix)) {
		struct numbered *n;

		walk->found = mem_grow(walk->found, walk->found_n + 1, sizeof(*walk->found));
		n = &walk->found[walk->found_n++];
		r = reader_of(found.p + found.len - 4, 4);
		n->number = reader_u32be(&r);
		if ((rc = store_series(walk->view, n->number, &series, err)) < 0)
			break;
		key_series(&n->key, &series);
		rc = db_cursor_move(cursor, DB_NEXT, &found, &value, err);
	}
	if (walk->found_n > 0)
		qsort(walk->found, walk->found_n, sizeof(*walk->found), compare_numbered);
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
series_walk_open(struct series_walk **out, struct store_view *view,
    const struct series_filter *filter, struct err *err)
{
	struct series_walk *walk = mem_zero(1, sizeof(*walk));
	int rc = 0;

	*out = NULL;
	walk->view = view;
	if (filter != NULL) {
		walk->filter = *filter;
		walk->under = filter->under != NULL ? mem_strdup(filter->under) : NULL;
		walk->host = filter->host != NULL ? mem_strdup(filter->host) : NULL;
		walk->vantage = filter->vantage != NULL ? mem_strdup(filter->vantage) : NULL;
	}
	if ((walk->under != NULL && !host_valid(walk->under)) ||
	    (walk->host != NULL && !host_valid(walk->host)))
		rc = err_set(err, ERR_INPUT, "a filter's name is no lower-case A-label host name");
	else if (walk->filter.address.family != 0 && walk->host == NULL)
		rc = collect(walk, err);
	else if ((walk->cursor = db_cursor_open(view->txn, DB_SERIES_KEY, err)) == NULL)
		rc = ERR_SYSTEM;
	if (walk->cursor != NULL && walk->host != NULL)
		key_host(&walk->prefix, walk->host);
	else if (walk->cursor != NULL && walk->under != NULL)
		key_under(&walk->prefix, walk->under);
	if (rc != 0)
		series_walk_close(walk);
	else
		*out = walk;
	return rc;
}

/* An empty prefix is the start of the table. */
static int
move(struct series_walk *walk, uint32_t *number, struct err *err)
{
	struct db_bytes key, value;
	struct reader r;
	int rc;

	if (walk->cursor == NULL) {
		if (walk->found_at == walk->found_n)
			return 0;
		*number = walk->found[walk->found_at++].number;
		return 1;
	}
	if (walk->started)
		rc = db_cursor_move(walk->cursor, DB_NEXT, &key, &value, err);
	else if (walk->prefix.len == 0)
		rc = db_cursor_move(walk->cursor, DB_FIRST, &key, &value, err);
	else
		rc = db_cursor_seek(walk->cursor, &walk->prefix, &key, &value, err);
	walk->started = true;
	if (rc <= 0)
		return rc;
	if (!key_has_prefix(key.p, key.len, &walk->prefix))
		return 0;
	r = reader_of(value.p, value.len);
	*number = reader_u32le(&r);
	return 1;
}

int
series_walk_next(struct series_walk *walk, uint32_t *number, struct series *series, struct err *err)
{
	int rc;

	while ((rc = move(walk, number, err)) > 0) {
		if ((rc = store_series(walk->view, *number, series, err)) < 0)
			return rc;
		if (is_wanted(walk, series))
			return 1;
	}
	return rc;
}

void
series_walk_close(struct series_walk *walk)
{
	if (walk == NULL)
		return;
	db_cursor_close(walk->cursor);
	free(walk->under);
	free(walk->host);
	free(walk->vantage);
	free(walk->found);
	free(walk);
}

int
store_series_on(struct store_view *view, int64_t day, struct buf *numbers_u32, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_DATE, err);
	struct db_bytes found, value;
	struct key key;
	int64_t found_day;
	uint32_t number;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	key_date(&key, day, 0);
	rc = db_cursor_seek(cursor, &key, &found, &value, err);
	while (rc > 0) {
		if (!key_parse_date(found.p, found.len, &found_day, &number) || found_day != day)
			break;
		buf_append(numbers_u32, &number, sizeof(number));
		rc = db_cursor_move(cursor, DB_NEXT, &found, &value, err);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
store_series_since(struct store_view *view, int64_t day, struct buf *bits, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(view->txn, DB_DATE, err);
	struct db_bytes found, value;
	uint32_t number;
	struct key key;
	int rc;

	buf_clear(bits);
	if (cursor == NULL)
		return ERR_SYSTEM;
	key_date(&key, day, 0);
	rc = db_cursor_seek(cursor, &key, &found, &value, err);
	while (rc > 0 && key_parse_date(found.p, found.len, &day, &number)) {
		size_t octet = number / 8;

		if (octet >= bits->len) {
			size_t more = octet + 1 - bits->len;

			memset(buf_reserve(bits, more), 0, more);
			bits->len += more;
		}
		bits->data[octet] |= (uint8_t)(1u << (number % 8));
		rc = db_cursor_move(cursor, DB_NEXT, &found, &value, err);
	}
	db_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}
