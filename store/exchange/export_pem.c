#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "readable.h"
#include "store/base/base64.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/place.h"
#include "store/base/text.h"
#include "store/corpus/store_view.h"
#include "store/corpus/timeline.h"
#include "store/record/shown.h"

#define HEX_LEN (2 * HASH_LEN)
#define MANIFEST_HEAD \
	"host\taddress\tport\tsni\tsni_name\toffer\tvantage\tfirst\tlast\tchain\tfile\tsha256\n"

/* Of a chain's file: certificates that can be opened, and octets that are none. As long as each
 * other. */
static const char suffix[] = ".pem", unreadable_suffix[] = ".txt";
static const char manifest_name[] = "manifest.tsv", sums_name[] = "SHA256SUMS",
		  part_name[] = ".part";

/* What a sighting shows, as far as the snapshot tells states apart: a chain, or what stands
 * without one. Two evidence records of the same chain are one state. */
struct state {
	bool observed, has_chain;
	struct hash id; /* shown.h */
};

struct chain_file {
	struct hash id, sum;
	const char *suffix; /* of its file; NULL: none is written, the chain is not complete */
};

struct snapshot {
	struct store_view *view;
	const char *dir;
	struct export_counts *counts;
	struct buf manifest, names, der, pem;
	struct chain_file *files; /* sorted by id */
	size_t file_n;
	uint32_t last_evidence; /* whose state is in last_state */
	struct state last_state;
	bool has_last;
};

/* ---- files ---------------------------------------------------------------------------------- */

