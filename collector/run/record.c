#include "record.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "recent.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/record/json.h"
#include "store/record/shown.h"

/* One record with all its texts behind it, in the store's own canonical form. */
struct entry {
	struct entry *next;
	bool is_dns;
	struct series series;
	struct observation observation;
	struct dns_answer answer;
	struct wire_chain chain;
	struct hash *names;
	size_t octets;
};

struct batch {
	struct entry *first, *last;
	size_t n, octets;
};

struct record {
	/* the writer's */
	struct store *store;
	FILE *json;
	struct recent *printed; /* certificates */
	pthread_t thread;
	struct loop_wake *wake;
	/* anybody's */
	pthread_mutex_t lock;
	pthread_cond_t something;
	struct batch pending;
	size_t octets;		     /* pending, and in the writer's hands */
	bool behind, ending, broken; /* broken: the store takes no more */
	struct record_counts counts;
	struct err err, refused;
};

/* ---- entries ------------------------------------------------------------------------------- */

static void
entry_destroy(struct entry *entry)
{
	if (entry->is_dns)
		dns_answer_finish(&entry->answer);
	else
		evidence_finish(&entry->observation.evidence);
	wire_chain_finish(&entry->chain);
	free(entry->names);
	free(entry);
}

static void
batch_clear(struct batch *batch)
{
	struct entry *next;

	for (struct entry *e = batch->first; e != NULL; e = next) {
		next = e->next;
		entry_destroy(e);
	}
	*batch = (struct batch){0};
}

static void
copy_chain(struct entry *entry, const struct wire_chain *chain)
{
	if (chain->n == 0)
		return;
	buf_append(&entry->chain.der, chain->der.data, chain->der.len);
	entry->chain.parts = mem_dup(chain->parts, chain->n * sizeof(*chain->parts));
	entry->chain.n = chain->n;
	entry->names = mem_zero(chain->n, sizeof(*entry->names));
	for (size_t i = 0; i < chain->n; i++)
		entry->names[i] =
		    hash_sha256(entry->chain.der.data + chain->parts[i].at, chain->parts[i].len);
}

/* The store's own encoding is the deep copy. */
static int
copy_observation(struct entry *entry, const struct observation *observation,
    const struct wire_chain *chain, struct err *err)
{
	struct evidence *evidence = &entry->observation.evidence;
	struct buf encoded = {0};
	bool has_chain;
	struct hash id;
	int rc;

	entry->observation = *observation;
	*evidence = (struct evidence){0};
	if ((rc = observation_valid(&entry->series, observation, err)) != 0)
		return rc;
	evidence_encode(&encoded, &observation->evidence);
	rc = evidence_decode(evidence, &has_chain, &id, encoded.data, encoded.len, err);
	if (rc == 0) {
		copy_chain(entry, chain);
		evidence->chain = entry->names;
		evidence->chain_n = entry->chain.n;
		entry->octets += encoded.len + entry->chain.der.len;
	}
	buf_finish(&encoded);
	return rc;
}

static int
copy_answer(struct entry *entry, const struct dns_answer *answer, struct err *err)
{
	struct buf encoded = {0};
	int rc = dns_answer_valid(answer, err);

	if (rc != 0)
		return rc;
	dns_answer_encode(&encoded, answer);
	rc = dns_answer_decode(&entry->answer, encoded.data, encoded.len, err);
	entry->answer.time_ms = answer->time_ms;
	entry->answer.ttl_s = answer->ttl_s;
	entry->octets += encoded.len;
	buf_finish(&encoded);
	return rc;
}

/* What the store would not take must not take a whole batch with it. */
static void
refuse(struct record *record, struct entry *entry, const struct err *why)
{
	pthread_mutex_lock(&record->lock);
	record->counts.refused++;
	err_set(&record->refused, why->code, "%s: %s", entry->series.host, why->text);
	pthread_mutex_unlock(&record->lock);
	entry_destroy(entry);
}

