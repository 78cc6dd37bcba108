#include <stdlib.h>

#include "store.h"
#include "store/base/mem.h"
#include "store_view.h"
#include "timeline.h"

struct snapshot_walk {
	struct store_view *view;
	struct series_walk *series;
	int64_t at_ms;
};

int
snapshot_walk_open(struct snapshot_walk **out, struct store_view *view,
    const struct series_filter *filter, int64_t at_ms, struct err *err)
{
	struct series_walk *series;
	int rc = series_walk_open(&series, view, filter, err);

	*out = NULL;
	if (rc != 0)
		return rc;
	*out = mem_zero(1, sizeof(**out));
	**out = (struct snapshot_walk){view, series, at_ms};
	return 0;
}

int
snapshot_walk_next(struct snapshot_walk *walk, uint32_t *number, struct series *series,
    struct sighting *sighting, struct err *err)
{
	int64_t before_ms = walk->at_ms < INT64_MAX ? walk->at_ms + 1 : INT64_MAX;
	int rc;

	while ((rc = series_walk_next(walk->series, number, series, err)) > 0) {
		rc = timeline_last(walk->view, *number, series->kind, before_ms, sighting, err);
		if (rc != 0)
			return rc;
	}
	return rc;
}

void
snapshot_walk_close(struct snapshot_walk *walk)
{
	if (walk == NULL)
		return;
	series_walk_close(walk->series);
	free(walk);
}
