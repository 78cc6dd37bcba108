#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../store/json.h"
#include "../store/mem.h"
#include "limits.h"
#include "seen.h"

/* One record with all its texts behind it, in the store's own canonical form. */
struct entry {
	bool is_dns;
	struct series series;
	struct observation observation;
	struct dns_answer answer;
	struct wire_chain chain;
	struct hash *names;
};

struct record {
	struct store *store;
	FILE *json;
	struct entry *entries;
	size_t n;
	struct loop_timer *timer;
	struct seen *printed; /* certificates */
	struct record_counts counts;
	struct err err, refused;
	loop_fn *on_failure;
	void *failure_ctx;
};

static void
on_timer(void *ctx)
{
	record_flush(ctx);
}

struct record *
record_create(struct store *store, struct loop *loop, FILE *json)
{
	struct record *record = mem_zero(1, sizeof(*record));

	record->store = store;
	record->json = json;
	record->entries = mem_zero(LIMIT_RECORD_BATCH, sizeof(*record->entries));
	record->timer = loop_timer_create(loop, on_timer, record);
	record->printed = seen_create();
	return record;
}

static void
entry_finish(struct entry *entry)
{
	if (entry->is_dns)
		dns_answer_finish(&entry->answer);
	else
		evidence_finish(&entry->observation.evidence);
	wire_chain_finish(&entry->chain);
	free(entry->names);
	*entry = (struct entry){0};
}

void
record_destroy(struct record *record)
{
	if (record == NULL)
		return;
	record_flush(record);
	loop_timer_destroy(record->timer);
	seen_destroy(record->printed);
	free(record->entries);
	free(record);
}

static void
fail(struct record *record, uint64_t lost)
{
	record->counts.lost += lost;
	if (record->on_failure != NULL) {
		loop_fn *fn = record->on_failure;

		record->on_failure = NULL;
		fn(record->failure_ctx);
	}
}

static struct entry *
add(struct record *record, const struct series *series)
{
	struct entry *entry = &record->entries[record->n++];

	*entry = (struct entry){.series = *series};
	return entry;
}

static void
added(struct record *record)
{
	if (record->n == LIMIT_RECORD_BATCH)
		record_flush(record);
	else if (!loop_timer_is_set(record->timer))
		loop_timer_set(record->timer, LIMIT_RECORD_WAIT_MS);
}

/* What the store would not take must not take a whole batch with it. */
static void
refuse(struct record *record, const struct series *series, const struct err *why)
{
	record->n--;
	record->counts.refused++;
	err_set(&record->refused, why->code, "%s: %s", series->host, why->text);
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

void
record_observation(struct record *record, const struct series *series,
    const struct observation *observation, const struct wire_chain *chain)
{
	struct entry *entry = add(record, series);
	struct buf encoded = {0};
	struct err err = {0};
	bool has_chain;
	struct hash id;

	/* The store's own encoding is the deep copy. */
	evidence_encode(&encoded, &observation->evidence);
	entry->observation = *observation;
	if (series_valid(series, &err) != 0 || evidence_valid(&observation->evidence, &err) != 0 ||
	    evidence_decode(&entry->observation.evidence, &has_chain, &id, encoded.data,
		encoded.len, &err) != 0) {
		refuse(record, series, &err);
		buf_finish(&encoded);
		return;
	}
	copy_chain(entry, chain);
	entry->observation.evidence.chain = entry->names;
	entry->observation.evidence.chain_n = entry->chain.n;
	buf_finish(&encoded);
	added(record);
}

void
record_dns(struct record *record, const struct series *series, const struct dns_answer *answer)
{
	struct entry *entry = add(record, series);
	struct buf encoded = {0};
	struct err err = {0};

	entry->is_dns = true;
	dns_answer_encode(&encoded, answer);
	if (series_valid(series, &err) != 0 || dns_answer_valid(answer, &err) != 0 ||
	    dns_answer_decode(&entry->answer, encoded.data, encoded.len, &err) != 0) {
		refuse(record, series, &err);
		buf_finish(&encoded);
		return;
	}
	entry->answer.time_ms = answer->time_ms;
	entry->answer.ttl_s = answer->ttl_s;
	buf_finish(&encoded);
	added(record);
}

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

static void
print(struct record *record, struct buf *line, const struct entry *entry)
{
	for (size_t i = 0; i < entry->chain.n; i++)
		if (seen_add(record->printed, entry->names[i].bytes, HASH_LEN))
			json_certificate(line, &entry->names[i],
			    entry->chain.der.data + entry->chain.parts[i].at,
			    entry->chain.parts[i].len);
	if (entry->is_dns)
		json_dns(line, &entry->series, &entry->answer);
	else
		json_observation(line, &entry->series, &entry->observation);
}

static void
print_all(struct record *record)
{
	struct buf lines = {0};

	if (record->json == NULL)
		return;
	for (size_t i = 0; i < record->n; i++)
		print(record, &lines, &record->entries[i]);
	if (fwrite(lines.data, 1, lines.len, record->json) != lines.len ||
	    fflush(record->json) != 0) {
		err_system(&record->err, errno, "cannot write to standard output");
		record->json = NULL;
		fail(record, 0);
	}
	buf_finish(&lines);
}

void
record_flush(struct record *record)
{
	struct store_batch *batch = NULL;

	loop_timer_stop(record->timer);
	if (record->n == 0)
		return;
	if (store_batch_begin(record->store, &batch, &record->err) == 0) {
		for (size_t i = 0; i < record->n; i++)
			put(batch, &record->entries[i], &record->err);
		store_batch_commit(&batch, NULL, &record->err);
	}
	if (record->err.code != 0) {
		fail(record, record->n);
	} else {
		for (size_t i = 0; i < record->n; i++)
			*(record->entries[i].is_dns ? &record->counts.dns_answers
						    : &record->counts.observations) += 1;
		print_all(record);
	}
	for (size_t i = 0; i < record->n; i++)
		entry_finish(&record->entries[i]);
	record->n = 0;
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
record_counts(const struct record *record)
{
	return record->counts;
}

void
record_on_failure(struct record *record, loop_fn *fn, void *ctx)
{
	record->on_failure = fn;
	record->failure_ctx = ctx;
}
