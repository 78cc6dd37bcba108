/* prune and delete: both drop, and say first what. */
#include <stdlib.h>
#include <string.h>

#include "mxstore_work.h"
#include "store/base/clock.h"
#include "store/base/mem.h"
#include "store/base/text.h"
#include "store/corpus/keep.h"
#include "store/record/optout.h"

struct dropping {
	struct options o;
	struct mxstore_work work;
	bool dry_run;
	int64_t before_ms;	       /* prune */
	struct keep_rules rules;       /* prune */
	char (*names)[LIMIT_NAME + 1]; /* delete */
	size_t name_n;
	struct maintain_dropped dropped;
};

static void
print_json(const struct dropping *x, const struct maintain_dropped *d)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
	bool any = d->observations + d->dns_answers > 0;

	clock_format_ms(d->first_ms, first);
	clock_format_ms(d->last_ms, last);
	printf("{\"type\":\"%s\",\"dry_run\":%s,\"observations\":%llu,\"dns_answers\":%llu,",
	    x->o.command, x->dry_run ? "true" : "false", (unsigned long long)d->observations,
	    (unsigned long long)d->dns_answers);
	if (any)
		printf("\"first\":\"%s\",\"last\":\"%s\",", first, last);
	else
		printf("\"first\":null,\"last\":null,");
	printf("\"evidence\":%llu,\"chains\":%llu,\"certificates\":%llu,\"series\":%llu,"
	       "\"commits\":%llu}\n",
	    (unsigned long long)d->evidence, (unsigned long long)d->chains,
	    (unsigned long long)d->certificates, (unsigned long long)d->series,
	    (unsigned long long)d->commits);
}

static void
print_text(const struct dropping *x, const struct maintain_dropped *d)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	if (d->observations + d->dns_answers + d->series == 0) {
		puts("nothing is to go");
		return;
	}
	printf("%s %llu observations, %llu DNS answers", x->dry_run ? "would drop" : "dropping",
	    (unsigned long long)d->observations, (unsigned long long)d->dns_answers);
	if (d->observations + d->dns_answers > 0) {
		clock_format_ms(d->first_ms, first);
		clock_format_ms(d->last_ms, last);
		printf(" (%s to %s)", first, last);
	}
	printf("; %llu evidence records, %llu chains, %llu certificates, %llu series",
	    (unsigned long long)d->evidence, (unsigned long long)d->chains,
	    (unsigned long long)d->certificates, (unsigned long long)d->series);
	if (d->commits > 0)
		printf("; %llu commits of the journal", (unsigned long long)d->commits);
	putchar('\n');
}

/* Says what goes before it does. */
static bool
confirm(void *ctx, const struct maintain_dropped *dropped)
{
	struct dropping *x = ctx;

	progress_finish(&x->work.progress);
	if (x->o.json)
		print_json(x, dropped);
	else if (!x->o.quiet || x->dry_run)
		print_text(x, dropped);
	fflush(stdout);
	return !x->dry_run;
}

static int
run_prune(void *ctx)
{
	struct dropping *x = ctx;
	struct store *store;
	struct err err = {0};
	int rc;

	if (mxstore_open_there(&x->o, STORE_WRITE, &store) != EXIT_DONE)
		return EXIT_TROUBLE;
	rc = maintain_prune(
	    store, x->before_ms, &x->rules, &x->work.hooks, confirm, x, &x->dropped, &err);
	store_close(store);
	return mxstore_work_status(&x->work, rc, &err);
}

