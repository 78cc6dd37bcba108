#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "store/base/mem.h"
#include "store/corpus/store_view.h"
#include "store/corpus/timeline.h"
#include "store/record/csv.h"
#include "store/record/json.h"

/* A record that waits until all of its time are there. */
struct line {
	struct buf text; /* as JSON */
	struct observation observation;
	struct dns_answer answer;
};

struct exporter {
	struct store_view *view;
	FILE *out;
	bool csv;
	const struct export_hooks *hooks;
	struct export_counts *counts;
	struct buf der, text;
	struct buf written; /* a bit for each certificate's number: it was written, or is unknown */
	struct line *lines; /* of the same time */
	size_t line_n, line_cap;
};

static int
put(struct exporter *x, const struct buf *text, struct err *err)
{
	if (fwrite(text->data, 1, text->len, x->out) == text->len)
		return 0;
	return err_system(err, errno != 0 ? errno : EIO, "the export cannot be written");
}

#define NAMED 20 /* records that cannot be read */

/* Whether what cannot be read is left out: it is named then. */
static bool
passes(struct exporter *x, int rc, const struct err *why)
{
	if ((rc != ERR_DAMAGED && rc != ERR_NOT_FOUND && rc != ERR_FORMAT) ||
	    x->hooks->complain == NULL)
		return false;
	if (x->counts->damaged++ < NAMED)
		x->hooks->complain(x->hooks->ctx, why->text);
	return true;
}

/* 0, or what ends the export. */
static int
pass(struct exporter *x, int rc, const struct err *why, struct err *err)
{
	return rc >= 0 || passes(x, rc, why) ? 0 : err_set(err, rc, "%s", why->text);
}

/* Whether it is the first time that this is asked. */
static bool
is_first(struct exporter *x, uint32_t number)
{
	size_t at = number / 8;
	uint8_t bit = (uint8_t)(1 << number % 8);

	if (at >= x->written.len) {
		size_t more = at + 4096 - x->written.len;

		memset(buf_reserve(&x->written, more), 0, more);
		x->written.len += more;
	}
	if ((x->written.data[at] & bit) != 0)
		return false;
	x->written.data[at] |= bit;
	return true;
}

static int
put_certificate(struct exporter *x, const struct hash *name, struct err *err)
{
	struct err why = {0};
	struct key key;
	uint32_t number;
	int rc;

	key_hash(&key, name);
	if ((rc = store_number(x->view->txn, DB_CERT_ID, &key, &number, &why)) < 0)
		return pass(x, rc, &why, err);
	if (rc == 0 || !is_first(x, number))
		return 0;
	rc = store_certificate(x->view, name, &x->der, &why);
	if (rc == ERR_NOT_FOUND) {
		x->counts->unknown++;
		return 0;
	}
	if (rc != 0)
		return pass(x, rc, &why, err);
	buf_clear(&x->text);
	json_certificate(&x->text, name, x->der.data, x->der.len);
	x->counts->certificates++;
	return put(x, &x->text, err);
}

static int
compare_lines(const void *a, const void *b)
{
	const struct buf *x = &((const struct line *)a)->text, *y = &((const struct line *)b)->text;
	int c = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);

	return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static void
render(struct line *line, const struct series *series)
{
	buf_clear(&line->text);
	if (series->kind == SERIES_DNS)
		json_dns(&line->text, series, &line->answer);
	else
		json_observation(&line->text, series, &line->observation);
}

static int
put_line(struct exporter *x, const struct line *line, const struct series *series, struct err *err)
{
	const struct evidence *e = &line->observation.evidence;
	int rc = 0;

	if (x->csv) {
		buf_clear(&x->text);
		csv_observation(&x->text, series, &line->observation);
		return put(x, &x->text, err);
	}
	for (size_t k = 0; rc == 0 && k < e->chain_n; k++)
		rc = put_certificate(x, &e->chain[k], err);
	return rc == 0 ? put(x, &line->text, err) : rc;
}

static void
finish_line(struct line *line)
{
	evidence_finish(&line->observation.evidence);
	dns_answer_finish(&line->answer);
	line->observation = (struct observation){0};
	line->answer = (struct dns_answer){0};
}

/* Writes the lines that wait, in an order that does not come from the store's numbers. */
static int
flush(struct exporter *x, const struct series *series, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < x->line_n && (!x->csv || x->line_n > 1); i++)
		render(&x->lines[i], series);
	if (x->line_n > 1)
		qsort(x->lines, x->line_n, sizeof(*x->lines), compare_lines);
	for (size_t i = 0; i < x->line_n; i++) {
		if (rc == 0)
			rc = put_line(x, &x->lines[i], series, err);
		finish_line(&x->lines[i]);
	}
	x->line_n = 0;
	return rc;
}

static struct line *
next_line(struct exporter *x)
{
	if (x->line_n == x->line_cap) {
		x->line_cap = x->line_cap > 0 ? 2 * x->line_cap : 4;
		x->lines = mem_grow(x->lines, x->line_cap, sizeof(*x->lines));
		memset(x->lines + x->line_n, 0, (x->line_cap - x->line_n) * sizeof(*x->lines));
	}
	return &x->lines[x->line_n++];
}

/* What a sighting showed, in a new line. */
static int
add_line(struct exporter *x, const struct series *series, const struct sighting *s, struct err *err)
{
	struct line *line = next_line(x);
	struct observation *o = &line->observation;
	struct err why = {0};
	int rc;

	if (series->kind == SERIES_DNS) {
		rc = store_dns_answer(x->view, s->evidence, &line->answer, &why);
		line->answer.time_ms = s->time_ms;
		line->answer.ttl_s = s->ttl_s;
		x->counts->dns_answers += rc == 0;
	} else {
		rc = store_evidence(x->view, s->evidence, &o->evidence, &why);
		o->time_ms = s->time_ms;
		memcpy(o->ms, s->ms, sizeof(o->ms));
		x->counts->observations += rc == 0;
	}
	if (rc == 0)
		return 0;
	finish_line(line);
	x->line_n--;
	return pass(x, rc, &why, err);
}

