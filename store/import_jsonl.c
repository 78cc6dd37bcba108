#include "import.h"

#include <string.h>

#include "json.h"
#include "lines.h"
#include "text.h"

struct importer {
	struct store *store;
	struct store_batch *batch;
	const struct import_hooks *hooks;
	struct import_counts *counts;
	struct import_counts pending; /* of the batch: counted when it is committed */
	struct lines lines;
	size_t records;
};

static void
complain(struct importer *im, const char *text)
{
	struct buf line = {0};

	text_escape(&line, im->lines.name, strlen(im->lines.name));
	buf_printf(&line, ":%llu: %s", (unsigned long long)im->lines.number, text);
	im->hooks->complain(im->hooks->ctx, buf_text(&line));
	buf_finish(&line);
	im->counts->bad++;
}

static int
commit(struct importer *im, struct err *err)
{
	struct import_counts *p = &im->pending, *c = im->counts;
	struct store_commit added;
	int rc;

	if (im->batch == NULL)
		return 0;
	if ((rc = store_batch_commit(&im->batch, &added, err)) == 0) {
		c->observations += added.observations;
		c->dns_answers += added.dns_answers;
		c->certificates += p->certificates;
		c->repeated += p->repeated + added.repeated;
		c->incomplete += p->incomplete;
	}
	*p = (struct import_counts){0};
	im->records = 0;
	return rc;
}

static int
add(struct importer *im, const struct json_record *record, struct err *err)
{
	size_t unknown = 0;
	int rc;

	switch (record->type) {
	case JSON_RECORD_CERTIFICATE:
		rc = store_batch_certificate(
		    im->batch, record->der.data, record->der.len, NULL, err);
		im->pending.certificates += rc > 0;
		im->pending.repeated += rc == 0;
		break;
	case JSON_RECORD_DNS:
		rc = store_batch_dns(im->batch, &record->series, &record->answer, err);
		break;
	default:
		rc = store_batch_observation(
		    im->batch, &record->series, &record->observation, &unknown, err);
		im->pending.incomplete += unknown > 0;
	}
	return rc < 0 ? rc : 0;
}

/* A line that cannot be taken is no error of the import. */
static int
take_line(struct importer *im, const char *line, size_t len, struct err *err)
{
	struct json_record record;
	struct err why = {0};
	int rc;

	if (len == 0)
		return 0;
	if (json_parse(&record, line, len, &why) != 0) {
		complain(im, why.text);
		return 0;
	}
	if (im->batch == NULL && (rc = store_batch_begin(im->store, &im->batch, err)) != 0) {
		json_record_finish(&record);
		return rc;
	}
	rc = add(im, &record, &why);
	json_record_finish(&record);
	im->records++;
	if (rc == ERR_INPUT || rc == ERR_LIMIT)
		complain(im, why.text);
	else if (rc != 0)
		return err_set(err, rc, "%s", why.text);
	return im->records >= IMPORT_BATCH ? commit(im, err) : 0;
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
take_lines(struct importer *im, struct err *err)
{
	struct import_counts *c = im->counts;
	uint64_t octets = c->octets;
	const char *line;
	size_t len;
	int rc;

	for (;;) {
		struct err why = {0};

		rc = lines_next(&im->lines, LIMIT_JSON_LINE, &line, &len, &why);
		if (rc == 0)
			return 0;
		if (rc < 0 && rc != ERR_LIMIT)
			return is_over(im) ? interrupted(im, err)
					   : err_set(err, rc, "%s", why.text);
		c->lines++;
		c->octets = octets + im->lines.stream.octets;
		if (rc == ERR_LIMIT)
			complain(im, why.text);
		else if ((rc = take_line(im, line, len, err)) < 0)
			return rc;
		if (is_over(im))
			return interrupted(im, err);
	}
}

int
import_jsonl(struct store *store, const char *path, const struct import_hooks *hooks,
    struct import_counts *counts, struct err *err)
{
	struct importer im = {.store = store, .hooks = hooks, .counts = counts};
	struct err late = {0};
	int rc = lines_open(&im.lines, path, err), rc_commit = 0;

	if (rc != 0)
		return rc;
	counts->files++;
	rc = take_lines(&im, err);
	if (rc == 0 || rc == ERR_INPUT || rc == ERR_SYSTEM)
		rc_commit = commit(&im, &late);
	store_batch_abort(&im.batch);
	lines_close(&im.lines);
	if (rc_commit != 0) {
		*err = (struct err){0};
		rc = err_set(err, rc_commit, "%s", late.text);
	}
	return rc;
}
