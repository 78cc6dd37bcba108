#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/mem.h"

#define PROGRAM "mxdiff"
#define ROWS_MAX 64
#define CLOCK_ERROR_MAX_MS (366 * CLOCK_DAY_MS) /* beyond it no bracket says anything */

/* ---- options ----------------------------------------------------------------------------- */

static size_t
add_rows(struct option_row *rows, size_t n, const struct option_row *more)
{
	for (; more != NULL && more->name != NULL && n + 1 < ROWS_MAX; more++)
		rows[n++] = *more;
	rows[n] = (struct option_row){0};
	return n;
}

static void
make_rows(struct query *q, struct option_row *rows, unsigned takes, const struct option_row *more)
{
	const struct option_row lifetimes[] = {
	    {"sni", 0, OPTION_LIST, &q->sni, "V[,V…]",
		"only these variants: none, hostname, nexthop, unknown, literal"},
	    {"offer", 0, OPTION_TEXT, &q->offer, "O", "only what was seen under this offer"},
	    {"settle", 0, OPTION_UNSIGNED, &q->settle, "N",
		"other observations that end a lifetime (20)"},
	    {"gone-after", 0, OPTION_SPAN, &q->gone_after_ms, "SPAN",
		"time without an observation after which a series is gone (7d)"},
	    {"clock-error", 0, OPTION_SPAN, &q->clock_error_ms, "SPAN",
		"widen every bracket by this on both sides (0)"},
	    {0}};
	const struct option_row all[] = {
	    {"vantage", 0, OPTION_TEXT, &q->vantage, "NAME", "only what this vantage saw"},
	    {"utc", 0, OPTION_FLAG, &q->utc, NULL, "print times in UTC, not in the zone of TZ"},
	    {0}};
	const struct option_row at[] = {
	    {"at", 0, OPTION_TIME, &q->at_ms, "TIME", "what was shown then (now)"}, {0}};
	const struct option_row span[] = {
	    {"since", 0, OPTION_TIME, &q->since_ms, "TIME", "only what happened after"},
	    {"until", 0, OPTION_TIME, &q->until_ms, "TIME", "only what happened before"},
	    {"between", 0, OPTION_TIMES, q->between_ms, "T1 T2", "both at once"}, {0}};
	const struct option_row changes[] = {
	    {"class", 0, OPTION_LIST, &q->class, "C[,C…]", "only changes of one of these classes"},
	    {"severity", 0, OPTION_TEXT, &q->severity, "S",
		"at least info, notice, warning or critical"},
	    {"ignore", 0, OPTION_LIST, &q->ignore, "FIELD[,FIELD…]", "do not look at these fields"},
	    {"all-fields", 0, OPTION_FLAG, &q->all_fields, NULL,
		"in text, also the fields that matter least"},
	    {"exit-code", 0, OPTION_FLAG, &q->exit_code, NULL, "exit with 1 if there was any"},
	    {0}};
	const struct option_row windows[] = {{"group", 0, OPTION_TEXT, &q->group, "G",
						 "operator, host, address or chain (operator)"},
	    {"window-gap", 0, OPTION_SPAN, &q->window_gap_ms, "SPAN",
		"time without a conversion that closes a window (14d)"},
	    {0}};
	const struct option_row plot[] = {
	    {"plot", 0, OPTION_FLAG, &q->plot, NULL,
		"in text, draw the curve of conversions instead of listing them"},
	    {0}};
	const struct option_row verdicts[] = {
	    {"roots", 0, OPTION_TEXT, &q->judging.verdict.roots, "FILE|DIR",
		"the CAs that senders trust (" ROOTS_DEFAULT ")"},
	    {"postfix", 0, OPTION_TEXT, &q->postfix, "VERSION",
		"verdicts in the words of Postfix 3.4 to 3.11 (3.7)"},
	    {0}};
	const struct option_row judged[] = {
	    {"nexthop", 0, OPTION_TEXT, &q->nexthop, "DOMAIN",
		"the recipient domain of the hosts, for the level secure"},
	    {"no-verdict", 0, OPTION_FLAG, &q->no_verdict, NULL,
		"do not tell what senders conclude"},
	    {0}};
	size_t n = add_rows(rows, 0, more);

	n = add_rows(rows, n, (takes & QUERY_AT) != 0 ? at : NULL);
	n = add_rows(rows, n, (takes & QUERY_SPAN) != 0 ? span : NULL);
	n = add_rows(rows, n, (takes & QUERY_CHANGES) != 0 ? changes : NULL);
	n = add_rows(rows, n, (takes & QUERY_WINDOWS) != 0 ? windows : NULL);
	n = add_rows(rows, n, (takes & QUERY_PLOT) != 0 ? plot : NULL);
	n = add_rows(rows, n, (takes & (QUERY_VERDICTS | QUERY_POLICY)) != 0 ? verdicts : NULL);
	n = add_rows(rows, n, (takes & QUERY_VERDICTS) != 0 ? judged : NULL);
	n = add_rows(rows, n, (takes & QUERY_POLICY) == 0 ? lifetimes : NULL);
	add_rows(rows, n, all);
}