/* After damage the timeline stands behind it, or (the same trouble again) does not come on. */
static int
next_sighting(struct exporter *x, struct timeline *t, struct sighting *s, struct err *err)
{
	struct err last = {0}, why;
	int rc;

	for (;; last = why) {
		why = (struct err){0};
		if ((rc = timeline_next(t, s, &why)) >= 0)
			return rc;
		if (strcmp(why.text, last.text) == 0)
			return 0;
		if (!passes(x, rc, &why))
			return err_set(err, rc, "%s", why.text);
	}
}

static int
export_series(struct exporter *x, const struct export_filter *filter, uint32_t number,
    const struct series *series, struct err *err)
{
	int64_t time_ms = INT64_MIN;
	struct timeline t;
	struct sighting s;
	int rc =
	    timeline_init(&t, x->view, number, series->kind, filter->from_ms, filter->to_ms, err);

	if (rc != 0)
		return rc;
	while (rc == 0 && (rc = next_sighting(x, &t, &s, err)) > 0) {
		rc = s.time_ms != time_ms ? flush(x, series, err) : 0;
		time_ms = s.time_ms;
		if (rc == 0)
			rc = add_line(x, series, &s, err);
		if (rc == 0 && x->hooks->tick != NULL && x->hooks->tick(x->hooks->ctx, x->counts))
			rc = err_set(err, ERR_INPUT, "interrupted: the export is not complete");
	}
	timeline_finish(&t);
	return rc != 0 ? rc : flush(x, series, err);
}

/* Certificates that no observation has named yet, in the order of their names. */
static int
put_unnamed(struct exporter *x, struct err *err)
{
	struct db_cursor *cursor = db_cursor_open(x->view->txn, DB_CERT_ID, err);
	uint64_t unknown = x->counts->unknown;
	struct db_bytes key, value;
	struct hash name;
	int rc = 0;

	if (cursor == NULL)
		return ERR_SYSTEM;
	for (enum db_move move = DB_FIRST; rc == 0; move = DB_NEXT) {
		struct err why = {0};
		int found = db_cursor_move(cursor, move, &key, &value, &why);

		if (found == 0)
			break;
		if (found > 0 && key.len != HASH_LEN)
			found = err_set(&why, ERR_DAMAGED,
			    "%s: damaged: sub-database cert_id: a key that is no hash",
			    store_dir(x->view->store));
		if (found < 0) {
			rc = pass(x, found, &why, err);
			continue;
		}
		memcpy(name.bytes, key.p, HASH_LEN);
		rc = put_certificate(x, &name, err);
	}
	/* One that nobody names and nobody has brought is missed by nobody. */
	x->counts->unknown = unknown;
	db_cursor_close(cursor);
	return rc;
}

static bool
is_all(const struct export_filter *f)
{
	const struct series_filter *s = &f->series;

	return s->kind == 0 && s->under == NULL && s->host == NULL && s->address.family == 0 &&
	       s->sni == 0 && s->vantage == NULL && f->from_ms == INT64_MIN &&
	       f->to_ms == INT64_MAX;
}

static void
finish(struct exporter *x)
{
	for (size_t i = 0; i < x->line_cap; i++) {
		buf_finish(&x->lines[i].text);
		finish_line(&x->lines[i]);
	}
	free(x->lines);
	buf_finish(&x->der);
	buf_finish(&x->text);
	buf_finish(&x->written);
}

static int
export_all(struct exporter *x, const struct export_filter *filter, struct err *err)
{
	struct series_walk *walk;
	struct series series;
	uint32_t number;
	int rc = series_walk_open(&walk, x->view, &filter->series, err);

	memset(x->counts, 0, sizeof(*x->counts));
	while (rc == 0) {
		struct err why = {0};
		int found = series_walk_next(walk, &number, &series, &why);

		if (found == 0)
			break;
		if (found < 0) {
			rc = pass(x, found, &why, err);
			continue;
		}
		x->counts->series++;
		rc = export_series(x, filter, number, &series, err);
	}
	series_walk_close(walk);
	return rc;
}

static const struct export_hooks no_hooks;

int
export_jsonl(struct store_view *view, const struct export_filter *filter, FILE *out,
    const struct export_hooks *hooks, struct export_counts *counts, struct err *err)
{
	struct exporter x = {
	    .view = view, .out = out, .hooks = hooks != NULL ? hooks : &no_hooks, .counts = counts};
	int rc;

	errno = 0;
	rc = export_all(&x, filter, err);
	if (rc == 0 && is_all(filter))
		rc = put_unnamed(&x, err);
	if (rc == 0 && fflush(out) != 0)
		rc = err_system(err, errno, "the export cannot be written");
	finish(&x);
	return rc;
}

int
export_csv(struct store_view *view, const struct export_filter *filter, FILE *out,
    const struct export_hooks *hooks, struct export_counts *counts, struct err *err)
{
	struct exporter x = {.view = view,
	    .out = out,
	    .hooks = hooks != NULL ? hooks : &no_hooks,
	    .csv = true,
	    .counts = counts};
	struct export_filter probes = *filter;
	int rc;

	errno = 0;
	probes.series.kind = SERIES_PROBE;
	csv_heading(&x.text);
	rc = put(&x, &x.text, err);
	if (rc == 0)
		rc = export_all(&x, &probes, err);
	if (rc == 0 && fflush(out) != 0)
		rc = err_system(err, errno, "the export cannot be written");
	finish(&x);
	return rc;
}
