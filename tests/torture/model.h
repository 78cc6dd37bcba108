/*
 * model: a store and beside it the plainest thing that says what it must hold: an array of what was
 * submitted. What is done to the store is done to the array; model_compare() holds the walks in
 * every order, the index of dates, the journal and the certificates against it.
 *
 * A failure fails the cmocka test that calls. Owned by the caller, model_finish() closes the store.
 * What happens is of chance, the same for the same seed.
 */
#ifndef MX509_TORTURE_MODEL_H
#define MX509_TORTURE_MODEL_H

#include "../unit/store/fixture.h"

#define SERIES_N 48
#define ITEMS_MAX 6000
#define SHOWN_N 9	/* kinds of evidence, and certificates */
#define SHOWN_IN_VAIN 3 /* nothing was observed */

struct item {
	unsigned series, shown;
	int64_t time_ms;
	int32_t ms;
	unsigned commit;
};

struct model {
	struct series series[SERIES_N];
	struct item items[ITEMS_MAX];
	size_t n;
	unsigned commits, forgotten; /* of the journal: all, and the first ones that are gone */
	bool given[SHOWN_N];	     /* the certificates whose DER is there */
	int64_t now_ms;
	uint64_t random;
	struct store *store;
	struct store_view *view;
	const char *dir; /* borrowed */
};

void model_init(struct model *m, const char *dir, uint64_t seed);
void model_open_anew(struct model *m);
void model_finish(struct model *m);

unsigned model_chance(struct model *m, unsigned n); /* 0 to n - 1 */

/* Certificate n, as many as kinds of evidence: its name, and its DER in *der (may be NULL). */
struct hash model_certificate(unsigned n, struct buf *der);

/* What a kind of evidence is, of a probe and of a DNS answer. It refers to itself: not to be moved.
 */
struct model_shown {
	struct evidence evidence;
	struct dns_answer answer;
	struct hash chain[2];
	const char *records[1];
	char text[32];
};
void model_evidence(unsigned shown, struct model_shown *out);

/* Submits a batch: new observations in time and late, some that are there; some of another model's
 * (NULL: none). One in six is given up. */
void model_batch(struct model *m, const struct model *of);

/* Takes an item into the array alone, as of the commit that comes next: false if it is there. */
bool model_take(struct model *m, const struct item *item);

/* deep: the timelines of all series, and store_check(). */
void model_compare(struct model *m, bool deep);

#endif