/* "a,b,c": calls `take` for each word; false and *bad at the first one it refuses. */
static bool
each_word(const struct option_list *list, bool (*take)(struct query *, const char *),
    struct query *q, char *bad, size_t bad_size)
{
	for (size_t i = 0; i < list->n; i++) {
		char *copy = mem_strdup(list->items[i]), *rest = copy, *word;

		while ((word = strsep(&rest, ",")) != NULL) {
			if (take(q, word))
				continue;
			snprintf(bad, bad_size, "%s", word);
			free(copy);
			return false;
		}
		free(copy);
	}
	return true;
}

static bool
take_sni(struct query *q, const char *word)
{
	enum sni sni;

	if (!sni_parse(word, &sni))
		return false;
	q->sni_bits |= 1u << sni;
	return true;
}

static bool
take_class(struct query *q, const char *word)
{
	enum change_class class;

	if (!class_parse(word, &class))
		return false;
	q->class_bits |= 1u << class;
	return true;
}

static bool
take_ignore(struct query *q, const char *word)
{
	enum field field;

	if (!field_parse(word, &field))
		return false;
	q->rules.ignored[field] = true;
	return true;
}

/* Returns -1, or the status of the usage error that was printed. */
static int
understand(struct query *q)
{
	char bad[64];

	if (!each_word(&q->sni, take_sni, q, bad, sizeof(bad)))
		return options_usage_error(
		    PROGRAM, "--sni %s: not one of none, hostname, nexthop, unknown, literal", bad);
	if (!each_word(&q->class, take_class, q, bad, sizeof(bad)))
		return options_usage_error(
		    PROGRAM, "--class %s: no such class; mxdiff fields lists them", bad);
	if (!each_word(&q->ignore, take_ignore, q, bad, sizeof(bad)))
		return options_usage_error(
		    PROGRAM, "--ignore %s: no such field; mxdiff fields lists them", bad);
	if (q->severity != NULL && !severity_parse(q->severity, &q->least))
		return options_usage_error(PROGRAM,
		    "--severity %s: not one of info, notice, warning, critical", q->severity);
	if (q->group != NULL && !rollout_group_parse(q->group, &q->rollout_group))
		return options_usage_error(
		    PROGRAM, "--group %s: not one of operator, host, address, chain", q->group);
	if (q->offer != NULL && !offer_parse(q->offer, &q->offer_only))
		return options_usage_error(PROGRAM,
		    "--offer %s: not one of default, rsa, ecdsa, tls1.0, tls1.1, tls1.2, tls1.3",
		    q->offer);
	if (q->vantage != NULL && !vantage_valid(q->vantage))
		return options_usage_error(
		    PROGRAM, "--vantage %s: not 1 to 32 of a-z, 0-9 and -", q->vantage);
	if (q->postfix != NULL && !level_postfix_parse(q->postfix, &q->judging.verdict.postfix))
		return options_usage_error(PROGRAM, "--postfix %s: not 3.4 to 3.11", q->postfix);
	if (q->nexthop != NULL && host_normalise(q->nexthop, q->nexthop_name, NULL) < 0)
		return options_usage_error(PROGRAM, "--nexthop %s: no domain", q->nexthop);
	q->judging.quiet = q->options.quiet;
	q->judging.nexthop = q->nexthop != NULL ? q->nexthop_name : NULL;
	if (q->clock_error_ms > CLOCK_ERROR_MAX_MS)
		return options_usage_error(PROGRAM, "--clock-error: at most 366d");
	if (q->settle == 0)
		return options_usage_error(PROGRAM, "--settle 0: must be at least 1");
	if (q->between_ms[0] > q->between_ms[1])
		return options_usage_error(
		    PROGRAM, "--between: the first time must be the earlier");
	if (q->since_ms > q->until_ms)
		return options_usage_error(
		    PROGRAM, "--until is earlier than --since: nothing can lie between");
	if (q->between_ms[1] != INT64_MAX) {
		q->since_ms = q->between_ms[0];
		q->until_ms = q->between_ms[1];
	}
	q->rules.lifetimes.settle = q->settle;
	q->rules.lifetimes.gone_after_ms = q->gone_after_ms;
	q->rules.clock_error_ms = q->clock_error_ms;
	return -1;
}