int
mxstore_prune(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"prune --before TIME [OPTION…]",
	    "Drop what is older than TIME, but for what tells what happens from TIME on: what\n"
	    "each series shows, when it began to, and every change whose bracket ends at TIME\n"
	    "or later stay the same. Says first what goes; mxstore compact gives the room back.",
	    false};
	struct dropping x = {.o = {.program = MXSTORE, .command = "prune"},
	    .before_ms = INT64_MIN,
	    .rules.gone_after_ms = KEEP_GONE_AFTER_MS};
	unsigned settle = KEEP_SETTLE;
	const struct option_row rows[] = {
	    {"before", 0, OPTION_TIME, &x.before_ms, "TIME", "what is older goes (needed)"},
	    {"dry-run", 'n', OPTION_FLAG, &x.dry_run, NULL, "only say what would go"},
	    {"settle", 0, OPTION_UNSIGNED, &settle, "N",
		"for lifetimes that end after N other observations: 20"},
	    {"gone-after", 0, OPTION_SPAN, &x.rules.gone_after_ms, "SPAN",
		"for hosts that are gone after SPAN: 7d"},
	    {0}};
	int rc;

	if (!mxstore_parse(&x.o, rows, &usage, argc, argv, &rc))
		return rc;
	if (!observation_time_valid(x.before_ms))
		return options_usage_error(MXSTORE, "prune: needs --before TIME");
	if (settle == 0)
		return options_usage_error(MXSTORE, "prune: --settle: at least 1");
	x.rules.settle = settle;
	mxstore_work_init(&x.work, &x.o, "looked at");
	return mxstore_work_apart(&x.o, run_prune, &x);
}

/* ---- delete --------------------------------------------------------------------------------- */

/* First of all: whatever happens then, no new observations come. */
static int
block(struct dropping *x, struct store *store, struct err *err)
{
	for (size_t i = 0; !x->dry_run && i < x->name_n; i++) {
		int rc = optout_add(store_dir(store), x->names[i], err);

		if (rc < 0)
			return rc;
		if (!x->o.quiet && !x->o.json)
			printf("%s: %s %s/blocklist\n", x->names[i],
			    rc > 0 ? "entered in" : "stands in", store_dir(store));
	}
	return 0;
}

/* Pages that became free keep their bytes until they are used again. */
static int
remove_traces(struct dropping *x, struct store **store)
{
	struct maintain_copied copied = {0};
	struct err err = {0};
	int rc = maintain_compact(store, &x->work.hooks, &copied, &err);

	progress_finish(&x->work.progress);
	if (rc == 0)
		return EXIT_DONE;
	options_trouble(MXSTORE, &err);
	fputs("mxstore: free pages of the corpus keep traces of it until `mxstore compact`\n",
	    stderr);
	return EXIT_MISSING;
}

static int
run_delete(void *ctx)
{
	struct dropping *x = ctx;
	const char **names = mem_zero(x->name_n, sizeof(*names));
	struct store *store;
	struct err err = {0};
	int rc, status;

	for (size_t i = 0; i < x->name_n; i++)
		names[i] = x->names[i];
	if (mxstore_open_there(&x->o, STORE_WRITE, &store) != EXIT_DONE) {
		free(names);
		return EXIT_TROUBLE;
	}
	rc = block(x, store, &err);
	if (rc == 0)
		rc = maintain_delete(
		    store, names, x->name_n, &x->work.hooks, confirm, x, &x->dropped, &err);
	status = mxstore_work_status(&x->work, rc, &err);
	if (status == EXIT_DONE && !x->dry_run)
		status = remove_traces(x, &store);
	store_close(store);
	free(names);
	return status;
}

int
mxstore_delete(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"delete [OPTION…] HOST|DOMAIN…",
	    "An operator's opt-out: drop all that the corpus holds of the name and of all names\n"
	    "below it, and enter it in the corpus's blocklist. Says first what goes; then the\n"
	    "corpus is compacted, so that no trace stays.",
	    true};
	struct dropping x = {.o = {.program = MXSTORE, .command = "delete"}};
	const struct option_row rows[] = {
	    {"dry-run", 'n', OPTION_FLAG, &x.dry_run, NULL, "only say what would go"}, {0}};
	struct err err = {0};
	int rc;

	if (!mxstore_parse(&x.o, rows, &usage, argc, argv, &rc))
		return rc;
	if (x.o.operand_n == 0)
		return options_usage_error(MXSTORE, "delete: which HOST or DOMAIN?");
	x.names = mem_zero((size_t)x.o.operand_n, sizeof(*x.names));
	for (; rc == 0 && x.name_n < (size_t)x.o.operand_n; x.name_n++)
		rc = host_normalise(x.o.operands[x.name_n], x.names[x.name_n], &err);
	mxstore_work_init(&x.work, &x.o, "looked at");
	rc = rc == 0 ? mxstore_work_apart(&x.o, run_delete, &x) : options_trouble(MXSTORE, &err);
	free(x.names);
	return rc;
}
