#include "transfer.h"

#include <string.h>

#include "store/corpus/store_view.h"

/* Octets of certificates between two durability points: what is written waits in memory. */
#define BATCH_OCTETS (UINT64_C(16) << 20)
#define TICK_RECORDS 256

static int
count_records(struct transfer *t, struct err *err)
{
	uint64_t records, octets;
	int rc = 0;

	for (int i = 0; rc == 0 && i < DB_TABLE_N; i++)
		if ((rc = db_table_size(t->from->txn, i, &records, &octets, err)) == 0)
			t->most += records;
	return rc;
}

int
transfer_init(struct transfer *t, struct store *into, struct store *from,
    const struct maintain_hooks *hooks, struct maintain_merged *sum, struct err *err)
{
	int rc;

	*t = (struct transfer){.into = into, .hooks = hooks, .sum = sum};
	rc = store_view_open(from, &t->from, err);
	return rc == 0 ? count_records(t, err) : rc;
}

static int
commit(struct transfer *t, struct err *err)
{
	struct store_commit made = {0};
	int rc;

	t->certificate_octets = 0;
	if (t->batch == NULL)
		return 0;
	if ((rc = store_batch_commit(&t->batch, &made, err)) == 0) {
		t->sum->observations += made.observations;
		t->sum->dns_answers += made.dns_answers;
		t->sum->repeated += made.repeated;
		t->sum->certificates += t->certificates;
	}
	t->certificates = 0;
	return rc;
}

static void
sum_up(struct transfer *t, const char *what, uint64_t n)
{
	struct buf line = {0};

	buf_printf(
	    &line, "%s: damaged: %llu %s", store_dir(t->from->store), (unsigned long long)n, what);
	t->hooks->say(t->hooks->ctx, buf_text(&line));
	buf_finish(&line);
}

int
transfer_finish(struct transfer *t, int rc, struct err *err)
{
	struct err late = {0};
	int rc_commit = commit(t, &late);

	if (t->passed > TRANSFER_NAMED)
		sum_up(t, "records more cannot be read", t->passed - TRANSFER_NAMED);
	if (t->lost_sightings > 0)
		sum_up(
		    t, "observations show what cannot be read: they are lost", t->lost_sightings);
	if (rc_commit != 0 && rc >= 0)
		rc = err_set(err, rc_commit, "%s", late.text);
	store_batch_abort(&t->batch);
	store_view_close(t->from);
	evidence_finish(&t->evidence);
	bits_finish(&t->lost);
	*t = (struct transfer){0};
	return rc;
}

/* Something can be added after it. */
static int
begin(struct transfer *t, struct err *err)
{
	bool full = t->batch != NULL && (store_batch_len(t->batch) >= MAINTAIN_BATCH ||
					    t->certificate_octets >= BATCH_OCTETS);
	int rc;

	if (full && (rc = commit(t, err)) != 0)
		return rc;
	return t->batch != NULL ? 0 : store_batch_begin(t->into, &t->batch, err);
}

void
transfer_lose(struct transfer *t, const char *what)
{
	t->sum->damaged++;
	if (t->passed++ < TRANSFER_NAMED)
		t->hooks->say(t->hooks->ctx, what);
}

bool
transfer_passes(struct transfer *t, int rc, struct err *why)
{
	if (rc != ERR_DAMAGED && rc != ERR_NOT_FOUND && rc != ERR_FORMAT)
		return false;
	transfer_lose(t, why->text);
	if (t->most == 0)
		return false;
	t->most--;
	*why = (struct err){0};
	return true;
}

int
transfer_tick(struct transfer *t, struct err *err)
{
	if (t->records++ % TICK_RECORDS != 0 || t->hooks->tick == NULL ||
	    !t->hooks->tick(t->hooks->ctx, t->records, 0))
		return 0;
	return err_set(err, ERR_INPUT,
	    "interrupted: a part of %s was taken; repeat it for the rest",
	    store_dir(t->from->store));
}

int
transfer_certificate(struct transfer *t, const struct buf *der, struct err *err)
{
	int rc = begin(t, err);

	if (rc != 0)
		return rc;
	rc = store_batch_certificate(t->batch, der->data, der->len, NULL, err);
	if (rc > 0) {
		t->certificates++;
		t->certificate_octets += der->len;
	}
	return rc < 0 ? rc : 0;
}

/* 1, 0: as that before; <0 and *why. */
static int
load_evidence(struct transfer *t, uint32_t number, struct err *why)
{
	int rc;

	if (t->has_evidence && t->evidence_number == number)
		return 0;
	evidence_finish(&t->evidence);
	t->has_evidence = false;
	if ((rc = store_evidence(t->from, number, &t->evidence, why)) != 0)
		return rc;
	t->evidence_number = number;
	t->has_evidence = true;
	return 1;
}

static int
add_probe(
    struct transfer *t, const struct series *series, const struct sighting *s, struct err *err)
{
	struct observation o = {.time_ms = s->time_ms, .evidence = t->evidence};

	memcpy(o.ms, s->ms, sizeof(o.ms));
	return store_batch_observation(t->batch, series, &o, NULL, err);
}

static int
add_answer(struct transfer *t, const struct series *series, const struct sighting *s,
    struct err *why, struct err *err)
{
	struct dns_answer answer;
	int rc;

	if ((rc = store_dns_answer(t->from, s->evidence, &answer, why)) != 0)
		return rc;
	answer.time_ms = s->time_ms;
	answer.ttl_s = s->ttl_s;
	rc = store_batch_dns(t->batch, series, &answer, err);
	dns_answer_finish(&answer);
	return rc;
}

/* Evidence that is lost is named once, and many may have shown it. */
static int
lose_sighting(struct transfer *t, uint32_t evidence, int rc, const struct err *why, struct err *err)
{
	if (rc != ERR_DAMAGED && rc != ERR_NOT_FOUND && rc != ERR_FORMAT)
		return err_set(err, rc, "%s", why->text);
	if (bits_add(&t->lost, evidence))
		transfer_lose(t, why->text);
	t->lost_sightings++;
	return 0;
}

int
transfer_sighting(struct transfer *t, const struct series *series, const struct sighting *s,
    bool *fresh, struct err *err)
{
	struct err why = {0};
	int rc = begin(t, err);

	if (fresh != NULL)
		*fresh = false;
	if (rc != 0)
		return rc;
	if (series->kind == SERIES_DNS) {
		rc = add_answer(t, series, s, &why, err);
	} else if ((rc = load_evidence(t, s->evidence, &why)) >= 0) {
		if (fresh != NULL)
			*fresh = rc > 0;
		rc = add_probe(t, series, s, err);
	}
	if (rc < 0 && why.code != ERR_NONE)
		return lose_sighting(t, s->evidence, rc, &why, err);
	return rc < 0 ? rc : 0;
}
