/*
 * store: the corpus. Observations by host, address and date, in LMDB; the certificates, chains
 * and evidence records that they show, each stored once under its SHA-256; a journal of every
 * commit. mx509-store(5) documents the bytes.
 *
 * Caveats first:
 * - A store is a directory on a local file system (LMDB maps it; not NFS).
 * - One struct store is used by one thread. Open one for each thread or process that needs it;
 *   never across fork().
 * - A view is one consistent state of the corpus and keeps its pages alive: close it soon, a view
 *   of hours makes the file of a busy writer grow.
 * - Writers of all processes take turns by batch; readers wait for nobody and nobody for them.
 * - Pointers that a view hands out (certificates, evidence) are valid until said otherwise here.
 *
 * Durability: store_batch_commit() returns 0 only after the batch is on the disk (fsync). Before
 * that nothing of it is promised; after it nothing of it is lost, by kill -9 or power.
 *
 * Errors: 0 or a count is success; negative codes are those of err.h. ERR_FULL: the disk is full,
 * the batch is not stored, the corpus is as it was. ERR_DAMAGED names the record.
 */
#ifndef MX509_STORE_H
#define MX509_STORE_H

#include "store/record/observation.h"

struct store;
struct store_batch;
struct store_view;

/* ---- opening ----------------------------------------------------------------------------- */

enum store_mode {
	STORE_READ, /* must exist */
	/* Created where it does not exist, with its parents (mode 0777 & ~umask). Of one that is
	 * there the pages are looked at first (sound.h), once a process: ERR_DAMAGED. */
	STORE_WRITE,
	STORE_MEND, /* written too, but must exist, and whatever its pages are: maintain_repair() */
};

/* *store is NULL on error. A directory that is no store, or one of another version, is
 * ERR_FORMAT; a missing one, to be read, ERR_NOT_FOUND. Slots of dead readers are cleared then, and
 * by every batch. */
int store_open(struct store **store, const char *dir, enum store_mode mode, struct err *err);
/* A batch waits for its turn where another writer is at work; when that has taken a second, `wait`
 * is called, once a wait, from another thread. Not told by default. */
void store_on_wait(struct store *store, void (*wait)(void *ctx, const char *dir), void *ctx);
void store_close(struct store *store); /* accepts NULL; views and batches must be closed before */
const char *store_dir(const struct store *store);

/* ERR_DAMAGED with a line: the corpus in dir is damaged, `what`, and the way out. */
int store_say_damaged(const char *dir, const char *what, struct err *err);

/* The directory to use: `option` (from --store) if not NULL, else $MX509_STORE, else
 * $XDG_DATA_HOME/mx509, else $HOME/.local/share/mx509. ERR_INPUT if none of them is set. */
int store_find_dir(const char *option, struct buf *dir, struct err *err);

/* Before a reading that must not leave anything out: whether the pages are sound (sound.h): 0 or
 * ERR_DAMAGED. Where the filter asks for a name or an address only, of a large corpus (more than
 * LIMIT_SOUND octets) that is left to LMDB and the checksums: an answer about one host must not
 * cost the reading of all. */
struct series_filter;
int store_sound(struct store *store, const struct series_filter *filter, struct err *err);

/* ---- writing ----------------------------------------------------------------------------- */

/* Waits for the turn. A batch carries its first trouble with the store: after it, further calls
 * return it and commit refuses, so that a caller may check at the end only. A record that is
 * refused for what it is (ERR_INPUT, ERR_LIMIT: observation.h, limits.h) leaves the batch as it
 * was; the next one may be good. */
int store_batch_begin(struct store *store, struct store_batch **batch, struct err *err);

/* 1: new; 0: was there. The certificate's name in *name (may be NULL). Any bytes are taken: what
 * a server presents as a certificate need not be one. */
int store_batch_certificate(
    struct store_batch *batch, const void *der, size_t len, struct hash *name, struct err *err);

