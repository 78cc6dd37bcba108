#include <stdlib.h>

#include "importer.h"
#include "store/base/mem.h"
#include "zgrab2.h"

/* The certificates, and the observation that names them. */
static int
add(struct importer *im, struct zgrab2 *z, struct err *err)
{
	struct hash *names = mem_zero(z->chain_n + 1, sizeof(*names));
	size_t start = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < z->chain_n; start = z->ends[i++])
		rc = importer_certificate(
		    im, z->ders.data + start, z->ends[i] - start, &names[i], err);
	z->observation.evidence.chain = names;
	z->observation.evidence.chain_n = z->chain_n;
	if (rc == 0)
		rc = importer_observation(im, &z->series, &z->observation, err);
	free(names);
	return rc;
}

static int
take(struct importer *im, const char *line, size_t len, void *ctx, struct err *err)
{
	struct zgrab2 z;
	bool any = false;
	int rc = zgrab2_open(&z, line, len, ctx, err);

	if (rc != 0)
		return rc;
	while ((rc = zgrab2_next(&z, err)) > 0) {
		any = true;
		if ((rc = add(im, &z, err)) != 0)
			break;
	}
	zgrab2_close(&z);
	im->counts->skipped += rc == 0 && !any;
	return rc;
}

int
import_zgrab2(struct store *store, const char *path, const char *vantage,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err)
{
	static const struct importer_format format = {.take = take};

	return importer_run(store, path, &format, (void *)vantage, hooks, counts, err);
}