static void
hand_in(struct record *record, struct entry *entry)
{
	struct batch *pending = &record->pending;

	pthread_mutex_lock(&record->lock);
	*(pending->first != NULL ? &pending->last->next : &pending->first) = entry;
	pending->last = entry;
	pending->n++;
	pending->octets += entry->octets;
	record->octets += entry->octets;
	if (record->octets > LIMIT_RECORD_OCTETS)
		record->behind = true;
	if (pending->n == 1 || pending->n == LIMIT_RECORD_BATCH)
		pthread_cond_signal(&record->something);
	pthread_mutex_unlock(&record->lock);
}

static struct entry *
entry_create(const struct series *series, bool is_dns)
{
	struct entry *entry = mem_zero(1, sizeof(*entry));

	entry->is_dns = is_dns;
	entry->series = *series;
	entry->octets = sizeof(*entry);
	return entry;
}

struct record_shown
record_observation(struct record *record, const struct series *series,
    const struct observation *observation, const struct wire_chain *chain)
{
	struct entry *entry = entry_create(series, false);
	struct record_shown shown = {0};
	struct err err = {0};

	if (series_valid(series, &err) != 0 ||
	    copy_observation(entry, observation, chain, &err) != 0) {
		refuse(record, entry, &err);
		return shown;
	}
	shown.observed = evidence_is_observed(&entry->observation.evidence);
	if (shown.observed)
		shown.state = shown_by_probe(&entry->observation.evidence);
	hand_in(record, entry);
	return shown;
}

void
record_dns(struct record *record, const struct series *series, const struct dns_answer *answer)
{
	struct entry *entry = entry_create(series, true);
	struct err err = {0};

	if (series_valid(series, &err) != 0 || copy_answer(entry, answer, &err) != 0)
		refuse(record, entry, &err);
	else
		hand_in(record, entry);
}

/* ---- the writer ---------------------------------------------------------------------------- */

static void
put(struct store_batch *batch, const struct entry *entry, struct err *err)
{
	if (entry->is_dns) {
		store_batch_dns(batch, &entry->series, &entry->answer, err);
		return;
	}
	for (size_t i = 0; i < entry->chain.n; i++)
		if (store_batch_has_certificate(batch, &entry->names[i], err) == 0)
			store_batch_certificate(batch,
			    entry->chain.der.data + entry->chain.parts[i].at,
			    entry->chain.parts[i].len, NULL, err);
	store_batch_observation(batch, &entry->series, &entry->observation, NULL, err);
}

static int
commit(struct record *record, const struct batch *batch, struct err *err)
{
	struct store_batch *open = NULL;

	if (store_batch_begin(record->store, &open, err) != 0)
		return err->code;
	for (const struct entry *e = batch->first; e != NULL; e = e->next)
		put(open, e, err);
	if (err->code == 0)
		return store_batch_commit(&open, NULL, err);
	store_batch_abort(&open);
	return err->code;
}

static void
print_entry(struct record *record, struct buf *line, const struct entry *entry)
{
	for (size_t i = 0; i < entry->chain.n; i++)
		if (recent_add(record->printed, entry->names[i].bytes, HASH_LEN))
			json_certificate(line, &entry->names[i],
			    entry->chain.der.data + entry->chain.parts[i].at,
			    entry->chain.parts[i].len);
	if (entry->is_dns)
		json_dns(line, &entry->series, &entry->answer);
	else
		json_observation(line, &entry->series, &entry->observation);
}

static int
print(struct record *record, const struct batch *batch, struct err *err)
{
	struct buf lines = {0};
	int rc = 0;

	if (record->json == NULL)
		return 0;
	for (const struct entry *e = batch->first; e != NULL; e = e->next)
		print_entry(record, &lines, e);
	if (fwrite(lines.data, 1, lines.len, record->json) != lines.len ||
	    fflush(record->json) != 0)
		rc = err_system(err, errno, "cannot write to standard output");
	buf_finish(&lines);
	return rc;
}

static void
count(struct record_counts *counts, const struct batch *batch)
{
	for (const struct entry *e = batch->first; e != NULL; e = e->next) {
		if (e->is_dns) {
			counts->dns_answers++;
			continue;
		}
		counts->observations++;
		counts->outcomes[e->observation.evidence.outcome]++;
	}
}

