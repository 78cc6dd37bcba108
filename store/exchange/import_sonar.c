#include <stdlib.h>
#include <string.h>

#include "fingerprints.h"
#include "importer.h"
#include "sonar.h"
#include "store/base/mem.h"

#define HOSTS_PORT 443 /* of the study whose files name no port */

struct run {
	struct import_sonar *sonar;
	struct sonar_file file;
	struct buf der;
	/* The endpoint whose lines are being read. */
	struct ip address;
	uint16_t port;
	uint64_t line;	       /* its first one; 0: there is none */
	const char *complaint; /* why it cannot be taken; NULL: nothing yet */
	size_t chain_n;
	struct hash chain[LIMIT_CHAIN];
};

/* Learns what the store holds, once. */
static int
learn(struct importer *im, struct import_sonar *sonar, struct err *err)
{
	struct certificate_walk *walk = NULL;
	struct store_view *view = NULL;
	uint8_t sha1[HASH_SHA1_LEN];
	struct buf der = {0};
	struct hash name;
	bool known;
	int rc;

	if (sonar->known != NULL)
		return 0;
	sonar->known = fingerprints_create();
	if ((rc = importer_commit(im, err)) == 0 &&
	    (rc = store_view_open(im->store, &view, err)) == 0)
		rc = certificate_walk_open(&walk, view, err);
	while (rc == 0 && (rc = certificate_walk_next(walk, &name, &der, &known, err)) > 0) {
		if (known) {
			hash_sha1(der.data, der.len, sha1);
			fingerprints_add(sonar->known, sha1, &name);
		}
		rc = 0;
	}
	certificate_walk_close(walk);
	store_view_close(view);
	buf_finish(&der);
	return rc;
}

static int
add_certificate(
    struct importer *im, struct run *run, const struct sonar_line *line, struct err *err)
{
	struct hash name;
	int rc = importer_certificate(im, run->der.data, run->der.len, &name, err);

	if (rc == 0 && run->sonar->known != NULL)
		fingerprints_add(run->sonar->known, line->sha1, &name);
	return rc;
}

/* What the lines of one endpoint say, when the last of them was read. */
static int
add_endpoint(struct importer *im, struct run *run, struct err *err)
{
	struct observation o = {.time_ms = run->sonar->time_ms, .ms = {-1, -1, -1, -1, -1}};
	struct series s = {.kind = SERIES_PROBE, .address = run->address, .port = run->port};
	struct err why = {0};
	uint64_t line = run->line;
	int rc;

	run->line = 0;
	if (line == 0)
		return 0;
	if (run->complaint != NULL) {
		importer_complain(im, line, run->complaint);
		return 0;
	}
	ip_reverse_name(&s.address, s.host);
	strcpy(s.vantage, run->sonar->vantage);
	if (o.time_ms == INT64_MIN)
		o.time_ms = run->file.time_ms;
	o.evidence = (struct evidence){.outcome = OUTCOME_SUCCESS,
	    .tls_alert = -1,
	    .chain = run->chain,
	    .chain_n = run->chain_n};
	rc = importer_observation(im, &s, &o, &why);
	if (rc == ERR_INPUT || rc == ERR_LIMIT) {
		importer_complain(im, line, why.text);
		return 0;
	}
	return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

static uint16_t
port_of(const struct run *run, const struct sonar_line *line)
{
	if (run->sonar->port != 0)
		return run->sonar->port;
	if (line->port != 0)
		return line->port;
	if (run->file.port == 0 && run->file.kind == SONAR_HOSTS)
		return HOSTS_PORT;
	return run->file.port;
}

static int
take_endpoint(struct importer *im, struct run *run, const struct sonar_line *line, struct err *err)
{
	uint16_t port = port_of(run, line);
	const struct hash *name;
	int rc;

	if (port == 0)
		return err_set(
		    err, ERR_INPUT, "no port in it, nor in the file's name: give --port");
	if (run->sonar->time_ms == INT64_MIN && run->file.time_ms == INT64_MIN)
		return err_set(err, ERR_INPUT, "no date in the file's name: give --time");
	if ((rc = learn(im, run->sonar, err)) != 0)
		return rc;
	if (run->line == 0 || run->port != port || ip_compare(&run->address, &line->address) != 0) {
		if ((rc = add_endpoint(im, run, err)) != 0)
			return rc;
		run->line = im->lines.number;
		run->address = line->address;
		run->port = port;
		run->complaint = NULL;
		run->chain_n = 0;
	}
	name = fingerprints_find(run->sonar->known, line->sha1);
	if (name == NULL)
		run->complaint = "a certificate that the corpus does not hold; import the files "
				 "of certificates (_certs) first";
	else if (run->chain_n == LIMIT_CHAIN)
		run->complaint = "more certificates than a chain may have";
	else
		run->chain[run->chain_n++] = *name;
	return 0;
}

static int
take(struct importer *im, const char *line, size_t len, void *ctx, struct err *err)
{
	struct run *run = ctx;
	struct sonar_line parsed;
	int rc = sonar_parse(&parsed, &run->der, line, len, err);

	if (rc != 0)
		return rc;
	return parsed.is_certificate ? add_certificate(im, run, &parsed, err)
				     : take_endpoint(im, run, &parsed, err);
}

/* Where the file was cut, the last endpoint may have been cut too: it is not taken. */
static int
finish(struct importer *im, void *ctx, struct err *err)
{
	return im->lines.ended ? add_endpoint(im, ctx, err) : 0;
}

int
import_sonar(struct store *store, const char *path, struct import_sonar *sonar,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err)
{
	static const struct importer_format format = {.take = take, .finish = finish};
	struct run *run;
	int rc;

	run = mem_zero(1, sizeof(*run));
	run->sonar = sonar;
	sonar_file_of(&run->file, path);
	if (run->file.kind == SONAR_NAMES) {
		counts->skipped++;
		rc = 0;
	} else {
		rc = importer_run(store, path, &format, run, hooks, counts, err);
	}
	buf_finish(&run->der);
	free(run);
	return rc;
}

void
import_sonar_finish(struct import_sonar *sonar)
{
	fingerprints_destroy(sonar->known);
	sonar->known = NULL;
}
