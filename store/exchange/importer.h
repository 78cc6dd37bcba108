/*
 * importer: what the importers of files of lines share (import.h): batches, counts, complaints, and
 * the end of a file that is damaged or of a run that is interrupted. For the files of the store
 * alone.
 */
#ifndef MX509_IMPORTER_H
#define MX509_IMPORTER_H

#include "import.h"
#include "store/base/lines.h"
#include "store/record/optout.h"

#define IMPORTER_OCTETS (64u << 20) /* of certificates, that a batch may hold at most */
#define IMPORTER_COMPLAINTS 20	    /* of a file: what is wrong after that is only counted */

struct importer {
	struct store *store;
	struct store_batch *batch; /* NULL between two */
	const struct import_hooks *hooks;
	struct import_counts *counts;
	struct import_counts pending; /* of the batch: counted when it is committed */
	struct lines lines;
	struct optout_names optout;
	size_t records, octets; /* of the batch */
	unsigned complaints;
};

struct importer_format {
	/* A line, not empty. ERR_INPUT and ERR_LIMIT say what is wrong with it: it is complained
	 * of, and the next one is read. Other errors end the import. */
	int (*take)(struct importer *im, const char *line, size_t len, void *ctx, struct err *err);
	/* Behind the last line that could be read: the same. NULL: nothing to do. */
	int (*finish)(struct importer *im, void *ctx, struct err *err);
};

/* As import.h says of all importers. */
int importer_run(struct store *store, const char *path, const struct importer_format *format,
    void *ctx, const struct import_hooks *hooks, struct import_counts *counts, struct err *err);

/* Into the batch; errors as those of store.h. *name may be NULL. */
int importer_certificate(
    struct importer *im, const void *der, size_t len, struct hash *name, struct err *err);
int importer_observation(struct importer *im, const struct series *series,
    const struct observation *observation, struct err *err);
int importer_dns(struct importer *im, const struct series *series, const struct dns_answer *answer,
    struct err *err);

/* Counts an observation of a name whose operator asked to be left alone: it is taken all the same,
 * but not without a word. */
void importer_note_optout(const struct optout_names *optout, const struct series *series,
    const struct observation *observation, struct import_counts *counts);

/* Makes durable what the batch holds; a view that is opened then sees it. */
int importer_commit(struct importer *im, struct err *err);

/* "FILE:LINE: what"; counted as bad. */
void importer_complain(struct importer *im, uint64_t line, const char *what);

#endif
