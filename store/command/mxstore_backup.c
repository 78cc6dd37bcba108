#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "mxstore_work.h"
#include "store/base/mem.h"
#include "store/base/text.h"

struct backup {
	struct options o;
	struct mxstore_work work;
	const char *dir;
	bool partial;
	struct maintain_cursor since, cursor;
	struct maintain_copied copied;
};

static void
print_json(const struct backup *b, const char *cursor)
{
	struct buf out = {0};

	buf_append_text(&out, "{\"type\":\"backup\",\"dir\":");
	text_json(&out, b->dir, strlen(b->dir));
	buf_printf(&out, ",\"cursor\":\"%s\"", cursor);
	if (b->partial)
		buf_printf(&out,
		    ",\"observations\":%llu,\"dns_answers\":%llu,\"certificates\":%llu",
		    (unsigned long long)b->copied.observations,
		    (unsigned long long)b->copied.dns_answers,
		    (unsigned long long)b->copied.certificates);
	buf_printf(&out, ",\"records\":%llu,\"octets\":%llu}",
	    (unsigned long long)b->copied.records, (unsigned long long)b->copied.octets_after);
	puts(buf_text(&out));
	buf_finish(&out);
}

static void
print_text(const struct backup *b, const char *cursor)
{
	struct buf shown = {0};

	text_escape(&shown, b->dir, strlen(b->dir));
	if (b->partial)
		printf("%s: %llu observations, %llu DNS answers, %llu certificates\n",
		    buf_text(&shown), (unsigned long long)b->copied.observations,
		    (unsigned long long)b->copied.dns_answers,
		    (unsigned long long)b->copied.certificates);
	else
		printf("%s: %llu records, %.1f MiB\n", buf_text(&shown),
		    (unsigned long long)b->copied.records,
		    (double)b->copied.octets_after / (1 << 20));
	printf("what comes later: mxstore backup --since %s DIR\n", cursor);
	buf_finish(&shown);
}

/* A copy within what it is a copy of goes with it. dir need not be there, what it lies in must. */
static bool
is_within(const char *dir, const char *store)
{
	char *parent = mem_strdup(dir), *at = realpath(dirname(parent), NULL);
	char *corpus = realpath(store, NULL);
	size_t n = corpus != NULL ? strlen(corpus) : 0;
	bool within = at != NULL && corpus != NULL && strncmp(at, corpus, n) == 0 &&
		      (at[n] == '\0' || at[n] == '/');

	free(parent);
	free(at);
	free(corpus);
	return within;
}

static int
run(void *ctx)
{
	struct backup *b = ctx;
	char cursor[MAINTAIN_CURSOR_MAX];
	struct store *store;
	struct err err = {0};
	int rc, status;

	if (mxstore_open(&b->o, STORE_READ, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	if (is_within(b->dir, store_dir(store)))
		rc = err_set(&err, ERR_INPUT,
		    "%s: lies in the corpus itself, and would go with it; choose another", b->dir);
	else if (b->partial)
		rc = maintain_increment(
		    store, &b->since, b->dir, &b->work.hooks, &b->cursor, &b->copied, &err);
	else
		rc = maintain_copy(store, b->dir, &b->work.hooks, &b->cursor, &b->copied, &err);
	store_close(store);
	if ((status = mxstore_work_status(&b->work, rc, &err)) != EXIT_DONE)
		return status;
	maintain_cursor_format(&b->cursor, cursor);
	if (b->o.json)
		print_json(b, cursor);
	else if (!b->o.quiet)
		print_text(b, cursor);
	return EXIT_DONE;
}

int
mxstore_backup(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"backup [OPTION…] DIR",
	    "A copy of the corpus in DIR (new or empty), while others read and write it. It is\n"
	    "a corpus: use it with --store DIR, or bring it back with mxstore merge DIR.",
	    true};
	const char *since = NULL;
	const struct option_row rows[] = {{"since", 0, OPTION_TEXT, &since, "CURSOR",
					      "only what came after the backup that told CURSOR"},
	    {0}};
	struct backup b = {.o = {.program = MXSTORE, .command = "backup"}};
	int rc;

	if (!mxstore_parse(&b.o, rows, &usage, argc, argv, &rc))
		return rc;
	if (b.o.operand_n != 1)
		return options_usage_error(MXSTORE, "backup: needs one DIR");
	if (since != NULL && !maintain_cursor_parse(since, &b.since))
		return options_usage_error(
		    MXSTORE, "backup: --since %s: no cursor that a backup told", since);
	b.partial = since != NULL;
	b.dir = b.o.operands[0];
	mxstore_work_init(&b.work, &b.o, "written");
	return mxstore_work_apart(&b.o, run, &b);
}
