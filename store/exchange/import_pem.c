#include <stdlib.h>
#include <string.h>

#include "importer.h"
#include "store/base/base64.h"
#include "store/base/lines.h"
#include "store/base/mem.h"
#include "store/base/text.h"

#define PEM_MOST ((size_t)LIMIT_CERTIFICATE * 2)

struct chain {
	struct buf ders; /* one behind the other */
	size_t ends[LIMIT_CHAIN];
	size_t n;
};

/* NULL, or what is wrong with the file. */
static const char *
read_chain(struct chain *chain, const struct buf *file)
{
	size_t at = 0;
	int rc;

	while ((rc = base64_pem_next(&chain->ders, (const char *)file->data, file->len, &at)) > 0) {
		if (chain->n == LIMIT_CHAIN)
			return "more certificates than a chain may have";
		chain->ends[chain->n++] = chain->ders.len;
	}
	if (rc < 0)
		return "a certificate that is no base64";
	return chain->n > 0 ? NULL : "no certificate in it (PEM: -----BEGIN CERTIFICATE-----)";
}

static int
add_chain(struct store_batch *batch, const struct chain *chain, const struct series *series,
    const char *sni_sent, int64_t time_ms, const struct optout_names *optout,
    struct import_counts *counts, struct err *err)
{
	struct hash *names = mem_zero(chain->n, sizeof(*names));
	struct observation o = {.time_ms = time_ms, .ms = {-1, -1, -1, -1, -1}};
	size_t start = 0;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < chain->n; start = chain->ends[i++]) {
		rc = store_batch_certificate(
		    batch, chain->ders.data + start, chain->ends[i] - start, &names[i], err);
		counts->certificates += rc > 0;
	}
	o.evidence = (struct evidence){.outcome = OUTCOME_SUCCESS,
	    .tls_alert = -1,
	    .sni_sent = sni_sent,
	    .chain = names,
	    .chain_n = chain->n};
	if (rc >= 0)
		rc = store_batch_observation(batch, series, &o, NULL, err);
	if (rc >= 0)
		importer_note_optout(optout, series, &o, counts);
	free(names);
	return rc < 0 ? rc : 0;
}

static void
complain(const struct import_hooks *hooks, const char *path, const char *why)
{
	struct buf line = {0};

	text_escape(&line, path, strlen(path));
	buf_printf(&line, ": %s", why);
	hooks->complain(hooks->ctx, buf_text(&line));
	buf_finish(&line);
}

int
import_pem(struct store *store, const char *path, const struct series *series, const char *sni_sent,
    int64_t time_ms, const struct import_hooks *hooks, struct import_counts *counts,
    struct err *err)
{
	struct optout_names optout = {0};
	struct store_batch *batch = NULL;
	struct store_commit commit;
	struct import_counts added = *counts;
	struct chain *chain;
	struct buf file = {0};
	const char *why;
	struct buf shown = {0};
	struct err unread = {0};
	int rc = lines_slurp(&file, path, PEM_MOST, &unread);

	if (rc == ERR_INPUT || rc == ERR_LIMIT) {
		/* Damaged compressed data, or too long: it says so with the file's name. */
		text_escape(&shown, unread.text, strlen(unread.text));
		hooks->complain(hooks->ctx, buf_text(&shown));
		counts->bad++;
		rc = 0;
		goto out;
	}
	if (rc != 0) {
		rc = err_set(err, rc, "%s", unread.text);
		goto out;
	}
	chain = mem_zero(1, sizeof(*chain));
	counts->files++;
	added.files++;
	if ((why = read_chain(chain, &file)) != NULL) {
		complain(hooks, path, why);
		counts->bad++;
	} else {
		rc = optout_names_read(&optout, store_dir(store), err);
		if (rc == 0)
			rc = store_batch_begin(store, &batch, err);
		if (rc == 0)
			rc = add_chain(
			    batch, chain, series, sni_sent, time_ms, &optout, &added, err);
		if (rc == 0)
			rc = store_batch_commit(&batch, &commit, err);
		if (rc == 0) {
			*counts = added;
			counts->observations += commit.observations;
			counts->repeated += commit.repeated;
		}
		store_batch_abort(&batch);
		optout_names_finish(&optout);
	}
	buf_finish(&chain->ders);
	free(chain);
out:
	buf_finish(&shown);
	buf_finish(&file);
	return rc;
}
