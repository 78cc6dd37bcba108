#include "mxstore_missing.h"

#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	return hash_compare(a, b);
}

static void
sort(struct mxstore_missing *m)
{
	struct hash *list = (void *)m->names.data;
	size_t n = m->names.len / sizeof(*list), kept = 0;

	if (n > 0)
		qsort(list, n, sizeof(*list), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || hash_compare(&list[kept - 1], &list[i]) != 0)
			list[kept++] = list[i];
	m->names.len = kept * sizeof(*list);
	m->sorted = kept;
}

void
mxstore_missing_add(struct mxstore_missing *m, const struct hash *name)
{
	size_t n = m->names.len / sizeof(*name);

	/* The same few come again and again. */
	if (n >= 1024 && n >= 2 * m->sorted)
		sort(m);
	if (m->names.len / sizeof(*name) < MXSTORE_MISSING_MAX)
		buf_append(&m->names, name, sizeof(*name));
}

int
mxstore_missing_count(struct mxstore_missing *m, struct store *store, uint64_t *n,
    struct hash *first, struct err *err)
{
	const struct hash *list;
	struct store_view *view;
	struct buf der = {0};
	int rc;

	*n = 0;
	sort(m);
	if (m->sorted == 0)
		return 0;
	if ((rc = store_view_open(store, &view, err)) != 0)
		return rc;
	list = (const void *)m->names.data;
	for (size_t i = 0; i < m->sorted; i++) {
		struct err why = {0};

		if (store_certificate(view, &list[i], &der, &why) == ERR_NOT_FOUND && (*n)++ == 0)
			*first = list[i];
	}
	store_view_close(view);
	buf_finish(&der);
	return 0;
}

void
mxstore_missing_finish(struct mxstore_missing *m)
{
	buf_finish(&m->names);
	*m = (struct mxstore_missing){0};
}