/* 1 if the store, or the batch, holds the DER of this name: it need not be given again. */
int store_batch_has_certificate(
    struct store_batch *batch, const struct hash *name, struct err *err);

/* 0: taken. Whether it is new, or one that is equal in every member is there, is known when the
 * batch is committed. Certificates of the chain that the store does not hold are remembered as
 * known by name only (store_certificate: ERR_NOT_FOUND); *unknown, if not NULL, grows by their
 * number. Any order of times is right; what comes late lands where its time says. */
int store_batch_observation(struct store_batch *batch, const struct series *series,
    const struct observation *observation, size_t *unknown, struct err *err);
int store_batch_dns(struct store_batch *batch, const struct series *series,
    const struct dns_answer *answer, struct err *err);

size_t store_batch_len(const struct store_batch *batch); /* observations and DNS taken */

struct store_commit {
	uint64_t sequence; /* in the journal; that of the last commit where nothing was new */
	uint64_t observations, dns_answers; /* new ones */
	uint64_t repeated;		    /* that were there, or twice in the batch */
};

/* Makes it durable and frees it. *commit may be NULL. On error the batch is freed too and nothing
 * of it is stored. */
int store_batch_commit(struct store_batch **batch, struct store_commit *commit, struct err *err);
void store_batch_abort(struct store_batch **batch); /* accepts NULL, and a NULL in it */

/* ---- reading: one consistent state ------------------------------------------------------- */

int store_view_open(struct store *store, struct store_view **view, struct err *err);
void store_view_close(struct store_view *view); /* accepts NULL */

/* For who waits for more: the number of the commit that a view sees, and of the newest one, whoever
 * made it. To ask for the latter costs neither a view nor a call of the system. */
uint64_t store_view_number(const struct store_view *view);
uint64_t store_newest(struct store *store);

/* Series are numbered from 0 in order of first arrival. ERR_NOT_FOUND past the last. */
int store_series(struct store_view *view, uint32_t number, struct series *series, struct err *err);

/* The other way round: 1 and *number, or 0 where there is none. */
int store_series_number(
    struct store_view *view, const struct series *series, uint32_t *number, struct err *err);

/* Evidence by its number (struct sighting). Owned by *out: evidence_finish(). */
int store_evidence(struct store_view *view, uint32_t number, struct evidence *out, struct err *err);
int store_dns_answer(struct store_view *view, uint32_t number, struct dns_answer *out,
    struct err *err); /* all but time_ms and ttl_s, which the sighting has */

/* The DER, checked against its name, in *der (cleared first). ERR_NOT_FOUND: unknown, or known by
 * name only. */
int store_certificate(
    struct store_view *view, const struct hash *name, struct buf *der, struct err *err);

/* Names of the certificates of a chain, appended to *names as 32 octets each. */
int store_chain(
    struct store_view *view, const struct hash *chain_id, struct buf *names, struct err *err);

/* ---- walks: the caller owns the iterator ------------------------------------------------- */

/* Which series. Zero-initialised: all of them. */
struct series_filter {
	enum series_kind kind; /* 0: both */
	const char *under;     /* a name: it and all below; NULL: any */
	const char *host;      /* exactly this name; NULL: any */
	struct ip address;     /* family 0: any */
	uint16_t port;	       /* 0: any */
	unsigned sni;	       /* bits 1 << enum sni; 0: any */
	const char *vantage;   /* NULL: any */
};

/* In the order of exports. Reads the range of `under` or `host` only; an address alone goes by
 * its index (and then in the order of host names all the same). */
struct series_walk;
int series_walk_open(struct series_walk **walk, struct store_view *view,
    const struct series_filter *filter, struct err *err);
/* 1: *number and *series filled; 0: no more; <0: error. */
int series_walk_next(
    struct series_walk *walk, uint32_t *number, struct series *series, struct err *err);