static void
print_help(
    const char *command, const char *operands, const char *purpose, const struct option_row *rows)
{
	printf("usage: " PROGRAM " %s [OPTION…] %s\n%s\n\n", command, operands, purpose);
	options_help(stdout, rows);
}

int
query_open(struct query *q, const char *command, const char *operands, const char *purpose,
    unsigned takes, const struct option_row *more, int argc, char **argv)
{
	struct option_row rows[ROWS_MAX];
	struct buf dir = {0};
	struct err err = {0};
	int status = -1;

	*q = (struct query){.options = {.program = PROGRAM, .command = command},
	    .since_ms = INT64_MIN,
	    .until_ms = INT64_MAX,
	    .at_ms = INT64_MAX,
	    .between_ms = {INT64_MIN, INT64_MAX},
	    .gone_after_ms = LIFETIME_GONE_AFTER_MS,
	    .window_gap_ms = ROLLOUT_GAP_MS,
	    .settle = LIFETIME_SETTLE,
	    .judging.verdict.postfix = level_postfix_default};
	make_rows(q, rows, takes, more);
	switch (options_parse(&q->options, rows, argc, argv)) {
	case OPTIONS_HELP:
		print_help(command, operands, purpose, rows);
		return EXIT_DONE;
	case OPTIONS_DONE:
		return EXIT_DONE;
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_OK:
		break;
	}
	q->with_names = (takes & QUERY_NAMES) != 0;
	if ((status = understand(q)) >= 0)
		return status;
	q->colour = options_colour(stdout);
	if (store_find_dir(q->options.store, &dir, &err) < 0 ||
	    store_open(&q->store, buf_text(&dir), STORE_READ, &err) < 0 ||
	    store_view_open(q->store, &q->view, &err) < 0 ||
	    ((takes & (QUERY_VERDICTS | QUERY_POLICY)) != 0 && !q->no_verdict &&
		judge_create(&q->judge, q->view, &q->judging, &err) < 0)) {
		status = options_trouble(PROGRAM, &err);
	} else {
		q->changes = changes_create(q->view, &q->rules);
		changes_set_judge(q->changes, q->judge);
	}
	buf_finish(&dir);
	return status;
}

void
query_release(struct query *q)
{
	changes_destroy(q->changes);
	judge_look_at(q->judge, NULL);
	store_view_close(q->view);
	q->changes = NULL;
	q->view = NULL;
}

int
query_refresh(struct query *q, struct err *err)
{
	int rc;

	query_release(q);
	if ((rc = store_view_open(q->store, &q->view, err)) == 0) {
		q->changes = changes_create(q->view, &q->rules);
		judge_look_at(q->judge, q->view);
		changes_set_judge(q->changes, q->judge);
	}
	return rc;
}

void
query_close(struct query *q)
{
	query_release(q);
	judge_destroy(q->judge);
	store_close(q->store);
	option_list_finish(&q->sni);
	option_list_finish(&q->class);
	option_list_finish(&q->ignore);
	buf_finish(&q->told_missing);
}
