#include <stdlib.h>
#include <string.h>

#include "drop.h"
#include "store/record/members.h"

struct removal {
	struct drop drop;
	const char *const *names;
	size_t n;
	struct bits evidence; /* that is about one of the names */
};

static bool
is_meant(const struct removal *r, const char *host)
{
	for (size_t i = 0; host != NULL && i < r->n; i++)
		if (host_is_under(host, r->names[i]))
			return true;
	return false;
}

/* Whether a record of an answer names one: "10 mx.example.org". */
static bool
names_one(const struct removal *r, const char *record)
{
	char word[LIMIT_NAME + 2];

	for (size_t len; *record != '\0'; record += len) {
		record += strspn(record, " ");
		len = strcspn(record, " ");
		if (len == 0 || len >= sizeof(word))
			continue;
		for (size_t i = 0; i < len; i++)
			word[i] = record[i] >= 'A' && record[i] <= 'Z' ? (char)(record[i] + 32)
								       : record[i];
		word[word[len - 1] == '.' ? len - 1 : len] = '\0';
		if (is_meant(r, word))
			return true;
	}
	return false;
}

/* 1: it is about one of the names. */
static int
is_about(struct removal *r, uint32_t number, const struct db_bytes *bytes, struct err *err)
{
	struct dns_answer answer;
	struct evidence e;
	struct hash chain;
	bool has_chain, about = false;

	if (bytes->len > 0 && bytes->p[0] == MEMBERS_DNS_ANSWER) {
		if (dns_answer_decode(&answer, bytes->p, bytes->len, NULL) != 0)
			return err_set(err, ERR_DAMAGED,
			    "damaged: sub-database evidence: record %u", (unsigned)number);
		for (size_t i = 0; i < answer.records_n; i++)
			about |= names_one(r, answer.records[i]);
		dns_answer_finish(&answer);
		return about;
	}
	if (evidence_decode(&e, &has_chain, &chain, bytes->p, bytes->len, NULL) != 0)
		return err_set(err, ERR_DAMAGED, "damaged: sub-database evidence: record %u",
		    (unsigned)number);
	about = is_meant(r, e.domain) || is_meant(r, e.sni_sent);
	evidence_finish(&e);
	return about;
}

static int
find_evidence(struct removal *r, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(r->drop.view.txn, DB_EVIDENCE, err);
	struct db_bytes key, value;
	struct reader reader;
	int rc;

	if (cursor == NULL)
		return ERR_SYSTEM;
	rc = db_cursor_move(cursor, DB_FIRST, &key, &value, err);
	while (rc > 0) {
		reader = reader_of(key.p, key.len);
		uint32_t number = reader_u32be(&reader);

		rc = is_about(r, number, &value, err);
		if (rc > 0)
			bits_add(&r->evidence, number);
		if (rc >= 0)
			rc = db_cursor_move(cursor, DB_NEXT, &key, &value, err);
	}
	db_cursor_close(cursor);
	return rc;
}

static int
choose(void *ctx, uint32_t number, const struct series *series, const struct sighting *s, size_t n,
    bool *going, struct err *err)
{
	struct removal *r = ctx;
	bool all = is_meant(r, series->host) ||
		   (series->kind == SERIES_PROBE && is_meant(r, series->sni_name));

	for (size_t i = 0; i < n; i++)
		going[i] = all || bits_has(&r->evidence, s[i].evidence);
	return 0;
}

int
maintain_delete(struct store *store, const char *const *names, size_t n,
    const struct maintain_hooks *hooks, maintain_confirm *confirm, void *ctx,
    struct maintain_dropped *dropped, struct err *err)
{
	struct removal r = {.names = names, .n = n};
	int rc = drop_begin(&r.drop, store, hooks, dropped, err);

	if (rc == 0)
		rc = find_evidence(&r, err);
	if (rc == 0)
		rc = drop_sightings(&r.drop, choose, &r, err);
	if (rc == 0)
		rc = drop_sweep(&r.drop, err);
	if (rc == 0)
		rc = drop_journal_entries(&r.drop, err);
	if (rc == 0 && confirm(ctx, dropped))
		rc = drop_commit(&r.drop, err);
	drop_finish(&r.drop);
	bits_finish(&r.evidence);
	return rc;
}