/* With the lock held, which is let go of meanwhile. */
static void
write_pending(struct record *record)
{
	struct batch batch = record->pending;
	bool stored = false, wake;
	struct err err = {0};

	record->pending = (struct batch){0};
	if (!record->broken) {
		pthread_mutex_unlock(&record->lock);
		stored = commit(record, &batch, &err) == 0;
		if (stored && print(record, &batch, &err) != 0)
			record->json = NULL;
		pthread_mutex_lock(&record->lock);
	}
	if (stored)
		count(&record->counts, &batch);
	else
		record->counts.lost += batch.n;
	record->broken = !stored;
	if (err.code != 0)
		err_set(&record->err, err.code, "%s", err.text);
	record->octets -= batch.octets;
	wake = err.code != 0;
	if (record->behind && record->octets <= LIMIT_RECORD_OCTETS / 2) {
		record->behind = false;
		wake = true;
	}
	pthread_mutex_unlock(&record->lock);
	batch_clear(&batch);
	if (wake)
		loop_wake_send(record->wake);
	pthread_mutex_lock(&record->lock);
}

/* Until a batch is full, or a second after its first record. */
static void
wait_for_a_batch(struct record *record)
{
	int64_t until_ms = clock_monotonic_ms() + LIMIT_RECORD_WAIT_MS;
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

	while (!record->ending && record->pending.n < LIMIT_RECORD_BATCH)
		if (pthread_cond_timedwait(&record->something, &record->lock, &until) != 0)
			break;
}

static void *
work(void *arg)
{
	struct record *record = arg;

	pthread_mutex_lock(&record->lock);
	while (!record->ending || record->pending.n > 0) {
		if (record->pending.n == 0) {
			pthread_cond_wait(&record->something, &record->lock);
			continue;
		}
		wait_for_a_batch(record);
		write_pending(record);
	}
	pthread_mutex_unlock(&record->lock);
	return NULL;
}

/* ---- from outside -------------------------------------------------------------------------- */

struct record *
record_create(struct store *store, FILE *json, struct loop *loop, loop_fn *fn, void *ctx)
{
	struct record *record = mem_zero(1, sizeof(*record));
	pthread_condattr_t monotonic;

	record->store = store;
	record->json = json;
	record->printed = recent_create();
	record->wake = loop_wake_create(loop, fn, ctx);
	pthread_mutex_init(&record->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&record->something, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&record->thread, NULL, work, record) != 0) {
		/* Nothing but memory, or a limit on threads: as of mem.h. */
		fprintf(stderr, "mx509: cannot start a thread\n");
		exit(2);
	}
	return record;
}

void
record_finish(struct record *record)
{
	if (record == NULL || record->ending)
		return;
	pthread_mutex_lock(&record->lock);
	record->ending = true;
	pthread_cond_signal(&record->something);
	pthread_mutex_unlock(&record->lock);
	pthread_join(record->thread, NULL);
}

void
record_destroy(struct record *record)
{
	if (record == NULL)
		return;
	record_finish(record);
	loop_wake_destroy(record->wake);
	recent_destroy(record->printed);
	pthread_cond_destroy(&record->something);
	pthread_mutex_destroy(&record->lock);
	free(record);
}

bool
record_is_behind(struct record *record)
{
	bool behind;

	pthread_mutex_lock(&record->lock);
	behind = record->behind;
	pthread_mutex_unlock(&record->lock);
	return behind;
}

bool
record_has_failed(struct record *record)
{
	bool failed;

	pthread_mutex_lock(&record->lock);
	failed = record->err.code != 0;
	pthread_mutex_unlock(&record->lock);
	return failed;
}

const struct err *
record_failed(const struct record *record)
{
	return record->err.code != 0 ? &record->err : NULL;
}

const struct err *
record_refused(const struct record *record)
{
	return record->refused.code != 0 ? &record->refused : NULL;
}

struct record_counts
record_counts(struct record *record)
{
	struct record_counts counts;

	pthread_mutex_lock(&record->lock);
	counts = record->counts;
	pthread_mutex_unlock(&record->lock);
	return counts;
}
