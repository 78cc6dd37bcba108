#include "importer.h"

#include <stdio.h>
#include <string.h>

#include "store/base/text.h"

/* ---- complaints ----------------------------------------------------------------------------- */

static void
say(struct importer *im, uint64_t line, const char *what)
{
	struct buf text = {0};

	text_escape(&text, im->lines.name, strlen(im->lines.name));
	if (line > 0)
		buf_printf(&text, ":%llu", (unsigned long long)line);
	buf_printf(&text, ": %s", what);
	im->hooks->complain(im->hooks->ctx, buf_text(&text));
	buf_finish(&text);
}

void
importer_complain(struct importer *im, uint64_t line, const char *what)
{
	im->counts->bad++;
	if (im->complaints++ < IMPORTER_COMPLAINTS)
		say(im, line, what);
}

/* How many were not named one by one. */
static void
sum_up(struct importer *im)
{
	struct buf text = {0};

	if (im->complaints <= IMPORTER_COMPLAINTS)
		return;
	buf_printf(&text, "%u lines more were not taken", im->complaints - IMPORTER_COMPLAINTS);
	say(im, 0, buf_text(&text));
	buf_finish(&text);
}

/* Compressed data that are damaged: what came out before is good. */
static void
complain_of_file(struct importer *im, const char *why)
{
	struct buf text = {0};

	text_escape(&text, why, strlen(why));
	buf_printf(&text, "; the %llu lines before are kept", (unsigned long long)im->lines.number);
	im->hooks->complain(im->hooks->ctx, buf_text(&text));
	im->counts->bad++;
	buf_finish(&text);
}

/* ---- the batch ------------------------------------------------------------------------------ */

int
importer_commit(struct importer *im, struct err *err)
{
	struct import_counts *p = &im->pending, *c = im->counts;
	struct store_commit commit;
	int rc;

	if (im->batch == NULL)
		return 0;
	if ((rc = store_batch_commit(&im->batch, &commit, err)) == 0) {
		c->observations += commit.observations;
		c->dns_answers += commit.dns_answers;
		c->repeated += commit.repeated + p->repeated;
		c->certificates += p->certificates;
		c->incomplete += p->incomplete;
	}
	*p = (struct import_counts){0};
	im->records = im->octets = 0;
	return rc;
}

static int
begin(struct importer *im, struct err *err)
{
	im->records++;
	return im->batch != NULL ? 0 : store_batch_begin(im->store, &im->batch, err);
}

int
importer_certificate(
    struct importer *im, const void *der, size_t len, struct hash *name, struct err *err)
{
	int rc = begin(im, err);

	if (rc != 0 || (rc = store_batch_certificate(im->batch, der, len, name, err)) < 0)
		return rc;
	im->octets += len;
	im->pending.certificates += rc > 0;
	im->pending.repeated += rc == 0;
	return 0;
}

void
importer_note_optout(const struct optout_names *optout, const struct series *series,
    const struct observation *observation, struct import_counts *counts)
{
	const char *const names[] = {series->host,
	    observation_domain(series, &observation->evidence),
	    observation_sni_name(series, &observation->evidence)};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!optout_names_has(optout, names[i]))
			continue;
		if (counts->opted_out++ == 0)
			snprintf(counts->opted_out_first, sizeof(counts->opted_out_first), "%s",
			    names[i]);
		return;
	}
}

static int
tell_missing(struct importer *im, const struct evidence *e, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < e->chain_n; i++) {
		rc = store_batch_has_certificate(im->batch, &e->chain[i], err);
		if (rc == 0)
			im->hooks->missing(im->hooks->ctx, &e->chain[i]);
	}
	return rc < 0 ? rc : 0;
}

int
importer_observation(struct importer *im, const struct series *series,
    const struct observation *observation, struct err *err)
{
	size_t unknown = 0;
	int rc = begin(im, err);

	if (rc != 0 ||
	    (rc = store_batch_observation(im->batch, series, observation, &unknown, err)) < 0)
		return rc;
	im->pending.incomplete += unknown > 0;
	importer_note_optout(&im->optout, series, observation, im->counts);
	return unknown > 0 && im->hooks->missing != NULL
		   ? tell_missing(im, &observation->evidence, err)
		   : 0;
}

int
importer_dns(struct importer *im, const struct series *series, const struct dns_answer *answer,
    struct err *err)
{
	int rc = begin(im, err);

	return rc != 0 ? rc : store_batch_dns(im->batch, series, answer, err);
}

/* ---- the lines ------------------------------------------------------------------------------ */

/* What is wrong with a line is no error of the import. */
static int
settle(struct importer *im, int rc, const struct err *why, struct err *err)
{
	if (rc == ERR_INPUT || rc == ERR_LIMIT)
		importer_complain(im, im->lines.number, why->text);
	else if (rc < 0)
		return err_set(err, rc, "%s", why->text);
	return im->records >= IMPORT_BATCH || im->octets >= IMPORTER_OCTETS
		   ? importer_commit(im, err)
		   : 0;
}

static bool
is_over(struct importer *im)
{
	return im->hooks->tick != NULL && im->hooks->tick(im->hooks->ctx, im->counts);
}

static int
interrupted(struct importer *im, struct err *err)
{
	return err_set(err, ERR_INPUT,
	    "interrupted: %s is imported up to line %llu; import it again for the rest",
	    im->lines.name, (unsigned long long)im->lines.number);
}

static int
finish(struct importer *im, const struct importer_format *format, void *ctx, struct err *err)
{
	struct err why = {0};
	int rc = format->finish != NULL ? format->finish(im, ctx, &why) : 0;

	return settle(im, rc, &why, err);
}

static int
take_lines(struct importer *im, const struct importer_format *format, void *ctx, struct err *err)
{
	struct import_counts *c = im->counts;
	uint64_t octets = c->octets;
	const char *line;
	size_t len;
	int rc;

	for (;;) {
		struct err why = {0};

		rc = lines_next(&im->lines, LIMIT_JSON_LINE, &line, &len, &why);
		if (rc == ERR_INPUT)
			complain_of_file(im, why.text);
		if (rc == 0 || rc == ERR_INPUT)
			return finish(im, format, ctx, err);
		if (rc < 0 && rc != ERR_LIMIT)
			return is_over(im) ? interrupted(im, err)
					   : err_set(err, rc, "%s", why.text);
		c->lines++;
		c->octets = octets + im->lines.stream.octets;
		if (rc > 0 && len > 0)
			rc = format->take(im, line, len, ctx, &why);
		if ((rc = settle(im, rc, &why, err)) < 0)
			return rc;
		if (is_over(im))
			return interrupted(im, err);
	}
}

int
importer_run(struct store *store, const char *path, const struct importer_format *format, void *ctx,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err)
{
	struct importer im = {.store = store, .hooks = hooks, .counts = counts};
	struct err late = {0};
	int rc = optout_names_read(&im.optout, store_dir(store), err), rc_commit = 0;

	if (rc != 0 || (rc = lines_open(&im.lines, path, err)) != 0) {
		optout_names_finish(&im.optout);
		return rc;
	}
	counts->files++;
	rc = take_lines(&im, format, ctx, err);
	sum_up(&im);
	if (rc == 0 || rc == ERR_INPUT || rc == ERR_SYSTEM)
		rc_commit = importer_commit(&im, &late);
	store_batch_abort(&im.batch);
	lines_close(&im.lines);
	optout_names_finish(&im.optout);
	if (rc_commit != 0) {
		*err = (struct err){0};
		rc = err_set(err, rc_commit, "%s", late.text);
	}
	return rc;
}