void series_walk_close(struct series_walk *walk); /* accepts NULL */

/* A moment: the series that were observed at or before at_ms, in the same order, each with its last
 * sighting till then (day.h). */
struct snapshot_walk;
struct sighting;
int snapshot_walk_open(struct snapshot_walk **walk, struct store_view *view,
    const struct series_filter *filter, int64_t at_ms, struct err *err);
int snapshot_walk_next(struct snapshot_walk *walk, uint32_t *number, struct series *series,
    struct sighting *sighting, struct err *err);      /* 1, 0, <0 */
void snapshot_walk_close(struct snapshot_walk *walk); /* accepts NULL */

/* The observations of one series in order of time, and newest first: timeline.h, timeline_back.h.
 */

/* The series touched on one UTC day (days since 1970), by the index of dates, by number. */
int store_series_on(struct store_view *view, int64_t day, struct buf *numbers_u32, struct err *err);

/* The same of all days from `day` on: in *bits (cleared first) bit n % 8 of octet n / 8 is set for
 * each series n. */
int store_series_since(struct store_view *view, int64_t day, struct buf *bits, struct err *err);

/* Certificates in order of arrival: 1, 0, <0 as above. *der is borrowed until the next call. */
struct certificate_walk;
int certificate_walk_open(struct certificate_walk **walk, struct store_view *view, struct err *err);
/* Before the first step: only those whose number (they count from 0, and what comes later has a
 * higher one) is at least this one. */
void certificate_walk_from(struct certificate_walk *walk, uint64_t number);
int certificate_walk_next(struct certificate_walk *walk, struct hash *name, struct buf *der,
    bool *known, struct err *err);
void certificate_walk_close(struct certificate_walk *walk);

/* ---- the journal ------------------------------------------------------------------------- */

/* The newest commit's number; 0: none yet. The first commit is 1. */
int journal_last(struct store_view *view, uint64_t *sequence, struct err *err);

struct journal_entry {
	uint32_t series;
	int64_t time_ms; /* of the observation that was added */
};

/* What prune and delete dropped is not named any more. The entries of the commits after `cursor`,
 * oldest first. A cursor that the journal no longer reaches, or that lies beyond its end, is
 * ERR_NOT_FOUND with a sentence. */
struct journal_walk;
int journal_walk_open(
    struct journal_walk **walk, struct store_view *view, uint64_t cursor, struct err *err);
/* 1: the next commit: its number, its time and its entries (borrowed until the next call). */
int journal_walk_next(struct journal_walk *walk, uint64_t *sequence, int64_t *committed_ms,
    const struct journal_entry **entries, size_t *n, struct err *err);
void journal_walk_close(struct journal_walk *walk);

/* ---- figures ----------------------------------------------------------------------------- */

struct store_figures {
	uint64_t series, hosts, addresses, observations, dns_answers, evidence, chains,
	    certificates, certificates_unknown, commits;
	int64_t first_ms, last_ms; /* of observations; meaningless where there are none */
	struct {
		const char *name; /* of the sub-database */
		uint64_t records, octets;
	} part[16];
	size_t part_n;
	uint64_t file_octets, used_octets, live_octets; /* live: less the pages that are free */
	unsigned readers;
	/* Of the reader that keeps the most pages from being used again: how many commits have been
	 * made since its view was opened, and when the first of them was; 0, unless a view is older
	 * than the newest commit. */
	uint64_t oldest_reader_lag;
	int64_t oldest_reader_ms;
};
int store_figures(struct store_view *view, struct store_figures *figures, struct err *err);

/* Every invariant: hashes of what is content-addressed, checksums, order, references, indexes
 * against data, the journal. Calls `finding` once for each fault (a line for a person); returns
 * their number, or <0 if the check itself could not go on. */
int store_check(struct store_view *view, void (*finding)(void *ctx, const char *line), void *ctx,
    struct err *err);

#endif
