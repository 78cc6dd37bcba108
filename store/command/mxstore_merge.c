#include <string.h>
#include <unistd.h>

#include "mxstore_work.h"

struct merge {
	struct options o;
	struct mxstore_work work;
	struct maintain_merged merged;
};

static void
print_json(const struct maintain_merged *m)
{
	printf("{\"type\":\"merge\",\"observations\":%llu,\"dns_answers\":%llu,"
	       "\"certificates\":%llu,\"repeated\":%llu,\"damaged\":%llu}\n",
	    (unsigned long long)m->observations, (unsigned long long)m->dns_answers,
	    (unsigned long long)m->certificates, (unsigned long long)m->repeated,
	    (unsigned long long)m->damaged);
}

static void
print_text(const struct maintain_merged *m)
{
	printf("%llu observations, %llu DNS answers, %llu certificates are new; %llu records were "
	       "there\n",
	    (unsigned long long)m->observations, (unsigned long long)m->dns_answers,
	    (unsigned long long)m->certificates, (unsigned long long)m->repeated);
}

/* One of the corpora; a damaged one does not keep the others from being merged. */
static int
merge_one(struct merge *m, struct store *into, const char *dir)
{
	struct err err = {0};
	int rc = maintain_merge_from(into, dir, &m->work.hooks, &m->merged, &err);

	return mxstore_work_status(&m->work, rc, &err);
}

/* Where none of them is there, nothing is made. */
static bool
is_any_there(const struct options *o)
{
	struct buf path = {0};
	struct err err = {0};
	bool any = false;

	for (int i = 0; i < o->operand_n && !any; i++) {
		buf_clear(&path);
		buf_printf(&path, "%s/data.mdb", o->operands[i]);
		any = access(buf_text(&path), F_OK) == 0;
	}
	buf_finish(&path);
	if (!any) {
		err_set(
		    &err, ERR_NOT_FOUND, "%s: no corpus is here; name one that is", o->operands[0]);
		options_trouble(MXSTORE, &err);
	}
	return any;
}

static int
run(void *ctx)
{
	struct merge *m = ctx;
	struct store *into;
	int status = EXIT_DONE;

	if (!is_any_there(&m->o))
		return EXIT_TROUBLE;
	if (mxstore_open(&m->o, STORE_WRITE, &into) != EXIT_DONE)
		return EXIT_TROUBLE;
	for (int i = 0; i < m->o.operand_n && !options_interrupted(); i++) {
		int one = merge_one(m, into, m->o.operands[i]);

		status = one > status ? one : status;
	}
	store_close(into);
	if (m->o.json)
		print_json(&m->merged);
	else if (!m->o.quiet)
		print_text(&m->merged);
	return status == EXIT_DONE && m->merged.damaged > 0 ? EXIT_MISSING : status;
}

int
mxstore_merge(int argc, char **argv)
{
	static const struct mxstore_usage usage = {"merge [OPTION…] STORE…",
	    "Bring all that other corpora hold into this one. Any order and any repetition\n"
	    "gives the same corpus; what is damaged in one of them is named, the rest goes on.",
	    true};
	struct merge m = {.o = {.program = MXSTORE, .command = "merge"}};
	int rc;

	if (!mxstore_parse(&m.o, NULL, &usage, argc, argv, &rc))
		return rc;
	if (m.o.operand_n == 0)
		return options_usage_error(MXSTORE, "merge: which STORE?");
	mxstore_work_init(&m.work, &m.o, "merged");
	return mxstore_work_apart(&m.o, run, &m);
}