static int
write_all(int fd, const struct buf *data)
{
	for (size_t at = 0; at < data->len;) {
		ssize_t n = write(fd, data->data + at, data->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		at += (size_t)n;
	}
	return 0;
}

/* To a name of its own first: a file under its last name is whole. */
static int
write_file(struct snapshot *x, const char *name, const struct buf *data, struct err *err)
{
	struct buf path = {0}, part = {0};
	int fd, rc;

	buf_printf(&path, "%s/%s", x->dir, name);
	buf_printf(&part, "%s/%s", x->dir, part_name);
	fd = open(buf_text(&part), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	rc = fd < 0 ? errno : write_all(fd, data);
	if (fd >= 0 && close(fd) != 0 && rc == 0)
		rc = errno;
	if (rc == 0 && rename(buf_text(&part), buf_text(&path)) != 0)
		rc = errno;
	if (rc != 0) {
		unlink(buf_text(&part));
		rc = err_system(err, rc, "%s: cannot be written", buf_text(&path));
	}
	buf_finish(&path);
	buf_finish(&part);
	return rc;
}

static bool
is_ours(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return (n == HEX_LEN &&
		   (strcmp(name + n, suffix) == 0 || strcmp(name + n, unreadable_suffix) == 0)) ||
	       strcmp(name, part_name) == 0 || strcmp(name, manifest_name) == 0 ||
	       strcmp(name, sums_name) == 0;
}

static struct chain_file *
find_file(struct snapshot *x, const struct hash *id, size_t *at)
{
	size_t low = 0, high = x->file_n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (hash_compare(&x->files[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return low < x->file_n && hash_compare(&x->files[low].id, id) == 0 ? &x->files[low] : NULL;
}

static bool
is_current(struct snapshot *x, const char *name)
{
	struct chain_file *file;
	struct hash id;
	char hex[HEX_LEN + 1];
	size_t at;

	if (strlen(name) != HEX_LEN + strlen(suffix))
		return strcmp(name, part_name) != 0;
	memcpy(hex, name, HEX_LEN);
	hex[HEX_LEN] = '\0';
	file = text_parse_hex(hex, id.bytes, HASH_LEN) ? find_file(x, &id, &at) : NULL;
	return file != NULL && file->suffix != NULL && strcmp(name + HEX_LEN, file->suffix) == 0;
}

/* Looks through the directory: refuses what is not ours, or (sweep) removes what an earlier export
 * left and this one does not write. */
static int
look_through(struct snapshot *x, bool sweep, struct err *err)
{
	DIR *d = opendir(x->dir);
	struct dirent *entry;
	int rc = 0;

	if (d == NULL)
		return err_system(err, errno, "%s: cannot be read", x->dir);
	while (rc == 0 && (entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (!is_ours(name))
			rc = err_set(err, ERR_INPUT,
			    "%s: holds other things than an earlier export (%s); choose a new or "
			    "empty "
			    "directory with --out",
			    x->dir, name);
		else if (sweep && !is_current(x, name) && unlinkat(dirfd(d), name, 0) != 0)
			rc = err_system(err, errno, "%s/%s: cannot be removed", x->dir, name);
	}
	closedir(d);
	return rc;
}

static int
prepare_dir(struct snapshot *x, struct err *err)
{
	struct buf path = {0};
	int rc;

	if ((rc = place_make(x->dir, err)) != 0)
		return rc;
	if ((rc = look_through(x, false, err)) != 0)
		return rc;
	/* Until the new sums stand, there are none: an export that was cut short must not pass. */
	buf_printf(&path, "%s/%s", x->dir, sums_name);
	if (unlink(buf_text(&path)) != 0 && errno != ENOENT)
		rc = err_system(err, errno, "%s: cannot be removed", buf_text(&path));
	buf_finish(&path);
	return rc;
}

/* ---- chains --------------------------------------------------------------------------------- */

/* All certificates of a chain as PEM, and the suffix that fits: NULL where some are known by name
 * only. */
static int
chain_pem(struct snapshot *x, const struct hash *id, const char **fit, struct err *err)
{
	bool complete = true, readable = true;
	struct err why = {0};
	struct hash name;
	int rc;

	buf_clear(&x->names);
	buf_clear(&x->pem);
	if ((rc = store_chain(x->view, id, &x->names, err)) != 0)
		return rc;
	for (size_t i = 0; i < x->names.len; i += HASH_LEN) {
		memcpy(name.bytes, x->names.data + i, HASH_LEN);
		why = (struct err){0};
		rc = store_certificate(x->view, &name, &x->der, &why);
		if (rc == ERR_NOT_FOUND) {
			x->counts->unknown++;
			complete = false;
		} else if (rc != 0) {
			return err_set(err, rc, "%s", why.text);
		} else {
			x->counts->certificates++;
			readable &= readable_certificate(x->der.data, x->der.len);
			base64_pem_certificate(&x->pem, x->der.data, x->der.len);
		}
	}
	*fit = !complete ? NULL : readable ? suffix : unreadable_suffix;
	return 0;
}

static int
file_of(struct snapshot *x, const struct hash *id, struct chain_file **file, struct err *err)
{
	char name[HEX_LEN + sizeof(suffix)];
	struct chain_file new = {.id = *id};
	size_t at;
	int rc;

	if ((*file = find_file(x, id, &at)) != NULL)
		return 0;
	if ((rc = chain_pem(x, id, &new.suffix, err)) != 0)
		return rc;
	x->counts->chains++;
	if (new.suffix != NULL) {
		x->counts->unreadable += new.suffix == unreadable_suffix;
		hash_hex(id, name);
		strcat(name, new.suffix);
		new.sum = hash_sha256(x->pem.data, x->pem.len);
		if ((rc = write_file(x, name, &x->pem, err)) != 0)
			return rc;
	}
	x->files = mem_grow(x->files, x->file_n + 1, sizeof(*x->files));
	memmove(x->files + at + 1, x->files + at, (x->file_n - at) * sizeof(*x->files));
	x->files[at] = new;
	x->file_n++;
	*file = &x->files[at];
	return 0;
}

/* ---- states --------------------------------------------------------------------------------- */

static int
state_of(struct snapshot *x, uint32_t number, struct state *out, struct err *err)
{
	struct evidence e;
	int rc;

	if (x->has_last && x->last_evidence == number) {
		*out = x->last_state;
		return 0;
	}
	if ((rc = store_evidence(x->view, number, &e, err)) != 0)
		return rc;
	*out = (struct state){.observed = evidence_is_observed(&e), .has_chain = e.chain_n > 0};
	out->id = shown_by_probe(&e);
	evidence_finish(&e);
	x->last_evidence = number;
	x->last_state = *out;
	x->has_last = true;
	return 0;
}

/* Whether evidence a comes after b among sightings of the same time, whatever their numbers. */
static int
comes_after(struct snapshot *x, uint32_t a, uint32_t b, bool *after, struct err *err)
{
	struct db_bytes p = {0}, q = {0};
	size_t n;
	int rc, c;

	if ((rc = store_evidence_bytes(x->view, a, &p, err)) < 0 ||
	    (rc = store_evidence_bytes(x->view, b, &q, err)) < 0)
		return rc;
	n = p.len < q.len ? p.len : q.len;
	c = n > 0 ? memcmp(p.p, q.p, n) : 0;
	*after = c > 0 || (c == 0 && p.len > q.len);
	return 0;
}

struct run {
	bool any;
	struct state state;
	uint32_t evidence; /* that of the last sighting */
	int64_t first_ms, last_ms;
	bool has_previous; /* the run that the last moment's first sighting ended */
	struct state previous;
	int64_t previous_first_ms;
};

/*
 * One observed sighting more. Of several at one moment the last in order of their bytes is what
 * the series showed then; so what stood before that moment is kept until it is over.
 */
static int
run_add(struct snapshot *x, struct run *run, const struct sighting *s, const struct state *state,
    struct err *err)
{
	bool after;
	int rc;

	if (run->any && run->last_ms == s->time_ms) {
		rc = comes_after(x, s->evidence, run->evidence, &after, err);
		if (rc < 0 || !after)
			return rc;
	} else {
		run->has_previous = run->any;
		run->previous = run->state;
		run->previous_first_ms = run->first_ms;
	}
	run->first_ms = run->has_previous && hash_compare(&run->previous.id, &state->id) == 0
			    ? run->previous_first_ms
			    : s->time_ms;
	run->any = true;
	run->state = *state;
	run->evidence = s->evidence;
	run->last_ms = s->time_ms;
	return 0;
}

static int
run_of(struct snapshot *x, uint32_t series, int64_t at_ms, struct run *run, struct err *err)
{
	struct timeline t;
	struct sighting s;
	struct state state;
	int rc = timeline_init(&t, x->view, series, SERIES_PROBE, INT64_MIN, at_ms + 1, err);

	*run = (struct run){0};
	while (rc == 0 && (rc = timeline_next(&t, &s, err)) > 0) {
		x->counts->observations++;
		rc = state_of(x, s.evidence, &state, err);
		if (rc == 0 && state.observed)
			rc = run_add(x, run, &s, &state, err);
	}
	timeline_finish(&t);
	return rc;
}

/* ---- the manifest --------------------------------------------------------------------------- */

static int
put_shown(struct snapshot *x, const struct run *run, struct err *err)
{
	struct chain_file *file = NULL;
	struct buf *out = &x->manifest;
	int rc;

	if (!run->state.has_chain) {
		buf_append_text(out, "\t-\t-\t-\n");
		return 0;
	}
	if ((rc = file_of(x, &run->state.id, &file, err)) != 0)
		return rc;
	buf_clear(&x->names);
	if ((rc = store_chain(x->view, &run->state.id, &x->names, err)) != 0)
		return rc;
	buf_append_byte(out, '\t');
	buf_append_hex(out, run->state.id.bytes, HASH_LEN);
	buf_append_byte(out, '\t');
	if (file->suffix != NULL) {
		buf_append_hex(out, run->state.id.bytes, HASH_LEN);
		buf_append_text(out, file->suffix);
	} else {
		x->counts->incomplete++;
		buf_append_byte(out, '-');
	}
	buf_append_byte(out, '\t');
	buf_append_hex(out, x->names.data, HASH_LEN);
	buf_append_byte(out, '\n');
	return 0;
}

static int
put_row(struct snapshot *x, const struct series *s, const struct run *run, struct err *err)
{
	char address[IP_TEXT_MAX], first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
	const char *name = s->sni_name;
	struct evidence e;
	int rc = store_evidence(x->view, run->evidence, &e, err);

	if (rc != 0)
		return rc;
	if (name[0] == '\0')
		name = e.sni_sent != NULL ? e.sni_sent : "-";
	ip_format(&s->address, address);
	clock_format_ms(run->first_ms, first);
	clock_format_ms(run->last_ms, last);
	buf_printf(&x->manifest, "%s\t%s\t%u\t%s\t%s\t%s\t%s\t%s\t%s", s->host, address, s->port,
	    sni_name(s->sni), name, offer_name(s->offer), s->vantage, first, last);
	evidence_finish(&e);
	return put_shown(x, run, err);
}

static int
put_sums(struct snapshot *x, struct err *err)
{
	struct hash manifest = hash_sha256(x->manifest.data, x->manifest.len);
	struct buf sums = {0};
	int rc;

	for (size_t i = 0; i < x->file_n; i++) {
		if (x->files[i].suffix == NULL)
			continue;
		buf_append_hex(&sums, x->files[i].sum.bytes, HASH_LEN);
		buf_append_text(&sums, "  ");
		buf_append_hex(&sums, x->files[i].id.bytes, HASH_LEN);
		buf_printf(&sums, "%s\n", x->files[i].suffix);
	}
	buf_append_hex(&sums, manifest.bytes, HASH_LEN);
	buf_printf(&sums, "  %s\n", manifest_name);
	rc = write_file(x, manifest_name, &x->manifest, err);
	if (rc == 0)
		rc = look_through(x, true, err);
	if (rc == 0)
		rc = write_file(x, sums_name, &sums, err);
	buf_finish(&sums);
	return rc;
}

int
export_pem(struct store_view *view, const struct series_filter *filter, int64_t at_ms,
    const char *dir, export_tick *tick, void *ctx, struct export_counts *counts, struct err *err)
{
	struct snapshot x = {.view = view, .dir = dir, .counts = counts};
	struct series_filter probes = *filter;
	struct series_walk *walk = NULL;
	struct series series;
	struct run run;
	uint32_t number;
	int rc = prepare_dir(&x, err);

	memset(counts, 0, sizeof(*counts));
	probes.kind = SERIES_PROBE;
	buf_append_text(&x.manifest, MANIFEST_HEAD);
	if (rc == 0)
		rc = series_walk_open(&walk, view, &probes, err);
	while (rc == 0 && (rc = series_walk_next(walk, &number, &series, err)) > 0) {
		if ((rc = run_of(&x, number, at_ms, &run, err)) == 0 && run.any) {
			counts->series++;
			rc = put_row(&x, &series, &run, err);
		}
		if (rc == 0 && tick != NULL && tick(ctx, counts))
			rc = err_set(err, ERR_INPUT, "interrupted: the export is not complete");
	}
	if (rc == 0)
		rc = put_sums(&x, err);
	series_walk_close(walk);
	buf_finish(&x.manifest);
	buf_finish(&x.names);
	buf_finish(&x.der);
	buf_finish(&x.pem);
	free(x.files);
	return rc;
}
