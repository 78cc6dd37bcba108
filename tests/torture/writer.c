/*
 * writer: writes batches of the workload, and tells a witness, standard output, before and after
 * each of them: "begin N", "done N", or "failed N: the error's line". With -r a batch that
 * failed is tried once more, as after room was made: in the same process, in a store that is opened
 * again only where the old one cannot go on.
 *
 *	-s SEED  -w WRITER  -f FROM  -n BATCHES
 *	-p MS  waits so long after each batch
 *	-H     holds each batch open, and says so, until standard input ends
 *	-r     tries again
 *	-e     tells at the end what the corpus holds: "state H", the SHA-256 of its export as JSON
 *	       lines, or "state N findings", where it does not stand the check
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/mem.h"
#include "store/exchange/export.h"
#include "workload.h"

struct writer {
	const char *dir;
	uint64_t seed;
	unsigned number, from, batches, pause_ms;
	bool retry, hold, tell;
	struct store *store;
};

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n] = '\n';
	/* One write, past stdio: what was said must be out when the process is killed. */
	if (write(STDOUT_FILENO, line, (size_t)n + 1) != n + 1)
		exit(3);
}

static int
write_batch(struct writer *w, unsigned n, struct err *err)
{
	struct store_batch *batch = NULL;
	int rc = 0;

	if (w->store == NULL)
		rc = store_open(&w->store, w->dir, STORE_WRITE, err);
	if (rc == 0)
		rc = store_batch_begin(w->store, &batch, err);
	if (rc == 0)
		rc = workload_add(batch, w->seed, w->number, n, err);
	if (rc == 0 && w->hold) {
		say("hold %u", n);
		while (getchar() != EOF)
			;
	}
	if (rc == 0)
		rc = store_batch_commit(&batch, NULL, err);
	store_batch_abort(&batch);
	return rc;
}

static bool
take_turn(struct writer *w, unsigned n)
{
	struct err err = {0};

	say("begin %u", n);
	if (write_batch(w, n, &err) == 0) {
		say("done %u", n);
		return true;
	}
	say("failed %u: %s", n, err.text);
	if (!w->retry)
		return false;
	err = (struct err){0};
	if (write_batch(w, n, &err) != 0) {
		say("failed again %u: %s", n, err.text);
		store_close(w->store);
		w->store = NULL;
		err = (struct err){0};
		if (write_batch(w, n, &err) != 0) {
			say("failed for good %u: %s", n, err.text);
			return false;
		}
	}
	say("done %u", n);
	return true;
}

static void
print_finding(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

static int
say_export(struct store_view *view, struct err *err)
{
	const struct export_filter all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	struct export_counts counts;
	char hex[2 * HASH_LEN + 1];
	struct hash hash;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int rc;

	if (out == NULL)
		return err_set(err, ERR_SYSTEM, "open_memstream: no memory");
	rc = export_jsonl(view, &all, out, NULL, &counts, err);
	fclose(out);
	hash = hash_sha256(text, len);
	hash_hex(&hash, hex);
	if (rc == 0)
		say("state %s", hex);
	free(text);
	return rc;
}

static bool
say_state(struct writer *w)
{
	struct store_view *view = NULL;
	struct err err = {0};
	int rc = store_view_open(w->store, &view, &err);

	if (rc == 0)
		rc = store_check(view, print_finding, NULL, &err);
	if (rc > 0)
		say("state %d findings", rc);
	else if (rc == 0)
		rc = say_export(view, &err);
	if (rc < 0)
		say("state unknown: %s", err.text);
	store_view_close(view);
	return rc == 0;
}

int
main(int argc, char **argv)
{
	struct writer w = {.seed = 1, .batches = 1};
	int c, status = 0;

	while ((c = getopt(argc, argv, "s:w:f:n:p:Hre")) != -1) {
		switch (c) {
		case 's':
			w.seed = strtoull(optarg, NULL, 10);
			break;
		case 'w':
			w.number = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			w.from = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			w.batches = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			w.pause_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'H':
			w.hold = true;
			break;
		case 'r':
			w.retry = true;
			break;
		case 'e':
			w.tell = true;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc)
		return 2;
	w.dir = argv[optind];
	for (unsigned n = w.from; status == 0 && n < w.from + w.batches; n++) {
		status = take_turn(&w, n) ? 0 : 1;
		usleep(w.pause_ms * 1000);
	}
	if (w.tell && status == 0 && !say_state(&w))
		status = 1;
	store_close(w.store);
	return status;
}
