/*
 * maintain: what an operator does to a whole corpus: bring another one in, copy it, rewrite it
 * closely packed, drop what is old or what somebody wants dropped, rebuild what can be derived.
 * Behind mxstore merge, backup, compact, prune, delete and check --repair.
 *
 * None of them interprets a certificate. None ever leaves a corpus that store_check() faults where
 * it did not before; what they cannot do they name.
 *
 * Threads: those of store.h. Memory: bounded but for what is said.
 */
#ifndef MX509_MAINTAIN_H
#define MX509_MAINTAIN_H

#include "store/corpus/store.h"

struct maintain_hooks {
	/* A line for a person: a record that cannot be read, a thing that was rebuilt. */
	void (*say)(void *ctx, const char *line);
	/* Now and then, with how much is done of how much in all (records, 0: not known). True:
	 * stop at the next point at which the corpus is consistent; ERR_INPUT "interrupted …" then.
	 */
	bool (*tick)(void *ctx, uint64_t done, uint64_t all);
	void *ctx;
};

/* ---- merge ------------------------------------------------------------------------------- */

struct maintain_merged {
	uint64_t observations, dns_answers, certificates; /* new ones */
	uint64_t repeated; /* observations and answers that were there */
	uint64_t damaged;  /* records that could not be read, each named by `say` */
};

/* Brings in all that `from` holds; adds to *merged. The same in any order and however often. Each
 * MAINTAIN_BATCH observations are durable together; after an interruption, repeat it. What is
 * damaged in `from` is named and passed. ERR_INPUT where both are one corpus. */
#define MAINTAIN_BATCH 100000
int maintain_merge(struct store *into, struct store *from, const struct maintain_hooks *hooks,
    struct maintain_merged *merged, struct err *err);

/* The same of the corpus in a directory. Where its pages are damaged, or its file was cut, what can
 * be read goes into a corpus in into's directory that is made for it, of the same size at most, and
 * is merged from there; each fault of the pages is named and counted as damaged. ERR_DAMAGED where
 * nothing can be read. */
int maintain_merge_from(struct store *into, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_merged *merged, struct err *err);

/* ---- copies ------------------------------------------------------------------------------ */

struct maintain_copied {
	uint64_t records;
	uint64_t octets_before, octets_after;		  /* of the files */
	uint64_t observations, dns_answers, certificates; /* of an increment */
};

/* How far a copy goes: what comes after it is what a later increment holds. As text: COMMIT.NUMBER,
 * of the newest commit, and of certificates. */
struct maintain_cursor {
	uint64_t commit;
	uint64_t certificates; /* numbers below this one */
};
#define MAINTAIN_CURSOR_MAX 48
bool maintain_cursor_parse(const char *text, struct maintain_cursor *cursor);
void maintain_cursor_format(const struct maintain_cursor *cursor, char out[MAINTAIN_CURSOR_MAX]);
int maintain_cursor_of(struct store_view *view, struct maintain_cursor *cursor, struct err *err);

/* A snapshot of `from`, taken while others write, in the order of its keys on full pages, each
 * record checked: in `dir`, which must be new or empty. A damaged record ends it, named, and leaves
 * nothing. The journal comes along: cursors mean the same. */
int maintain_copy(struct store *from, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_cursor *cursor, struct maintain_copied *copied, struct err *err);

/* The same with its certificates anew, in packs (certificate_pack.h) with a dictionary for all. */
int maintain_copy_packed(struct store *from, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_cursor *cursor, struct maintain_copied *copied, struct err *err);

/* That in the place of *store, which nobody else may have open (ERR_INPUT); closed, also
 * on error. Whatever happens, the old or the new one stands there. */
int maintain_compact(struct store **store, const struct maintain_hooks *hooks,
    struct maintain_copied *copied, struct err *err);

/* A corpus in `dir` (new or empty) of what came to `from` after the cursor: to be merged. A cursor
 * that the journal does not reach is ERR_NOT_FOUND. */
int maintain_increment(struct store *from, const struct maintain_cursor *since, const char *dir,
    const struct maintain_hooks *hooks, struct maintain_cursor *cursor,
    struct maintain_copied *copied, struct err *err);

/* ---- dropping ---------------------------------------------------------------------------- */

struct maintain_dropped {
	uint64_t observations, dns_answers, evidence, chains, certificates, series;
	uint64_t commits;	   /* of the journal: cursors from before them are refused */
	int64_t first_ms, last_ms; /* of the observations and answers; meaningless without any */
};

/* Told once, before it is done: false: leave it. */
typedef bool maintain_confirm(void *ctx, const struct maintain_dropped *dropped);

/*
 * Drops what is older than before_ms and not needed to tell what happened from then on: what a
 * series shows at any time from before_ms on, every change whose bracket ends then or later, and
 * the audit snapshots of those times stay the same, for lifetimes of these rules (keep.h). Of DNS
 * answers, each different one is a state.
 */
struct keep_rules;
int maintain_prune(struct store *store, int64_t before_ms, const struct keep_rules *rules,
    const struct maintain_hooks *hooks, maintain_confirm *confirm, void *ctx,
    struct maintain_dropped *dropped, struct err *err);

/*
 * Drops all that the corpus holds of a name and of all names below it: the series of these hosts,
 * those under an SNI of such a name, observations for such a domain, DNS answers at such names or
 * that name one. What other hosts show stays theirs, though it may name it: a certificate's
 * alternative names, a greeting. Freed pages keep its bytes until maintain_compact().
 */
int maintain_delete(struct store *store, const char *const *names, size_t n,
    const struct maintain_hooks *hooks, maintain_confirm *confirm, void *ctx,
    struct maintain_dropped *dropped, struct err *err);

/* ---- repair ------------------------------------------------------------------------------ */

/* Rebuilds what can be derived: indexes by name, address, hash and date, certificates that a chain
 * names, the journal's counts, the head pages of the state that is the newest one now. Evidence is
 * never touched. Names each thing that it rebuilt by `say`; returns how many, or <0; store_check()
 * tells what is left. */
int maintain_repair(struct store *store, const struct maintain_hooks *hooks, struct err *err);

#endif
