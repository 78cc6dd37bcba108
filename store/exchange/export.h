/*
 * export: the corpus as files for others: JSON lines, and the audit snapshot (CONTRACT "The
 * programs"). What is written depends on what the corpus holds only, not on the order in which it
 * arrived: two stores of the same observations give the same bytes.
 */
#ifndef MX509_EXPORT_H
#define MX509_EXPORT_H

#include <stdio.h>

#include "store/corpus/store.h"

struct export_filter {
	struct series_filter series;
	int64_t from_ms, to_ms; /* from_ms <= time < to_ms */
};

struct export_counts {
	uint64_t series, observations, dns_answers, certificates, chains;
	uint64_t unknown;    /* certificates that are known by name only */
	uint64_t unreadable; /* pem: chains with a certificate that OpenSSL does not open */
	uint64_t incomplete; /* pem: series whose chain cannot be written for that reason */
	uint64_t damaged;    /* lines: records that cannot be read, and are left out */
};

/* Called now and then; true ends the work with ERR_INPUT "interrupted". */
typedef bool export_tick(void *ctx, const struct export_counts *counts);

struct export_hooks {
	export_tick *tick; /* NULL: none */
	/* A record that cannot be read and is left out, for a person. NULL: one ends the export. */
	void (*complain)(void *ctx, const char *line);
	void *ctx;
};

/* hooks may be NULL. In the order of CONTRACT; of equal times by the bytes of their lines. DNS
 * follows the probes of its host. A certificate stands before its first use; where all is exported,
 * those that nothing uses stand at the end, in the order of their names. */
int export_jsonl(struct store_view *view, const struct export_filter *filter, FILE *out,
    const struct export_hooks *hooks, struct export_counts *counts, struct err *err);

/* The same observations in the same order as rows of CSV (csv.h), with a heading. */
int export_csv(struct store_view *view, const struct export_filter *filter, FILE *out,
    const struct export_hooks *hooks, struct export_counts *counts, struct err *err);

/*
 * What every series showed at at_ms, into directory `dir`, which must be new, empty, or hold an
 * earlier export, that is replaced: manifest.tsv, CHAINID.pem for each distinct chain, SHA256SUMS.
 * A chain that has something in it that is no certificate to OpenSSL goes into CHAINID.txt, in the
 * same form: so each .pem can be opened. A series shows its last observed state at or before that
 * moment; `first` is the first sighting in the unbroken run of that state (gaps are no break),
 * `last` the last one. "-" stands where there is nothing: no chain, no SNI; also for the file of a
 * chain that has certificates which are known by name only. filter's times are not used.
 */
int export_pem(struct store_view *view, const struct series_filter *filter, int64_t at_ms,
    const char *dir, export_tick *tick, void *ctx, struct export_counts *counts, struct err *err);

#endif
